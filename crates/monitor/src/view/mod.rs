// SPDX-License-Identifier: Apache-2.0
//! What pages and REST show of a store, as plain data. The names of the fields are those of the original where it has
//! them; what a field holds that it lacks is left out.

mod batches;
mod engine;
mod jobs;
mod operations;
mod receivers;
mod statistics;

use std::fmt;

use serde::{Serialize, Serializer};

pub use self::{
    batches::{Batch, Status, batch, batches},
    engine::{Checkpoint, DeadLetters, Engine, Lag, Limit, Memory, StateSize, Terms, engine},
    jobs::{Job, Operator, Stage, Task, jobs},
    operations::{Operation, operation, operations},
    receivers::{InputStream, input_stream, input_streams},
    statistics::{ApplicationInfo, Attempt, Statistics, application, statistics},
};
use crate::format;

/// A point in time as the original writes it: `2026-11-21T09:35:20.684GMT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date(pub dstreams_streaming::Time);

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format::rest_time(self.0))
    }
}

impl schemars::JsonSchema for Date {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Date".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}GMT$",
        })
    }
}

/// The mean of some numbers; nothing of none.
fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

/// The mean of some lengths in whole milliseconds, rounded down as the original does.
fn mean_millis(values: impl Iterator<Item = dstreams_streaming::Duration>) -> Option<i64> {
    let (sum, count) = values.fold((0, 0), |(sum, count), value| (sum + value.as_millis(), count + 1));
    (count > 0).then(|| sum / count)
}
