// SPDX-License-Identifier: Apache-2.0
//! What programs count and measure with: handles that are cheap to clone, and cheap to use for each record.
//!
//! Each thread adds to a place of its own, so that tasks do not wait for one another; reading sums the places up.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::snapshot::{Rates, Summary};

mod buckets;
mod place;
mod rates;

use self::{
    buckets::Buckets,
    place::{PLACES, add, place},
    rates::Ewma,
};

/// A value on a cache line of its own.
#[derive(Default)]
#[repr(align(128))]
struct Padded(AtomicU64);

/// How often something has happened.
///
/// ```
/// let registry = dstreams_metrics::Registry::new();
/// let refused = registry.counter("refused");
/// refused.add(2);
/// refused.inc();
/// assert_eq!(refused.value(), 3);
/// ```
#[derive(Clone, Default)]
pub struct Counter(Arc<Places>);

/// A number per place.
struct Places([Padded; PLACES]);

impl Default for Places {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Padded::default()))
    }
}

impl Counter {
    /// Counts one.
    #[inline]
    pub fn inc(&self) {
        self.add(1);
    }

    /// Counts `more`.
    #[inline]
    pub fn add(&self, more: u64) {
        let place = place();
        add(&self.0.0[place].0, place, more);
    }

    /// The count now.
    pub fn value(&self) -> u64 {
        self.0.0.iter().map(|place| place.0.load(Relaxed)).sum()
    }
}

/// What is so now: the last value that was set.
///
/// ```
/// let registry = dstreams_metrics::Registry::new();
/// let model = registry.gauge("model_version");
/// model.set(7.0);
/// assert_eq!(model.value(), 7.0);
/// ```
#[derive(Clone, Default)]
pub struct Gauge(Arc<AtomicU64>);

impl Gauge {
    /// Sets the value.
    #[inline]
    pub fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Relaxed);
    }

    /// The value now.
    pub fn value(&self) -> f64 {
        f64::from_bits(self.0.load(Relaxed))
    }
}

/// How values are spread: counts in buckets that are about three per cent wide.
///
/// ```
/// let registry = dstreams_metrics::Registry::new();
/// let sizes = registry.histogram("basket_size");
/// (1..=100).for_each(|size| sizes.record(size));
/// let summary = sizes.summary(0);
/// assert_eq!(summary.count, 100);
/// assert!((summary.p50 - 50.0).abs() < 3.0);
/// ```
#[derive(Clone)]
pub struct Histogram(Arc<Spread>);

struct Spread {
    /// Made for the threads that record.
    places: [OnceLock<Buckets>; PLACES],
    window: Mutex<Window>,
}

/// What was recorded up to two moments in the past, so that summaries are of the last minute or two.
#[derive(Default)]
struct Window {
    since: Option<i64>,
    earlier: Counts,
    later: Counts,
}

/// The sum of all places.
#[derive(Default, Clone)]
struct Counts {
    buckets: Vec<u64>,
    sum: u64,
}

/// How long a window is in milliseconds: summaries are of the values of one to two of them.
const WINDOW: i64 = 60_000;

impl Default for Histogram {
    fn default() -> Self {
        let places = std::array::from_fn(|_| OnceLock::new());
        Self(Arc::new(Spread { places, window: Mutex::default() }))
    }
}

impl Histogram {
    /// Takes in a value.
    #[inline]
    pub fn record(&self, value: u64) {
        let place = place();
        self.0.places[place].get_or_init(Buckets::default).record(place, value);
    }

    /// What is known at the time `now` in milliseconds, of which each call moves the window of late values on.
    pub fn summary(&self, now: i64) -> Summary {
        let all = self.counts();
        let mut window = self.0.window.lock();
        let since = *window.since.get_or_insert(now);
        if now - since >= WINDOW {
            window.earlier = std::mem::replace(&mut window.later, all.clone());
            window.since = Some(now);
        }
        buckets::summarize(&all, &window.earlier)
    }

    fn counts(&self) -> Counts {
        let mut counts = Counts { buckets: vec![0; buckets::COUNT], sum: 0 };
        for buckets in self.0.places.iter().filter_map(OnceLock::get) {
            buckets.add_to(&mut counts);
        }
        counts
    }
}

/// How long something takes, and how often it happens.
///
/// ```
/// let registry = dstreams_metrics::Registry::new();
/// let lookups = registry.timer("lookups");
/// assert_eq!(lookups.time(|| 1 + 1), 2);
/// assert_eq!(lookups.summary(0).count, 1);
/// ```
#[derive(Clone, Default)]
pub struct Timer {
    nanos: Histogram,
    rates: Arc<Mutex<Ewma>>,
}

impl Timer {
    /// Takes in a length of time.
    #[inline]
    pub fn record(&self, length: Duration) {
        self.nanos.record(u64::try_from(length.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Takes in how long `work` takes.
    #[expect(clippy::disallowed_methods, reason = "how long it takes is reported and decides nothing")]
    pub fn time<R>(&self, work: impl FnOnce() -> R) -> R {
        let begun = Instant::now();
        let result = work();
        self.record(begun.elapsed());
        result
    }

    /// What is known at the time `now` in milliseconds, in milliseconds too.
    pub fn summary(&self, now: i64) -> Summary {
        let nanos = self.nanos.summary(now);
        let millis = |value: f64| value / 1e6;
        Summary {
            count: nanos.count,
            sum: millis(nanos.sum),
            min: millis(nanos.min),
            max: millis(nanos.max),
            mean: millis(nanos.mean),
            stddev: millis(nanos.stddev),
            p50: millis(nanos.p50),
            p75: millis(nanos.p75),
            p95: millis(nanos.p95),
            p98: millis(nanos.p98),
            p99: millis(nanos.p99),
            p999: millis(nanos.p999),
        }
    }

    /// How often it has happened per second, at the time `now` in milliseconds.
    pub fn rates(&self, now: i64) -> Rates {
        let places = self.nanos.0.places.iter().filter_map(OnceLock::get);
        let count = places.map(Buckets::count).sum();
        self.rates.lock().at(now, count)
    }
}
