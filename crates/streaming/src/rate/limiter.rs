// SPDX-License-Identifier: Apache-2.0
//! A token bucket in front of a receiver: smooth at the limit, with bursts up to one second of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::{Hold, controller::lower};
use crate::clock::{Clock, StopFlag, Waited};
use crate::config::{Config, keys};
use crate::time::{Duration, Time, milliseconds};

/// Limits how many records per second pass.
///
/// One record may pass as soon as the limiter is not in debt; its own cost is waited for by the next.
/// What an idle limiter saves up is at most one second of its rate. A maximum or initial rate that is zero
/// or negative means no limit, which Spark documents too but answers with an error at the first record.
///
/// ```
/// use std::sync::Arc;
/// use dstreams_streaming::clock::{ManualClock, StopFlag, Waited};
/// use dstreams_streaming::rate::RateLimiter;
///
/// let limiter = RateLimiter::new(Arc::new(ManualClock::default()), Some(1_000), None);
/// assert_eq!(limiter.acquire(&StopFlag::new()), Waited::Reached);
/// limiter.update_rate(5_000);
/// assert_eq!(limiter.current_limit(), Some(1_000));
/// ```
#[derive(Debug)]
pub struct RateLimiter {
    clock: Arc<dyn Clock>,
    /// The limit that no update exceeds; `None` for none.
    max_rate: Option<i64>,
    bucket: Mutex<Bucket>,
    /// Whether the bucket must be asked at all; there is no way back to no limit.
    limited: AtomicBool,
    /// Says when nothing may pass at all.
    hold: Option<Hold>,
}

/// How often a limiter that is held looks whether it still is.
const HELD: Duration = milliseconds(50);

#[derive(Debug)]
struct Bucket {
    /// Records per second; `None` for no limit.
    rate: Option<i64>,
    /// Records that may pass at once; negative while the last one is not paid for.
    tokens: f64,
    /// When `tokens` was brought up to date.
    updated: Time,
}

impl RateLimiter {
    /// A limiter that never lets pass more than `max_rate` records per second and starts with
    /// `initial_rate`, or with `max_rate` when there is none.
    pub fn new(clock: Arc<dyn Clock>, max_rate: Option<i64>, initial_rate: Option<i64>) -> Self {
        let max_rate = max_rate.filter(|rate| *rate > 0);
        let initial_rate = initial_rate.filter(|rate| *rate > 0);
        let bucket = Bucket { rate: lower(initial_rate, max_rate), tokens: 0.0, updated: clock.now() };
        let limited = AtomicBool::new(bucket.rate.is_some());
        Self { clock, max_rate, bucket: Mutex::new(bucket), limited, hold: None }
    }

    /// Lets nothing pass while `hold` is on.
    pub(crate) fn held_by(self, hold: Hold) -> Self {
        Self { hold: Some(hold), ..self }
    }

    /// The limiter of a receiver: `spark.streaming.receiver.maxRate`, and
    /// `spark.streaming.backpressure.initialRate` whether backpressure is on or not.
    pub fn from_config(config: &Config, clock: Arc<dyn Clock>) -> Self {
        let initial_rate = config.get(&keys::BACKPRESSURE_INITIAL_RATE);
        Self::new(clock, config.get(&keys::RECEIVER_MAX_RATE), initial_rate)
    }

    /// Records per second that may pass now; `None` for no limit.
    pub fn current_limit(&self) -> Option<i64> {
        self.bucket.lock().rate
    }

    /// Sets the limit to `rate` records per second, or to the maximum rate when that is lower. A rate
    /// that is zero or negative is ignored.
    pub fn update_rate(&self, rate: i64) {
        if rate <= 0 {
            return;
        }
        let now = self.clock.now();
        self.bucket.lock().change_rate(lower(Some(rate), self.max_rate), now);
        self.limited.store(true, Ordering::Relaxed);
    }

    /// Counts what has passed without having been asked for: what comes next waits until it is paid for.
    pub(crate) fn charge(&self, passed: u64) {
        if self.limited.load(Ordering::Relaxed) {
            let now = self.clock.now();
            let mut bucket = self.bucket.lock();
            bucket.refill(now);
            bucket.tokens -= passed as f64;
        }
    }

    /// Whether something may pass at once.
    pub(crate) fn is_open(&self) -> bool {
        if self.hold.as_ref().is_some_and(Hold::is_on) {
            return false;
        }
        let now = self.clock.now();
        let mut bucket = self.bucket.lock();
        bucket.refill(now);
        bucket.rate.is_none() || bucket.tokens >= 0.0
    }

    /// Blocks until something may pass, or until `stop` is raised.
    pub(crate) fn await_open(&self, stop: &StopFlag) -> Waited {
        if self.acquire_some(0, stop).is_some() { Waited::Reached } else { Waited::Stopped }
    }

    /// Blocks until one more record may pass, or until `stop` is raised; a stopped record costs nothing.
    pub fn acquire(&self, stop: &StopFlag) -> Waited {
        if self.acquire_some(1, stop).is_some() { Waited::Reached } else { Waited::Stopped }
    }

    /// Blocks until at least one of `wanted` records may pass; returns how many may now, which is all of them without
    /// a limit, or nothing when `stop` is raised.
    pub fn acquire_some(&self, wanted: usize, stop: &StopFlag) -> Option<usize> {
        loop {
            if stop.is_raised() {
                return None;
            }
            if self.hold.as_ref().is_some_and(Hold::is_on) {
                if self.clock.sleep(HELD, stop) == Waited::Stopped {
                    return None;
                }
                continue;
            }
            if !self.limited.load(Ordering::Relaxed) {
                return Some(wanted);
            }
            let target = match self.bucket.lock().take(wanted, self.clock.as_ref()) {
                Ok(permitted) => return Some(permitted),
                Err(target) => target,
            };
            if self.clock.wait_until(target, stop) == Waited::Stopped {
                return None;
            }
        }
    }
}

impl Bucket {
    /// Takes up to `wanted` tokens, or returns the time at which there may be one.
    fn take(&mut self, wanted: usize, clock: &dyn Clock) -> Result<usize, Time> {
        let Some(rate) = self.rate else { return Ok(wanted) };
        let now = clock.now();
        self.refill(now);
        if self.tokens >= 0.0 {
            // One more than there are: the next to come pays for it.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "at least 0, and at most a second of the rate"
            )]
            let saved = self.tokens as usize;
            let taken = wanted.min(saved + 1);
            self.tokens -= taken as f64;
            return Ok(taken);
        }
        let wait = (-self.tokens * 1_000.0 / rate as f64).ceil();
        #[expect(clippy::cast_possible_truncation, reason = "a whole number of milliseconds, at least 1")]
        Err(now + Duration::from_millis(wait as i64))
    }

    fn refill(&mut self, now: Time) {
        let elapsed = now - self.updated;
        // Also when the clock was set back: time begins anew there instead of standing still until then.
        self.updated = now;
        if let Some(rate) = self.rate.filter(|_| elapsed.is_positive()) {
            let rate = rate as f64;
            self.tokens = (self.tokens + rate * elapsed.as_secs_f64()).min(rate);
        }
    }

    /// Keeps what is saved as the time that it stands for, and what is owed as it is.
    fn change_rate(&mut self, rate: Option<i64>, now: Time) {
        self.refill(now);
        self.tokens = match (self.rate, rate) {
            (Some(old), Some(new)) if self.tokens > 0.0 => self.tokens * (new as f64 / old as f64),
            (Some(_), Some(_)) => self.tokens,
            _ => 0.0,
        };
        self.rate = rate;
    }
}
