// SPDX-License-Identifier: Apache-2.0
//! `BlockStore`: stores blocks, or waits until there is room for them.

use std::{
    collections::BTreeMap,
    io::ErrorKind,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use dstreams_rdd::{BoxError, Error as RddError, TaskError, Wire, codec::CodecError};

use super::{
    block::{BlockId, BlockInfo},
    block_generator::BlockListener,
    blocks::{Incoming, NotStored, ReceivedBlocks},
    report::Report,
};
use crate::{
    clock::{Clock, StopFlag},
    error::{Error, Result},
    rate::RateLimiter,
    time::{Duration, milliseconds},
};

/// How long a block waits before it is tried again to find room for it.
const PAUSE: Duration = milliseconds(100);

/// The way of blocks into a stream. Without room for a block whoever stores it waits, and with him the sender of the
/// data: nothing is lost, and memory is bounded.
pub(super) struct BlockStore<T> {
    blocks: Arc<ReceivedBlocks<T>>,
    clock: Arc<dyn Clock>,
    /// Raised when what is not stored yet is given up.
    abandoned: StopFlag,
    report: Arc<Report>,
    /// What has been stored is paid for here.
    bytes: Arc<RateLimiter>,
    /// How many blocks wait for room.
    paused: AtomicUsize,
}

impl<T: Wire> BlockStore<T> {
    pub(super) fn new(
        blocks: Arc<ReceivedBlocks<T>>,
        clock: Arc<dyn Clock>,
        abandoned: StopFlag,
        report: Arc<Report>,
        bytes: Arc<RateLimiter>,
    ) -> Self {
        Self { blocks, clock, abandoned, report, bytes, paused: AtomicUsize::new(0) }
    }

    pub(super) fn blocks(&self) -> &ReceivedBlocks<T> {
        &self.blocks
    }

    /// Stores a block under a name of its own.
    pub(super) fn store_whole(
        &self,
        records: Vec<T>,
        metadata: &BTreeMap<String, String>,
    ) -> Result<BlockInfo> {
        let id = self.blocks.next_whole(self.clock.now(), records.len());
        self.store(id, records, metadata)
    }

    /// Stores a block as soon as there is room for it. Fails for one that can never be stored, and when what is not
    /// stored is given up.
    fn store(&self, id: BlockId, records: Vec<T>, metadata: &BTreeMap<String, String>) -> Result<BlockInfo> {
        let mut block = Incoming::new(id, records, metadata);
        let mut pause: Option<Pause<'_>> = None;
        while !self.abandoned.is_raised() {
            let error = match self.blocks.store(&mut block, self.clock.now()) {
                Ok(info) => {
                    self.bytes.charge(info.bytes);
                    if pause.is_some() {
                        tracing::info!(stream = %id.stream, "there is room again: the receiver goes on");
                        self.report.resumed();
                    }
                    return Ok(info);
                }
                Err(error) => error,
            };
            if !self.may_pass(&error) {
                return Err(Error::source(format!("Could not store {id}: {error}")));
            }
            if pause.is_none() {
                let message = "There is no room for a block: the receiver is paused until there is";
                tracing::warn!(stream = %id.stream, %error, "{message}");
                self.report.paused(message, &error.into());
                pause = Some(Pause::begin(&self.paused));
            }
            // Why the wait is over is asked above.
            let _ = self.clock.sleep(PAUSE, &self.abandoned);
        }
        Err(Error::IllegalState(format!("{id} cannot be stored: the receiver has been stopped")))
    }

    /// Whether a block waits for room.
    pub(super) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed) > 0
    }

    /// Whether a block for which there is no room now may find some later.
    fn may_pass(&self, error: &NotStored) -> bool {
        let error = match error {
            NotStored::Kept(error) => error,
            NotStored::Log(error) => return error.is_disk_full(),
            NotStored::Encode(_) => return false,
        };
        let RddError::NotStored { cause, level, .. } = error else { return false };
        match &**cause {
            // Records that cannot be encoded.
            TaskError::Io { cause, .. } if cause.kind() == ErrorKind::InvalidData => false,
            TaskError::Other(cause) if cause.is::<CodecError>() => false,
            // Larger than all the memory there is.
            _ => level.uses_disk() || self.blocks.memory_used() > 0,
        }
    }
}

/// A block waits for room until this is dropped.
struct Pause<'a>(&'a AtomicUsize);

impl<'a> Pause<'a> {
    fn begin(paused: &'a AtomicUsize) -> Self {
        paused.fetch_add(1, Ordering::Relaxed);
        Self(paused)
    }
}

impl Drop for Pause<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<T: Wire> BlockListener<T> for BlockStore<T> {
    type Metadata = ();

    fn on_push_block(&self, id: BlockId, records: Vec<T>) -> Result<(), BoxError> {
        self.store(id, records, &BTreeMap::new())?;
        Ok(())
    }

    fn on_error(&self, message: &str, error: BoxError) {
        tracing::error!(%error, "{message}");
        self.report.error(message, Some(&error));
    }
}
