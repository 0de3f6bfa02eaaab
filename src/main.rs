//! The program: arguments to the runtime or to a one-shot command.

fn main() {}
