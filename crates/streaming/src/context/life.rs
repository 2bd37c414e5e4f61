// SPDX-License-Identifier: Apache-2.0
//! Start and stop of a context, and waiting for its end.

use std::{
    sync::{Arc, Weak},
    thread,
};

use parking_lot::Mutex;

use super::{
    Inner, StreamingContext,
    recovery::{Opened, Schedule, ToDo, checkpoint_path},
};
use crate::{
    batch::{
        committer::Committer,
        generator::{Generator, Keeping, Mailbox, Message},
        runner::{Outcome, Runner},
    },
    checkpoint::RecoveryReport,
    config::keys,
    dstream::scope::StreamingContextState,
    error::{Error, Result},
    event::{StreamingEvent, on_bus_thread},
    graph::{GraphSettings, RunningGraph},
    time::{Duration, Time},
};

/// What a context consists of in each state.
pub(super) enum Phase {
    Initialized,
    Active(Running),
    Stopped,
}

/// The parts of an active context.
pub(super) struct Running {
    graph: Arc<RunningGraph>,
    runner: Arc<Runner>,
    generator: Generator,
    keeping: Option<Keeping>,
}

/// How a context is stopped.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct StopOptions {
    /// Processes what has been received before it stops.
    pub graceful: bool,
    /// Whether the engine under the context is stopped too; unset means `spark.streaming.stopSparkContextByDefault`.
    pub rdd_context: Option<bool>,
}

impl StopOptions {
    /// Process everything that has been received, then stop.
    pub fn graceful() -> Self {
        Self { graceful: true, rdd_context: None }
    }

    /// Stops the engine under the context too, or leaves it running.
    #[must_use]
    pub fn rdd_context(self, stop: bool) -> Self {
        Self { rdd_context: Some(stop), ..self }
    }
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
            Phase::Stopped => {
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
        let scope = &self.inner.scope;
        let Some(dir) = self.checkpoint_directory() else { return Ok(None) };
        if !checkpoint_path(&dir)?.exists() {
            return Ok(None);
        }
        let opened = Opened::open(&dir, scope.config())?;
        let schedule = opened.schedule(scope.clock().now(), scope.interval())?;
        let settings = GraphSettings { zero: schedule.zero, remember: None, has_checkpoint_dir: true };
        let graph = RunningGraph::start(scope, &settings)?;
        opened.report(scope, &graph, schedule.zero)
    }

    /// Stops without waiting for data that has been received; batches that run are given up. With the default
    /// configuration the engine is stopped too.
    pub fn stop(&self) -> Result<()> {
        self.stop_with(StopOptions::default())
    }

    /// Stops as `options` say. In a context that is not active only the engine is stopped, if asked.
    pub fn stop_with(&self, options: StopOptions) -> Result<()> {
        if on_bus_thread() {
            return Err(Error::IllegalState(
                "Cannot stop StreamingContext within listener bus thread.".to_owned(),
            ));
        }
        self.inner.stop(options.graceful);
        let stop_engine =
            options.rdd_context.unwrap_or_else(|| self.config().get(&keys::STOP_ENGINE_BY_DEFAULT));
        if stop_engine {
            self.rdd_context().stop();
        }
        Ok(())
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
        self.scope.bus().post(StreamingEvent::StreamingStarted(scope.clock().now()));
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
            Committer::start(Arc::clone(&to_do.keeper), Arc::clone(&self.progress), move |time| {
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
        Runner::start(
            self.scope.config().get(&keys::CONCURRENT_JOBS),
            Arc::clone(self.scope.clock()),
            Arc::clone(self.scope.bus()),
            Arc::clone(&self.progress),
            move |time, outcome| {
                if let Some(committer) = &committer {
                    committer.ended(time, outcome);
                } else {
                    match outcome {
                        Outcome::Done => graph.completed(time),
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
        *self.recovery.lock() = Some(report);
    }

    fn stop(&self, graceful: bool) {
        let phase = std::mem::replace(&mut *self.phase.lock(), Phase::Stopped);
        let Phase::Active(running) = phase else {
            self.ended(StreamingContextState::Stopped);
            return;
        };
        let inputs = running.graph.inputs();
        thread::scope(|threads| {
            for input in inputs {
                threads.spawn(move || input.stop(graceful));
            }
        });
        running.generator.stop_timer(&self.scope, graceful);
        running.generator.join();
        let finished = graceful && self.await_pending_batches();
        if !finished {
            self.scope.abandoned().raise();
            self.scope.rdd_context().cancel_all_jobs();
        }
        running.runner.stop(finished);
        stop_keeping(running.keeping.as_ref(), finished);
        for input in inputs {
            input.close();
        }
        self.scope.bus().stop();
        self.ended(StreamingContextState::Stopped);
    }

    /// Waits for the batches that are pending, as long as a graceful stop may take.
    fn await_pending_batches(&self) -> bool {
        let limit = self
            .scope
            .config()
            .get(&keys::GRACEFUL_STOP_TIMEOUT)
            .unwrap_or_else(|| self.scope.interval() * 10);
        let clock = &**self.scope.clock();
        let finished = self.progress.await_idle(clock, clock.now() + limit);
        if !finished {
            let pending = self.progress.pending();
            tracing::warn!(%limit, ?pending, "the graceful stop took too long; pending batches are given up. Raise spark.streaming.gracefulStopTimeout to wait longer");
        }
        finished
    }

    fn ended(&self, state: StreamingContextState) {
        self.scope.set_state(state);
        self.scope.dismantle();
        ACTIVE.lock().retain(|other| !std::ptr::eq(other.as_ptr(), self));
        self.progress.stopped();
    }
}

/// Ends what makes batches durable, with a last checkpoint when everything has been processed.
fn stop_keeping(keeping: Option<&Keeping>, finished: bool) {
    if let Some(Keeping { committer, .. }) = keeping
        && let Err(error) = committer.stop(finished)
    {
        tracing::error!(%error, "the last checkpoint could not be written; the next start works from the one before");
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if !matches!(*self.phase.lock(), Phase::Stopped) {
            self.stop(false);
        }
    }
}
