// SPDX-License-Identifier: Apache-2.0
//! The stop of a context: drains what has been received or gives it up, and reports what is left.

use std::thread;

use super::{
    Inner, StreamingContext,
    life::{Phase, Running},
};
use crate::{
    batch::generator::Keeping,
    config::keys,
    dstream::scope::StreamingContextState,
    error::{Error, Result},
    event::{ShutdownReport, StopInfo, StreamPosition, StreamingEvent, on_bus_thread, running_output},
    time::Time,
};

/// How a context is stopped.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct StopOptions {
    /// Processes what has been received before it stops.
    pub graceful: bool,
    /// Whether the engine under the context is stopped too; unset means `spark.streaming.stopSparkContextByDefault`.
    pub rdd_context: Option<bool>,
    /// Who asks for it, for the report.
    pub reason: Option<String>,
}

impl StopOptions {
    /// Process everything that has been received, then stop.
    pub fn graceful() -> Self {
        Self { graceful: true, ..Self::default() }
    }

    /// Stops the engine under the context too, or leaves it running.
    #[must_use]
    pub fn rdd_context(self, stop: bool) -> Self {
        Self { rdd_context: Some(stop), ..self }
    }

    /// Says who asks for it: listeners and the report are told.
    #[must_use]
    pub fn reason(self, reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..self }
    }
}

impl StreamingContext {
    /// Stops without waiting for data that has been received; batches that run are given up. With the default
    /// configuration the engine is stopped too.
    pub fn stop(&self) -> Result<()> {
        self.stop_with(StopOptions::default())
    }

    /// Stops as `options` say. In a context that is not active only the engine is stopped, if asked. While the context is
    /// being stopped already, this waits for the end of that; and a stop that is not graceful cuts it short.
    pub fn stop_with(&self, options: StopOptions) -> Result<()> {
        if on_bus_thread() {
            return Err(Error::IllegalState(
                "Cannot stop StreamingContext within listener bus thread.".to_owned(),
            ));
        }
        let StopOptions { graceful, rdd_context, reason } = options;
        self.inner.stop(graceful, reason.as_deref().unwrap_or("the program"));
        let stop_engine = rdd_context.unwrap_or_else(|| self.config().get(&keys::STOP_ENGINE_BY_DEFAULT));
        if stop_engine {
            self.rdd_context().stop();
        }
        Ok(())
    }

    /// Has the context stopped after everything that has been received, on a thread of its own, and returns at once.
    /// `reason` says who asks for it. May be called from anywhere, listeners and outputs included;
    /// [`await_termination`](Self::await_termination) returns at the end of the stop.
    ///
    /// ```
    /// use dstreams_streaming::testing::TestContext;
    /// let test = TestContext::new()?;
    /// test.input(vec![vec![1]]).print();
    /// test.run(1)?;
    /// test.context().stop_gracefully("an operator")?;
    /// test.context().await_termination()?;
    /// let report = test.context().shutdown_report().ok_or("it has stopped")?;
    /// assert_eq!((&*report.reason, report.finished, report.completed_batches), ("an operator", true, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stop_gracefully(&self, reason: &str) -> Result<()> {
        self.stop_in_the_background(StopOptions::graceful().reason(reason))
    }

    pub(super) fn stop_in_the_background(&self, options: StopOptions) -> Result<()> {
        let ssc = self.clone();
        let stop = move || {
            if let Err(error) = ssc.stop_with(options) {
                tracing::error!(%error, "cannot stop");
            }
        };
        let thread = thread::Builder::new().name("dstreams-stop".to_owned()).spawn(stop);
        thread.map(drop).map_err(|cause| Error::system("start the thread that stops the context", cause))
    }

    /// What the context has left behind; nothing before it has stopped.
    pub fn shutdown_report(&self) -> Option<ShutdownReport> {
        self.inner.shutdown.lock().clone()
    }
}

/// How long jobs that were cancelled may take to end before what has begun since is cancelled, too.
const CANCEL_AGAIN: std::time::Duration = std::time::Duration::from_millis(10);

impl Inner {
    pub(super) fn stop(&self, graceful: bool, reason: &str) {
        let Some(running) = self.begin_to_stop(graceful) else { return };
        let begun = self.scope.clock().now();
        let asked = StopInfo { time: begun, graceful, reason: reason.to_owned() };
        self.scope.bus().post(|| StreamingEvent::StopRequested(asked));
        let inputs = running.graph.inputs();
        thread::scope(|threads| {
            for input in inputs {
                threads.spawn(move || input.stop(graceful));
            }
        });
        running.generator.stop_timer(&self.scope, graceful);
        running.generator.join();
        let finished = graceful && self.await_pending_batches();
        let pending = self.progress.pending();
        if finished {
            running.runner.stop(true);
        } else {
            // First, so that no job begins after those that run are given up.
            running.runner.abandon();
            self.scope.abandoned().raise();
            self.give_up(&running);
        }
        stop_keeping(running.keeping.as_ref(), finished);
        for input in inputs {
            input.close();
        }
        self.report(&running, pending, begun, StopInfo { time: begun, graceful, reason: reason.to_owned() });
        self.scope.bus().stop();
        drop(running);
        *self.phase.lock() = Phase::Stopped;
        self.stopped.notify_all();
        self.ended(StreamingContextState::Stopped);
    }

    /// Ends the outputs that are at work. One may begin a further job between being given up and noticing, so that jobs
    /// are cancelled until there is none.
    fn give_up(&self, running: &Running) {
        let (ended, has_ended) = crossbeam_channel::bounded::<()>(0);
        thread::scope(|threads| {
            threads.spawn(move || {
                running.runner.stop(false);
                drop(ended);
            });
            loop {
                self.scope.rdd_context().cancel_all_jobs();
                if let Err(crossbeam_channel::RecvTimeoutError::Disconnected) =
                    has_ended.recv_timeout(CANCEL_AGAIN)
                {
                    break;
                }
            }
        });
    }

    /// The parts that run, for who is the first to stop them; who comes later waits for his end.
    fn begin_to_stop(&self, graceful: bool) -> Option<Running> {
        let mut phase = self.phase.lock();
        match std::mem::replace(&mut *phase, Phase::Stopping) {
            Phase::Active(running) => return Some(running),
            Phase::Stopping => {
                if !graceful {
                    self.progress.give_up();
                }
                // The job of an output must not wait for a stop that waits for the job.
                if running_output().is_none() {
                    self.stopped.wait_while(&mut phase, |phase| matches!(phase, Phase::Stopping));
                }
            }
            Phase::Initialized | Phase::Stopped => {
                *phase = Phase::Stopped;
                drop(phase);
                self.ended(StreamingContextState::Stopped);
            }
        }
        None
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

    /// Says what is left.
    fn report(&self, running: &Running, pending: Vec<Time>, begun: Time, asked: StopInfo) {
        let tally = &self.tally;
        let last_batch = tally.last();
        let pending = match running.keeping {
            // What has been planned and is not complete is done by the next start.
            Some(_) => self.scope.batches().read().after(last_batch),
            None => pending,
        };
        let inputs = running.graph.inputs();
        let name =
            |id| inputs.iter().find(|input| input.id() == id).map_or(String::new(), |input| input.name());
        let positions = tally
            .positions()
            .into_iter()
            .map(|(id, (batch_time, input))| (id, StreamPosition { name: name(id), batch_time, input }));
        let halted = running.keeping.as_ref().is_some_and(|keeping| keeping.keeper.is_halted());
        let left = halted || !pending.is_empty() || inputs.iter().any(|input| input.has_unplanned());
        let now = self.scope.clock().now();
        let report = ShutdownReport {
            time: now,
            duration: now - begun,
            graceful: asked.graceful,
            finished: asked.graceful && !left,
            reason: asked.reason,
            last_batch,
            completed_batches: tally.count(),
            pending,
            positions: positions.collect(),
            error: self.progress.error().map(|error| error.to_string()),
        };
        tracing::info!("{report}");
        self.scope.bus().post(|| StreamingEvent::Stopped(report.clone()));
        *self.shutdown.lock() = Some(report);
    }
}

/// Ends what makes batches durable, with a last checkpoint when everything has been processed.
pub(super) fn stop_keeping(keeping: Option<&Keeping>, finished: bool) {
    if let Some(Keeping { committer, .. }) = keeping
        && let Err(error) = committer.stop(finished)
    {
        tracing::error!(%error, "the last checkpoint could not be written; the next start works from the one before");
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if !matches!(*self.phase.lock(), Phase::Stopped) {
            self.stop(false, "the end of the program");
        }
    }
}
