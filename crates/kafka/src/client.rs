// SPDX-License-Identifier: Apache-2.0
//! A consumer of librdkafka with what it says between the records: log lines and errors of connections.

use std::sync::Arc;

use parking_lot::Mutex;
use rdkafka::{
    ClientContext, Statistics,
    config::{FromClientConfigAndContext as _, RDKafkaLogLevel},
    consumer::{BaseConsumer, ConsumerContext},
    error::KafkaError,
};

use crate::{
    error::{Error, Result},
    params::Params,
};

/// A consumer.
pub(crate) type Client = BaseConsumer<Events>;

/// The group of a client that has none: the library assigns partitions to members of groups only. Nothing is committed
/// under it, and no client ever joins it.
const NO_GROUP: &str = "dstreams";

/// Takes in what a client says.
pub(crate) struct Events {
    params: Params,
    last_error: Mutex<Option<String>>,
}

impl Events {
    pub(crate) fn new(params: &Params) -> Self {
        Self { params: params.clone(), last_error: Mutex::new(None) }
    }

    /// The last error of a connection, in words.
    pub(crate) fn last_error(&self) -> Option<String> {
        self.last_error.lock().clone()
    }
}

impl ClientContext for Events {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        let line = self.params.scrub(line);
        // Consumers and producers are made from the same properties, and each says that the others mean nothing to it.
        if facility == "CONFWARN" && line.contains("property and will be ignored") {
            tracing::debug!(facility, "librdkafka: {line}");
            return;
        }
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => tracing::warn!(facility, "librdkafka: {line}"),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => tracing::info!(facility, "librdkafka: {line}"),
            RDKafkaLogLevel::Debug => tracing::debug!(facility, "librdkafka: {line}"),
        }
    }

    fn stats(&self, _statistics: Statistics) {}

    fn stats_raw(&self, _statistics: &[u8]) {}

    fn error(&self, error: KafkaError, reason: &str) {
        let reason = self.params.scrub(reason);
        tracing::debug!(%error, "librdkafka: {reason}");
        *self.last_error.lock() = Some(reason);
    }
}

impl ConsumerContext for Events {}

/// A new client, with `forced` over the properties of `params`. It connects when it is used.
pub(crate) fn connect(params: &Params, forced: &[(&str, &str)]) -> Result<Arc<Client>> {
    let mut config = params.client(forced)?;
    if config.get("group.id").is_none() {
        config.set("group.id", NO_GROUP);
    }
    let client = Client::from_config_and_context(&config, Events::new(params))
        .map_err(|error| Error::client(&error))?;
    Ok(Arc::new(client))
}

/// Has the client say what it has to say. Without partitions of its own it never gives a record.
pub(crate) fn listen(client: &Client) {
    for _ in 0..HEARD {
        // Records go to the queues of their partitions; what comes here is news of connections.
        if let Some(Err(error)) = client.poll(std::time::Duration::ZERO) {
            tracing::debug!(%error, "librdkafka");
        }
    }
}

/// How many messages of the library are taken in at a time. It does not say whether there are more; asking in vain costs
/// next to nothing, and they must not pile up.
const HEARD: usize = 64;
