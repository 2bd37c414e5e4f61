// SPDX-License-Identifier: Apache-2.0
//! From an action to its tasks: jobs are cut into stages at shuffles, stages into one task per partition.

pub mod backend;
pub(crate) mod dag;
mod running;
mod spent;
pub mod task;
pub(crate) mod threads;
