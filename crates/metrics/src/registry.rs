// SPDX-License-Identifier: Apache-2.0
//! `Registry`: the metrics of a program by name.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use parking_lot::RwLock;

use crate::{
    instrument::{Counter, Gauge, Histogram, Timer},
    snapshot::{Number, Value},
};

/// The metrics of a program. A handle is cheap to clone. To ask for a name again gives the same metric; to ask for it as
/// another kind gives one that nobody sees, with a warning.
///
/// ```
/// use dstreams_metrics::Registry;
/// let registry = Registry::new();
/// let parsed = registry.counter("parsed");
/// parsed.inc();
/// assert_eq!(registry.counter("parsed").value(), 1);
/// ```
#[derive(Clone, Default)]
pub struct Registry {
    instruments: Arc<RwLock<BTreeMap<String, Instrument>>>,
}

#[derive(Clone)]
enum Instrument {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
    Timer(Timer),
}

/// Names that a registry holds at most, so that names made from data cannot fill the memory.
const MOST: usize = 10_000;

impl Registry {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// The registry of the process, which the web UI and the sinks of a program report.
    pub fn global() -> &'static Self {
        static GLOBAL: OnceLock<Registry> = OnceLock::new();
        GLOBAL.get_or_init(Self::new)
    }

    /// A count of this name.
    pub fn counter(&self, name: &str) -> Counter {
        self.get(
            name,
            |found| match found {
                Instrument::Counter(counter) => Some(counter.clone()),
                _ => None,
            },
            Instrument::Counter,
        )
    }

    /// A gauge of this name.
    pub fn gauge(&self, name: &str) -> Gauge {
        self.get(
            name,
            |found| match found {
                Instrument::Gauge(gauge) => Some(gauge.clone()),
                _ => None,
            },
            Instrument::Gauge,
        )
    }

    /// A histogram of this name.
    pub fn histogram(&self, name: &str) -> Histogram {
        self.get(
            name,
            |found| match found {
                Instrument::Histogram(histogram) => Some(histogram.clone()),
                _ => None,
            },
            Instrument::Histogram,
        )
    }

    /// A timer of this name.
    pub fn timer(&self, name: &str) -> Timer {
        self.get(
            name,
            |found| match found {
                Instrument::Timer(timer) => Some(timer.clone()),
                _ => None,
            },
            Instrument::Timer,
        )
    }

    /// The value of each metric at the time `now` in milliseconds.
    pub fn values(&self, now: i64) -> BTreeMap<String, Value> {
        let instruments = self.instruments.read();
        let values = instruments.iter().map(|(name, instrument)| {
            let value = match instrument {
                Instrument::Counter(counter) => Value::Counter(counter.value()),
                Instrument::Gauge(gauge) => Value::Gauge(Number::Float(gauge.value())),
                Instrument::Histogram(histogram) => Value::Histogram(histogram.summary(now)),
                Instrument::Timer(timer) => Value::Timer(timer.summary(now), timer.rates(now)),
            };
            (name.clone(), value)
        });
        values.collect()
    }

    fn get<T: Clone + Default>(
        &self,
        name: &str,
        known: impl Fn(&Instrument) -> Option<T>,
        wrap: impl FnOnce(T) -> Instrument,
    ) -> T {
        let mut instruments = self.instruments.write();
        if let Some(found) = instruments.get(name) {
            return known(found).unwrap_or_else(|| {
                tracing::warn!(name, "a metric of this name is of another kind; this one is not reported");
                T::default()
            });
        }
        let new = T::default();
        if instruments.len() < MOST {
            instruments.insert(name.to_owned(), wrap(new.clone()));
        } else {
            tracing::warn!(name, "there are too many metrics; this one is not reported");
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_threads_add_is_summed_up() {
        let registry = Registry::new();
        let (counter, histogram) = (registry.counter("n"), registry.histogram("h"));
        std::thread::scope(|threads| {
            for thread in 0..20 {
                let (counter, histogram) = (counter.clone(), histogram.clone());
                threads.spawn(move || {
                    (0..1000).for_each(|_| counter.inc());
                    histogram.record(thread);
                });
            }
        });
        assert_eq!(counter.value(), 20_000);
        let summary = histogram.summary(0);
        assert_eq!((summary.count, summary.sum), (20, 190.0));
    }

    #[test]
    fn another_kind_of_one_name_is_not_mixed_up() {
        let registry = Registry::new();
        registry.counter("n").inc();
        registry.gauge("n").set(5.0);
        assert_eq!(registry.values(0), BTreeMap::from([("n".to_owned(), Value::Counter(1))]));
    }

    #[test]
    fn summaries_are_of_the_last_minutes() {
        let histogram = Registry::new().histogram("h");
        histogram.record(1000);
        histogram.summary(0);
        assert!(histogram.summary(59_000).max > 900.0);
        histogram.summary(60_000);
        histogram.record(10);
        assert!(histogram.summary(119_000).max > 900.0);
        let late = histogram.summary(120_000);
        assert_eq!((late.count, late.max), (2, 10.0));
    }
}
