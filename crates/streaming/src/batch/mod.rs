// SPDX-License-Identifier: Apache-2.0
//! The life of a batch: its time comes, its input is fixed, its jobs run, it is forgotten.

pub(crate) mod committer;
pub(crate) mod generator;
pub(crate) mod keeper;
pub(crate) mod progress;
pub(crate) mod runner;
pub(crate) mod tally;
