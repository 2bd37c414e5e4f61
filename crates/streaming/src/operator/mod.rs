// SPDX-License-Identifier: Apache-2.0
//! The operations on streams, by kind. A stateless one is a line over the operation of the same name on datasets.

mod frame;
mod join;
mod map_with_state;
mod pair;
mod reduce_window;
mod result;
mod stateless;
mod transform;
mod update_state;
mod window;

pub use map_with_state::{MapWithStateStream, StateSpec};
pub use reduce_window::ReducedWindowOptions;
pub use update_state::{KeyUpdates, StateOptions};
