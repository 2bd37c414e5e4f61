// SPDX-License-Identifier: Apache-2.0
//! Where metrics are reported to.

pub(crate) mod console;
pub(crate) mod csv;
pub(crate) mod ganglia;
pub(crate) mod graphite;
pub(crate) mod log;
#[cfg(feature = "otlp")]
pub(crate) mod otlp;
mod pickle;
pub(crate) mod statsd;

use std::{collections::BTreeMap, io};

use crate::snapshot::{Rates, Snapshot, Summary, Value};

/// Takes reports.
pub trait Sink: Send {
    /// What it is, for the log.
    fn name(&self) -> String;

    /// Reports the values at the time `now` in milliseconds. An error is logged, and the next report is tried.
    fn report(&mut self, values: &BTreeMap<String, Value>, now: i64) -> io::Result<()>;

    /// As [`report`](Self::report), for sinks that can say labels: `values` is the snapshot without them.
    fn report_labelled(
        &mut self,
        _snapshot: &Snapshot,
        values: &BTreeMap<String, Value>,
        now: i64,
    ) -> io::Result<()> {
        self.report(values, now)
    }
}

/// The numbers of a metric by the last part of their names; a gauge has one without a name.
pub(crate) fn numbers(value: &Value) -> Vec<(&'static str, f64)> {
    let spread = |summary: &Summary| {
        let mut numbers = vec![("count", summary.count as f64)];
        numbers.extend(summary.named());
        numbers
    };
    match value {
        Value::Gauge(number) => vec![("", number.as_f64())],
        Value::Counter(count) => vec![("count", *count as f64)],
        Value::Histogram(summary) => spread(summary),
        Value::Timer(summary, rates) => {
            let mut numbers = spread(summary);
            numbers.extend(Rates::named(rates));
            numbers
        }
    }
}

/// A full name: prefix, name of the metric and last part, without blanks.
pub(crate) fn full_name(prefix: &str, name: &str, last: &str) -> String {
    let parts = [prefix, name, last];
    let full = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".");
    full.chars().map(|char| if char.is_whitespace() { '-' } else { char }).collect()
}
