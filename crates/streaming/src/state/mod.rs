// SPDX-License-Identifier: Apache-2.0
//! The states of `map_with_state`: by partition, changed in place, each batch a version that can be undone; and how states
//! are kept in checkpoints.

mod applied;
mod apply;
mod base;
mod changes;
pub(crate) mod codec;
mod disk;
mod durable;
#[cfg(test)]
mod durable_suite;
mod entries;
pub(crate) mod error;
mod fold;
mod map;
#[cfg(test)]
mod map_against_a_model;
mod merge;
mod restore;
pub(crate) mod shape;
pub(crate) mod snapshot;
#[cfg(test)]
mod state_map_suite;
mod store;
mod value;

pub(crate) use apply::{Function, Rules};
pub(crate) use disk::DiskOptions;
pub(crate) use durable::DurableStates;
pub use error::StateError;
pub(crate) use store::StateStore;
pub use value::State;
