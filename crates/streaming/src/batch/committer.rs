// SPDX-License-Identifier: Apache-2.0
//! `Committer`: completes batches in their order on one thread, and has checkpoints cut beside them on another.

use std::{collections::VecDeque, sync::Arc, thread::JoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded};
use parking_lot::Mutex;

use super::{batch_span, keeper::Keeper, progress::Progress, runner::Outcome, tally::Tally};
use crate::{
    dstream::scope::Scope,
    error::{Error, Result},
    event::{CheckpointInfo, CommitInfo, FailureInfo, StreamingEvent},
    output::guarded,
    time::Time,
};

/// The threads that make batches durable.
pub(crate) struct Committer {
    messages: Sender<Message>,
    making: Making,
    threads: Mutex<Vec<JoinHandle<Option<Time>>>>,
}

/// What both threads work with.
#[derive(Clone)]
struct Making {
    scope: Arc<Scope>,
    keeper: Arc<Keeper>,
    progress: Arc<Progress>,
}

enum Message {
    /// The batch is the next in order.
    Submitted(Time),
    /// All jobs of the batch have ended.
    Ended(Time, Outcome),
    Stop,
}

impl Committer {
    /// Starts the threads. `committed` is called for each batch that is complete for good.
    pub(crate) fn start(
        scope: &Arc<Scope>,
        keeper: &Arc<Keeper>,
        progress: &Arc<Progress>,
        tally: &Arc<Tally>,
        committed: impl Fn(Time) + Send + 'static,
    ) -> Result<Self> {
        let (messages, received) = bounded(WAITING_LIMIT);
        let making =
            Making { scope: Arc::clone(scope), keeper: Arc::clone(keeper), progress: Arc::clone(progress) };
        // One that is due while another is being cut takes in what that leaves out.
        let (cuts, due) = bounded(1);
        let cutter = {
            let making = making.clone();
            spawn("dstreams-checkpoints", move || making.cut_all(&due))?
        };
        let (making_batches, tally) = (making.clone(), Arc::clone(tally));
        let worker = Worker { making: making_batches, tally, committed: Box::new(committed), cuts };
        let worker = spawn("dstreams-committer", move || worker.work(&received))?;
        Ok(Self { messages, making, threads: Mutex::new(vec![worker, cutter]) })
    }

    /// Says that the batch comes next in order.
    pub(crate) fn submitted(&self, time: Time) {
        let _ = self.messages.send(Message::Submitted(time));
    }

    /// Says that all jobs of a batch have ended, and how.
    pub(crate) fn ended(&self, time: Time, outcome: Outcome) {
        let _ = self.messages.send(Message::Ended(time, outcome));
    }

    /// Ends the threads after what they were told. With `last_cut` the last complete batch gets a checkpoint file, so
    /// that the next start need not compute anything again.
    pub(crate) fn stop(&self, last_cut: bool) -> Result<()> {
        let _ = self.messages.send(Message::Stop);
        let mut last = None;
        for thread in std::mem::take(&mut *self.threads.lock()) {
            if let Ok(committed) = thread.join() {
                last = last.max(committed);
            } else {
                tracing::error!("a thread that makes batches durable panicked");
            }
        }
        let cut = match last {
            Some(time) if last_cut => self.making.cut(time, true),
            _ => Ok(()),
        };
        cut.and(self.making.keeper.close())
    }
}

fn spawn(
    name: &str,
    work: impl FnOnce() -> Option<Time> + Send + 'static,
) -> Result<JoinHandle<Option<Time>>> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(|cause| Error::system("start a thread that makes batches durable", cause))
}

struct Worker {
    making: Making,
    tally: Arc<Tally>,
    committed: Box<dyn Fn(Time) + Send>,
    cuts: Sender<Time>,
}

/// A batch that is not complete, and how its jobs have ended if they have.
type Open = (Time, Option<Outcome>);

/// How many messages may wait. Who processes batches faster than they become durable waits then, as what a batch has made
/// stays in memory until it is.
const WAITING_LIMIT: usize = 64;

/// How many batches may be processed after one that has failed. They are not complete, and wait for the next start.
const HELD_LIMIT: usize = 64;

impl Worker {
    /// Returns the last batch that is complete.
    fn work(&self, messages: &Receiver<Message>) -> Option<Time> {
        let mut open: VecDeque<Open> = VecDeque::new();
        let (mut last, mut held) = (None, 0);
        for message in messages {
            match message {
                Message::Submitted(time) => open.push_back((time, None)),
                Message::Ended(time, outcome) => {
                    if let Some(batch) = open.iter_mut().find(|(open, _)| *open == time) {
                        batch.1 = Some(outcome);
                    }
                }
                Message::Stop => break,
            }
            while let Some((time, Some(outcome))) = open.front().copied() {
                open.pop_front();
                // What is built on a batch that has failed is not complete either.
                if held == 0 && outcome == Outcome::Done && self.complete(time) {
                    last = Some(time);
                } else {
                    held += 1;
                    if held > HELD_LIMIT {
                        self.making.keeper.halt();
                    }
                }
                self.making.progress.batch_ended(time);
            }
        }
        last
    }

    /// Makes a batch durable.
    fn complete(&self, time: Time) -> bool {
        if !self.commit(time) {
            return false;
        }
        (self.committed)(time);
        if self.making.keeper.is_cut_due(time) {
            // A full channel means that one is due already.
            let _ = self.cuts.try_send(time);
        }
        true
    }

    fn commit(&self, time: Time) -> bool {
        let _batch = batch_span(time).entered();
        let Making { scope, keeper, .. } = &self.making;
        let begun = scope.clock().now();
        let changed_bytes = match guarded(|| keeper.commit(time)) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.making.failed(time, &error);
                return false;
            }
        };
        if let Some(batch) = scope.batches().read().get(time) {
            self.tally.completed(batch);
        }
        let now = scope.clock().now();
        let commit = CommitInfo { batch_time: time, time: now, duration: now - begun, changed_bytes };
        scope.bus().post(|| StreamingEvent::BatchCommitted(commit));
        for state in keeper.states(time) {
            scope.bus().post(|| StreamingEvent::State(state));
        }
        true
    }
}

impl Making {
    /// Cuts a checkpoint whenever one is due. One that fails is tried again when the next is.
    fn cut_all(&self, due: &Receiver<Time>) -> Option<Time> {
        for time in due {
            if let Err(error) = guarded(|| self.cut(time, false)) {
                self.failed(time, &error);
            }
        }
        None
    }

    fn cut(&self, time: Time, end: bool) -> Result<()> {
        let begun = self.scope.clock().now();
        let bytes = self.keeper.cut(time, end)?;
        let now = self.scope.clock().now();
        let written = CheckpointInfo { batch_time: time, time: now, duration: now - begun, bytes };
        self.scope.bus().post(|| StreamingEvent::CheckpointWritten(written));
        Ok(())
    }

    fn failed(&self, batch: Time, error: &Error) {
        self.progress.report(error);
        self.scope.bus().post(|| FailureInfo::event(self.scope.clock().now(), Some(batch), error));
    }
}
