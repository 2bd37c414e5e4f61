// SPDX-License-Identifier: Apache-2.0
//! The engine jobs of a batch down to their tasks.

use dstreams_streaming::Time;
use schemars::JsonSchema;
use serde::Serialize;

use super::Date;
use crate::store::{JobRecord, StageRecord, Store};

/// An engine job.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Its number.
    pub job_id: u64,
    /// The output that ran it.
    pub output_op_id: usize,
    /// When it began.
    pub start_time: Date,
    /// Milliseconds that it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<i64>,
    /// Why it failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// Its stages in the order in which they began.
    pub stages: Vec<Stage>,
}

/// A stage of a job.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// Its number.
    pub stage_id: u64,
    /// The operator that it ends with.
    pub name: String,
    /// Whether it writes a shuffle.
    pub shuffle: bool,
    /// Milliseconds that it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<i64>,
    /// Tasks in all.
    pub num_tasks: usize,
    /// Tasks that have ended well.
    pub num_complete_tasks: usize,
    /// Attempts that have failed.
    pub num_failed_tasks: usize,
    /// Records written to a shuffle or read by the action.
    pub records: u64,
    /// How many times as long as the one in the middle the longest task ran; 1 when all took as long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skew: Option<f64>,
    /// Why it failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// Which operators took the time.
    pub operators: Vec<Operator>,
    /// Its tasks, as far as they are kept.
    pub tasks: Vec<Task>,
}

/// The time that the operators of a kind took in all tasks of a stage.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Operator {
    /// The stream of the graph that they belong to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<u64>,
    /// Their kind.
    pub operator: String,
    /// How long their code ran, in microseconds.
    pub micros: u64,
}

/// An attempt at a task.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// The partition.
    pub partition: usize,
    /// 0 for the first attempt.
    pub attempt: usize,
    /// How long it ran, in microseconds.
    pub micros: u64,
    /// Records written to a shuffle or read by the action.
    pub records: u64,
    /// Why it failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
}

/// The jobs of a batch; nothing for an unknown batch.
pub fn jobs(store: &Store, batch: Time) -> Option<Vec<Job>> {
    Some(store.batch(batch)?.jobs.values().map(job).collect())
}

fn job(job: &JobRecord) -> Job {
    Job {
        job_id: job.id,
        output_op_id: job.output,
        start_time: Date(job.start),
        duration: job.duration().map(|length| length.as_millis()),
        failure_reason: job.error.clone(),
        stages: job.stages.iter().map(stage).collect(),
    }
}

fn stage(stage: &StageRecord) -> Stage {
    let operators = stage.operators.iter().map(|run| Operator {
        stream: run.stream,
        operator: run.operator.clone(),
        micros: run.micros,
    });
    let tasks = stage.runs.iter().map(|task| Task {
        partition: task.partition,
        attempt: task.attempt,
        micros: task.micros,
        records: task.records,
        failure_reason: task.error.clone(),
    });
    Stage {
        stage_id: stage.id,
        name: stage.name.clone(),
        shuffle: stage.shuffle,
        duration: stage.duration().map(|length| length.as_millis()),
        num_tasks: stage.tasks,
        num_complete_tasks: stage.succeeded,
        num_failed_tasks: stage.failed,
        records: stage.records,
        skew: stage.times().map(|spread| spread.skew()),
        failure_reason: stage.error.clone(),
        operators: operators.collect(),
        tasks: tasks.collect(),
    }
}
