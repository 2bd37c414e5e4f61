// SPDX-License-Identifier: Apache-2.0
//! `Committer`: completes batches in their order on one thread, and has checkpoints cut beside them on another.

use std::{collections::VecDeque, sync::Arc, thread::JoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use parking_lot::Mutex;

use super::{keeper::Keeper, progress::Progress, runner::Outcome};
use crate::{
    error::{Error, Result},
    output::guarded,
    time::Time,
};

/// The threads that make batches durable.
pub(crate) struct Committer {
    messages: Sender<Message>,
    keeper: Arc<Keeper>,
    threads: Mutex<Vec<JoinHandle<Option<Time>>>>,
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
        keeper: Arc<Keeper>,
        progress: Arc<Progress>,
        committed: impl Fn(Time) + Send + 'static,
    ) -> Result<Self> {
        let (messages, received) = unbounded();
        // One that is due while another is being cut takes in what that leaves out.
        let (cuts, due) = bounded(1);
        let cutter = {
            let (keeper, progress) = (Arc::clone(&keeper), Arc::clone(&progress));
            spawn("dstreams-checkpoints", move || cut_all(&due, &keeper, &progress))?
        };
        let worker = Worker { keeper: Arc::clone(&keeper), progress, committed: Box::new(committed), cuts };
        let worker = spawn("dstreams-committer", move || worker.work(&received))?;
        Ok(Self { messages, keeper, threads: Mutex::new(vec![worker, cutter]) })
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
            Some(time) if last_cut => self.keeper.cut(time, true),
            _ => Ok(()),
        };
        cut.and(self.keeper.close())
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
    keeper: Arc<Keeper>,
    progress: Arc<Progress>,
    committed: Box<dyn Fn(Time) + Send>,
    cuts: Sender<Time>,
}

/// A batch that is not complete, and how its jobs have ended if they have.
type Open = (Time, Option<Outcome>);

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
                        self.keeper.halt();
                    }
                }
                self.progress.batch_ended(time);
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
        if self.keeper.is_cut_due(time) {
            // A full channel means that one is due already.
            let _ = self.cuts.try_send(time);
        }
        true
    }

    fn commit(&self, time: Time) -> bool {
        let outcome = guarded(|| self.keeper.commit(time));
        if let Err(error) = &outcome {
            self.progress.report(error);
        }
        outcome.is_ok()
    }
}

/// Cuts a checkpoint whenever one is due. One that fails is tried again when the next is.
fn cut_all(due: &Receiver<Time>, keeper: &Keeper, progress: &Progress) -> Option<Time> {
    for time in due {
        if let Err(error) = guarded(|| keeper.cut(time, false)) {
            progress.report(&error);
        }
    }
    None
}
