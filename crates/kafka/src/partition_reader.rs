// SPDX-License-Identifier: Apache-2.0
//! `PartitionReader`: reads a partition from an offset on, and knows how far it has come.

use std::{sync::Arc, time::Duration};

use dstreams_rdd::chunk::CHUNK;
use rdkafka::{
    Offset, TopicPartitionList, consumer::Consumer as _, error::KafkaError, types::RDKafkaErrorCode,
};

use crate::{
    client::Client,
    error::{Error, Result},
    native::{Front, PartitionQueue},
    ranges::TopicPartition,
    record::{BlockBuilder, Record},
};

/// A block of records is cut when it has this many bytes.
const BLOCK: usize = 1 << 20;

/// Reads a partition. Between two reads the client fetches ahead.
pub(crate) struct PartitionReader {
    partition: TopicPartition,
    queue: PartitionQueue,
    /// The next offset: all records before it have been given out, or there are none.
    position: i64,
    /// How many bytes the last block had, which the next one probably has too.
    last_size: usize,
}

/// What a read has found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Records, so many bytes of them.
    Records { bytes: usize },
    /// There is nothing left before the offset that was given.
    End,
    /// Nothing yet.
    Nothing,
    /// The partition ends here, or has ended here a moment ago.
    EndOfPartition,
    /// An error of the partition.
    Failed(RDKafkaErrorCode),
}

impl PartitionReader {
    /// Has `client`, which has never read the partition, fetch it from the offset on.
    pub(crate) fn open(client: &Arc<Client>, partition: &TopicPartition, from: i64) -> Result<Self> {
        let queue = PartitionQueue::open(client, &partition.topic, partition.partition)
            .ok_or_else(|| Error::Range(format!("{partition} cannot be read: it is no name of a topic")))?;
        let assigned = client.incremental_assign(&list(partition, Offset::Offset(from))?);
        assigned.map_err(|error| client.context().failed("assign a partition to a consumer", &error))?;
        Ok(Self { partition: partition.clone(), queue, position: from, last_size: 0 })
    }

    pub(crate) fn partition(&self) -> &TopicPartition {
        &self.partition
    }

    pub(crate) fn position(&self) -> i64 {
        self.position
    }

    pub(crate) fn client(&self) -> &Arc<Client> {
        self.queue.client()
    }

    /// Goes on from another offset; what was fetched is dropped.
    pub(crate) fn seek(self, to: i64, timeout: Duration) -> Result<Self> {
        let Self { partition, queue, last_size, .. } = self;
        let client = Arc::clone(queue.client());
        // What was taken from the old queue must go with it.
        drop(queue);
        let sought = client.seek_partitions(list(&partition, Offset::Offset(to))?, timeout);
        let sought =
            sought.and_then(|sought| sought.elements().iter().try_for_each(|element| element.error()));
        sought.map_err(|error| client.context().failed("go to another offset", &error))?;
        let queue = PartitionQueue::open(&client, &partition.topic, partition.partition)
            .ok_or_else(|| Error::Range(format!("{partition} cannot be read")))?;
        Ok(Self { partition, queue, position: to, last_size })
    }

    fn failed(&self, action: &'static str, cause: &KafkaError) -> Error {
        self.client().context().failed(action, cause)
    }

    /// Has the client fetch no more.
    pub(crate) fn pause(&self) {
        let outcome = list(&self.partition, Offset::Invalid)
            .and_then(|list| self.client().pause(&list).map_err(|error| self.failed("pause", &error)));
        if let Err(error) = outcome {
            tracing::debug!(partition = %self.partition, %error, "a consumer fetches on");
        }
    }

    /// Has the client fetch again.
    pub(crate) fn resume(&self) -> Result<()> {
        let list = list(&self.partition, Offset::Invalid)?;
        self.client().resume(&list).map_err(|error| self.failed("resume a partition", &error))
    }

    /// Ends it for good: the client gives the partition up.
    pub(crate) fn close(self) {
        let outcome = list(&self.partition, Offset::Invalid);
        let outcome = outcome.and_then(|list| {
            let given_up = self.client().incremental_unassign(&list);
            given_up.map_err(|error| self.failed("give up a partition", &error))
        });
        if let Err(error) = outcome {
            tracing::debug!(partition = %self.partition, %error, "a consumer keeps a partition");
        }
    }

    /// Appends records before `until` to `out`: about a thousand, or those that are there. Waits at most `timeout` for
    /// the first.
    pub(crate) fn read(&mut self, until: i64, out: &mut Vec<Record>, timeout: Duration) -> Found {
        let mut block: Option<BlockBuilder> = None;
        let found = loop {
            if self.position >= until {
                break Found::End;
            }
            let wait = if block.is_some() { Duration::ZERO } else { timeout };
            match self.queue.front(wait) {
                None => break Found::Nothing,
                Some(Front::Record { offset }) if offset >= until => {
                    // It stays for the next range. What lies between has no records.
                    self.position = until;
                }
                Some(Front::Record { offset }) if offset < self.position => self.queue.take(None),
                Some(Front::Record { offset }) => {
                    let block = block.get_or_insert_with(|| {
                        BlockBuilder::new(&self.partition, CHUNK, self.last_size + self.last_size / 8)
                    });
                    self.queue.take(Some(block));
                    self.position = offset + 1;
                    if block.len() >= CHUNK || block.size() >= BLOCK {
                        break Found::Nothing;
                    }
                }
                // It is asked for again when what was read is given out.
                Some(Front::Event { .. }) if block.is_some() => break Found::Nothing,
                Some(Front::Event { code: RDKafkaErrorCode::PartitionEOF, offset }) => {
                    self.queue.take(None);
                    if offset >= self.position {
                        self.position = offset;
                        if offset < until {
                            break Found::EndOfPartition;
                        }
                    }
                }
                Some(Front::Event { code, .. }) => {
                    self.queue.take(None);
                    break Found::Failed(code);
                }
            }
        };
        let Some(block) = block else { return found };
        self.last_size = block.size();
        let bytes = block.size();
        block.finish(out);
        Found::Records { bytes }
    }
}

/// A partition as the client library lists it.
pub(crate) fn list(partition: &TopicPartition, offset: Offset) -> Result<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(1);
    list.add_partition_offset(&partition.topic, partition.partition, offset)
        .map_err(|_| Error::Range(format!("{partition} has no offset {offset:?}")))?;
    Ok(list)
}
