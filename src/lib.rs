//! lateen
