// SPDX-License-Identifier: Apache-2.0
//! The states of `map_with_state`: in memory by partition, changed in place, each batch a version that can be undone.

mod apply;
mod map;
#[cfg(test)]
mod map_against_a_model;
#[cfg(test)]
mod state_map_suite;
mod store;
mod value;

pub(crate) use apply::{Function, Rules};
pub(crate) use store::StateStore;
pub use value::State;
