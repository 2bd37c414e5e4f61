// SPDX-License-Identifier: Apache-2.0
//! `Store`: what is known of an application, made from its events and kept within bounds.

mod apply;
mod batch;
mod series;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use dstreams_streaming::{
    Duration, StreamId, Time,
    event::{
        CheckpointInfo, FailureInfo, GraphInfo, LagInfo, MemoryInfo, RateInfo, ReceiverInfo, RecoveryInfo,
        ShutdownReport, StateInfo, StopInfo,
    },
};
use serde::{Deserialize, Serialize};

pub use self::{
    batch::{BatchRecord, JobRecord, Phase, Spread, StageRecord},
    series::{Series, Told},
};
use crate::event::{Application, Event};

/// How much a store keeps.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Completed batches (`spark.streaming.ui.retainedBatches`).
    pub batches: usize,
    /// Engine jobs (`spark.ui.retainedJobs`).
    pub jobs: usize,
    /// Stages (`spark.ui.retainedStages`).
    pub stages: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { batches: 1000, jobs: 1000, stages: 1000 }
    }
}

/// What is known of an application.
///
/// ```
/// use dstreams_monitor::{Event, Limits, Store};
/// use dstreams_streaming::{Time, event::StreamingEvent};
/// let mut store = Store::new(Limits::default());
/// store.apply(Event::Streaming(StreamingEvent::StreamingStarted(Time::from_millis(100))));
/// assert_eq!(store.started(), Some(Time::from_millis(100)));
/// ```
#[derive(Debug, Default)]
pub struct Store {
    limits: Limits,
    pub(crate) application: Application,
    pub(crate) started: Option<Time>,
    stop_requested: Option<StopInfo>,
    stopped: Option<ShutdownReport>,
    recovery: Option<RecoveryInfo>,
    /// The latest time that any event has told.
    last_event: Option<Time>,
    pub(crate) graph: Option<GraphInfo>,
    pub(crate) receivers: BTreeMap<StreamId, ReceiverInfo>,
    /// Receivers that wait for room.
    paused: BTreeSet<StreamId>,
    batches: BTreeMap<Time, BatchRecord>,
    pub(crate) totals: Totals,
    /// The batch of each job that runs.
    running_jobs: BTreeMap<u64, Time>,
    /// Jobs of batches that have not been heard of yet: engine events may overtake those of streams.
    early: VecDeque<(Time, JobRecord)>,
    memory: Option<MemoryInfo>,
    checkpoints: VecDeque<CheckpointInfo>,
    states: BTreeMap<String, Told<StateInfo>>,
    rates: BTreeMap<StreamId, Told<RateInfo>>,
    lags: BTreeMap<StreamId, Told<LagInfo>>,
    dead_letters: BTreeMap<String, DeadLetterCount>,
    failures: VecDeque<FailureInfo>,
}

/// Records of an output that could not be used, since the start.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct DeadLetterCount {
    /// Records that were written as dead letters.
    pub letters: u64,
    /// Records that were looked at, the letters among them.
    pub records: u64,
}

/// What is counted over the whole life of an application.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Batches whose jobs have all ended.
    pub completed_batches: u64,
    /// Completed batches of which an output failed.
    pub failed_batches: u64,
    /// Records of the batches that have begun.
    pub received_records: u64,
    /// Records of the batches that have ended.
    pub processed_records: u64,
    /// Attempts at tasks that have ended well.
    #[serde(default)]
    pub completed_tasks: u64,
    /// Attempts at tasks that have not.
    #[serde(default)]
    pub failed_tasks: u64,
    /// How long all of them ran, in microseconds.
    #[serde(default)]
    pub task_micros: u64,
}

/// Checkpoints that are remembered.
const CHECKPOINTS_KEPT: usize = 100;
/// Failures outside of outputs that are remembered.
const FAILURES_KEPT: usize = 20;
/// Jobs that may wait for their batch.
const EARLY_KEPT: usize = 10;
/// Batches whose tasks are kept one by one.
const DETAILED_BATCHES: usize = 100;

impl Store {
    /// An empty store.
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Takes in one event.
    pub fn apply(&mut self, event: Event) {
        apply::apply(self, event);
    }

    /// What runs.
    pub fn application(&self) -> &Application {
        &self.application
    }

    /// The length of a batch.
    pub fn interval(&self) -> Duration {
        Duration::from_millis(self.application.interval_ms)
    }

    /// When the context was started.
    pub fn started(&self) -> Option<Time> {
        self.started
    }

    /// Who asked the context to stop, once somebody has.
    pub fn stop_requested(&self) -> Option<&StopInfo> {
        self.stop_requested.as_ref()
    }

    /// What the context has left behind, once it has stopped.
    pub fn stopped(&self) -> Option<&ShutdownReport> {
        self.stopped.as_ref()
    }

    /// What the context goes on with, if there was an earlier process.
    pub fn recovery(&self) -> Option<&RecoveryInfo> {
        self.recovery.as_ref()
    }

    /// The latest time that any event has told.
    pub fn last_event(&self) -> Option<Time> {
        self.last_event
    }

    /// The graph that runs.
    pub fn graph(&self) -> Option<&GraphInfo> {
        self.graph.as_ref()
    }

    /// The receivers that have been heard of.
    pub fn receivers(&self) -> &BTreeMap<StreamId, ReceiverInfo> {
        &self.receivers
    }

    /// Whether a receiver waits for room.
    pub fn is_paused(&self, stream: StreamId) -> bool {
        self.paused.contains(&stream)
    }

    /// All batches that are kept, by their time.
    pub fn batches(&self) -> impl DoubleEndedIterator<Item = &BatchRecord> {
        self.batches.values()
    }

    /// The batches that have come so far, by their time.
    pub fn batches_in(&self, phase: Phase) -> impl DoubleEndedIterator<Item = &BatchRecord> {
        self.batches().filter(move |batch| batch.phase == phase)
    }

    /// How many batches have come so far.
    pub fn count(&self, phase: Phase) -> usize {
        self.batches_in(phase).count()
    }

    /// One batch.
    pub fn batch(&self, time: Time) -> Option<&BatchRecord> {
        self.batches.get(&time)
    }

    /// The completed batch with the highest time.
    pub fn last_completed(&self) -> Option<&BatchRecord> {
        self.batches_in(Phase::Completed).next_back()
    }

    /// The batch with the highest time.
    pub fn last_received(&self) -> Option<&BatchRecord> {
        self.batches().next_back()
    }

    /// What is counted over the whole life.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// What the engine held in memory after the last batch.
    pub fn memory(&self) -> Option<MemoryInfo> {
        self.memory
    }

    /// The states of each operator that has some.
    pub fn states(&self) -> &BTreeMap<String, Told<StateInfo>> {
        &self.states
    }

    /// The limit of each source that has one.
    pub fn rates(&self) -> &BTreeMap<StreamId, Told<RateInfo>> {
        &self.rates
    }

    /// How far each source is behind, where it knows.
    pub fn lags(&self) -> &BTreeMap<StreamId, Told<LagInfo>> {
        &self.lags
    }

    /// Records that could not be used, by output.
    pub fn dead_letters(&self) -> &BTreeMap<String, DeadLetterCount> {
        &self.dead_letters
    }

    /// The last failures outside of outputs, the latest last.
    pub fn failures(&self) -> &VecDeque<FailureInfo> {
        &self.failures
    }

    /// The last checkpoints, the latest last.
    pub fn checkpoints(&self) -> &VecDeque<CheckpointInfo> {
        &self.checkpoints
    }

    /// Pairs of output and engine job that are known of a batch.
    pub fn jobs_of(&self, batch: Time) -> Vec<(usize, u64)> {
        let known = self.batch(batch).into_iter().flat_map(|batch| batch.jobs.values());
        let mut pairs: Vec<_> = known.map(|job| (job.output, job.id)).collect();
        pairs.sort_unstable();
        pairs
    }

    /// Jobs that have begun and not ended, as far as is known.
    pub fn unfinished_jobs(&self) -> usize {
        self.running_jobs.len()
    }

    /// Tasks of the jobs that run which have not ended.
    pub fn unfinished_tasks(&self) -> usize {
        let batches = self.running_jobs.values().filter_map(|time| self.batches.get(time));
        let jobs = batches.flat_map(|batch| batch.jobs.values()).filter(|job| job.end.is_none());
        let stages = jobs.flat_map(|job| &job.stages).filter(|stage| stage.end.is_none());
        stages.map(|stage| stage.tasks.saturating_sub(stage.succeeded)).sum()
    }

    /// What the operators of each stream took over the last batches, in microseconds.
    pub fn spent(&self, batches: usize) -> BTreeMap<Option<u64>, u64> {
        let mut sums = BTreeMap::new();
        for batch in self.batches().rev().take(batches) {
            for (stream, micros) in &batch.spent {
                *sums.entry(*stream).or_default() += micros;
            }
        }
        sums
    }
}
