// SPDX-License-Identifier: Apache-2.0
//! The outputs of a batch.

use dstreams_streaming::{Time, event::OutputOperationInfo};
use schemars::JsonSchema;
use serde::Serialize;

use super::Date;
use crate::store::{BatchRecord, Store};

/// An output of a batch.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// Its number in the batch.
    pub output_op_id: usize,
    /// Its kind and where it stands in the program.
    pub name: String,
    /// The same at greater length.
    pub description: String,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Date>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<Date>,
    /// Milliseconds from the one to the other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<i64>,
    /// Why it failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// The engine jobs that it ran.
    pub job_ids: Vec<u64>,
}

/// The outputs of a batch; nothing for an unknown batch.
pub fn operations(store: &Store, batch: Time) -> Option<Vec<Operation>> {
    let batch = store.batch(batch)?;
    Some(batch.info.output_operations.values().map(|output| of(batch, output)).collect())
}

/// One of them.
pub fn operation(store: &Store, batch: Time, output: usize) -> Option<Operation> {
    let batch = store.batch(batch)?;
    batch.info.output_operations.get(&output).map(|output| of(batch, output))
}

fn of(batch: &BatchRecord, output: &OutputOperationInfo) -> Operation {
    Operation {
        output_op_id: output.id,
        name: output.name.clone(),
        description: output.description.clone(),
        start_time: output.start_time.map(Date),
        end_time: output.end_time.map(Date),
        duration: output.duration().map(|length| length.as_millis()),
        failure_reason: output.failure_reason.clone(),
        job_ids: batch.jobs_of(output.id).map(|job| job.id).collect(),
    }
}
