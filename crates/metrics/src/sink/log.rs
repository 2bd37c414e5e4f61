// SPDX-License-Identifier: Apache-2.0
//! Reports to the log.

use std::{collections::BTreeMap, io};

use super::{Sink, numbers};
use crate::snapshot::Value;

/// One event per metric.
pub(crate) struct Log;

impl Sink for Log {
    fn name(&self) -> String {
        "log".to_owned()
    }

    fn report(&mut self, values: &BTreeMap<String, Value>, _now: i64) -> io::Result<()> {
        for (name, value) in values {
            let shown = numbers(value).into_iter().map(|(last, number)| match last {
                "" => number.to_string(),
                last => format!("{last}={number}"),
            });
            tracing::info!(target: "metrics", "{name} {}", shown.collect::<Vec<_>>().join(" "));
        }
        Ok(())
    }
}
