// SPDX-License-Identifier: Apache-2.0
//! The operations that make one dataset from others, by kind.

mod join;
mod narrow;
mod pair;
mod shuffled;

pub use pair::PairOptions;
