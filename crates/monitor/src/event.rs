// SPDX-License-Identifier: Apache-2.0
//! `Event`: everything a monitor is told, as data. The store is made from these alone, live or from an event log.

use dstreams_streaming::{Time, event::StreamingEvent};
use serde::{Deserialize, Serialize};

use crate::store::Totals;

/// One thing that happened in an application. As JSON it is `{"event": name, "data": …}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Event {
    /// What the streaming context has told.
    Streaming(StreamingEvent),
    /// What the engine under it has told, and what runs at all.
    Engine(EngineStep),
}

impl Event {
    /// Reads an event as it was written. By hand, since serde would buffer what it tries twice, and buffered keys are
    /// no numbers any more.
    pub fn from_json(line: &[u8]) -> serde_json::Result<Self> {
        match serde_json::from_slice(line) {
            Ok(event) => Ok(Self::Streaming(event)),
            Err(_) => serde_json::from_slice(line).map(Self::Engine),
        }
    }
}

/// What the engine does for a batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", content = "data")]
pub enum EngineStep {
    /// What runs; the first event of a log.
    Application(Application),
    /// What was counted before the first event that is still kept.
    Counted(Totals),
    /// A job of a batch has begun.
    JobStarted {
        /// The job.
        job: u64,
        /// The batch.
        batch: Time,
        /// The output of the batch.
        output: usize,
        /// When.
        time: Time,
    },
    /// A job has ended.
    JobEnded {
        /// The job.
        job: u64,
        /// When.
        time: Time,
        /// Why it failed, if it did.
        error: Option<String>,
    },
    /// The tasks of a stage were submitted.
    StageStarted {
        /// The job it belongs to.
        job: u64,
        /// The stage.
        stage: u64,
        /// The operator that it ends with.
        name: String,
        /// Whether it writes a shuffle.
        shuffle: bool,
        /// How many tasks.
        tasks: usize,
        /// When.
        time: Time,
    },
    /// All tasks of a stage have ended.
    StageEnded {
        /// The job it belongs to.
        job: u64,
        /// The stage.
        stage: u64,
        /// When.
        time: Time,
        /// Why it failed, if it did.
        error: Option<String>,
    },
    /// An attempt at a task has ended.
    TaskEnded {
        /// The job it belongs to.
        job: u64,
        /// The stage.
        stage: u64,
        /// What it was and how it went.
        task: TaskRun,
    },
}

/// What runs, and with which settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// `local-` and the time of the start.
    pub id: String,
    /// The name given by the program.
    pub name: String,
    /// The length of a batch.
    pub interval_ms: i64,
    /// The version of the engine.
    pub version: String,
    /// The configuration, secrets masked.
    pub settings: Vec<Setting>,
}

/// One row of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Setting {
    /// The key.
    pub key: String,
    /// Its value; a mask for a secret.
    pub value: String,
    /// Where the value comes from.
    pub origin: String,
    /// Whether it is not the default.
    pub set: bool,
    /// What the key is for.
    pub meaning: String,
}

/// An attempt at a task that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRun {
    /// The partition.
    pub partition: usize,
    /// 0 for the first attempt.
    pub attempt: usize,
    /// When it ended.
    pub end: Time,
    /// How long it ran, in microseconds.
    pub micros: u64,
    /// Records written to a shuffle or read by the action.
    pub records: u64,
    /// Why it failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Which operators took the time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operators: Vec<OperatorRun>,
}

/// The time that an operator took in a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorRun {
    /// The stream of the graph that it belongs to; none for what a program does within an output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<u64>,
    /// Its kind.
    pub operator: String,
    /// How long its code ran, in microseconds.
    pub micros: u64,
}
