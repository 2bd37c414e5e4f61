// SPDX-License-Identifier: Apache-2.0
//! The start of a context, and waiting for its end.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::{
    Inner, StreamingContext,
    recovery::{self, Opened, Schedule, ToDo},
    stop::stop_keeping,
};
use crate::{
    batch::{
        committer::Committer,
        generator::{Generator, Keeping, Mailbox, Message},
        runner::{Outcome, Runner},
        tally::Tally,
    },
    checkpoint::RecoveryReport,
    config::keys,
    dstream::scope::{Scope, StreamingContextState},
    error::{Error, Result},
    event::{CommitInfo, MemoryInfo, RecoveryInfo, StreamingEvent},
    graph::{GraphSettings, RunningGraph},
    time::{Duration, Time},
};

/// What a context consists of in each state.
pub(super) enum Phase {
    Initialized,
    Active(Running),
    Stopping,
    Stopped,
}

/// The parts of an active context.
pub(super) struct Running {
    pub(super) graph: Arc<RunningGraph>,
    pub(super) runner: Arc<Runner>,
    pub(super) generator: Generator,
    pub(super) keeping: Option<Keeping>,
}

/// The active contexts of the process.
static ACTIVE: Mutex<Vec<Weak<Inner>>> = Mutex::new(Vec::new());

impl StreamingContext {
    /// Validates the graph and starts it; returns as soon as everything runs. The first batch ends at the first
    /// multiple of the interval after now. Does nothing in an active context, and fails in a stopped one.
    pub fn start(&self) -> Result<()> {
        let mut phase = self.inner.phase.lock();
        match *phase {
            Phase::Initialized => {}
            Phase::Active(_) => {
                tracing::warn!("the streaming context has been started already");
                return Ok(());
            }
            Phase::Stopping | Phase::Stopped => {
                return Err(Error::IllegalState("StreamingContext has already been stopped".to_owned()));
            }
        }
        self.claim_engine()?;
        match self.inner.start() {
            Ok(running) => *phase = Phase::Active(running),
            Err(error) => {
                *phase = Phase::Stopped;
                drop(phase);
                self.inner.ended(StreamingContextState::Stopped);
                return Err(error);
            }
        }
        Ok(())
    }

    /// What a start would make of what is in the checkpoint directory; nothing where there is nothing, or no directory.
    /// Nothing is changed there, and the context cannot be started afterwards.
    pub fn explain_recovery(&self) -> Result<Option<RecoveryReport>> {
        self.checkpoint_directory().map_or(Ok(None), |dir| recovery::explain(&dir, &self.inner.scope))
    }

    /// Blocks until the context is stopped, or until a batch, a source or the generator fails: then returns that
    /// error. The context goes on after an error; it is for the program to stop it. An error stays: later calls
    /// return it too.
    pub fn await_termination(&self) -> Result<()> {
        self.inner.progress.await_termination()
    }

    /// As [`await_termination`](Self::await_termination), for at most `timeout`. True when the context has stopped.
    pub fn await_termination_or_timeout(&self, timeout: Duration) -> Result<bool> {
        self.inner.progress.await_termination_or_timeout(&**self.inner.scope.clock(), timeout)
    }

    /// Blocks until the batch at `time` and all before it have ended, one way or the other, or the context stops.
    pub(crate) fn await_batch(&self, time: Time) -> Result<()> {
        self.inner.progress.await_batch(time);
        self.inner.progress.error().map_or(Ok(()), Err)
    }

    /// The active context of an engine, if it has one.
    pub fn active(rdd: &dstreams_rdd::RddContext) -> Option<Self> {
        let active = ACTIVE.lock();
        let inner =
            active.iter().filter_map(Weak::upgrade).find(|inner| inner.scope.rdd_context().is_same(rdd))?;
        Some(Self { inner })
    }

    /// Makes this the one active context of its engine.
    fn claim_engine(&self) -> Result<()> {
        let mut active = ACTIVE.lock();
        active.retain(|other| other.strong_count() > 0);
        let taken = active
            .iter()
            .filter_map(Weak::upgrade)
            .any(|other| other.scope.rdd_context().is_same(self.rdd_context()));
        if taken {
            return Err(Error::IllegalState(
                "Only one StreamingContext may be started on one RddContext; stop the active one first"
                    .to_owned(),
            ));
        }
        active.push(Arc::downgrade(&self.inner));
        Ok(())
    }
}

impl Inner {
    fn start(&self) -> Result<Running> {
        let scope = &self.scope;
        let clock = Arc::clone(scope.clock());
        let (remember, checkpoint_dir) = {
            let settings = self.settings.lock();
            (settings.remember, settings.checkpoint_dir.clone())
        };
        let opened = checkpoint_dir.map(|dir| Opened::open(&dir, scope.config())).transpose()?;
        if let Some(last) = opened.as_ref().and_then(Opened::last_batch) {
            clock.not_before(last);
        }
        let schedule = match &opened {
            Some(opened) => opened.schedule(clock.now(), scope.interval())?,
            None => Schedule::fresh(clock.now(), scope.interval()),
        };
        let settings = GraphSettings { zero: schedule.zero, remember, has_checkpoint_dir: opened.is_some() };
        let graph = Arc::new(RunningGraph::start(scope, &settings)?);
        let to_do = opened.map(|opened| opened.restore(scope, &graph, schedule)).transpose()?;
        scope.bus().start()?;
        let mailbox = Mailbox::new();
        let keeping = to_do.as_ref().map(|to_do| self.keep(&graph, to_do, &mailbox)).transpose()?;
        let runner = Arc::new(self.start_runner(&graph, &mailbox, keeping.as_ref())?);
        if let Some(ToDo { pending, missed, report, .. }) = to_do {
            if let Some(report) = report {
                if report.completed > schedule.zero {
                    self.tally.found(report.completed, scope.batches().read().iter());
                }
                self.recovered(report, missed.len());
            }
            if pending.is_empty() && missed.is_empty() {
                // Whoever waits for an earlier batch waits in vain.
                self.progress.batch_generated(schedule.first - scope.interval());
            }
            for time in pending {
                let _ = mailbox.sender.send(Message::Rerun(time));
            }
            let _ = mailbox.sender.send(Message::CatchUp(missed));
        }
        // From here on listeners and user code see an active context.
        scope.set_state(StreamingContextState::Active);
        let bus = scope.bus();
        bus.post(|| StreamingEvent::StreamingStarted(clock.now()));
        bus.post(|| {
            StreamingEvent::Graph(graph.describe(scope, self.settings.lock().checkpoint_dir.clone()))
        });
        for rate in scope.rates().first(clock.now()) {
            bus.post(|| StreamingEvent::RateUpdated(rate));
        }
        for (number, input) in graph.inputs().iter().enumerate() {
            if let Err(error) = input.start() {
                graph.inputs()[..number].iter().for_each(|started| started.stop(false));
                runner.stop(false);
                stop_keeping(keeping.as_ref(), false);
                self.scope.bus().stop();
                return Err(error);
            }
        }
        let generator = Generator::start(
            mailbox,
            scope,
            Arc::clone(&graph),
            Arc::clone(&runner),
            Arc::clone(&self.progress),
            keeping.clone(),
            schedule.first,
        )?;
        Ok(Running { graph, runner, generator, keeping })
    }

    /// Starts what makes batches durable.
    fn keep(&self, graph: &Arc<RunningGraph>, to_do: &ToDo, mailbox: &Mailbox) -> Result<Keeping> {
        let (completed, graph) = (mailbox.sender.clone(), Arc::clone(graph));
        let committer =
            Committer::start(&self.scope, &to_do.keeper, &self.progress, &self.tally, move |time| {
                graph.completed(time);
                // After the generator has stopped there is nothing left to forget.
                let _ = completed.send(Message::Completed(time));
            })?;
        Ok(Keeping { keeper: Arc::clone(&to_do.keeper), committer: Arc::new(committer) })
    }

    fn start_runner(
        &self,
        graph: &Arc<RunningGraph>,
        mailbox: &Mailbox,
        keeping: Option<&Keeping>,
    ) -> Result<Runner> {
        let (completed, progress) = (mailbox.sender.clone(), Arc::clone(&self.progress));
        let graph = Arc::clone(graph);
        let committer = keeping.map(|keeping| Arc::clone(&keeping.committer));
        let (scope, tally) = (Arc::clone(&self.scope), Arc::clone(&self.tally));
        Runner::start(
            self.scope.config().get(&keys::CONCURRENT_JOBS),
            &self.scope,
            Arc::clone(&self.progress),
            move |time, outcome| {
                post_memory(&scope);
                if let Some(committer) = &committer {
                    committer.ended(time, outcome);
                } else {
                    match outcome {
                        Outcome::Done => {
                            committed(&scope, &tally, time);
                            graph.completed(time);
                        }
                        Outcome::Failed => graph.failed(time),
                    }
                    // After the generator has stopped there is nothing left to forget.
                    let _ = completed.send(Message::Completed(time));
                    progress.batch_ended(time);
                }
            },
        )
    }

    /// Says what the context goes on with.
    fn recovered(&self, report: RecoveryReport, missed: usize) {
        tracing::info!(missed, "going on from the checkpoint directory\n{report}");
        let recovered =
            RecoveryInfo { time: self.scope.clock().now(), report: report.clone(), missed: missed as u64 };
        self.scope.bus().post(|| StreamingEvent::Recovered(recovered));
        *self.recovery.lock() = Some(report);
    }

    pub(super) fn ended(&self, state: StreamingContextState) {
        self.scope.set_state(state);
        self.scope.dismantle();
        ACTIVE.lock().retain(|other| !std::ptr::eq(other.as_ptr(), self));
        self.progress.stopped();
    }
}

/// A batch is complete where nothing makes it durable.
fn committed(scope: &Scope, tally: &Tally, time: Time) {
    if let Some(batch) = scope.batches().read().get(time) {
        tally.completed(batch);
    }
    let now = scope.clock().now();
    let commit = CommitInfo { batch_time: time, time: now, duration: Duration::ZERO, changed_bytes: 0 };
    scope.bus().post(|| StreamingEvent::BatchCommitted(commit));
}

fn post_memory(scope: &Scope) {
    let memory = scope.rdd_context().memory();
    scope.bus().post(|| {
        StreamingEvent::Memory(MemoryInfo {
            time: scope.clock().now(),
            used: memory.used() as u64,
            limit: memory.limit() as u64,
            dropped_events: scope.bus().dropped(),
        })
    });
}
