// SPDX-License-Identifier: Apache-2.0
//! `ProducerRecord`: what a sink sends for a record. One is filled again and again, so that nothing is allocated for each.

use dstreams_streaming::Time;
use rdkafka::{
    message::{Header, OwnedHeaders},
    producer::BaseRecord,
};

/// A record on its way to Kafka: what the function of a [`KafkaSink`](crate::KafkaSink) fills in. Without a value it is a
/// tombstone, which deletes its key from a compacted topic.
#[derive(Debug, Default)]
pub struct ProducerRecord {
    topic: String,
    partition: Option<i32>,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
    timestamp: Option<Time>,
    /// Memory of keys and values that were sent.
    spare: Vec<Vec<u8>>,
}

impl ProducerRecord {
    /// The key. Records of one key go to one partition, the one that the Java client would choose.
    pub fn key(&mut self, key: impl AsRef<[u8]>) -> &mut Self {
        self.key_with(|bytes| bytes.extend_from_slice(key.as_ref()))
    }

    /// The key, appended by `encode` to a buffer that is used again.
    pub fn key_with(&mut self, encode: impl FnOnce(&mut Vec<u8>)) -> &mut Self {
        let mut bytes = self.key.take().or_else(|| self.spare.pop()).unwrap_or_default();
        bytes.clear();
        encode(&mut bytes);
        self.key = Some(bytes);
        self
    }

    /// The value.
    pub fn value(&mut self, value: impl AsRef<[u8]>) -> &mut Self {
        self.value_with(|bytes| bytes.extend_from_slice(value.as_ref()))
    }

    /// The value, appended by `encode` to a buffer that is used again.
    pub fn value_with(&mut self, encode: impl FnOnce(&mut Vec<u8>)) -> &mut Self {
        let mut bytes = self.value.take().or_else(|| self.spare.pop()).unwrap_or_default();
        bytes.clear();
        encode(&mut bytes);
        self.value = Some(bytes);
        self
    }

    /// The value, appended by `encode`, which can fail.
    pub fn try_value_with<E>(
        &mut self,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<&mut Self, E> {
        let mut outcome = Ok(());
        self.value_with(|bytes| outcome = encode(bytes));
        outcome.map(|()| self)
    }

    /// One more header.
    pub fn header(&mut self, name: impl Into<String>, value: impl AsRef<[u8]>) -> &mut Self {
        self.headers.push((name.into(), Some(value.as_ref().to_vec())));
        self
    }

    /// Another topic than that of the sink.
    pub fn topic(&mut self, topic: impl AsRef<str>) -> &mut Self {
        topic.as_ref().clone_into(&mut self.topic);
        self
    }

    /// The partition, instead of the one that the key chooses.
    pub fn partition(&mut self, partition: i32) -> &mut Self {
        self.partition = Some(partition);
        self
    }

    /// When the record was made; the time of sending if it is not said.
    pub fn timestamp(&mut self, time: Time) -> &mut Self {
        self.timestamp = Some(time);
        self
    }

    /// Empties it for the next record, which goes to `topic`.
    pub(super) fn reset(&mut self, topic: &str) {
        topic.clone_into(&mut self.topic);
        self.partition = None;
        self.timestamp = None;
        self.spare.extend(self.key.take());
        self.spare.extend(self.value.take());
        self.headers.clear();
    }

    pub(super) fn topic_name(&self) -> &str {
        &self.topic
    }

    /// As the client library takes it.
    pub(super) fn as_base(&self) -> BaseRecord<'_, [u8], [u8]> {
        let mut record = BaseRecord::<[u8], [u8]>::to(&self.topic);
        if let Some(key) = &self.key {
            record = record.key(key.as_slice());
        }
        if let Some(value) = &self.value {
            record = record.payload(value.as_slice());
        }
        if let Some(partition) = self.partition {
            record = record.partition(partition);
        }
        if let Some(time) = self.timestamp {
            record = record.timestamp(time.as_millis());
        }
        if self.headers.is_empty() {
            return record;
        }
        let headers = OwnedHeaders::new_with_capacity(self.headers.len());
        let headers = self.headers.iter().fold(headers, |headers, (name, value)| {
            headers.insert(Header { key: name, value: value.as_deref() })
        });
        record.headers(headers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_is_filled_again_has_nothing_of_the_one_before() {
        let mut record = ProducerRecord::default();
        record.reset("t");
        record
            .key("k")
            .value("v")
            .header("h", "1")
            .partition(3)
            .topic("other")
            .timestamp(Time::from_millis(7));
        let base = record.as_base();
        assert_eq!((base.topic, base.partition, base.timestamp), ("other", Some(3), Some(7)));
        assert_eq!((base.key, base.payload), (Some(&b"k"[..]), Some(&b"v"[..])));
        assert!(base.headers.is_some());
        record.reset("t");
        let base = record.as_base();
        assert_eq!((base.topic, base.partition, base.timestamp), ("t", None, None));
        assert!(base.key.is_none() && base.payload.is_none() && base.headers.is_none());
        record.value("second");
        assert_eq!(record.as_base().payload, Some(&b"second"[..]));
    }
}
