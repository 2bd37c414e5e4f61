// SPDX-License-Identifier: Apache-2.0
//! The input streams with their receivers, where they have one, and their rates.

use std::collections::BTreeSet;

use dstreams_streaming::StreamId;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Date, mean};
use crate::store::Store;

/// An input stream.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InputStream {
    /// Its number.
    pub stream_id: usize,
    /// Its name: that of its receiver where it has one.
    pub stream_name: String,
    /// Whether its receiver runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
    /// Where its receiver runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executor_id: Option<String>,
    /// On which host that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executor_host: Option<String>,
    /// When its receiver last had an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error_time: Option<Date>,
    /// What its receiver said of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error_message: Option<String>,
    /// The text of that error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// Records per second over all batches that are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avg_event_rate: Option<f64>,
    /// Batch time in milliseconds and records per second of each batch that is kept.
    pub event_rates: Vec<(i64, f64)>,
}

/// All input streams by their number.
pub fn input_streams(store: &Store) -> Vec<InputStream> {
    let of_graph = store.graph().into_iter().flat_map(|graph| &graph.inputs).map(|input| input.stream_id);
    let ids: BTreeSet<StreamId> = of_graph.chain(store.receivers().keys().copied()).collect();
    ids.into_iter().filter_map(|id| input_stream(store, id)).collect()
}

/// One of them.
pub fn input_stream(store: &Store, id: StreamId) -> Option<InputStream> {
    let receiver = store.receivers().get(&id);
    let mut inputs = store.graph().into_iter().flat_map(|graph| &graph.inputs);
    let input = inputs.find(|input| input.stream_id == id);
    let stream_name = match (receiver, input) {
        (Some(receiver), _) => receiver.name.clone(),
        (None, Some(input)) => input.name.clone(),
        (None, None) => return None,
    };
    let told = |text: &String| (!text.is_empty()).then(|| text.clone());
    let interval = store.interval().as_secs_f64();
    let rate = |records: u64| records as f64 / interval;
    let event_rates: Vec<(i64, f64)> =
        store.batches().map(|batch| (batch.time().as_millis(), rate(batch.records_of(id)))).collect();
    Some(InputStream {
        stream_id: id.0,
        stream_name,
        is_active: receiver.map(|receiver| receiver.active),
        executor_id: receiver.map(|receiver| receiver.executor_id.clone()),
        executor_host: receiver.map(|receiver| receiver.location.clone()),
        last_error_time: receiver.and_then(|receiver| receiver.last_error_time).map(Date),
        last_error_message: receiver.and_then(|receiver| told(&receiver.last_error_message)),
        last_error: receiver.and_then(|receiver| told(&receiver.last_error)),
        avg_event_rate: mean(event_rates.iter().map(|(_, rate)| *rate)),
        event_rates,
    })
}
