// SPDX-License-Identifier: Apache-2.0
//! Metrics: counters, gauges, histograms and timers for programs, snapshots of all there is, and the sinks that report
//! them: console, CSV, log, Graphite, Ganglia, StatsD, and the texts that are served over HTTP.
#![forbid(unsafe_code)]

mod error;
mod instrument;
mod registry;
mod render;
mod settings;
mod sink;
mod snapshot;

pub use error::{Error, Result};
pub use instrument::{Counter, Gauge, Histogram, Timer};
pub use registry::Registry;
pub use render::{json, prometheus};
pub use settings::{Paths, Plan, Settings, Unused};
pub use sink::Sink;
pub use snapshot::{Family, Kind, Number, Rates, Sample, Snapshot, Summary, Value};
