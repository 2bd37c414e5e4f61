// SPDX-License-Identifier: Apache-2.0
//! What is told of batches and their outputs, and which of them runs on a thread.

use std::{cell::Cell, collections::BTreeMap};

use serde::{Deserialize, Serialize};

use super::StreamingEvent;
use crate::{
    error::Error,
    input::{InputInfo, StreamId},
    time::{Duration, Time},
};

/// A batch as far as it has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchInfo {
    /// The batch time.
    pub batch_time: Time,
    /// What each input stream gave to it.
    pub inputs: BTreeMap<StreamId, InputInfo>,
    /// When its jobs were queued.
    pub submission_time: Time,
    /// When its first job began.
    pub processing_start_time: Option<Time>,
    /// When its last job ended.
    pub processing_end_time: Option<Time>,
    /// Its outputs, by their number in the batch.
    pub output_operations: BTreeMap<usize, OutputOperationInfo>,
}

impl BatchInfo {
    /// From submission to the start of the first job.
    pub fn scheduling_delay(&self) -> Option<Duration> {
        self.processing_start_time.map(|start| start - self.submission_time)
    }

    /// From the start of the first job to the end of the last.
    pub fn processing_delay(&self) -> Option<Duration> {
        Some(self.processing_end_time? - self.processing_start_time?)
    }

    /// From submission to the end of the last job.
    pub fn total_delay(&self) -> Option<Duration> {
        self.processing_end_time.map(|end| end - self.submission_time)
    }

    /// Records over all input streams, as far as they were known when the batch was made.
    pub fn num_records(&self) -> u64 {
        self.inputs.values().map(|input| input.records).sum()
    }

    /// The error of each output that has failed, by its number.
    pub fn failures(&self) -> impl Iterator<Item = (usize, &str)> {
        self.output_operations
            .iter()
            .filter_map(|(id, output)| Some((*id, output.failure_reason.as_deref()?)))
    }
}

/// One output of one batch as far as it has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputOperationInfo {
    /// The batch time.
    pub batch_time: Time,
    /// The number of the output in its batch, in definition order from 0.
    pub id: usize,
    /// Its kind and where it stands in the program.
    pub name: String,
    /// The same at greater length.
    pub description: String,
    /// When its job began.
    pub start_time: Option<Time>,
    /// When its job ended.
    pub end_time: Option<Time>,
    /// Why it failed, if it did.
    pub failure_reason: Option<String>,
}

impl OutputOperationInfo {
    /// How long its job took.
    pub fn duration(&self) -> Option<Duration> {
        Some(self.end_time? - self.start_time?)
    }
}

/// Records of a batch that could not be used and were written as dead letters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLettersInfo {
    /// The batch time.
    pub batch_time: Time,
    /// The output that has written them, by the name that its sink knows it by.
    pub output: String,
    /// How many records of the batch they are.
    pub letters: u64,
    /// How many records of the batch were looked at, the letters among them.
    pub records: u64,
}

/// Something that went wrong outside of an output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureInfo {
    /// When.
    pub time: Time,
    /// The batch, where it is about one.
    pub batch_time: Option<Time>,
    /// What it was.
    pub error: String,
}

/// The output whose job runs on a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunningOutput {
    /// The batch.
    pub batch_time: Time,
    /// The number of the output in the batch.
    pub id: usize,
}

impl FailureInfo {
    pub(crate) fn event(time: Time, batch_time: Option<Time>, error: &Error) -> StreamingEvent {
        StreamingEvent::Failure(Self { time, batch_time, error: error.to_string() })
    }
}

thread_local! {
    static RUNNING: Cell<Option<RunningOutput>> = const { Cell::new(None) };
}

/// The output whose job runs on this thread: by it a listener of the engine tells, when a job of the engine starts,
/// what it is for. Nothing on other threads, those that user code has started among them.
pub fn running_output() -> Option<RunningOutput> {
    RUNNING.get()
}

/// Says that the job of an output runs on this thread, until the value is dropped.
pub(crate) fn enter_output(batch_time: Time, id: usize) -> EnteredOutput {
    RUNNING.set(Some(RunningOutput { batch_time, id }));
    EnteredOutput(())
}

/// The time in which the job of an output runs on a thread.
#[must_use = "the output is left when this is dropped"]
pub(crate) struct EnteredOutput(());

impl Drop for EnteredOutput {
    fn drop(&mut self) {
        RUNNING.set(None);
    }
}
