// SPDX-License-Identifier: Apache-2.0
//! `Controller`: the limits of one input stream, which follow what is processed of it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;

use super::{Hold, PidGains, PidRateEstimator, RateEstimator, RateLimiter, RateTerms, estimator};
use crate::{
    config::{Config, keys},
    event::{BatchInfo, RateInfo},
    input::{InputInfo, StreamId},
    time::{Duration, Time},
};

/// Steers how much one source takes in. It learns from every batch that has succeeded.
pub(crate) struct Controller {
    stream: StreamId,
    interval: Duration,
    enabled: bool,
    /// Limits that no estimate exceeds.
    most: Rate,
    hold: Hold,
    state: Mutex<State>,
    limiters: Mutex<Vec<Limiters>>,
}

/// Per second; nothing is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Rate {
    pub(super) records: Option<i64>,
    pub(super) bytes: Option<i64>,
}

struct State {
    records: Box<dyn RateEstimator>,
    bytes: Box<dyn RateEstimator>,
    limit: Rate,
    /// Bytes of a record in the batches of late.
    record_size: Option<f64>,
    /// What tasks have read of batches that have not ended, in bytes.
    read: BTreeMap<Time, u64>,
    held: bool,
}

/// In front of a receiver.
struct Limiters {
    records: Weak<RateLimiter>,
    bytes: Option<Weak<RateLimiter>>,
}

/// The weight of the last batch in the size of a record.
const NEWEST: f64 = 0.3;

/// Batches whose bytes are remembered until they have ended; more have failed or are nowhere reported.
const UNENDED: usize = 1_000;

impl Controller {
    /// The controller of a stream that batches read directly: there is a limit with backpressure alone.
    pub(super) fn direct(stream: StreamId, config: &Config, interval: Duration, hold: Hold) -> Self {
        let limit = Rate { records: first_rate(config), bytes: None };
        Self::new(stream, config, interval, hold, limit, Rate::default())
    }

    /// The controller of a receiver: its limits hold without backpressure, too.
    pub(super) fn receiver(stream: StreamId, config: &Config, interval: Duration, hold: Hold) -> Self {
        let positive = |rate: &i64| *rate > 0;
        let bytes = config.get(&keys::RECEIVER_MAX_BYTES_RATE);
        let bytes = bytes.map(|size| i64::try_from(size.as_bytes()).unwrap_or(i64::MAX));
        let most = Rate { records: config.get(&keys::RECEIVER_MAX_RATE).filter(positive), bytes };
        let initial = config.get(&keys::BACKPRESSURE_INITIAL_RATE).filter(positive);
        // The original starts with the maximum rate where there is no other.
        let records = initial.or(most.records).or_else(|| first_rate(config));
        let limit = Rate { records: lower(records, most.records), bytes };
        Self::new(stream, config, interval, hold, limit, most)
    }

    fn new(
        stream: StreamId,
        config: &Config,
        interval: Duration,
        hold: Hold,
        limit: Rate,
        most: Rate,
    ) -> Self {
        let checked = "the configuration checks the gains, and a context its interval";
        let min_rate = config.get(&keys::BACKPRESSURE_MIN_BYTES_RATE).as_bytes() as f64;
        let gains = PidGains { min_rate, ..PidGains::from_config(config) };
        let state = State {
            records: estimator(config, interval).expect(checked),
            bytes: Box::new(PidRateEstimator::new(interval, gains).expect(checked)),
            limit,
            record_size: None,
            read: BTreeMap::new(),
            held: false,
        };
        Self {
            stream,
            interval,
            enabled: config.get(&keys::BACKPRESSURE_ENABLED),
            most,
            hold,
            state: Mutex::new(state),
            limiters: Mutex::default(),
        }
    }

    /// Puts the limits on a limiter of records, and one of bytes, from now on.
    pub(super) fn limit(&self, records: &Arc<RateLimiter>, bytes: Option<&Arc<RateLimiter>>) {
        let limiters = Limiters { records: Arc::downgrade(records), bytes: bytes.map(Arc::downgrade) };
        limiters.set(self.state.lock().limit);
        self.limiters.lock().push(limiters);
    }

    /// The limits now.
    pub(super) fn now(&self) -> Rate {
        self.state.lock().limit
    }

    /// What a source may take in per second, in records, when it does not look at bytes; 0 while it is to take nothing.
    pub(super) fn in_records(&self) -> Option<i64> {
        if self.is_held() {
            return Some(0);
        }
        let state = self.state.lock();
        let by_bytes = state.limit.bytes.zip(state.record_size).map(|(bytes, size)| {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a float that is too large becomes the largest number"
            )]
            let records = (bytes as f64 / size) as i64;
            records.max(1)
        });
        lower(state.limit.records, by_bytes)
    }

    pub(super) fn is_held(&self) -> bool {
        self.enabled && self.hold.is_on()
    }

    pub(super) fn hold(&self) -> &Hold {
        &self.hold
    }

    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    /// A task has read bytes of a batch.
    pub(super) fn read(&self, batch: Time, bytes: u64) {
        let mut state = self.state.lock();
        *state.read.entry(batch).or_default() += bytes;
        while state.read.len() > UNENDED {
            state.read.pop_first();
        }
    }

    /// Goes on with the limits of an earlier process.
    pub(crate) fn restore(&self, last: &InputInfo) {
        if !self.enabled {
            return;
        }
        let stored =
            |key: &str| last.metadata.get(key).and_then(|rate| rate.parse().ok()).filter(|rate| *rate > 0);
        let mut state = self.state.lock();
        let records = stored(InputInfo::RATE_LIMIT).or(state.limit.records);
        let bytes = stored(InputInfo::BYTES_RATE_LIMIT).or(state.limit.bytes);
        state.limit = self.capped(Rate { records, bytes });
        self.publish(state.limit);
    }

    /// Adds the limits to what is logged of a batch, so that a later process can go on with them.
    pub(crate) fn note(&self, info: &mut InputInfo) {
        if !self.enabled {
            return;
        }
        let limit = self.now();
        let notes = [(InputInfo::RATE_LIMIT, limit.records), (InputInfo::BYTES_RATE_LIMIT, limit.bytes)];
        info.metadata
            .extend(notes.into_iter().filter_map(|(key, rate)| Some((key.to_owned(), rate?.to_string()))));
    }

    /// Learns from a batch that has succeeded. What is to be told if there is a new estimate.
    pub(super) fn completed(&self, batch: &BatchInfo) -> Option<RateInfo> {
        let mut state = self.state.lock();
        let read = state.read.remove(&batch.batch_time);
        if !self.enabled {
            return None;
        }
        let (end, processing, scheduling) =
            (batch.processing_end_time?, batch.processing_delay()?, batch.scheduling_delay()?);
        let input = batch.inputs.get(&self.stream)?;
        let bytes = input.bytes().or(read);
        if let Some(bytes) = bytes.filter(|_| input.records > 0) {
            let size = (bytes as f64 / input.records as f64).max(1.0);
            state.record_size =
                Some(state.record_size.map_or(size, |before| before + NEWEST * (size - before)));
        }
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let records = state.records.compute(end, whole(input.records), processing, scheduling);
        let bytes = bytes.and_then(|bytes| state.bytes.compute(end, whole(bytes), processing, scheduling));
        if records.is_none() && bytes.is_none() {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float that is too large becomes the largest number"
        )]
        let cut = |rate: f64| rate as i64;
        let (records, bytes) = (records.map(cut), bytes.map(cut));
        let limit = Rate { records: records.or(state.limit.records), bytes: bytes.or(state.limit.bytes) };
        state.limit = self.capped(limit);
        self.publish(state.limit);
        let terms = records.and_then(|_| state.records.terms());
        let about = Some(batch.batch_time);
        Some(self.info(end, about, state.limit, terms, state.held))
    }

    /// What is to be told when the stream begins or ceases to be held.
    pub(super) fn hold_changed(&self, now: Time) -> Option<RateInfo> {
        let held = self.is_held();
        let mut state = self.state.lock();
        let changed = std::mem::replace(&mut state.held, held) != held;
        changed.then(|| self.info(now, None, state.limit, None, held))
    }

    /// What is to be told at the start.
    pub(super) fn first(&self, now: Time) -> Option<RateInfo> {
        let limit = self.now();
        (limit != Rate::default()).then(|| self.info(now, None, limit, None, false))
    }

    fn info(
        &self,
        time: Time,
        batch_time: Option<Time>,
        limit: Rate,
        terms: Option<RateTerms>,
        held: bool,
    ) -> RateInfo {
        RateInfo {
            stream_id: self.stream,
            time,
            batch_time,
            records_per_second: limit.records,
            bytes_per_second: limit.bytes,
            terms,
            held,
        }
    }

    fn capped(&self, limit: Rate) -> Rate {
        Rate { records: lower(limit.records, self.most.records), bytes: lower(limit.bytes, self.most.bytes) }
    }

    fn publish(&self, limit: Rate) {
        let mut limiters = self.limiters.lock();
        limiters.retain(|limiters| limiters.records.strong_count() > 0);
        limiters.iter().for_each(|limiters| limiters.set(limit));
    }
}

impl Limiters {
    fn set(&self, limit: Rate) {
        if let Some((limiter, rate)) = self.records.upgrade().zip(limit.records) {
            limiter.update_rate(rate);
        }
        let bytes = self.bytes.as_ref().and_then(Weak::upgrade);
        if let Some((limiter, rate)) = bytes.zip(limit.bytes) {
            limiter.update_rate(rate);
        }
    }
}

/// What a stream starts with when backpressure is on and nothing else is said: a first batch of all that a source has
/// may be more than the program can ever process.
fn first_rate(config: &Config) -> Option<i64> {
    let initial = config.get(&keys::BACKPRESSURE_INITIAL_RATE).filter(|rate| *rate > 0);
    config
        .get(&keys::BACKPRESSURE_ENABLED)
        .then(|| initial.unwrap_or_else(|| config.get(&keys::BACKPRESSURE_START_RATE)))
}

/// The lower of two limits, where `None` is no limit.
pub(super) fn lower(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (limit, None) | (None, limit) => limit,
    }
}
