//! lateen: a terminal dashboard for KubeVela multi-cluster delivery.
//!
//! Tasks turn the world into messages; one `update(&mut App, Message) -> Vec<Effect>` changes the state and asks
//! for work; `draw` shows it; the runtime performs the effects. The floors, each importing only those it names:
//!
//! | floor | holds | may import |
//! |---|---|---|
//! | [`model`] | plain values: keys, rows, health, deltas, actions | nothing |
//! | [`yaml`] | text ⇄ value | model |
//! | [`store`] | what is known of the world: deltas in, indexes out | model |
//! | [`app`] | behaviour, pure: messages in, effects out | model, store, yaml |
//! | [`ui`] | the picture, pure | model, store, app |
//! | `cluster` | the outside: watches, logs, forwards, writes | model, yaml |
//! | `demo` | the simulated estate (feature `demo`) | none of them |
//! | `runtime` | wiring: the loop, the terminal, effects → tasks | all but cli |
//! | `cli` | the one-shot commands | model, yaml, store, cluster, demo, runtime |
//!
//! `tests/layering.rs` holds the table.

pub mod app;
pub mod cli;
pub mod cluster;
#[cfg(feature = "demo")]
pub mod demo;
pub mod model;
pub mod runtime;
pub mod store;
pub mod ui;
pub mod yaml;
