// SPDX-License-Identifier: Apache-2.0
//! `RangeChunks`: the records of an offset range, in a task. It ends by position, never by counting.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use dstreams_rdd::{
    TaskError,
    chunk::{BoxChunks, Chunks},
};
use rdkafka::{consumer::Consumer as _, error::KafkaError, types::RDKafkaErrorCode};

use crate::{
    error::{Error, Result},
    partition_reader::Found,
    ranges::{OffsetRange, TopicPartition},
    readers::{Lent, Readers},
    record::Record,
};

/// How long a task waits before it looks whether it was cancelled.
const WAIT: Duration = Duration::from_millis(100);

/// After how many waits in vain it is looked for the reason, and a warning given.
const LOOK_AFTER: u64 = 50;

/// Reads a range with a reader that is given back afterwards.
pub(crate) struct RangeChunks {
    readers: Arc<Readers>,
    lent: Option<Lent>,
    range: OffsetRange,
    /// How often nothing came since the last record.
    waited: u64,
    /// Whether the end of the partition was reached before that of the range, and that was looked into.
    looked: bool,
    failed: bool,
}

impl RangeChunks {
    /// The records of `range`. One without offsets is empty without asking anybody.
    pub(crate) fn open(readers: &Arc<Readers>, range: OffsetRange) -> Result<BoxChunks<Record>, TaskError> {
        let chunks = || {
            if range.from > range.until {
                let OffsetRange { partition: TopicPartition { topic, partition }, from, until } = &range;
                return Err(Error::Range(format!(
                    "Beginning offset {from} is after the ending offset {until} for topic {topic} partition {partition}. You either provided an invalid fromOffset, or the Kafka topic has been damaged"
                )));
            }
            let lent =
                if range.is_empty() { None } else { Some(readers.lend(&range.partition, range.from)?) };
            Ok(Self { readers: Arc::clone(readers), lent, range, waited: 0, looked: false, failed: false })
        };
        Ok(Box::new(chunks().map_err(|error| TaskError::Other(error.into()))?))
    }

    fn read(&mut self, out: &mut Vec<Record>) -> Result<bool> {
        let Some(lent) = &mut self.lent else { return Ok(false) };
        let before = out.len();
        match lent.reader.read(self.range.until, out, WAIT) {
            Found::Records { bytes } => {
                self.waited = 0;
                let totals = &self.readers.totals;
                totals.records.fetch_add((out.len() - before) as u64, Ordering::Relaxed);
                totals.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
                Ok(true)
            }
            Found::End => {
                self.end();
                Ok(false)
            }
            Found::Nothing => self.wait(),
            Found::EndOfPartition => {
                // The end may have moved on since; what is missing then comes next.
                if !std::mem::replace(&mut self.looked, true) {
                    self.look()?;
                }
                Ok(true)
            }
            Found::Failed(code) => self.fail(code),
        }
    }

    /// Nothing came for a moment.
    fn wait(&mut self) -> Result<bool> {
        self.waited += 1;
        let waited = dstreams_streaming::time::milliseconds(
            i64::try_from(self.waited).unwrap_or(i64::MAX / 1_000) * 100,
        );
        let Some(lent) = &self.lent else { return Ok(false) };
        crate::client::listen(lent.reader.client());
        if self.readers.reading().poll_timeout.is_some_and(|timeout| waited >= timeout) {
            let said = lent.reader.client().context().last_error();
            return Err(Error::Stalled {
                partition: self.range.partition.clone(),
                offset: lent.reader.position(),
                waited_ms: waited.as_millis(),
                reason: said.map(|said| format!(" ({said})")).unwrap_or_default(),
            });
        }
        if self.waited.is_multiple_of(LOOK_AFTER) {
            tracing::warn!(range = %self.range, position = lent.reader.position(), %waited, error = lent.reader.client().context().last_error(), "waiting for records of Kafka");
            self.look()?;
        }
        Ok(true)
    }

    /// Looks whether the rest of the range can come at all.
    fn look(&mut self) -> Result<()> {
        let Some(lent) = &self.lent else { return Ok(()) };
        let (client, position) = (lent.reader.client(), lent.reader.position());
        let TopicPartition { topic, partition } = &self.range.partition;
        let timeout = self.readers.reading().request_timeout;
        match client.fetch_watermarks(topic, *partition, timeout) {
            Ok((low, high)) => {
                if position < low || high < self.range.until {
                    return self.gap(low, high);
                }
            }
            // A topic that is gone; everything else may pass.
            Err(error) if is_gone(&error) => return self.gap(i64::MAX, i64::MAX),
            Err(error) => tracing::debug!(range = %self.range, %error, "no answer from Kafka"),
        }
        Ok(())
    }

    /// Goes on at the first offset that is there, if that is allowed.
    fn gap(&mut self, low: i64, high: i64) -> Result<()> {
        let Some(Lent { reader, .. }) = &self.lent else { return Ok(()) };
        let (position, until) = (reader.position(), self.range.until);
        // A partition that ends before the range was made anew, or is damaged: nothing of the range can be trusted.
        let to = if high < until { until } else { low.clamp(position, until) };
        let from = if high < until { high.clamp(position, until) } else { position };
        if self.readers.reading().fail_on_data_loss {
            return Err(Error::DataLoss { partition: self.range.partition.clone(), from, until: to });
        }
        let lost = u64::try_from(to - from).unwrap_or(0);
        self.readers.totals.lost.fetch_add(lost, Ordering::Relaxed);
        tracing::warn!(partition = %self.range.partition, from, until = to, lost, "records are not there any more; going on after the gap");
        let lent = self.lent.take();
        if let Some(lent) = lent {
            self.readers.give_back(lent, false);
        }
        if to < until {
            self.lent = Some(self.readers.lend(&self.range.partition, to)?);
        }
        Ok(())
    }

    fn fail(&mut self, code: RDKafkaErrorCode) -> Result<bool> {
        match code {
            RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange => {
                self.look()?;
                // The consumer has stopped at the error.
                if let Some(lent) = self.lent.take() {
                    let position = lent.reader.position();
                    self.readers.give_back(lent, false);
                    self.lent = Some(self.readers.lend(&self.range.partition, position)?);
                }
                Ok(true)
            }
            RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownPartition
            | RDKafkaErrorCode::UnknownTopicOrPartition => {
                self.look()?;
                self.wait()
            }
            // The client library tries these again by itself.
            RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::LeaderNotAvailable
            | RDKafkaErrorCode::NotLeaderForPartition => self.wait(),
            code => {
                let offset = self.lent.as_ref().map_or(self.range.from, |lent| lent.reader.position());
                Err(Error::Read { partition: self.range.partition.clone(), offset, code })
            }
        }
    }

    fn end(&mut self) {
        if let Some(lent) = self.lent.take() {
            self.readers.give_back(lent, !self.failed);
        }
    }
}

/// Whether the topic or partition does not exist.
fn is_gone(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownPartition
                | RDKafkaErrorCode::UnknownTopicOrPartition
        )
    )
}

impl Chunks<Record> for RangeChunks {
    fn next_chunk(&mut self, out: &mut Vec<Record>) -> Result<bool, TaskError> {
        self.read(out).map_err(|error| {
            self.failed = true;
            TaskError::Other(error.into())
        })
    }
}

impl Drop for RangeChunks {
    fn drop(&mut self) {
        self.end();
    }
}
