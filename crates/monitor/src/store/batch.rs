// SPDX-License-Identifier: Apache-2.0
//! A batch as far as it has come, with its jobs, their stages and tasks.

use std::collections::BTreeMap;

use dstreams_streaming::{
    Duration, StreamId, Time,
    event::{BatchInfo, CommitInfo},
};

use crate::event::{OperatorRun, TaskRun};

/// How far a batch has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Its jobs are queued.
    Waiting,
    /// Its first job has begun.
    Running,
    /// All its jobs have ended.
    Completed,
}

/// A batch.
#[derive(Debug, Clone)]
pub struct BatchRecord {
    /// What the events said of it last.
    pub info: BatchInfo,
    /// How far it has come.
    pub phase: Phase,
    /// When and how it was made durable, once it has been.
    pub commit: Option<CommitInfo>,
    /// Its engine jobs by their number, as far as they are still kept.
    pub jobs: BTreeMap<u64, JobRecord>,
    /// Whether there were jobs that are no longer kept.
    pub forgotten_jobs: bool,
    /// What the operators of each stream of the graph took, in microseconds.
    pub spent: BTreeMap<Option<u64>, u64>,
}

/// An engine job.
#[derive(Debug, Clone)]
pub struct JobRecord {
    /// Its number.
    pub id: u64,
    /// The output of the batch that it works for.
    pub output: usize,
    /// When it began.
    pub start: Time,
    /// When it ended.
    pub end: Option<Time>,
    /// Why it failed, if it did.
    pub error: Option<String>,
    /// Its stages in the order in which they began.
    pub stages: Vec<StageRecord>,
}

/// A stage of a job.
#[derive(Debug, Clone)]
pub struct StageRecord {
    /// Its number.
    pub id: u64,
    /// The operator that it ends with.
    pub name: String,
    /// Whether it writes a shuffle.
    pub shuffle: bool,
    /// How many tasks it has.
    pub tasks: usize,
    /// When it began.
    pub start: Time,
    /// When it ended.
    pub end: Option<Time>,
    /// Why it failed, if it did.
    pub error: Option<String>,
    /// Attempts that have ended well.
    pub succeeded: usize,
    /// Attempts that have not.
    pub failed: usize,
    /// Records of all tasks.
    pub records: u64,
    /// Its attempts, as far as they are kept.
    pub runs: Vec<TaskRun>,
    /// What the operators took, those of one kind and stream together.
    pub operators: Vec<OperatorRun>,
}

/// How the tasks of a stage compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spread {
    /// The least.
    pub min: u64,
    /// The one in the middle.
    pub median: u64,
    /// The greatest.
    pub max: u64,
    /// All together.
    pub sum: u64,
}

/// The most attempts of one stage that are kept one by one.
const TASKS_KEPT: usize = 500;

impl BatchRecord {
    /// A batch of which the first has been heard.
    pub(crate) fn new(info: BatchInfo, phase: Phase) -> Self {
        Self {
            info,
            phase,
            commit: None,
            jobs: BTreeMap::new(),
            forgotten_jobs: false,
            spent: BTreeMap::new(),
        }
    }

    /// The batch time.
    pub fn time(&self) -> Time {
        self.info.batch_time
    }

    /// Records over all inputs.
    pub fn records(&self) -> u64 {
        self.info.num_records()
    }

    /// Records of one input.
    pub fn records_of(&self, stream: StreamId) -> u64 {
        self.info.inputs.get(&stream).map_or(0, |input| input.records)
    }

    /// Why the first output of it failed that did.
    pub fn failure(&self) -> Option<&str> {
        self.info.output_operations.values().find_map(|output| output.failure_reason.as_deref())
    }

    /// The jobs of one output.
    pub fn jobs_of(&self, output: usize) -> impl Iterator<Item = &JobRecord> {
        self.jobs.values().filter(move |job| job.output == output)
    }

    /// Its stages with the output that they work for.
    pub fn stages(&self) -> impl Iterator<Item = (usize, &StageRecord)> {
        self.jobs.values().flat_map(|job| job.stages.iter().map(move |stage| (job.output, stage)))
    }

    /// Forgets the tasks, which take the most room.
    pub(crate) fn forget_tasks(&mut self) {
        for stage in self.jobs.values_mut().flat_map(|job| &mut job.stages) {
            stage.runs = Vec::new();
            stage.operators = Vec::new();
        }
    }

    /// Forgets the jobs.
    pub(crate) fn forget_jobs(&mut self) {
        self.forgotten_jobs |= !self.jobs.is_empty();
        self.jobs.clear();
    }
}

impl JobRecord {
    /// How long it took.
    pub fn duration(&self) -> Option<Duration> {
        self.end.map(|end| end - self.start)
    }

    /// Tasks done, failed, and in all, over all stages.
    pub fn tasks(&self) -> (usize, usize, usize) {
        self.stages.iter().fold((0, 0, 0), |(done, failed, all), stage| {
            (done + stage.succeeded, failed + stage.failed, all + stage.tasks)
        })
    }
}

impl StageRecord {
    /// A stage that has begun.
    pub(crate) fn new(id: u64, name: String, shuffle: bool, tasks: usize, start: Time) -> Self {
        Self {
            id,
            name,
            shuffle,
            tasks,
            start,
            end: None,
            error: None,
            succeeded: 0,
            failed: 0,
            records: 0,
            runs: Vec::new(),
            operators: Vec::new(),
        }
    }

    /// How long it took.
    pub fn duration(&self) -> Option<Duration> {
        self.end.map(|end| end - self.start)
    }

    /// Takes in an attempt that has ended.
    pub(crate) fn ended(&mut self, task: TaskRun) {
        if task.error.is_some() {
            self.failed += 1;
        } else {
            self.succeeded += 1;
            self.records += task.records;
        }
        for run in &task.operators {
            let same =
                |other: &&mut OperatorRun| other.stream == run.stream && other.operator == run.operator;
            match self.operators.iter_mut().find(same) {
                Some(other) => other.micros += run.micros,
                None => self.operators.push(run.clone()),
            }
        }
        if self.runs.len() < TASKS_KEPT {
            self.runs.push(TaskRun { operators: Vec::new(), ..task });
        }
    }

    /// How long its tasks ran, in microseconds.
    pub fn times(&self) -> Option<Spread> {
        Spread::of(self.good().map(|task| task.micros).collect())
    }

    /// How many records its tasks had.
    pub fn record_counts(&self) -> Option<Spread> {
        Spread::of(self.good().map(|task| task.records).collect())
    }

    fn good(&self) -> impl Iterator<Item = &TaskRun> {
        self.runs.iter().filter(|task| task.error.is_none())
    }
}

impl Spread {
    /// The spread of some values; nothing of none.
    pub fn of(mut values: Vec<u64>) -> Option<Self> {
        values.sort_unstable();
        let (min, max) = (*values.first()?, *values.last()?);
        Some(Self { min, median: values[values.len() / 2], max, sum: values.iter().sum() })
    }

    /// How many times as much the greatest has as the one in the middle.
    pub fn skew(&self) -> f64 {
        self.max as f64 / self.median.max(1) as f64
    }
}
