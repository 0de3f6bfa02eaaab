//! `lateen`: the dashboard, on the hub that the flags name.

use super::{
    args::Global,
    failure::{Failure, code},
};

pub(super) async fn run(_: &Global) -> Result<u8, Failure> {
    crate::runtime::console::check().map_err(|unfit| Failure::usage(unfit.to_string()))?;
    Ok(code::DONE)
}
