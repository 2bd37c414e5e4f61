// SPDX-License-Identifier: Apache-2.0
//! What the engine holds and how it is driven: memory, states, checkpoints, lag, limits, dead letters.

use dstreams_streaming::{Time, event::RateTerms};
use schemars::JsonSchema;
use serde::Serialize;

use super::Date;
use crate::store::{Series, Store};

/// What the engine holds and how it is driven.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Engine {
    /// Memory, after the last batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// The last checkpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Checkpoint>,
    /// The states of each operator that has some.
    pub states: Vec<StateSize>,
    /// How far each source is behind what it reads from, where it knows.
    pub lag: Vec<Lag>,
    /// The limit of what each source may take in, where there is one.
    pub limits: Vec<Limit>,
    /// Records that could not be used, by output, since the start.
    pub dead_letters: Vec<DeadLetters>,
}

/// Memory of kept blocks, received blocks and shuffles.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// Bytes held.
    pub used: u64,
    /// Bytes that may be held.
    pub limit: u64,
}

/// A checkpoint file.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    /// The batch after which it was cut, in milliseconds.
    pub batch_id: i64,
    /// When it was there.
    pub time: Date,
    /// Milliseconds since the batch.
    pub age: i64,
    /// Milliseconds that its writing took.
    pub duration: i64,
    /// Bytes of the snapshots that were written for it.
    pub bytes: u64,
}

/// The states of one operator.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StateSize {
    /// The operator by the name that checkpoints give it.
    pub operator: String,
    /// The batch after which they are like this, in milliseconds.
    pub batch_id: i64,
    /// The number of keys: now where the operator counts them, otherwise that of the last snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<u64>,
    /// Keys that came in each minute, over the batches that are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys_per_minute: Option<f64>,
    /// Bytes of the last snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot_bytes: Option<u64>,
    /// What was changed since, in bytes of the log.
    pub logged_bytes: u64,
    /// Batch time in milliseconds and keys.
    pub history: Vec<(i64, u64)>,
}

/// How far a source is behind what it reads from.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Lag {
    /// The input stream.
    pub stream_id: usize,
    /// Records there that no batch has taken yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// Age of the oldest of them in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest: Option<i64>,
    /// Records by part of the source.
    pub parts: std::collections::BTreeMap<String, u64>,
    /// Time in milliseconds and records.
    pub history: Vec<(i64, u64)>,
}

/// The limit of what a source may take in.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limit {
    /// The input stream.
    pub stream_id: usize,
    /// Records per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records_per_second: Option<i64>,
    /// Bytes per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<i64>,
    /// How it was found, in words.
    pub why: String,
    /// The terms of the controller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terms: Option<Terms>,
    /// Time in milliseconds and records per second.
    pub history: Vec<(i64, u64)>,
}

/// The terms of the controller: the new rate is the latest less the three terms, and not below the minimum.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "they are documented at `RateTerms`, whose fields these are")]
pub struct Terms {
    pub latest: f64,
    pub processing: f64,
    pub proportional: f64,
    pub integral: f64,
    pub derivative: f64,
    pub minimum: f64,
    pub rate: f64,
}

/// Records of an output that could not be used.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetters {
    /// The output that wrote them.
    pub output: String,
    /// Records that were written as dead letters.
    pub letters: u64,
    /// Records that were looked at.
    pub records: u64,
}

impl From<RateTerms> for Terms {
    fn from(terms: RateTerms) -> Self {
        let RateTerms { latest, processing, proportional, integral, derivative, minimum, rate } = terms;
        Self { latest, processing, proportional, integral, derivative, minimum, rate }
    }
}

/// What the engine of a store holds at the time `now`.
pub fn engine(store: &Store, now: Time) -> Engine {
    let states = store.states().values().map(|state| StateSize {
        operator: state.last.operator.clone(),
        batch_id: state.last.batch_time.as_millis(),
        keys: state.last.keys.or(state.last.snapshot.map(|snapshot| snapshot.keys)),
        keys_per_minute: state.history.per_minute(),
        snapshot_bytes: state.last.snapshot.map(|snapshot| snapshot.bytes),
        logged_bytes: state.last.logged_bytes,
        history: points(&state.history),
    });
    let lag = store.lags().values().map(|lag| Lag {
        stream_id: lag.last.stream_id.0,
        records: lag.last.records,
        oldest: lag.last.oldest.map(|age| age.as_millis()),
        parts: lag.last.parts.clone(),
        history: points(&lag.history),
    });
    let limits = store.rates().values().map(|rate| Limit {
        stream_id: rate.last.stream_id.0,
        records_per_second: rate.last.records_per_second,
        bytes_per_second: rate.last.bytes_per_second,
        why: rate.last.to_string(),
        terms: rate.last.terms.map(Terms::from),
        history: points(&rate.history),
    });
    let dead_letters = store.dead_letters().iter().map(|(output, count)| DeadLetters {
        output: output.clone(),
        letters: count.letters,
        records: count.records,
    });
    Engine {
        memory: store.memory().map(|memory| Memory { used: memory.used, limit: memory.limit }),
        checkpoint: store.checkpoints().back().map(|checkpoint| Checkpoint {
            batch_id: checkpoint.batch_time.as_millis(),
            time: Date(checkpoint.time),
            age: (now - checkpoint.batch_time).as_millis(),
            duration: checkpoint.duration.as_millis(),
            bytes: checkpoint.bytes,
        }),
        states: states.collect(),
        lag: lag.collect(),
        limits: limits.collect(),
        dead_letters: dead_letters.collect(),
    }
}

fn points(series: &Series) -> Vec<(i64, u64)> {
    series.points().map(|(time, value)| (time.as_millis(), value)).collect()
}
