// SPDX-License-Identifier: Apache-2.0
//! Where blocks of records stay: the files of spilled ones, and the budget of those in memory.

pub mod disk;
pub mod memory;
