// SPDX-License-Identifier: Apache-2.0
//! The values of all metrics at one moment.

use std::collections::BTreeMap;

/// A number that keeps whether it is whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// A whole number.
    Int(i64),
    /// Any number.
    Float(f64),
}

impl Number {
    /// The number as a float.
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Float(value) => value,
        }
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or(Self::Float(value as f64), Self::Int)
    }
}

impl From<usize> for Number {
    fn from(value: usize) -> Self {
        Self::from(value as u64)
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Int(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
        }
    }
}

/// What is known of the values that a histogram or timer has recorded of late.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Summary {
    /// How many values, since the start.
    pub count: u64,
    /// All values together, since the start.
    pub sum: f64,
    /// The least of late.
    pub min: f64,
    /// The greatest of late.
    pub max: f64,
    /// The mean of late.
    pub mean: f64,
    /// The standard deviation of late.
    pub stddev: f64,
    /// The value that half of them are below.
    pub p50: f64,
    /// The value that 75 % of them are below.
    pub p75: f64,
    /// The value that 95 % of them are below.
    pub p95: f64,
    /// The value that 98 % of them are below.
    pub p98: f64,
    /// The value that 99 % of them are below.
    pub p99: f64,
    /// The value that 99.9 % of them are below.
    pub p999: f64,
}

impl Summary {
    /// The statistics by the names that sinks give them, the counts apart.
    pub fn named(&self) -> [(&'static str, f64); 10] {
        [
            ("max", self.max),
            ("mean", self.mean),
            ("min", self.min),
            ("stddev", self.stddev),
            ("p50", self.p50),
            ("p75", self.p75),
            ("p95", self.p95),
            ("p98", self.p98),
            ("p99", self.p99),
            ("p999", self.p999),
        ]
    }
}

/// How often something happens per second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rates {
    /// Since the start.
    pub mean: f64,
    /// Weighed over about a minute.
    pub m1: f64,
    /// Weighed over about five minutes.
    pub m5: f64,
    /// Weighed over about fifteen minutes.
    pub m15: f64,
}

impl Rates {
    /// The rates by the names that sinks give them.
    pub fn named(&self) -> [(&'static str, f64); 4] {
        [("mean_rate", self.mean), ("m1_rate", self.m1), ("m5_rate", self.m5), ("m15_rate", self.m15)]
    }
}

/// The value of one metric.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// What is so now.
    Gauge(Number),
    /// How often something has happened.
    Counter(u64),
    /// How values are spread.
    Histogram(Summary),
    /// How lengths of time are spread, in milliseconds, and how often they come.
    Timer(Summary, Rates),
}

/// Whether the values of a family only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What is so now.
    Gauge,
    /// A count that grows.
    Counter,
}

/// Values of one name that a label tells apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// The name, in the form of Prometheus without the prefix of the program: `state_keys`.
    pub name: String,
    /// What it is.
    pub help: String,
    /// Whether it only grows.
    pub kind: Kind,
    /// The values.
    pub samples: Vec<Sample>,
}

/// One value of a family.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// What tells it apart: the name of the label and its value.
    pub label: Option<(String, String)>,
    /// The value.
    pub value: Number,
}

impl Family {
    /// A family without a label.
    pub fn single(name: &str, help: &str, kind: Kind, value: impl Into<Number>) -> Self {
        Self::labelled(name, help, kind, [Sample { label: None, value: value.into() }])
    }

    /// A family of several values.
    pub fn labelled(name: &str, help: &str, kind: Kind, samples: impl IntoIterator<Item = Sample>) -> Self {
        Self { name: name.to_owned(), help: help.to_owned(), kind, samples: samples.into_iter().collect() }
    }
}

/// The values of all metrics at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// By full name, such as `local-1.driver.shop.StreamingMetrics.streaming.receivers`.
    pub metrics: BTreeMap<String, Value>,
    /// Those that have labels.
    pub families: Vec<Family>,
    /// What families and metrics of the program bear in Prometheus: names and values of labels.
    pub labels: Vec<(String, String)>,
    /// Metrics of the program by the name that it gave them.
    pub own: BTreeMap<String, Value>,
}

impl Snapshot {
    /// The values without labels: those of families get the value of their label as a last part.
    pub fn flat(&self, prefix: &str) -> BTreeMap<String, Value> {
        let mut flat = self.metrics.clone();
        for family in &self.families {
            for sample in &family.samples {
                let label = sample.label.as_ref().map(|(_, value)| format!(".{}", plain(value)));
                let name = format!("{prefix}.{}{}", family.name, label.unwrap_or_default());
                flat.insert(name, Value::Gauge(sample.value));
            }
        }
        flat
    }
}

/// A text as a part of a dotted name.
fn plain(text: &str) -> String {
    text.chars().map(|char| if char.is_alphanumeric() || "-_".contains(char) { char } else { '_' }).collect()
}
