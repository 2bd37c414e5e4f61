// SPDX-License-Identifier: Apache-2.0
//! Checkpoints: what outlives the process, and how it is found again.
//!
//! A batch is logged before it is processed, and logged as completed when its outputs are done and what it changed in
//! the states is durable. After a restart the batches that were not completed are processed with exactly their input.

mod aside;
mod contents;
mod cut;
mod directory;
pub(crate) mod durable;
mod log;
mod record;
mod recovered;
mod report;

pub(crate) use aside::set_aside;
pub use contents::{CheckpointContents, StateContents};
pub(crate) use cut::{Cut, RETAINED};
pub(crate) use directory::CheckpointDirectory;
pub(crate) use log::{TimedLog, encode};
pub(crate) use record::{BatchRecord, Program, StoredInput, StoredOperator};
pub(crate) use recovered::Recovered;
pub use report::{Fate, RecoveryReport, RecoveryRow};
