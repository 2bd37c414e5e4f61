// SPDX-License-Identifier: Apache-2.0
//! `Producer`: a producer of librdkafka that remembers the first record that was not taken.

use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::{
    config::FromClientConfigAndContext as _,
    error::KafkaResult,
    message::{DeliveryResult, Message as _},
    producer::{BaseProducer, Producer as _, ProducerContext, PurgeConfig},
    types::RDKafkaErrorCode,
};

use super::outgoing::ProducerRecord;
use crate::{
    client::Context,
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
    base: BaseProducer<Context<Deliveries>>,
    /// Records since it was last heard what became of them.
    unheard: u32,
}

/// The first record that was not taken.
#[derive(Default)]
struct Deliveries(Mutex<Option<Error>>);

impl ProducerContext for Context<Deliveries> {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, message)) = result {
            let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
            let mut failure = self.role().0.lock();
            // Records are purged because of another one, whose error says more.
            if failure.as_ref().is_none_or(is_purge) {
                *failure = Some(self.not_delivered(message.topic(), code));
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
        let base =
            BaseProducer::from_config_and_context(&config, Context::new(params, Deliveries::default()))
                .map_err(|error| Error::client(&error))?;
        Ok(Self { base, unheard: 0 })
    }

    /// Takes over a transactional id: what an earlier producer of the same has not committed is aborted, and it can do
    /// nothing any more.
    pub(super) fn take_over(&self, timeout: Duration) -> Result<()> {
        self.tried("take over a transactional id", self.base.init_transactions(timeout))
    }

    pub(super) fn begin(&self) -> Result<()> {
        // Nobody is asked yet.
        let context = self.base.context();
        self.base.begin_transaction().map_err(|error| context.failed("begin a transaction", &error))
    }

    fn tried(&self, action: &'static str, outcome: KafkaResult<()>) -> Result<()> {
        let context = self.base.context();
        outcome.inspect(|()| context.answered()).map_err(|error| {
            // Why connections fail is told between the records.
            self.base.poll(Duration::ZERO);
            context.failed(action, &error)
        })
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
                    return Err(self.base.context().not_delivered(record.topic_name(), code));
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
        let first = self.base.context().role().0.lock().clone();
        if first.as_ref().is_some_and(is_purge) {
            // The error that has led to it may be among what is still to be heard.
            drop(self.base.flush(CAUSE));
        }
        self.base.context().role().0.lock().clone().map_or(Ok(()), Err)
    }

    /// Returns when the brokers have all records, or one was not taken.
    pub(super) fn flush(&mut self, timeout: Duration) -> Result<()> {
        self.unheard = 0;
        let flushed = self.tried("wait until records are taken", self.base.flush(timeout));
        self.failed()?;
        flushed
    }

    /// Commits the transaction, for as long as that is possible.
    pub(super) fn commit(&mut self, timeout: Duration) -> Result<()> {
        self.flush(timeout)?;
        self.tried("commit a transaction", self.base.commit_transaction(timeout))
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
        let sent = self.base.send_offsets_to_transaction(offsets, group, timeout);
        self.tried("add offsets to a transaction", sent)
    }
}
