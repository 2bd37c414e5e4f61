// SPDX-License-Identifier: Apache-2.0
//! Where blocks of records stay: the files of spilled ones, and the budget of those in memory.

pub(crate) mod builder;
mod content;
pub mod disk;
pub mod kept;
pub mod memory;
pub(crate) mod policy;
