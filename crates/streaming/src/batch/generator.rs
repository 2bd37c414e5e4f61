// SPDX-License-Identifier: Apache-2.0
//! Makes a batch at every multiple of the interval: fixes its input, makes its jobs, hands them to the runner.

use std::{collections::VecDeque, sync::Arc, thread::JoinHandle};

use crossbeam_channel::{Receiver, Sender, unbounded};
use parking_lot::Mutex;

use super::{
    batch_span,
    committer::Committer,
    keeper::Keeper,
    progress::Progress,
    runner::{Outcome, Runner},
};
use crate::{
    dstream::scope::Scope,
    error::{Error, Result},
    event::{FailureInfo, StreamingEvent},
    graph::RunningGraph,
    output::guarded,
    time::Time,
    timer::{RecurringTimer, RunningTimer, StopTimer},
};

/// The checkpoints of a context, and who makes its batches durable.
#[derive(Clone)]
pub(crate) struct Keeping {
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) committer: Arc<Committer>,
}

/// How many batches may be pending while those that were missed are made up for.
const CATCH_UP_LIMIT: usize = 64;

/// The timer and the thread on which graphs are asked for jobs; streams are never touched by two threads at once.
pub(crate) struct Generator {
    messages: Sender<Message>,
    progress: Arc<Progress>,
    /// The first batch of the clock.
    first: Time,
    timer: Mutex<Option<RunningTimer>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the generator thread is told, in order.
pub(crate) enum Message {
    /// The time of a batch has come.
    Generate(Time),
    /// An earlier process has planned the batch and not completed it.
    Rerun(Time),
    /// The times of these batches came while no process was running.
    CatchUp(Vec<Time>),
    /// All jobs of a batch have ended.
    Completed(Time),
    /// Received data may be left: make one more batch at this time if so.
    Drain(Time),
    /// Nothing more will come.
    Stop,
}

/// A generator that is not started yet: the channel must exist before the runner that reports to it.
pub(crate) struct Mailbox {
    pub(crate) sender: Sender<Message>,
    receiver: Receiver<Message>,
}

impl Mailbox {
    pub(crate) fn new() -> Self {
        let (sender, receiver) = unbounded();
        Self { sender, receiver }
    }
}

impl Generator {
    /// Starts to make batches, the first at `first`.
    pub(crate) fn start(
        mailbox: Mailbox,
        scope: &Arc<Scope>,
        graph: Arc<RunningGraph>,
        runner: Arc<Runner>,
        progress: Arc<Progress>,
        keeping: Option<Keeping>,
        first: Time,
    ) -> Result<Self> {
        let Mailbox { sender, receiver } = mailbox;
        let worker =
            Worker { scope: Arc::clone(scope), graph, runner, progress: Arc::clone(&progress), keeping };
        let thread = std::thread::Builder::new()
            .name("dstreams-generator".to_owned())
            .spawn(move || worker.work(&receiver))
            .map_err(|cause| Error::system("start the batch generator", cause))?;
        let ticks = sender.clone();
        let timer = RecurringTimer::new(
            "dstreams-batch-timer",
            Arc::clone(scope.clock()),
            scope.interval(),
            move |time| {
                // The generator thread outlives the timer.
                let _ = ticks.send(Message::Generate(time));
            },
        )
        .and_then(|timer| timer.start_at(first))
        .map_err(Error::source)?;
        Ok(Self {
            messages: sender,
            progress,
            first,
            timer: Mutex::new(Some(timer)),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Stops the clockwork. With `drain`, received data that is left gets a last batch, made at once.
    pub(crate) fn stop_timer(&self, scope: &Scope, drain: bool) {
        let timer = self.timer.lock().take();
        let last = timer.and_then(|timer| timer.stop(StopTimer::Now));
        if drain {
            let next = last.map_or(self.first, |last| last + scope.interval());
            let _ = self.messages.send(Message::Drain(next));
        } else {
            self.progress.hurry();
        }
    }

    /// Ends the thread after what it was told before.
    pub(crate) fn join(&self) {
        let _ = self.messages.send(Message::Stop);
        if self.thread.lock().take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the batch generator panicked");
        }
    }
}

struct Worker {
    scope: Arc<Scope>,
    graph: Arc<RunningGraph>,
    runner: Arc<Runner>,
    progress: Arc<Progress>,
    keeping: Option<Keeping>,
}

impl Worker {
    fn work(&self, messages: &Receiver<Message>) {
        let mut later = VecDeque::new();
        // The generator holds a sender until it has sent the last message.
        while let Some(message) = later.pop_front().or_else(|| messages.recv().ok()) {
            let outcome = guarded(|| {
                self.forget_completed(messages, &mut later);
                Ok(self.handle(&message, messages, &mut later))
            });
            match outcome {
                Ok(true) => {}
                Ok(false) => return,
                // A panic outside of user code would otherwise end the thread, and the context would wait for ever.
                Err(error) => self.failed(None, &error),
            }
        }
    }

    /// Forgets what is complete ahead of its turn: where many batches are to be made, memory cannot wait for the last of
    /// them. All other messages come `later`, since batches are made in their order.
    fn forget_completed(&self, messages: &Receiver<Message>, later: &mut VecDeque<Message>) {
        for message in messages.try_iter() {
            match message {
                Message::Completed(time) => self.forget(time),
                other => later.push_back(other),
            }
        }
    }

    fn failed(&self, batch: Option<Time>, error: &Error) {
        self.progress.report(error);
        self.scope.bus().post(|| FailureInfo::event(self.scope.clock().now(), batch, error));
    }

    /// Does what a message says; false after the last one.
    fn handle(&self, message: &Message, messages: &Receiver<Message>, later: &mut VecDeque<Message>) -> bool {
        match *message {
            Message::Generate(time) => self.generate(time),
            Message::Rerun(time) => {
                let _batch = batch_span(time).entered();
                let rerun = self.make(time);
                self.generated(time, rerun);
            }
            Message::CatchUp(ref times) => self.catch_up(times, messages, later),
            Message::Completed(time) => self.forget(time),
            Message::Drain(time) => {
                if self.graph.inputs().iter().any(|input| input.has_unplanned()) {
                    self.generate(time);
                }
            }
            Message::Stop => return false,
        }
        true
    }

    /// Makes up for batches, no more at a time than memory has room for.
    fn catch_up(&self, times: &[Time], messages: &Receiver<Message>, later: &mut VecDeque<Message>) {
        for &time in times {
            if !self.progress.await_fewer_pending(CATCH_UP_LIMIT) {
                // What is left is made up for at the next start, which goes on after the last batch that is logged.
                if let Some(keeping) = &self.keeping {
                    keeping.keeper.halt();
                }
                return;
            }
            self.forget_completed(messages, later);
            self.generate(time);
        }
    }

    fn generate(&self, time: Time) {
        let _batch = batch_span(time).entered();
        if self.keeping.as_ref().is_some_and(|keeping| keeping.keeper.is_halted()) {
            tracing::warn!(%time, "no batch is made any more after one that has failed or was left out; its input waits for the next start");
            self.progress.batch_generated(time);
            return;
        }
        let outcome = self.try_generate(time);
        self.generated(time, outcome);
    }

    fn generated(&self, time: Time, outcome: Result<()>) {
        if let Err(error) = outcome {
            self.failed(Some(time), &error);
            self.forget(time);
        }
        self.progress.batch_generated(time);
    }

    fn try_generate(&self, time: Time) -> Result<()> {
        let keeper = self.keeping.as_ref().map(|keeping| &keeping.keeper);
        // Without the batch there would be a hole in the log, and what looks back at it, such as a window, could never be
        // made again: the next start makes up for it.
        let halt = |_: &Error| {
            keeper.inspect(|keeper| keeper.halt());
        };
        let now = self.scope.clock().now();
        for rate in self.scope.rates().hold_changed(now) {
            self.scope.bus().post(|| StreamingEvent::RateUpdated(rate));
        }
        let batch = Arc::new(self.graph.plan(time).inspect_err(halt)?);
        // What the batch is made of is written down before anything is made of it.
        if let Some(Err(error)) = keeper.map(|keeper| keeper.planned(&batch)) {
            self.graph.give_back(&batch);
            halt(&error);
            return Err(error);
        }
        self.scope.batches().write().insert(Arc::clone(&batch));
        self.make(time).inspect_err(|_| {
            if keeper.is_none() {
                // None of its jobs runs: the batch must leave no trace, and its input goes to the next one.
                self.scope.batches().write().remove(time);
                self.graph.give_back(&batch);
            }
        })
    }

    /// Makes the jobs of a batch that is known, and submits them.
    fn make(&self, time: Time) -> Result<()> {
        let Some(batch) = self.scope.batches().read().get(time).cloned() else { return Ok(()) };
        let committer = self.keeping.as_ref().map(|keeping| &keeping.committer);
        // Where the committer is behind, this waits: it needs the batches, which are not locked here.
        committer.inspect(|committer| committer.submitted(time));
        let jobs = guarded(|| self.graph.jobs(time, &self.scope.batches().read())).inspect_err(|_| {
            self.graph.discard(time);
            // It stays the next to be completed, by a later process.
            committer.inspect(|committer| committer.ended(time, Outcome::Failed));
        });
        self.runner.submit(&batch, jobs?);
        Ok(())
    }

    fn forget(&self, time: Time) {
        // Checkpoints are made of the batches that are remembered.
        if self.keeping.is_none() && self.graph.forget_at_once(time) {
            self.scope.batches().write().remove(time);
        }
        let forgotten = self.graph.forget(time);
        self.scope.batches().write().forget(forgotten);
        let pending = self.progress.first_pending();
        self.graph.release(pending.map_or(time, |first| time.min(first - self.scope.interval())));
    }
}
