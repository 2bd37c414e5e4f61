// SPDX-License-Identifier: Apache-2.0
//! `Committer`: completes batches in their order on one thread, and has checkpoints cut beside them on another.

use std::{sync::Arc, thread::JoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use parking_lot::Mutex;

use super::{keeper::Keeper, progress::Progress};
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
    /// All jobs of the batch have ended: well or not.
    Ended(Time, bool),
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

    /// Says that all jobs of a batch have ended, and whether all of them did well.
    pub(crate) fn ended(&self, time: Time, well: bool) {
        let _ = self.messages.send(Message::Ended(time, well));
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
type Open = (Time, Option<bool>);

impl Worker {
    /// Returns the last batch that is complete.
    fn work(&self, messages: &Receiver<Message>) -> Option<Time> {
        let mut open: std::collections::VecDeque<Open> = std::collections::VecDeque::new();
        let mut last = None;
        for message in messages {
            match message {
                Message::Submitted(time) => open.push_back((time, None)),
                Message::Ended(time, well) => {
                    if let Some(batch) = open.iter_mut().find(|(open, _)| *open == time) {
                        batch.1 = Some(well);
                    }
                }
                Message::Stop => break,
            }
            while let Some((time, Some(well))) = open.front().copied() {
                open.pop_front();
                if self.complete(time, well) {
                    last = Some(time);
                }
            }
        }
        last
    }

    /// Makes a batch durable, unless it or one before it has failed.
    fn complete(&self, time: Time, well: bool) -> bool {
        let complete = well && !self.keeper.is_halted() && self.commit(time);
        if complete {
            (self.committed)(time);
            if self.keeper.is_cut_due(time) {
                // A full channel means that one is due already.
                let _ = self.cuts.try_send(time);
            }
        } else {
            self.keeper.halt();
        }
        self.progress.batch_ended(time);
        complete
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
