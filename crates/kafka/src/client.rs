// SPDX-License-Identifier: Apache-2.0
//! A consumer of librdkafka with what it says between the records: log lines and errors of connections.

use std::sync::Arc;

use parking_lot::Mutex;
use rdkafka::{
    ClientContext, Statistics,
    admin::AdminClient,
    config::{FromClientConfigAndContext as _, RDKafkaLogLevel},
    consumer::{BaseConsumer, ConsumerContext},
    error::KafkaError,
    types::RDKafkaErrorCode,
};

use crate::{
    error::{Error, Result},
    params::Params,
};

/// A consumer.
pub(crate) type Client = BaseConsumer<Context>;

/// The group of a client that has none: the library assigns partitions to members of groups only. Nothing is committed
/// under it, and no client ever joins it.
const NO_GROUP: &str = "dstreams";

/// Takes in what a client says, whatever it is for: `role` takes in what only such clients hear.
pub(crate) struct Context<R = ()> {
    params: Params,
    said: Mutex<Said>,
    role: R,
}

/// What was heard last of connections.
#[derive(Default)]
struct Said {
    /// Why one has failed.
    error: Option<String>,
    /// Whether one was refused, which will not pass by itself.
    is_refusal: bool,
}

impl<R> Context<R> {
    pub(crate) fn new(params: &Params, role: R) -> Self {
        Self { params: params.clone(), said: Mutex::default(), role }
    }

    pub(crate) fn role(&self) -> &R {
        &self.role
    }

    /// The last error of a connection, in words.
    pub(crate) fn last_error(&self) -> Option<String> {
        self.said.lock().error.clone()
    }

    /// The brokers have answered: what was before has passed.
    pub(crate) fn answered(&self) {
        let mut said = self.said.lock();
        if said.error.is_some() {
            *said = Said::default();
        }
    }

    /// What was tried, what the library returned, and what it has said of connections.
    pub(crate) fn failed(&self, action: &'static str, cause: &KafkaError) -> Error {
        match cause.rdkafka_error_code() {
            Some(code) => self.why(code, |reason| Error::Request { action, code, reason }),
            None => Error::client(cause),
        }
    }

    /// A record was not taken.
    pub(crate) fn not_delivered(&self, topic: &str, code: RDKafkaErrorCode) -> Error {
        self.why(code, |reason| Error::Delivery { topic: topic.to_owned(), code, reason })
    }

    /// An error with what was said of connections, if it is one of these.
    fn why(&self, code: RDKafkaErrorCode, error: impl FnOnce(String) -> Error) -> Error {
        let said = self.said.lock();
        match &said.error {
            Some(reason) if is_of_connections(code) && said.is_refusal => {
                Error::Refused { reason: reason.clone() }
            }
            Some(reason) if is_of_connections(code) => error(format!(" ({reason})")),
            _ => error(String::new()),
        }
    }
}

impl<R: Send + Sync> ClientContext for Context<R> {
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
        let code = error.rdkafka_error_code();
        let mut said = self.said.lock();
        // That all brokers are away follows from what was said of each.
        if said.error.is_none() || code != Some(RDKafkaErrorCode::AllBrokersDown) {
            let is_refusal = code.is_some_and(|code| is_refusal(code, &reason));
            *said = Said { error: Some(reason), is_refusal };
        }
    }
}

impl ConsumerContext for Context {}

/// Whether the brokers, or this client, want nothing to do with the other: because of a password, or a certificate.
fn is_refusal(code: RDKafkaErrorCode, reason: &str) -> bool {
    match code {
        RDKafkaErrorCode::Authentication => true,
        // A broker that goes away breaks off what it has begun.
        RDKafkaErrorCode::SSL => !reason.contains("isconnected"),
        // Brokers that want no part of a certificate say so after all seemed well.
        _ => reason.contains("SSL routines") && reason.contains(" alert "),
    }
}

/// Whether it may come of a connection that failed.
fn is_of_connections(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::Authentication
            | RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::MessageTimedOut
            | RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::Resolve
            | RDKafkaErrorCode::SSL
    )
}

/// A new client, with `forced` over the properties of `params`. It connects when it is used.
pub(crate) fn connect(params: &Params, forced: &[(&str, &str)]) -> Result<Arc<Client>> {
    let mut config = params.client(forced)?;
    if config.get("group.id").is_none() {
        config.set("group.id", NO_GROUP);
    }
    let client = Client::from_config_and_context(&config, Context::new(params, ()))
        .map_err(|error| Error::client(&error))?;
    Ok(Arc::new(client))
}

/// A new client that changes what topics there are.
pub(crate) fn administrate(params: &Params) -> Result<AdminClient<Context>> {
    let client = AdminClient::from_config_and_context(&params.client(&[])?, Context::new(params, ()));
    client.map_err(|error| Error::client(&error))
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
