// SPDX-License-Identifier: Apache-2.0
//! Batches, one line each.

use dstreams_streaming::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Date;
use crate::store::{BatchRecord, Phase, Store};

/// How far a batch has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// All its jobs have ended.
    Completed,
    /// Its jobs are queued.
    Queued,
    /// Its first job has begun.
    Processing,
}

impl From<Phase> for Status {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Waiting => Self::Queued,
            Phase::Running => Self::Processing,
            Phase::Completed => Self::Completed,
        }
    }
}

impl std::str::FromStr for Status {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_uppercase().as_str() {
            "COMPLETED" => Ok(Self::Completed),
            "QUEUED" => Ok(Self::Queued),
            "PROCESSING" => Ok(Self::Processing),
            _ => Err(format!("unknown status: {text}; it is COMPLETED, QUEUED or PROCESSING")),
        }
    }
}

/// A batch.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Batch {
    /// The batch time in milliseconds.
    pub batch_id: i64,
    /// The batch time.
    pub batch_time: Date,
    /// How far it has come.
    pub status: Status,
    /// The length of a batch in milliseconds.
    pub batch_duration: i64,
    /// Records over all inputs.
    pub input_size: u64,
    /// Milliseconds from submission to the first job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduling_delay: Option<i64>,
    /// Milliseconds from the first job to the end of the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processing_time: Option<i64>,
    /// Milliseconds from submission to the end of the last job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_delay: Option<i64>,
    /// Outputs that have not ended.
    pub num_active_output_ops: usize,
    /// Outputs that have ended well.
    pub num_completed_output_ops: usize,
    /// Outputs that have failed.
    pub num_failed_output_ops: usize,
    /// All outputs of the batch.
    pub num_total_output_ops: usize,
    /// Why the first of them failed that did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_failure_reason: Option<String>,
}

/// The batches that have come so far, newest first, at most `limit` of them; of all kinds if nothing is asked for.
pub fn batches(store: &Store, wanted: &[Status], limit: usize) -> Vec<Batch> {
    let fits = |batch: &&BatchRecord| wanted.is_empty() || wanted.contains(&batch.phase.into());
    store.batches().rev().filter(fits).take(limit).map(|batch| of(store, batch)).collect()
}

/// One batch.
pub fn batch(store: &Store, time: Time) -> Option<Batch> {
    store.batch(time).map(|batch| of(store, batch))
}

fn of(store: &Store, batch: &BatchRecord) -> Batch {
    let outputs = &batch.info.output_operations;
    let failed = outputs.values().filter(|output| output.failure_reason.is_some()).count();
    let active = outputs.values().filter(|output| output.end_time.is_none()).count();
    Batch {
        batch_id: batch.time().as_millis(),
        batch_time: Date(batch.time()),
        status: batch.phase.into(),
        batch_duration: store.interval().as_millis(),
        input_size: batch.records(),
        scheduling_delay: batch.info.scheduling_delay().map(|length| length.as_millis()),
        processing_time: batch.info.processing_delay().map(|length| length.as_millis()),
        total_delay: batch.info.total_delay().map(|length| length.as_millis()),
        num_active_output_ops: active,
        num_completed_output_ops: outputs.len() - active - failed,
        num_failed_output_ops: failed,
        num_total_output_ops: outputs.len(),
        first_failure_reason: batch.failure().map(str::to_owned),
    }
}
