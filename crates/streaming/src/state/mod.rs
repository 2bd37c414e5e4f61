// SPDX-License-Identifier: Apache-2.0
//! The states of `map_with_state`: in memory by partition, changed in place, each batch a version that can be undone.

mod apply;
pub(crate) mod codec;
pub(crate) mod error;
mod map;
#[cfg(test)]
mod map_against_a_model;
pub(crate) mod shape;
pub(crate) mod snapshot;
#[cfg(test)]
mod state_map_suite;
mod store;
mod value;

pub(crate) use apply::{Function, Rules};
pub use error::StateError;
pub(crate) use store::StateStore;
pub use value::State;
