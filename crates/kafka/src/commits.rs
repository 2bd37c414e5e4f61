// SPDX-License-Identifier: Apache-2.0
//! `Commits`: offsets on their way to the group, beside the batches and not in their way.

use std::{sync::Arc, thread::JoinHandle, time::Duration};

use parking_lot::{Condvar, Mutex};

use crate::{
    cluster::{Cluster, Offsets},
    error::Error,
};

/// How a commit has ended.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CommitOutcome {
    /// The offsets after the last ones that were processed, by partition.
    pub offsets: Offsets,
    /// Why the group does not have them; they go with the next commit then.
    pub error: Option<Error>,
}

/// What is called with the outcome.
pub(crate) type Callback = Box<dyn FnOnce(CommitOutcome) + Send>;

/// The thread that commits, started with the first commit.
#[derive(Default)]
pub(crate) struct Commits {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    pending: Mutex<Pending>,
    changed: Condvar,
}

/// What the next commit takes; while one is under way others are merged here, so that nothing piles up.
#[derive(Default)]
struct Pending {
    offsets: Offsets,
    callback: Option<Callback>,
    requested: bool,
    closed: bool,
    /// The thread has ended, or there never was one.
    ended: bool,
}

impl Commits {
    /// Has the offsets committed soon, with those that wait already. The latest callback is called with the outcome.
    pub(crate) fn request(&self, cluster: &Cluster, offsets: Offsets, callback: Option<Callback>) {
        {
            let mut pending = self.shared.pending.lock();
            if pending.closed {
                tracing::warn!("offsets come too late to be committed: the stream has stopped");
                return;
            }
            merge(&mut pending.offsets, offsets);
            pending.callback = callback.or(pending.callback.take());
            pending.requested = true;
        }
        self.shared.changed.notify_all();
        let mut thread = self.thread.lock();
        if thread.is_none() {
            let (shared, cluster) = (Arc::clone(&self.shared), cluster.clone());
            let started =
                std::thread::Builder::new().name("dstreams-kafka-commits".to_owned()).spawn(move || {
                    let _ended = Ended(&shared);
                    shared.work(&cluster);
                });
            match started {
                Ok(started) => *thread = Some(started),
                Err(error) => tracing::error!(%error, "offsets cannot be committed"),
            }
        }
    }

    /// Commits what waits, and ends the thread. Brokers that are away are not waited for longer than `timeout`.
    pub(crate) fn close(&self, timeout: Duration) {
        let thread = self.thread.lock().take();
        let mut pending = self.shared.pending.lock();
        pending.closed = true;
        self.shared.changed.notify_all();
        let Some(thread) = thread else { return };
        while !pending.ended {
            if self.shared.changed.wait_for(&mut pending, timeout).timed_out() {
                tracing::warn!("the brokers do not answer: offsets of the last batches are not committed");
                return;
            }
        }
        drop(pending);
        if thread.join().is_err() {
            tracing::error!("the thread that commits offsets panicked");
        }
    }
}

/// Says that the thread has ended, however it has.
struct Ended<'a>(&'a Shared);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.pending.lock().ended = true;
        self.0.changed.notify_all();
    }
}

impl Shared {
    fn work(&self, cluster: &Cluster) {
        let (mut was_refused, mut is_last) = (false, false);
        loop {
            let (offsets, callback) = {
                let mut pending = self.pending.lock();
                while !pending.requested {
                    if pending.closed {
                        // What was refused is tried once more.
                        if pending.offsets.is_empty() || std::mem::replace(&mut is_last, true) {
                            return;
                        }
                        break;
                    }
                    self.changed.wait(&mut pending);
                }
                pending.requested = false;
                (std::mem::take(&mut pending.offsets), pending.callback.take())
            };
            let error = cluster.commit(&offsets).err();
            match &error {
                Some(error) if !was_refused => tracing::warn!(
                    %error,
                    "offsets were not committed and go with the next commit; a consumer of another kind in the group must be stopped, or have a group of its own"
                ),
                None if was_refused => tracing::info!("offsets are committed again"),
                _ => tracing::debug!(?offsets, ?error, "commit"),
            }
            was_refused = error.is_some();
            if was_refused {
                let mut pending = self.pending.lock();
                let newer = std::mem::replace(&mut pending.offsets, offsets.clone());
                merge(&mut pending.offsets, newer);
            }
            if let Some(callback) = callback {
                callback(CommitOutcome { offsets, error });
            }
        }
    }
}

/// The larger offset of each partition.
fn merge(offsets: &mut Offsets, more: Offsets) {
    for (partition, offset) in more {
        let merged = offsets.entry(partition).or_insert(offset);
        *merged = offset.max(*merged);
    }
}
