// SPDX-License-Identifier: Apache-2.0
//! `Producer`: a producer of librdkafka that remembers the first record that was not taken.

use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::{
    ClientContext, Statistics,
    config::{FromClientConfigAndContext as _, RDKafkaLogLevel},
    error::KafkaError,
    message::{DeliveryResult, Message as _},
    producer::{BaseProducer, Producer as _, ProducerContext, PurgeConfig},
    types::RDKafkaErrorCode,
};

use super::outgoing::ProducerRecord;
use crate::{
    client::Events,
    error::{Error, Result},
    params::Params,
};

/// After so many records it is heard what became of earlier ones.
const HEARD_AFTER: u32 = 1_000;

/// How long the sender waits at a time when the queue of the client is full.
const FULL: Duration = Duration::from_millis(100);

/// How long it may take to hear why records were purged.
const CAUSE: Duration = Duration::from_secs(5);

/// Whether a record was given up because of another one.
fn is_purge(error: &Error) -> bool {
    let codes = [RDKafkaErrorCode::PurgeQueue, RDKafkaErrorCode::PurgeInflight];
    matches!(error, Error::Delivery { code, .. } if codes.contains(code))
}

/// A producer for one task at a time.
pub(super) struct Producer {
    base: BaseProducer<Deliveries>,
    /// Records since it was last heard what became of them.
    unheard: u32,
}

/// Takes in what a producer says.
struct Deliveries {
    events: Events,
    /// The first record that was not taken.
    failure: Mutex<Option<Error>>,
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.events.log(level, facility, line);
    }

    fn stats(&self, _statistics: Statistics) {}

    fn stats_raw(&self, _statistics: &[u8]) {}

    fn error(&self, error: KafkaError, reason: &str) {
        self.events.error(error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, message)) = result {
            let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
            let mut failure = self.failure.lock();
            // Records are purged because of another one, whose error says more.
            if failure.as_ref().is_none_or(is_purge) {
                *failure = Some(Error::Delivery { topic: message.topic().to_owned(), code });
            }
        }
    }
}

impl Producer {
    /// A new producer. It connects when it is used.
    pub(super) fn new(params: &Params, transactional_id: Option<&str>) -> Result<Self> {
        let mut properties = vec![
            ("enable.idempotence", "true"),
            // Nobody asks about the records that were taken.
            ("delivery.report.only.error", "true"),
        ];
        let by_default = [("partitioner", "murmur2_random"), ("linger.ms", "5")];
        properties.extend(by_default.iter().filter(|(name, _)| params.get(name).is_none()));
        properties.extend(transactional_id.map(|id| ("transactional.id", id)));
        let config = params.client(&properties)?;
        let deliveries = Deliveries { events: Events::new(params), failure: Mutex::default() };
        let base = BaseProducer::from_config_and_context(&config, deliveries)
            .map_err(|error| Error::client(&error))?;
        Ok(Self { base, unheard: 0 })
    }

    /// Takes over a transactional id: what an earlier producer of the same has not committed is aborted, and it can do
    /// nothing any more.
    pub(super) fn take_over(&self, timeout: Duration) -> Result<()> {
        self.base.init_transactions(timeout).map_err(Error::request("take over a transactional id"))
    }

    pub(super) fn begin(&self) -> Result<()> {
        self.base.begin_transaction().map_err(Error::request("begin a transaction"))
    }

    /// Sends a record, some time soon; waits while too many are on their way.
    pub(super) fn send(&mut self, record: &ProducerRecord) -> Result<()> {
        let mut base = record.as_base();
        self.unheard += 1;
        if self.unheard >= HEARD_AFTER {
            self.hear(Duration::ZERO)?;
        }
        loop {
            let Err((error, again)) = self.base.send(base) else { return Ok(()) };
            match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::QueueFull) => {
                    base = again;
                    self.hear(FULL)?;
                }
                code => {
                    let code = code.unwrap_or(RDKafkaErrorCode::Fail);
                    return Err(Error::Delivery { topic: record.topic_name().to_owned(), code });
                }
            }
        }
    }

    fn hear(&mut self, wait: Duration) -> Result<()> {
        self.unheard = 0;
        self.base.poll(wait);
        self.failed()
    }

    fn failed(&self) -> Result<()> {
        let first = self.base.context().failure.lock().clone();
        if first.as_ref().is_some_and(is_purge) {
            // The error that has led to it may be among what is still to be heard.
            drop(self.base.flush(CAUSE));
        }
        self.base.context().failure.lock().clone().map_or(Ok(()), Err)
    }

    /// Returns when the brokers have all records, or one was not taken.
    pub(super) fn flush(&mut self, timeout: Duration) -> Result<()> {
        self.unheard = 0;
        let flushed = self.base.flush(timeout).map_err(Error::request("wait until records are taken"));
        self.failed()?;
        flushed
    }

    /// Commits the transaction, for as long as that is possible.
    pub(super) fn commit(&mut self, timeout: Duration) -> Result<()> {
        self.flush(timeout)?;
        self.base.commit_transaction(timeout).map_err(Error::request("commit a transaction"))
    }

    /// Aborts the transaction, so that readers need not wait for its time-out. The producer is not used again.
    pub(super) fn abort(self, timeout: Duration) {
        // The client would wait for news of these records, which nobody takes in while it does.
        self.base.purge(PurgeConfig::default().queue().inflight());
        let aborted = self.base.flush(timeout).and_then(|()| self.base.abort_transaction(timeout));
        if let Err(error) = aborted {
            tracing::debug!(%error, "a transaction is left to its time-out");
        }
    }

    /// Adds the offsets of a group to the transaction.
    pub(super) fn send_offsets(
        &self,
        offsets: &rdkafka::TopicPartitionList,
        group: &rdkafka::consumer::ConsumerGroupMetadata,
        timeout: Duration,
    ) -> Result<()> {
        self.base
            .send_offsets_to_transaction(offsets, group, timeout)
            .map_err(Error::request("add offsets to a transaction"))
    }
}
