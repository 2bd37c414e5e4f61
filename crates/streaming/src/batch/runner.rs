// SPDX-License-Identifier: Apache-2.0
//! Runs the jobs of batches: one after the other in definition order, or several at once when so configured.

use std::{collections::BTreeMap, sync::Arc, thread::JoinHandle};

use crossbeam_channel::{Receiver, Sender, unbounded};
use parking_lot::Mutex;

use super::{batch_span, progress::Progress};
use crate::{
    clock::Clock,
    dstream::{endpoint::OutputJob, scope::Scope},
    error::{Error, Result},
    event::{BatchInfo, ListenerBus, OutputOperationInfo, StreamingEvent, enter_output},
    graph::Job,
    input::Batch,
    output::guarded,
    rate::Rates,
    time::Time,
};

/// The job threads of a context (`spark.streaming.concurrentJobs` of them).
pub(crate) struct Runner {
    shared: Arc<Shared>,
    queue: Mutex<Option<Sender<QueuedJob>>>,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared {
    clock: Arc<dyn Clock>,
    bus: Arc<ListenerBus>,
    rates: Arc<Rates>,
    progress: Arc<Progress>,
    running: Mutex<BTreeMap<Time, Running>>,
    ended: Box<dyn Fn(Time, Outcome) + Send + Sync>,
    abandoned: crate::clock::StopFlag,
}

/// How the jobs of a batch have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All of them have done their work.
    Done,
    /// At least one has failed.
    Failed,
}

/// A batch whose jobs have not all ended.
struct Running {
    info: BatchInfo,
    jobs_left: usize,
    outcome: Outcome,
}

struct QueuedJob {
    batch: Time,
    output: usize,
    run: OutputJob,
}

impl Runner {
    /// Starts `threads` job threads. `ended` is called when all jobs of a batch have ended.
    pub(crate) fn start(
        threads: usize,
        scope: &Scope,
        progress: Arc<Progress>,
        ended: impl Fn(Time, Outcome) + Send + Sync + 'static,
    ) -> Result<Self> {
        let shared = Arc::new(Shared {
            clock: Arc::clone(scope.clock()),
            bus: Arc::clone(scope.bus()),
            rates: Arc::clone(scope.rates()),
            progress,
            running: Mutex::default(),
            ended: Box::new(ended),
            abandoned: crate::clock::StopFlag::new(),
        });
        let (sender, receiver) = unbounded();
        let workers = (0..threads.max(1))
            .map(|number| {
                let (shared, jobs): (_, Receiver<QueuedJob>) = (Arc::clone(&shared), receiver.clone());
                std::thread::Builder::new()
                    .name(format!("dstreams-job-{number}"))
                    .spawn(move || jobs.iter().for_each(|job| shared.run_or_report(job)))
            })
            .collect::<std::io::Result<Vec<_>>>()
            .map_err(|cause| Error::system("start the job threads", cause))?;
        Ok(Self { shared, queue: Mutex::new(Some(sender)), workers: Mutex::new(workers) })
    }

    /// Queues the jobs of a batch. A batch without jobs is complete at once, and nobody hears of it.
    pub(crate) fn submit(&self, batch: &Batch, jobs: Vec<Job>) {
        if jobs.is_empty() {
            (self.shared.ended)(batch.time, Outcome::Done);
            return;
        }
        let output_operations = jobs
            .iter()
            .map(|job| {
                let info = OutputOperationInfo {
                    batch_time: batch.time,
                    id: job.id,
                    name: job.name.clone(),
                    description: job.description.clone(),
                    start_time: None,
                    end_time: None,
                    failure_reason: None,
                };
                (job.id, info)
            })
            .collect();
        let info = BatchInfo {
            batch_time: batch.time,
            inputs: batch.inputs.iter().map(|(&id, input)| (id, input.info.clone())).collect(),
            submission_time: self.shared.clock.now(),
            processing_start_time: None,
            processing_end_time: None,
            output_operations,
        };
        self.shared.progress.batch_submitted(batch.time);
        self.shared.bus.post(|| StreamingEvent::BatchSubmitted(info.clone()));
        self.shared
            .running
            .lock()
            .insert(batch.time, Running { info, jobs_left: jobs.len(), outcome: Outcome::Done });
        if let Some(queue) = &*self.queue.lock() {
            for job in jobs {
                // The workers hold the other end for as long as this one is open.
                let _ = queue.send(QueuedJob { batch: batch.time, output: job.id, run: job.run });
            }
        }
    }

    /// Begins no more jobs, also not those that are queued.
    pub(crate) fn abandon(&self) {
        self.shared.abandoned.raise();
    }

    /// Ends the threads: after the jobs that are queued, or at once after those that run.
    pub(crate) fn stop(&self, finish_queued: bool) {
        if !finish_queued {
            self.abandon();
        }
        drop(self.queue.lock().take());
        let workers = std::mem::take(&mut *self.workers.lock());
        for worker in workers {
            if worker.thread().id() != std::thread::current().id() && worker.join().is_err() {
                tracing::error!("a job thread panicked");
            }
        }
    }
}

impl Shared {
    /// A panic outside of user code would otherwise end the thread, and the context would wait for ever.
    fn run_or_report(&self, job: QueuedJob) {
        let batch = job.batch;
        let outcome = guarded(|| {
            self.run(job);
            Ok(())
        });
        if let Err(error) = outcome {
            self.progress.report(&error);
            (self.ended)(batch, Outcome::Failed);
        }
    }

    fn run(&self, job: QueuedJob) {
        if self.abandoned.is_raised() {
            return;
        }
        let _batch = batch_span(job.batch).entered();
        let started = self.clock.now();
        let name = self.update(job.batch, |batch| {
            if batch.info.processing_start_time.is_none() {
                batch.info.processing_start_time = Some(started);
                self.bus.post(|| StreamingEvent::BatchStarted(batch.info.clone()));
            }
            let output = batch.info.output_operations.get_mut(&job.output)?;
            output.start_time = Some(started);
            self.bus.post(|| StreamingEvent::OutputOperationStarted(output.clone()));
            Some(output.name.clone())
        });
        let result = {
            let _entered = enter_output(job.batch, job.output);
            (job.run)()
        };
        let ended = self.clock.now();
        let failure = result.err().map(|cause| Error::Output {
            time: job.batch,
            output: job.output,
            name: name.flatten().unwrap_or_default(),
            cause: Box::new(cause),
        });
        let done = self.update(job.batch, |batch| {
            batch.jobs_left -= 1;
            if failure.is_some() {
                batch.outcome = Outcome::Failed;
            }
            if let Some(output) = batch.info.output_operations.get_mut(&job.output) {
                output.end_time = Some(ended);
                output.failure_reason = failure.as_ref().map(ToString::to_string);
                self.bus.post(|| StreamingEvent::OutputOperationCompleted(output.clone()));
            }
            (batch.jobs_left == 0).then_some(batch.outcome)
        });
        if let Some(error) = failure {
            self.progress.report(&error);
        }
        if let Some(Some(outcome)) = done {
            let batch = self.running.lock().remove(&job.batch);
            if let Some(mut batch) = batch {
                batch.info.processing_end_time = Some(ended);
                // What is learned from the batch holds before the next one is planned.
                let rates =
                    if outcome == Outcome::Done { self.rates.completed(&batch.info) } else { Vec::new() };
                self.bus.post(|| StreamingEvent::BatchCompleted(batch.info));
                for rate in rates {
                    tracing::debug!(stream = %rate.stream_id, "new rate limit: {rate}");
                    self.bus.post(|| StreamingEvent::RateUpdated(rate));
                }
            }
            (self.ended)(job.batch, outcome);
        }
    }

    fn update<R>(&self, batch: Time, change: impl FnOnce(&mut Running) -> R) -> Option<R> {
        self.running.lock().get_mut(&batch).map(change)
    }
}
