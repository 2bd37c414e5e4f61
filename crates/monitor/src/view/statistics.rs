// SPDX-License-Identifier: Apache-2.0
//! The application, and its numbers over all batches that are kept.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Date, mean, mean_millis};
use crate::store::{Phase, Store};

/// An application.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationInfo {
    /// Its id, by which the other paths address it.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its runs: always one.
    pub attempts: Vec<Attempt>,
}

/// A run of an application.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// When the context was started; when the monitor was if that has not happened.
    pub start_time: Date,
    /// When it ended; `1969-12-31T23:59:59.999GMT` while it runs, as the original has it.
    pub end_time: Date,
    /// The latest time of which something is known.
    pub last_updated: Date,
    /// Milliseconds from the start to then.
    pub duration: i64,
    /// Whether it has ended.
    pub completed: bool,
    /// The version of the engine.
    pub app_spark_version: String,
    /// The start in milliseconds.
    pub start_time_epoch: i64,
    /// The end in milliseconds, -1 while it runs.
    pub end_time_epoch: i64,
    /// The latest time of which something is known in milliseconds.
    pub last_updated_epoch: i64,
}

/// The application of a store.
pub fn application(store: &Store) -> ApplicationInfo {
    let none = dstreams_streaming::Time::from_millis(-1);
    let start = store.started().unwrap_or(none);
    let last = store.last_event().unwrap_or(start);
    let end = store.stopped().map_or(none, |report| report.time);
    let application = store.application();
    ApplicationInfo {
        id: application.id.clone(),
        name: application.name.clone(),
        attempts: vec![Attempt {
            start_time: Date(start),
            end_time: Date(end),
            last_updated: Date(last),
            duration: (last - start).as_millis(),
            completed: store.stopped().is_some(),
            app_spark_version: application.version.clone(),
            start_time_epoch: start.as_millis(),
            end_time_epoch: end.as_millis(),
            last_updated_epoch: last.as_millis(),
        }],
    }
}

/// The numbers of an application over all batches that are kept.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Statistics {
    /// When the context was started.
    pub start_time: Date,
    /// The length of a batch in milliseconds.
    pub batch_duration: i64,
    /// Receivers that have been heard of.
    pub num_receivers: usize,
    /// Those that run.
    pub num_active_receivers: usize,
    /// Those that do not.
    pub num_inactive_receivers: usize,
    /// Batches that have ended since the start.
    pub num_total_completed_batches: u64,
    /// Those of them that are kept.
    pub num_retained_completed_batches: usize,
    /// Batches that wait or run.
    pub num_active_batches: usize,
    /// Records of the batches that have ended.
    pub num_processed_records: u64,
    /// Records of the batches that have begun.
    pub num_received_records: u64,
    /// Records per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avg_input_rate: Option<f64>,
    /// Milliseconds from submission to the first job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avg_scheduling_delay: Option<i64>,
    /// Milliseconds from the first job to the end of the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avg_processing_time: Option<i64>,
    /// Milliseconds from submission to the end of the last job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avg_total_delay: Option<i64>,
}

/// The numbers of a store.
pub fn statistics(store: &Store) -> Statistics {
    let receivers = store.receivers();
    let active = receivers.values().filter(|receiver| receiver.active).count();
    let totals = store.totals();
    let interval = store.interval().as_secs_f64();
    Statistics {
        start_time: Date(store.started().unwrap_or_default()),
        batch_duration: store.interval().as_millis(),
        num_receivers: receivers.len(),
        num_active_receivers: active,
        num_inactive_receivers: receivers.len() - active,
        num_total_completed_batches: totals.completed_batches,
        num_retained_completed_batches: store.count(Phase::Completed),
        num_active_batches: store.count(Phase::Waiting) + store.count(Phase::Running),
        num_processed_records: totals.processed_records,
        num_received_records: totals.received_records,
        avg_input_rate: mean(store.batches().map(|batch| batch.records() as f64 / interval)),
        avg_scheduling_delay: mean_millis(store.batches().filter_map(|batch| batch.info.scheduling_delay())),
        avg_processing_time: mean_millis(store.batches().filter_map(|batch| batch.info.processing_delay())),
        avg_total_delay: mean_millis(store.batches().filter_map(|batch| batch.info.total_delay())),
    }
}
