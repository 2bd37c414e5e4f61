// SPDX-License-Identifier: Apache-2.0
//! What is told of the flow of data: limits of rates and why they are so, lag, memory.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{
    input::StreamId,
    time::{Duration, Time},
};

/// What a source may take in, and how that was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RateInfo {
    /// The input stream.
    pub stream_id: StreamId,
    /// Since when.
    pub time: Time,
    /// The batch from which it was learned; nothing for the limit of the start.
    pub batch_time: Option<Time>,
    /// Records per second that may pass from now on; nothing where there is no limit.
    pub records_per_second: Option<i64>,
    /// Bytes per second that may pass from now on; nothing where there is no limit.
    pub bytes_per_second: Option<i64>,
    /// How the rate of records was estimated; nothing for the limit of the start.
    pub terms: Option<RateTerms>,
    /// Whether the source is to take nothing for now, since `dstreams.backpressure.maxPendingBatches` batches wait.
    pub held: bool,
}

/// The terms of a controller in one step: the new rate is the last one less the three terms, and not below the minimum.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RateTerms {
    /// The rate before, per second.
    pub latest: f64,
    /// What the batch was processed with, per second.
    pub processing: f64,
    /// By how much the rate before is above that, weighed.
    pub proportional: f64,
    /// What waits to be processed, as a rate, weighed.
    pub integral: f64,
    /// How the difference has changed, per second, weighed.
    pub derivative: f64,
    /// The lowest rate there may be, per second.
    pub minimum: f64,
    /// The new rate, per second, before `spark.streaming.receiver.maxRate`.
    pub rate: f64,
}

impl fmt::Display for RateTerms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { latest, processing, proportional, integral, derivative, minimum, rate } = self;
        write!(f, "{latest:.0} - {proportional:.0} (processed {processing:.0}/s) - {integral:.0} (waiting)")?;
        if *derivative != 0.0 {
            write!(f, " - {derivative:.0} (changing)")?;
        }
        let unbounded = latest - proportional - integral - derivative;
        if unbounded < *minimum {
            write!(f, " = {unbounded:.0}, raised to the minimum of {rate:.0}/s")
        } else {
            write!(f, " = {rate:.0}/s")
        }
    }
}

impl fmt::Display for RateInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.records_per_second, self.bytes_per_second) {
            (None, None) => write!(f, "no limit")?,
            (Some(records), None) => write!(f, "{records} records/s")?,
            (None, Some(bytes)) => write!(f, "{bytes} bytes/s")?,
            (Some(records), Some(bytes)) => write!(f, "{records} records/s, {bytes} bytes/s")?,
        }
        if self.held {
            write!(f, ", held until fewer batches wait")?;
        }
        self.terms.map_or(Ok(()), |terms| write!(f, ": {terms}"))
    }
}

/// How far a source is behind what it reads from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LagInfo {
    /// The input stream.
    pub stream_id: StreamId,
    /// When this was so.
    pub time: Time,
    /// Records there that no batch has taken yet, where the source knows.
    pub records: Option<u64>,
    /// How old the oldest of them is, where the source knows.
    pub oldest: Option<Duration>,
    /// Records by part of the source, such as `topic-0`; empty where there are none.
    pub parts: BTreeMap<String, u64>,
}

/// What blocks and shuffles take in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryInfo {
    /// When this was so.
    pub time: Time,
    /// Bytes in use.
    pub used: u64,
    /// The budget in bytes, `dstreams.memory.budget`.
    pub limit: u64,
    /// Events that listeners were too slow for, since the start.
    pub dropped_events: u64,
}
