// SPDX-License-Identifier: Apache-2.0
//! What a supervisor and the handles that it gives out share: where records go, and where commands come from.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::JoinHandle,
};

use crossbeam_channel::Sender;
use dstreams_rdd::{BoxError, Wire, panic_text};
use parking_lot::Mutex;

use super::{
    block_generator::{BlockGenerator, Limits},
    blocks::ReceivedBlocks,
    report::Report,
    store::BlockStore,
};
use crate::{
    clock::{Clock, StopFlag},
    config::Config,
    input::StreamId,
    rate::{RateHandle, RateLimiter},
    time::{Duration, Time},
};

/// The connection between one receiver stream and its receiver.
pub(super) struct Link<T> {
    pub(super) stream: StreamId,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) rate: RateHandle,
    pub(super) store: Arc<BlockStore<T>>,
    pub(super) generator: BlockGenerator<T, Arc<BlockStore<T>>>,
    pub(super) report: Arc<Report>,
    pub(super) commands: Sender<Command>,
    /// Raised when what is not stored yet is given up.
    pub(super) abandoned: StopFlag,
    /// The threads that the receiver has spawned since it was started last.
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What a supervisor is told.
pub(super) enum Command {
    /// The receiver of this session asks for its end; another follows after the delay.
    End(EndSession),
    /// The context stops.
    Shutdown,
}

/// Why a session ends.
pub(super) struct EndSession {
    pub(super) session: u64,
    pub(super) message: String,
    pub(super) error: Option<BoxError>,
    /// The time to the next session; unset for one that grows with each failure.
    pub(super) delay: Option<Duration>,
}

impl<T: Wire> Link<T> {
    pub(super) fn new(
        blocks: Arc<ReceivedBlocks<T>>,
        stream: StreamId,
        config: &Config,
        rate: RateHandle,
        clock: Arc<dyn Clock>,
        report: Arc<Report>,
        commands: Sender<Command>,
    ) -> Self {
        let abandoned = StopFlag::new();
        let bytes = Arc::new(RateLimiter::new(Arc::clone(&clock), None, None));
        let store = BlockStore::new(
            blocks,
            Arc::clone(&clock),
            abandoned.clone(),
            Arc::clone(&report),
            Arc::clone(&bytes),
        );
        let store = Arc::new(store);
        let generator = BlockGenerator::limited_by(
            stream,
            config,
            Arc::clone(&clock),
            abandoned.clone(),
            Arc::clone(&store),
            Limits { records: rate.new_limiter(config, &clock), bytes: Some(bytes) },
        );
        rate.limit(generator.limiter(), generator.limits().bytes.as_ref());
        let threads = Mutex::default();
        Self { stream, clock, rate, store, generator, report, commands, abandoned, threads }
    }

    /// Ends the block in the making, so that the batch at `time` has it. One that waits for room is not waited for.
    pub(super) fn cut_for_batch(&self, time: Time) {
        if !self.store.is_paused() {
            self.generator.cut_for_batch(time);
        }
    }

    /// Asks the supervisor to end a session; one that has ended already is left alone.
    pub(super) fn end_session(&self, end: EndSession) {
        // After the supervisor has ended there is nothing left to end.
        let _ = self.commands.send(Command::End(end));
    }

    /// Waits until a block may be stored that comes as a whole, or until `stop` is raised: what has been received then is
    /// stored all the same.
    pub(super) fn permit_whole(&self, stop: &StopFlag) {
        let Limits { records, bytes } = self.generator.limits();
        for limiter in std::iter::once(records).chain(bytes) {
            let _stopped_or_not = limiter.await_open(stop);
        }
    }

    /// Counts the records of a block that has been stored as a whole.
    pub(super) fn charge_whole(&self, records: u64) {
        self.generator.limits().records.charge(records);
    }

    /// Whether something can be stored without a wait, as far as can be told.
    pub(super) fn is_ready(&self) -> bool {
        let Limits { records, bytes } = self.generator.limits();
        let open = records.is_open() && bytes.as_ref().is_none_or(|bytes| bytes.is_open());
        open && !self.generator.is_stalled() && !self.store.is_paused()
    }

    /// How many records the receiver has ever stored.
    pub(super) fn received(&self) -> u64 {
        self.generator.added() + self.store.blocks().stored_whole()
    }

    /// Runs `work` on a thread of the session; when it fails or panics, `failed` is told.
    pub(super) fn spawn(
        &self,
        name: &str,
        work: impl FnOnce() -> Result<(), BoxError> + Send + 'static,
        failed: impl FnOnce(&'static str, BoxError) + Send + 'static,
    ) -> Result<(), BoxError> {
        let thread = std::thread::Builder::new().name(format!("dstreams-{name}-{}", self.stream)).spawn(
            move || match catch_unwind(AssertUnwindSafe(work)) {
                Ok(Ok(())) => {}
                Ok(Err(error)) => failed("Error receiving data", error),
                Err(panic) => failed("The receiver panicked", panic_text(&*panic).into()),
            },
        )?;
        self.threads.lock().push(thread);
        Ok(())
    }

    /// Waits for the threads of the session.
    pub(super) fn join_threads(&self) {
        // The lock is not held meanwhile: a thread may spawn another one.
        loop {
            let Some(thread) = self.threads.lock().pop() else { return };
            if thread.join().is_err() {
                tracing::error!(stream = %self.stream, "a thread of the receiver panicked while it failed");
            }
        }
    }
}
