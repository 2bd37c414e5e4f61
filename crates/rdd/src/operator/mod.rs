// SPDX-License-Identifier: Apache-2.0
//! The operations that make one dataset from others, by kind.

mod cartesian;
mod coalesce;
mod evolve;
mod hash_join;
mod join;
mod narrow;
mod pair;
mod sample;
mod shuffled;
mod sort;
mod through;
mod union;
mod zip;

pub use evolve::{KeyIndex, KeyValues};
pub use pair::PairOptions;
