// SPDX-License-Identifier: Apache-2.0
//! `Rates`: the controllers of all input streams of a context, and the handles by which sources ask for their limits.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;

use super::{RateLimiter, controller::Controller};
use crate::{
    clock::Clock,
    config::{Config, keys},
    event::{BatchInfo, RateInfo},
    input::StreamId,
    time::{Duration, Time},
};

/// Backpressure of a context: one controller for each stream that has asked for it.
pub(crate) struct Rates {
    hold: Hold,
    controllers: Mutex<BTreeMap<StreamId, Arc<Controller>>>,
}

/// Says when sources are to take nothing, since too many batches wait already.
#[derive(Debug, Clone)]
pub(crate) struct Hold {
    pending: Arc<AtomicUsize>,
    limit: usize,
}

impl Hold {
    pub(crate) fn is_on(&self) -> bool {
        self.pending.load(Ordering::Relaxed) >= self.limit
    }
}

impl Rates {
    /// No controllers yet. `pending` is kept up to date with the number of batches that are not complete.
    pub(crate) fn new(config: &Config, pending: Arc<AtomicUsize>) -> Self {
        // Without backpressure nothing is ever held.
        let enabled = config.get(&keys::BACKPRESSURE_ENABLED);
        let limit = if enabled { config.get(&keys::BACKPRESSURE_MAX_PENDING) } else { usize::MAX };
        Self { hold: Hold { pending, limit }, controllers: Mutex::default() }
    }

    /// The limits of a stream that batches read directly.
    pub(crate) fn direct(&self, stream: StreamId, config: &Config, interval: Duration) -> RateHandle {
        self.of(stream, |hold| Controller::direct(stream, config, interval, hold))
    }

    /// The limits of a receiver.
    pub(crate) fn receiver(&self, stream: StreamId, config: &Config, interval: Duration) -> RateHandle {
        self.of(stream, |hold| Controller::receiver(stream, config, interval, hold))
    }

    fn of(&self, stream: StreamId, make: impl FnOnce(Hold) -> Controller) -> RateHandle {
        let mut controllers = self.controllers.lock();
        let controller = controllers.entry(stream).or_insert_with(|| Arc::new(make(self.hold.clone())));
        RateHandle(Arc::clone(controller))
    }

    /// The controller of a stream, if it has asked for one.
    pub(crate) fn controller(&self, stream: StreamId) -> Option<Arc<Controller>> {
        self.controllers.lock().get(&stream).cloned()
    }

    /// What is to be told at the start.
    pub(crate) fn first(&self, now: Time) -> Vec<RateInfo> {
        self.controllers.lock().values().filter_map(|controller| controller.first(now)).collect()
    }

    /// Learns from a batch that has succeeded, before it counts as complete; what is to be told of it.
    pub(crate) fn completed(&self, batch: &BatchInfo) -> Vec<RateInfo> {
        self.controllers.lock().values().filter_map(|controller| controller.completed(batch)).collect()
    }

    /// Looks whether sources are held, before a batch is planned; what is to be told of it.
    pub(crate) fn hold_changed(&self, now: Time) -> Vec<RateInfo> {
        self.controllers.lock().values().filter_map(|controller| controller.hold_changed(now)).collect()
    }
}

/// How much a source may take in, so that the program keeps up. A source that batches read directly asks when it plans
/// one; those of receivers are held to it by the engine. Clones are the same.
///
/// ```
/// use dstreams_streaming::{Config, testing::TestContext, time::seconds};
/// let mut config = Config::default();
/// config.set("spark.streaming.backpressure.enabled", "true")?;
/// config.set("spark.streaming.backpressure.initialRate", "500")?;
/// let test = TestContext::with(config, seconds(2))?;
/// # struct Backlog;
/// # use dstreams_streaming::{InputInfo, Rdd, RddContext, Result, Source, Time};
/// # impl Source for Backlog {
/// #     type Record = u8; type Plan = u64;
/// #     fn name(&self) -> String { String::new() }
/// #     fn plan(&self, _: Time) -> Result<Option<u64>> { Ok(None) }
/// #     fn info(&self, _: &u64) -> InputInfo { InputInfo::default() }
/// #     fn rdd(&self, _: &RddContext, _: u64) -> Result<Rdd<u8>> { unreachable!() }
/// # }
/// let stream = test.context().stream("backlog", |context| {
///     let rate = context.rate();
///     assert_eq!((rate.records_per_second(), rate.records_per_batch()), (Some(500), Some(1000)));
///     std::sync::Arc::new(Backlog)
/// });
/// # drop(stream);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct RateHandle(Arc<Controller>);

impl std::fmt::Debug for RateHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RateHandle")
            .field("records_per_second", &self.records_per_second())
            .field("bytes_per_second", &self.bytes_per_second())
            .finish()
    }
}

impl RateHandle {
    /// Records per second that the source may take in: what keeps both to the limit of records and to that of bytes, by
    /// the size that records have had of late. 0 while it is to take nothing, since too many batches wait; nothing where
    /// there is no limit.
    pub fn records_per_second(&self) -> Option<i64> {
        self.0.in_records()
    }

    /// The same for one batch.
    pub fn records_per_batch(&self) -> Option<u64> {
        self.records_per_second().map(|rate| {
            let millis = i128::from(self.0.interval().as_millis()) * i128::from(rate);
            u64::try_from(millis / 1_000).unwrap_or(u64::MAX)
        })
    }

    /// Bytes per second, for a source that can tell; nothing where there is no limit.
    pub fn bytes_per_second(&self) -> Option<i64> {
        self.0.now().bytes
    }

    /// Whether the source is to take nothing, since too many batches wait.
    pub fn is_held(&self) -> bool {
        self.0.is_held()
    }

    /// Says how many bytes a task has read for a batch, where the source did not know when it planned it: they are added
    /// up. An attempt that failed counts too, as it has cost its time.
    pub fn read(&self, batch: Time, bytes: u64) {
        self.0.read(batch, bytes);
    }

    /// A limiter of records for a receiver.
    pub(crate) fn new_limiter(&self, config: &Config, clock: &Arc<dyn Clock>) -> Arc<RateLimiter> {
        Arc::new(RateLimiter::from_config(config, Arc::clone(clock)).held_by(self.0.hold().clone()))
    }

    /// Puts the limits to limiters: of records, and of bytes.
    pub(crate) fn limit(&self, records: &Arc<RateLimiter>, bytes: Option<&Arc<RateLimiter>>) {
        self.0.limit(records, bytes);
    }
}
