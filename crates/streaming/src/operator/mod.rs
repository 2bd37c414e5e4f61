// SPDX-License-Identifier: Apache-2.0
//! The operations on streams, by kind. A stateless one is a line over the operation of the same name on datasets.

mod join;
mod pair;
mod result;
mod stateless;
mod transform;
mod update_state;

pub use update_state::{KeyUpdates, StateOptions};
