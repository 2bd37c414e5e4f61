// SPDX-License-Identifier: Apache-2.0
//! `Supervisor`: starts a receiver, starts it again whenever it ends, and stops it with the context.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use crossbeam_channel::{Receiver as Commands, unbounded};
use dstreams_rdd::{BoxError, Wire, panic_text};

use super::{
    Receiver,
    blocks::ReceivedBlocks,
    handle::ReceiverHandle,
    link::{Command, EndSession, Link},
    report::Report,
};
use crate::{
    clock::{StopFlag, Waited},
    config::keys,
    error::{Error, Result},
    source::SourceContext,
    time::{Duration, Time, seconds},
};

/// The least time that a stop waits for a receiver to end.
const STOP_TIMEOUT: Duration = seconds(10);

/// A receiver that runs.
pub(crate) struct Supervisor<T> {
    link: Arc<Link<T>>,
    context: SourceContext,
    shutdown: StopFlag,
    /// Raised when the receiver has ended and everything it stored is in blocks.
    ended: StopFlag,
}

impl<R: Receiver> Supervisor<R> {
    /// Starts `receiver`, which stores into `blocks`, on a thread that watches it from then on.
    pub(crate) fn start(
        receiver: R,
        blocks: Arc<ReceivedBlocks<R::Record>>,
        context: &SourceContext,
    ) -> Result<Supervisor<R::Record>> {
        let (sender, commands) = unbounded();
        let (clock, stream) = (context.clock(), context.stream_id());
        let report = Report::new(Arc::clone(context.bus()), Arc::clone(clock), stream, &receiver.name());
        let report = Arc::new(report);
        let rate = context.receiver_rate();
        let link = Link::new(blocks, stream, context.config(), rate, Arc::clone(clock), report, sender);
        link.generator.start()?;
        let supervisor = Supervisor {
            link: Arc::new(link),
            context: context.clone(),
            shutdown: StopFlag::new(),
            ended: StopFlag::new(),
        };
        let watch = Watch {
            link: Arc::clone(&supervisor.link),
            commands,
            shutdown: supervisor.shutdown.clone(),
            restart_delay: context.config().get(&keys::RECEIVER_RESTART_DELAY),
            max_restart_delay: context.config().get(&keys::RECEIVER_MAX_RESTART_DELAY),
        };
        let ended = supervisor.ended.clone();
        std::thread::Builder::new()
            .name(format!("dstreams-receiver-{stream}"))
            .spawn(move || {
                watch.keep_running(receiver);
                watch.link.generator.stop();
                // What is stored from here on would be in no batch.
                watch.link.abandoned.raise();
                ended.raise();
            })
            .map_err(|cause| Error::system("start the thread of a receiver", cause))?;
        Ok(supervisor)
    }
}

impl<T: Wire> Supervisor<T> {
    /// Has what was received before the batch at `time` in blocks that the batch can have.
    pub(crate) fn cut_for_batch(&self, time: Time) {
        self.link.cut_for_batch(time);
    }

    /// Stops the receiver and returns when everything it stored is in blocks. What is not stored yet is given up by a
    /// stop that is not graceful. A receiver that does not end in time is left behind.
    pub(crate) fn stop(&self, graceful: bool) {
        self.shutdown.raise();
        let _ = self.link.commands.send(Command::Shutdown);
        let mut limit = STOP_TIMEOUT;
        if graceful {
            let config = self.context.config();
            let set = config.get(&keys::GRACEFUL_STOP_TIMEOUT);
            limit = limit.max(set.unwrap_or_else(|| self.context.batch_interval() * 10));
        } else {
            self.link.generator.abandon();
        }
        if self.context.clock().sleep(limit, &self.ended) == Waited::Reached {
            tracing::warn!(stream = %self.link.stream, %limit, "a receiver has not stopped in time and is left behind; what it has not stored is lost");
            self.link.generator.abandon();
        }
    }
}

/// The supervising thread's view.
struct Watch<T> {
    link: Arc<Link<T>>,
    commands: Commands<Command>,
    shutdown: StopFlag,
    restart_delay: Duration,
    max_restart_delay: Duration,
}

impl<T: Wire> Watch<T> {
    /// Runs one session of the receiver after the other until the shutdown.
    fn keep_running<R: Receiver<Record = T>>(&self, mut receiver: R) {
        let mut fruitless = 0;
        for session in 0.. {
            if self.shutdown.is_raised() {
                return;
            }
            let before = self.link.received();
            let handle = ReceiverHandle::new(Arc::clone(&self.link), session);
            let end = self.run_session(&mut receiver, &handle);
            let Some(EndSession { message, error, delay, .. }) = end else {
                self.stop_session(&mut receiver, &handle, "Stopped by the context", None);
                return;
            };
            fruitless = if self.link.received() > before { 0 } else { fruitless };
            let delay = delay.unwrap_or_else(|| self.back_off(fruitless));
            fruitless += 1;
            let message = format!("Restarting receiver with delay {delay}: {message}");
            let cause = error.as_ref().map(tracing::field::display);
            tracing::warn!(stream = %self.link.stream, error = cause, "{message}");
            self.stop_session(&mut receiver, &handle, &message, error.as_ref());
            if self.link.clock.sleep(delay, &self.shutdown) == Waited::Stopped {
                return;
            }
        }
    }

    /// Starts the receiver and waits for the end of the session: why, or nothing at the shutdown.
    fn run_session<R: Receiver<Record = T>>(
        &self,
        receiver: &mut R,
        handle: &ReceiverHandle<T>,
    ) -> Option<EndSession> {
        self.link.report.started();
        let started = catch_unwind(AssertUnwindSafe(|| receiver.on_start(handle.clone())));
        if let Err(error) = started.unwrap_or_else(|panic| Err(panic_text(&*panic).into())) {
            let message = format!("Error starting receiver {}", self.link.stream);
            return Some(EndSession { session: handle.session(), message, error: Some(error), delay: None });
        }
        loop {
            match self.commands.recv() {
                // What a thread of an earlier session has to say is about that session, which is over.
                Ok(Command::End(end)) if end.session != handle.session() => {}
                Ok(Command::End(end)) => return Some(end),
                // The link holds a sender, so that the channel is never closed.
                Ok(Command::Shutdown) | Err(_) => return None,
            }
        }
    }

    fn stop_session<R: Receiver<Record = T>>(
        &self,
        receiver: &mut R,
        handle: &ReceiverHandle<T>,
        message: &str,
        error: Option<&BoxError>,
    ) {
        handle.stop_flag().raise();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| receiver.on_stop())) {
            tracing::error!(stream = %self.link.stream, error = %panic_text(&*panic), "a receiver panicked when it was stopped");
        }
        self.link.join_threads();
        self.link.report.stopped(message, error);
    }

    /// The delay before the next start when so many before it, one after the other, brought nothing.
    fn back_off(&self, fruitless: u32) -> Duration {
        let doubled = 1_i64.checked_shl(fruitless.min(30)).unwrap_or(i64::MAX);
        (self.restart_delay * doubled).min(self.max_restart_delay.max(self.restart_delay))
    }
}
