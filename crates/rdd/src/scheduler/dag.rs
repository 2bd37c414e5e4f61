// SPDX-License-Identifier: Apache-2.0
//! Cuts a job into stages at its shuffles, runs the missing ones in order, and retries tasks that failed.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use crossbeam_channel::unbounded;

use super::{
    backend::Backend,
    running::{RunningJob, RunningJobs},
    task::{Task, TaskBody, TaskId, in_task},
};
use crate::{
    error::{Error, Result, TaskError, TaskFailure},
    event::{EngineEvent, EventBus},
    lineage::{Dependency, Lineage, ShuffleStage},
};

/// The scheduler of a context.
pub(crate) struct Scheduler {
    backend: Arc<dyn Backend>,
    events: EventBus,
    max_task_failures: usize,
    max_stage_attempts: usize,
    next_job: AtomicU64,
    next_stage: AtomicU64,
    stopped: AtomicBool,
    running: RunningJobs,
}

impl Scheduler {
    pub(crate) fn new(
        backend: Arc<dyn Backend>,
        events: EventBus,
        max_task_failures: usize,
        max_stage_attempts: usize,
    ) -> Self {
        Self {
            backend,
            events,
            max_task_failures: max_task_failures.max(1),
            max_stage_attempts: max_stage_attempts.max(1),
            next_job: AtomicU64::new(0),
            next_stage: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            running: RunningJobs::default(),
        }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    pub(crate) fn stop(&self) {
        if !self.stopped.swap(true, Ordering::AcqRel) {
            self.backend.shutdown();
        }
    }

    /// Gives up the jobs that are running now.
    pub(crate) fn cancel_all(&self) {
        self.running.cancel_all();
    }

    pub(crate) fn slots(&self) -> usize {
        self.backend.slots()
    }

    /// Runs `body` over `partitions` of a dataset, after the stages that it depends on.
    pub(crate) fn run_job(&self, target: &Arc<Lineage>, partitions: &[usize], body: &TaskBody) -> Result<()> {
        if in_task() {
            return Err(Error::NestedAction);
        }
        if self.is_stopped() {
            return Err(Error::Stopped);
        }
        let running = self.running.begin(self.next_job.fetch_add(1, Ordering::Relaxed));
        let job = running.id;
        self.events.post(|| EngineEvent::JobStarted { job, rdd: target.id(), partitions: partitions.len() });
        let result = self.run_stages(&running, target, partitions, body);
        drop(running);
        self.events
            .post(|| EngineEvent::JobEnded { job, error: result.as_ref().err().map(ToString::to_string) });
        result
    }

    fn run_stages(
        &self,
        job: &RunningJob<'_>,
        target: &Arc<Lineage>,
        partitions: &[usize],
        body: &TaskBody,
    ) -> Result<()> {
        let mut left = partitions.to_vec();
        let mut attempt = 0;
        let mut shuffled = Vec::new();
        loop {
            attempt += 1;
            let result = self
                .make_ready(job, target, &left, &mut shuffled)
                .and_then(|()| self.run_stage(job, target, None, &mut left, body));
            match result {
                // A block that was kept, or the output of a shuffle, went away between the look at the lineage and
                // the task that wanted it: look again, for the partitions that are not done.
                Err(Error::Task(failure))
                    if failure.cause.is_missing_input()
                        && attempt < self.max_stage_attempts
                        && !job.is_cancelled() => {}
                result => {
                    release(&shuffled);
                    return result;
                }
            }
        }
    }

    /// Runs every stage that `target` needs and that has no complete output, and adds it to `shuffled`.
    fn make_ready(
        &self,
        job: &RunningJob<'_>,
        target: &Arc<Lineage>,
        partitions: &[usize],
        shuffled: &mut Vec<Shuffled>,
    ) -> Result<()> {
        if target.is_materialized(partitions) {
            return Ok(());
        }
        let mut visited = HashSet::from([target.id()]);
        let mut pending = vec![Arc::clone(target)];
        while let Some(lineage) = pending.pop() {
            for dependency in lineage.dependencies() {
                match dependency {
                    Dependency::Narrow(parent) => {
                        if visited.insert(parent.id()) && !is_fully_materialized(&parent) {
                            pending.push(parent);
                        }
                    }
                    Dependency::Shuffle(stage) => {
                        if self.run_shuffle(job, &stage, shuffled)? {
                            shuffled.push(Shuffled { stage, reader: Arc::clone(&lineage) });
                        }
                    }
                    Dependency::Prepared(work) => work.prepare()?,
                }
            }
        }
        Ok(())
    }

    /// Runs the map tasks that are missing; false when there are none.
    fn run_shuffle(
        &self,
        job: &RunningJob<'_>,
        stage: &Arc<dyn ShuffleStage>,
        shuffled: &mut Vec<Shuffled>,
    ) -> Result<bool> {
        let _one_at_a_time = stage.lock().lock();
        let mut missing = stage.missing();
        if missing.is_empty() {
            return Ok(false);
        }
        self.make_ready(job, stage.parent(), &missing, shuffled)?;
        let shuffle = Arc::clone(stage);
        let body: TaskBody = Arc::new(move |task| shuffle.run_map_task(task.partition(), task));
        self.run_stage(job, stage.parent(), Some(stage.id()), &mut missing, &body)?;
        Ok(true)
    }

    /// Runs one task per partition until all have succeeded or one has failed too often. Returns only when no task
    /// of the stage is running any more, and leaves in `partitions` those that have not succeeded.
    fn run_stage(
        &self,
        job: &RunningJob<'_>,
        target: &Arc<Lineage>,
        shuffle: Option<u64>,
        partitions: &mut Vec<usize>,
        body: &TaskBody,
    ) -> Result<()> {
        let cancelled = job.begin_stage();
        let job = job.id;
        let stage = self.next_stage.fetch_add(1, Ordering::Relaxed);
        self.events.post(|| EngineEvent::StageStarted {
            job,
            stage,
            rdd: target.id(),
            name: target.label(),
            shuffle,
            tasks: partitions.len(),
        });
        let (done, outcomes) = unbounded();
        let is_last = |attempt| attempt + 1 >= self.max_task_failures;
        let task = |partition, attempt| Task {
            id: TaskId { job, stage, partition, attempt },
            body: Arc::clone(body),
            cancelled: Arc::clone(&cancelled),
            is_last_attempt: is_last(attempt),
            done: done.clone(),
            events: self.events.clone(),
        };
        if let Some((&last, others)) = partitions.split_last() {
            for &partition in others {
                self.backend.submit(task(partition, 0));
            }
            // Where others may have to be tried again, this thread must be free to do so.
            if others.is_empty() || is_last(0) {
                self.backend.run(task(last, 0));
            } else {
                self.backend.submit(task(last, 0));
            }
        }
        let mut running = partitions.len();
        let mut succeeded = HashSet::with_capacity(running);
        let mut failure: Option<TaskFailure> = None;
        while running > 0 {
            let Ok(outcome) = outcomes.recv() else { break };
            let Err(failed) = outcome.result else {
                running -= 1;
                succeeded.insert(outcome.id.partition);
                continue;
            };
            let retry = failure.is_none()
                && !failed.cause.is_missing_input()
                && !matches!(*failed.cause, TaskError::Cancelled)
                && !is_last(outcome.id.attempt);
            if retry {
                tracing::warn!(task = ?failed.task, operator = failed.operator, cause = %failed.cause, "task failed, trying again");
                self.backend.submit(task(outcome.id.partition, outcome.id.attempt + 1));
                continue;
            }
            running -= 1;
            // The first failure is the cause; those after it are mostly cancellations.
            failure.get_or_insert(failed);
        }
        partitions.retain(|partition| !succeeded.contains(partition));
        let result = match failure {
            None => Ok(()),
            Some(failure) if self.is_stopped() && matches!(*failure.cause, TaskError::Cancelled) => {
                Err(Error::Stopped)
            }
            Some(failure) => Err(Error::Task(failure)),
        };
        self.events.post(|| EngineEvent::StageEnded {
            job,
            stage,
            error: result.as_ref().err().map(ToString::to_string),
        });
        result
    }
}

/// A shuffle of which a job has computed outputs.
struct Shuffled {
    stage: Arc<dyn ShuffleStage>,
    /// The dataset that reads them.
    reader: Arc<Lineage>,
}

/// Drops the outputs that nobody will ask for, as their reader is kept. They would fill the memory that the batches of
/// a window need.
fn release(shuffled: &[Shuffled]) {
    for Shuffled { stage, reader } in shuffled {
        if reader.is_safely_kept() {
            stage.release();
        }
    }
}

fn is_fully_materialized(lineage: &Arc<Lineage>) -> bool {
    lineage.is_materialized(&(0..lineage.partitions()).collect::<Vec<_>>())
}
