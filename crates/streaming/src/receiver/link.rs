// SPDX-License-Identifier: Apache-2.0
//! What a supervisor and the handles that it gives out share: where records go, and where commands come from.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::JoinHandle,
};

use crossbeam_channel::Sender;
use dstreams_rdd::{BoxError, Wire};
use parking_lot::Mutex;

use super::{
    block::BlockId,
    block_generator::{BlockGenerator, BlockListener},
    blocks::ReceivedBlocks,
    report::Report,
};
use crate::{
    clock::{Clock, StopFlag},
    config::Config,
    input::StreamId,
    time::Duration,
};

/// The connection between one receiver stream and its receiver.
pub(super) struct Link<T> {
    pub(super) stream: StreamId,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) blocks: Arc<ReceivedBlocks<T>>,
    pub(super) generator: BlockGenerator<T, StoreBlocks<T>>,
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
        clock: Arc<dyn Clock>,
        report: Arc<Report>,
        commands: Sender<Command>,
    ) -> Self {
        let abandoned = StopFlag::new();
        let store = StoreBlocks {
            blocks: Arc::clone(&blocks),
            abandoned: abandoned.clone(),
            report: Arc::clone(&report),
        };
        let generator = BlockGenerator::new(stream, config, Arc::clone(&clock), abandoned.clone(), store);
        Self { stream, clock, blocks, generator, report, commands, abandoned, threads: Mutex::default() }
    }

    /// Asks the supervisor to end a session; one that has ended already is left alone.
    pub(super) fn end_session(&self, end: EndSession) {
        // After the supervisor has ended there is nothing left to end.
        let _ = self.commands.send(Command::End(end));
    }

    /// How many records the receiver has ever stored.
    pub(super) fn received(&self) -> u64 {
        self.generator.added() + self.blocks.stored_whole()
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
                Err(panic) => failed("The receiver panicked", panic_text(&*panic)),
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

/// What a panic said.
pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> BoxError {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic".to_owned()).into()
}

/// Stores the blocks that are cut of single records.
pub(super) struct StoreBlocks<T> {
    blocks: Arc<ReceivedBlocks<T>>,
    abandoned: StopFlag,
    report: Arc<Report>,
}

impl<T: Wire> BlockListener<T> for StoreBlocks<T> {
    type Metadata = ();

    fn on_push_block(&self, id: BlockId, records: Vec<T>) -> Result<(), BoxError> {
        self.blocks.store(id, records, BTreeMap::new(), &self.abandoned)?;
        Ok(())
    }

    fn on_error(&self, message: &str, error: BoxError) {
        tracing::error!(%error, "{message}");
        self.report.error(message, Some(&error));
    }
}
