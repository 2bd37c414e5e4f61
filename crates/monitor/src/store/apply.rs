// SPDX-License-Identifier: Apache-2.0
//! How each event changes a store, and how the store stays within its bounds.

use std::collections::{BTreeMap, VecDeque};

use dstreams_streaming::{
    Time,
    event::{BatchInfo, OutputOperationInfo, ReceiverInfo, StreamingEvent},
};

use super::{
    BatchRecord, CHECKPOINTS_KEPT, DETAILED_BATCHES, EARLY_KEPT, FAILURES_KEPT, JobRecord, Phase, Series,
    StageRecord, Store, Told,
};
use crate::event::{EngineStep, Event, TaskRun};

pub(super) fn apply(store: &mut Store, event: Event) {
    match event {
        Event::Streaming(event) => streaming(store, event),
        Event::Engine(step) => engine(store, step),
    }
}

fn streaming(store: &mut Store, event: StreamingEvent) {
    let limit = store.limits.batches;
    match event {
        StreamingEvent::StreamingStarted(time) => {
            store.started = Some(time);
            store.seen(time);
        }
        StreamingEvent::Graph(graph) => store.graph = Some(graph),
        StreamingEvent::Recovered(recovery) => store.recovery = Some(recovery),
        StreamingEvent::ReceiverStarted(receiver)
        | StreamingEvent::ReceiverError(receiver)
        | StreamingEvent::ReceiverResumed(receiver)
        | StreamingEvent::ReceiverStopped(receiver) => {
            store.paused.remove(&receiver.stream_id);
            store.receiver(receiver);
        }
        StreamingEvent::ReceiverPaused(receiver) => {
            store.paused.insert(receiver.stream_id);
            store.receiver(receiver);
        }
        StreamingEvent::BatchSubmitted(info) => {
            store.seen(info.submission_time);
            store.batch_is(info, Phase::Waiting);
        }
        StreamingEvent::BatchStarted(info) => store.batch_started(info),
        StreamingEvent::BatchCompleted(info) => store.batch_completed(info),
        StreamingEvent::OutputOperationStarted(output) | StreamingEvent::OutputOperationCompleted(output) => {
            store.output(output);
        }
        StreamingEvent::BatchCommitted(commit) => {
            store.seen(commit.time);
            if let Some(batch) = store.batches.get_mut(&commit.batch_time) {
                batch.commit = Some(commit);
            }
        }
        StreamingEvent::DeadLetters(letters) => {
            let count = store.dead_letters.entry(letters.output).or_default();
            count.letters += letters.letters;
            count.records += letters.records;
        }
        StreamingEvent::Failure(failure) => {
            store.seen(failure.time);
            push(&mut store.failures, failure, FAILURES_KEPT);
        }
        StreamingEvent::RateUpdated(rate) => {
            let value = rate.records_per_second.and_then(|rate| u64::try_from(rate).ok());
            tell(&mut store.rates, rate.stream_id, (rate.time, value, limit), rate);
        }
        StreamingEvent::Lag(lag) => {
            tell(&mut store.lags, lag.stream_id, (lag.time, lag.records, limit), lag);
        }
        StreamingEvent::Memory(memory) => {
            store.seen(memory.time);
            store.memory = Some(memory);
        }
        StreamingEvent::State(state) => {
            let keys = state.keys.or(state.snapshot.map(|snapshot| snapshot.keys));
            tell(&mut store.states, state.operator.clone(), (state.batch_time, keys, limit), state);
        }
        StreamingEvent::CheckpointWritten(checkpoint) => {
            store.seen(checkpoint.time);
            push(&mut store.checkpoints, checkpoint, CHECKPOINTS_KEPT);
        }
        StreamingEvent::StopRequested(stop) => store.stop_requested = Some(stop),
        StreamingEvent::Stopped(report) => {
            store.seen(report.time);
            store.stopped = Some(report);
        }
        // What a later version tells.
        _ => {}
    }
}

fn engine(store: &mut Store, step: EngineStep) {
    match step {
        EngineStep::Application(application) => store.application = application,
        EngineStep::Counted(totals) => store.totals = totals,
        EngineStep::JobStarted { job, batch, output, time } => store.job_started(job, batch, output, time),
        EngineStep::JobEnded { job, time, error } => {
            store.job(job, |record| {
                record.end = Some(time);
                record.error = error;
            });
            store.running_jobs.remove(&job);
        }
        EngineStep::StageStarted { job, stage, name, shuffle, tasks, time } => {
            store.job(job, |record| record.stages.push(StageRecord::new(stage, name, shuffle, tasks, time)));
        }
        EngineStep::StageEnded { job, stage, time, error } => store.stage(job, stage, |record| {
            record.end = Some(time);
            record.error = error;
        }),
        EngineStep::TaskEnded { job, stage, task } => store.task_ended(job, stage, task),
    }
}

/// Adds to a list that has no more than `limit` elements.
fn push<T>(list: &mut VecDeque<T>, element: T, limit: usize) {
    if list.len() >= limit {
        list.pop_front();
    }
    list.push_back(element);
}

/// Keeps what was told last of `key`, and the number in it.
fn tell<K: Ord, T>(
    told: &mut BTreeMap<K, Told<T>>,
    key: K,
    (time, value, limit): (Time, Option<u64>, usize),
    last: T,
) {
    let history = told.remove(&key).map(|before| before.history);
    let mut history: Series = history.unwrap_or_default();
    if let Some(value) = value {
        history.push(time, value, limit);
    }
    told.insert(key, Told { last, history });
}

impl Store {
    fn seen(&mut self, time: Time) {
        self.last_event = self.last_event.max(Some(time));
    }

    fn receiver(&mut self, receiver: ReceiverInfo) {
        self.receivers.insert(receiver.stream_id, receiver);
    }

    fn batch_is(&mut self, info: BatchInfo, phase: Phase) {
        let time = info.batch_time;
        if let Some(batch) = self.batches.get_mut(&time) {
            batch.info = info;
            batch.phase = phase;
            return;
        }
        let batch = self.batches.entry(time).or_insert(BatchRecord::new(info, phase));
        for (of, job) in std::mem::take(&mut self.early) {
            if of == time {
                batch.jobs.insert(job.id, job);
            } else {
                self.early.push_back((of, job));
            }
        }
    }

    fn batch_started(&mut self, info: BatchInfo) {
        self.totals.received_records += info.num_records();
        if let Some(start) = info.processing_start_time {
            self.seen(start);
        }
        self.batch_is(info, Phase::Running);
    }

    fn batch_completed(&mut self, info: BatchInfo) {
        self.totals.completed_batches += 1;
        self.totals.processed_records += info.num_records();
        let failed = info.output_operations.values().any(|output| output.failure_reason.is_some());
        self.totals.failed_batches += u64::from(failed);
        if let Some(end) = info.processing_end_time {
            self.seen(end);
        }
        self.batch_is(info, Phase::Completed);
        self.forget_old();
    }

    fn output(&mut self, output: OutputOperationInfo) {
        if let Some(time) = output.end_time.or(output.start_time) {
            self.seen(time);
        }
        if let Some(batch) = self.batches.get_mut(&output.batch_time) {
            batch.info.output_operations.insert(output.id, output);
        }
    }

    fn job_started(&mut self, job: u64, batch: Time, output: usize, time: Time) {
        let record = JobRecord { id: job, output, start: time, end: None, error: None, stages: Vec::new() };
        self.running_jobs.insert(job, batch);
        if let Some(batch) = self.batches.get_mut(&batch) {
            batch.jobs.insert(job, record);
            // A program may run any number of jobs within one output.
            if batch.jobs.len() > self.limits.jobs {
                batch.jobs.pop_first();
                batch.forgotten_jobs = true;
            }
            return;
        }
        if self.early.len() == EARLY_KEPT
            && let Some((_, forgotten)) = self.early.pop_front()
        {
            self.running_jobs.remove(&forgotten.id);
        }
        self.early.push_back((batch, record));
    }

    fn job(&mut self, job: u64, change: impl FnOnce(&mut JobRecord)) {
        let Some(batch) = self.running_jobs.get(&job) else { return };
        let known = self.batches.get_mut(batch).and_then(|batch| batch.jobs.get_mut(&job));
        let early = self.early.iter_mut().map(|(_, early)| early).find(|early| early.id == job);
        if let Some(record) = known.or(early) {
            change(record);
        }
    }

    fn stage(&mut self, job: u64, stage: u64, change: impl FnOnce(&mut StageRecord)) {
        self.job(job, |job| {
            if let Some(stage) = job.stages.iter_mut().find(|known| known.id == stage) {
                change(stage);
            }
        });
    }

    fn task_ended(&mut self, job: u64, stage: u64, task: TaskRun) {
        let batch = self.running_jobs.get(&job).and_then(|batch| self.batches.get_mut(batch));
        if let Some(batch) = batch {
            for run in &task.operators {
                *batch.spent.entry(run.stream).or_default() += run.micros;
            }
        }
        match task.error {
            None => self.totals.completed_tasks += 1,
            Some(_) => self.totals.failed_tasks += 1,
        }
        self.totals.task_micros += task.micros;
        self.stage(job, stage, |stage| stage.ended(task));
    }

    /// Forgets the oldest batches, jobs and stages beyond the limits.
    fn forget_old(&mut self) {
        while self.count(Phase::Completed) > self.limits.batches {
            let oldest = self.batches_in(Phase::Completed).next().map(BatchRecord::time);
            oldest.map(|time| self.batches.remove(&time));
        }
        let Store { batches, limits, .. } = self;
        let (mut jobs, mut stages) = (0, 0);
        for (age, batch) in batches.values_mut().rev().enumerate() {
            jobs += batch.jobs.len();
            stages += batch.stages().count();
            let completed = batch.phase == Phase::Completed;
            if completed && age > 0 && (jobs > limits.jobs || stages > limits.stages) {
                batch.forget_jobs();
            } else if completed && age >= DETAILED_BATCHES {
                batch.forget_tasks();
            }
        }
    }
}
