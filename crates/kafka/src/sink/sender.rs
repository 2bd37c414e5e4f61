// SPDX-License-Identifier: Apache-2.0
//! `Sender`: a producer for programs that feed a stream, such as tests and demos.

use std::time::Duration;

use super::{outgoing::ProducerRecord, producer::Producer};
use crate::{error::Error, params::Params};

/// How long brokers may be away.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends records outside of a stream, with the same rules as a [`KafkaSink`](crate::KafkaSink).
///
/// ```no_run
/// use dstreams_kafka::{Params, Sender};
/// let mut sender = Sender::new(&Params::new("localhost:9092"))?;
/// for n in 0..1_000 {
///     sender.send("numbers", |record| {
///         record.key("n").value(n.to_string());
///     })?;
/// }
/// sender.flush()?;
/// # Ok::<(), dstreams_kafka::Error>(())
/// ```
pub struct Sender {
    producer: Producer,
    record: ProducerRecord,
}

impl Sender {
    /// A sender without transactions.
    pub fn new(params: &Params) -> Result<Self, Error> {
        Ok(Self { producer: Producer::new(params, None)?, record: ProducerRecord::default() })
    }

    /// A sender that writes in transactions under an id, which it takes over from others.
    pub fn transactional(params: &Params, id: &str) -> Result<Self, Error> {
        let producer = Producer::new(params, Some(id))?;
        producer.take_over(PATIENCE)?;
        Ok(Self { producer, record: ProducerRecord::default() })
    }

    /// Begins a transaction.
    pub fn begin(&self) -> Result<(), Error> {
        self.producer.begin()
    }

    /// Sends the record that `fill` makes, some time soon.
    pub fn send(&mut self, topic: &str, fill: impl FnOnce(&mut ProducerRecord)) -> Result<(), Error> {
        self.record.reset(topic);
        fill(&mut self.record);
        self.producer.send(&self.record)
    }

    /// Returns when the brokers have all records.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.producer.flush(PATIENCE)
    }

    /// Commits the transaction.
    pub fn commit(&mut self) -> Result<(), Error> {
        self.producer.commit(PATIENCE)
    }

    /// Aborts the transaction, records and all; a new sender can take over the id.
    pub fn abort(mut self) {
        // What is aborted is at the brokers, for readers to pass over.
        if let Err(error) = self.producer.flush(PATIENCE) {
            tracing::debug!(%error, "records of an aborted transaction were not written");
        }
        self.producer.abort(PATIENCE);
    }
}
