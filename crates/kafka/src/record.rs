// SPDX-License-Identifier: Apache-2.0
//! `Record`: a record of a topic, 16 bytes that share a block of about a thousand records; nothing is allocated for one.

use std::{fmt, ops::Range, str::Utf8Error, sync::Arc};

use dstreams_streaming::{Payload, Text, Time};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ranges::TopicPartition;

/// A record with its key, value, headers, and place in Kafka.
///
/// It is cheap to clone, and shares memory with about a thousand records that were read with it: keep what you need of a
/// record for long, such as [`Text::detached`], rather than the record.
#[derive(Clone)]
pub struct Record {
    block: Arc<RecordBlock>,
    index: u32,
}

/// Records of one partition that were read together.
pub(crate) struct RecordBlock {
    partition: TopicPartition,
    bytes: Bytes,
    entries: Vec<Entry>,
}

/// Keys, values and headers, one after the other. As text they are shared with the texts that are made from them.
enum Bytes {
    Text(Text),
    Other(Vec<u8>),
}

/// Where a record is in the bytes: key, value and headers from `start` on.
#[derive(Debug, Clone, Copy)]
struct Entry {
    offset: i64,
    timestamp: i64,
    start: u32,
    key: u32,
    value: u32,
    headers: u32,
}

/// The length of a key or value that is not there.
const NONE: u32 = u32::MAX;

/// The timestamp of a record that has none.
const NO_TIME: i64 = i64::MIN;

impl Record {
    /// The topic.
    pub fn topic(&self) -> &str {
        &self.block.partition.topic
    }

    /// The number of the partition in its topic.
    pub fn partition(&self) -> i32 {
        self.block.partition.partition
    }

    /// The topic and the number of the partition.
    pub fn topic_partition(&self) -> &TopicPartition {
        &self.block.partition
    }

    /// The offset in the partition.
    pub fn offset(&self) -> i64 {
        self.entry().offset
    }

    /// When the record was made or appended, as the topic is configured.
    pub fn timestamp(&self) -> Option<Time> {
        Some(self.entry().timestamp).filter(|time| *time != NO_TIME).map(Time::from_millis)
    }

    /// The key, if there is one.
    pub fn key(&self) -> Option<&[u8]> {
        self.part(self.entry().key_range())
    }

    /// The value; none in a tombstone, which marks a key as deleted.
    pub fn value(&self) -> Option<&[u8]> {
        self.part(self.entry().value_range())
    }

    /// The key as text, empty if there is none. It shares the memory of the record.
    pub fn key_text(&self) -> Result<Text, Utf8Error> {
        self.text(self.entry().key_range())
    }

    /// The value as text, empty if there is none. It shares the memory of the record.
    pub fn value_text(&self) -> Result<Text, Utf8Error> {
        self.text(self.entry().value_range())
    }

    /// The headers in their order; decoded as they are asked for.
    pub fn headers(&self) -> Headers<'_> {
        let Entry { headers, .. } = *self.entry();
        let start = self.entry().headers_start();
        Headers { rest: &self.block.bytes.all()[start..start + headers as usize] }
    }

    /// How many bytes key and value have.
    pub fn size(&self) -> usize {
        let length = |part: Option<Range<usize>>| part.map_or(0, |part| part.len());
        length(self.entry().key_range()) + length(self.entry().value_range())
    }

    fn entry(&self) -> &Entry {
        &self.block.entries[self.index as usize]
    }

    fn part(&self, range: Option<Range<usize>>) -> Option<&[u8]> {
        Some(&self.block.bytes.all()[range?])
    }

    fn text(&self, range: Option<Range<usize>>) -> Result<Text, Utf8Error> {
        let Some(range) = range else { return Ok(Text::default()) };
        match &self.block.bytes {
            // What is text as a whole need not be text between any two bytes.
            Bytes::Text(whole)
                if whole.is_char_boundary(range.start) && whole.is_char_boundary(range.end) =>
            {
                Ok(whole.slice(range))
            }
            bytes => std::str::from_utf8(&bytes.all()[range]).map(Text::from),
        }
    }
}

impl Entry {
    fn key_range(&self) -> Option<Range<usize>> {
        let start = self.start as usize;
        (self.key != NONE).then(|| start..start + self.key as usize)
    }

    fn value_range(&self) -> Option<Range<usize>> {
        let start = self.start as usize + length(self.key);
        (self.value != NONE).then(|| start..start + self.value as usize)
    }

    fn headers_start(&self) -> usize {
        self.start as usize + length(self.key) + length(self.value)
    }
}

fn length(stored: u32) -> usize {
    if stored == NONE { 0 } else { stored as usize }
}

impl Bytes {
    fn all(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Other(bytes) => bytes,
        }
    }
}

impl Payload for Record {
    /// The value; empty if there is none.
    fn payload(&self) -> &[u8] {
        self.value().unwrap_or_default()
    }

    fn origin(&self) -> Option<String> {
        Some(format!("topic {}, partition {}, offset {}", self.topic(), self.partition(), self.offset()))
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("partition", &format_args!("{}", self.block.partition))
            .field("offset", &self.offset())
            .field("key", &self.key().map(String::from_utf8_lossy))
            .field("value", &self.value().map(String::from_utf8_lossy))
            .finish_non_exhaustive()
    }
}

impl PartialEq for Record {
    fn eq(&self, other: &Self) -> bool {
        self.block.partition == other.block.partition
            && self.offset() == other.offset()
            && self.timestamp() == other.timestamp()
            && self.key() == other.key()
            && self.value() == other.value()
            && self.headers().eq(other.headers())
    }
}

/// A header of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// Its name; several headers of a record may have the same.
    pub name: &'a str,
    /// Its value, which may be missing.
    pub value: Option<&'a [u8]>,
}

/// The headers of a record; see [`Record::headers`].
#[derive(Debug, Clone)]
pub struct Headers<'a> {
    rest: &'a [u8],
}

impl<'a> Headers<'a> {
    /// The value of the last header of this name, which is the one that counts.
    pub fn last(self, name: &str) -> Option<&'a [u8]> {
        self.filter(|header| header.name == name).last().and_then(|header| header.value)
    }

    /// The next field: its stored length, and its bytes.
    fn field(&mut self) -> Option<(u32, &'a [u8])> {
        let (stored, rest) = self.rest.split_first_chunk()?;
        let stored = u32::from_le_bytes(*stored);
        let (field, rest) = rest.split_at_checked(length(stored))?;
        self.rest = rest;
        Some((stored, field))
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        let (_, name) = self.field()?;
        let (stored, value) = self.field()?;
        Some(Header { name: std::str::from_utf8(name).ok()?, value: (stored != NONE).then_some(value) })
    }
}

/// Collects the records of a block.
pub(crate) struct BlockBuilder {
    partition: TopicPartition,
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

impl BlockBuilder {
    /// A block of `partition` with room for so many records and bytes before it has to grow.
    pub(crate) fn new(partition: &TopicPartition, records: usize, bytes: usize) -> Self {
        Self {
            partition: partition.clone(),
            bytes: Vec::with_capacity(bytes),
            entries: Vec::with_capacity(records),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many bytes the records have so far.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Adds a record.
    pub(crate) fn push(
        &mut self,
        offset: i64,
        timestamp: Option<i64>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) {
        let start = stored_length(self.bytes.len());
        let mut add = |part: Option<&[u8]>| {
            part.map_or(NONE, |part| {
                self.bytes.extend_from_slice(part);
                stored_length(part.len())
            })
        };
        let (key, value) = (add(key), add(value));
        let timestamp = timestamp.unwrap_or(NO_TIME);
        self.entries.push(Entry { offset, timestamp, start, key, value, headers: 0 });
    }

    /// Adds a header to the record that was added last.
    pub(crate) fn push_header(&mut self, name: &str, value: Option<&[u8]>) {
        let before = self.bytes.len();
        for field in [Some(name.as_bytes()), value] {
            let length = field.map_or(NONE, |field| stored_length(field.len()));
            self.bytes.extend_from_slice(&length.to_le_bytes());
            self.bytes.extend_from_slice(field.unwrap_or_default());
        }
        if let Some(entry) = self.entries.last_mut() {
            entry.headers += stored_length(self.bytes.len() - before);
        }
    }

    /// Appends the records of the block to `out`.
    pub(crate) fn finish(self, out: &mut Vec<Record>) {
        let bytes = match String::from_utf8(self.bytes) {
            Ok(text) => Bytes::Text(Text::from(text)),
            Err(error) => Bytes::Other(error.into_bytes()),
        };
        let count = stored_length(self.entries.len());
        let block = Arc::new(RecordBlock { partition: self.partition, bytes, entries: self.entries });
        out.extend((0..count).map(|index| Record { block: Arc::clone(&block), index }));
    }
}

/// Blocks are cut long before they reach four gigabytes, and the client library takes no message beyond one.
fn stored_length(length: usize) -> u32 {
    u32::try_from(length).expect("a block is shorter than 4 GB")
}

/// A record as it is written: alone.
#[derive(Serialize)]
struct Stored<'a> {
    partition: &'a TopicPartition,
    offset: i64,
    timestamp: Option<i64>,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
    headers: Vec<(&'a str, Option<&'a [u8]>)>,
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Stored {
            partition: &self.block.partition,
            offset: self.offset(),
            timestamp: self.timestamp().map(Time::as_millis),
            key: self.key(),
            value: self.value(),
            headers: self.headers().map(|header| (header.name, header.value)).collect(),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Owned::deserialize(deserializer)?;
        let mut block = BlockBuilder::new(&stored.partition, 1, 0);
        block.push(stored.offset, stored.timestamp, stored.key.as_deref(), stored.value.as_deref());
        for (name, value) in &stored.headers {
            block.push_header(name, value.as_deref());
        }
        let mut records = Vec::with_capacity(1);
        block.finish(&mut records);
        records.pop().ok_or_else(|| serde::de::Error::custom("no record"))
    }
}

/// As `Stored`, in memory of its own.
#[derive(Deserialize)]
struct Owned {
    partition: TopicPartition,
    offset: i64,
    timestamp: Option<i64>,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

#[cfg(test)]
mod tests {
    use dstreams_rdd::codec::{Compression, decode_chunk, encode_chunk};

    use super::*;

    fn block(values: &[Option<&[u8]>]) -> Vec<Record> {
        let mut block = BlockBuilder::new(&TopicPartition::new("t", 3), values.len(), 0);
        for (offset, value) in (7..).zip(values) {
            block.push(offset, Some(1_000 + offset), Some(b"key"), *value);
            block.push_header("kind", Some(b"test"));
            block.push_header("empty", None);
        }
        let mut records = Vec::new();
        block.finish(&mut records);
        records
    }

    #[test]
    fn a_record_has_its_own_parts_of_the_block() {
        let records = block(&[Some(b"one"), None, Some(b"")]);
        assert_eq!(records.iter().map(Record::offset).collect::<Vec<_>>(), [7, 8, 9]);
        assert_eq!(records[0].value(), Some(&b"one"[..]));
        assert_eq!((records[1].value(), records[2].value()), (None, Some(&b""[..])));
        let last = &records[2];
        assert_eq!((last.topic(), last.partition(), last.key()), ("t", 3, Some(&b"key"[..])));
        assert_eq!(last.timestamp(), Some(Time::from_millis(1_009)));
        assert_eq!(last.headers().count(), 2);
        assert_eq!(last.headers().last("kind"), Some(&b"test"[..]));
        assert_eq!(last.headers().nth(1), Some(Header { name: "empty", value: None }));
        assert_eq!(size_of::<Record>(), 16);
    }

    #[test]
    fn text_is_that_of_the_record_alone() {
        let long = "a value that is longer than what a text holds in place";
        let records = block(&[Some(long.as_bytes()), Some("é".as_bytes()), None]);
        assert_eq!(records[0].value_text().expect("text"), long);
        assert_eq!(records[1].value_text().expect("text"), "é");
        assert_eq!(records[2].value_text().expect("nothing"), "");
        // Together the two halves are text, alone neither is; and one record that is none leaves the others alone.
        let mut halves = BlockBuilder::new(&TopicPartition::new("t", 0), 2, 0);
        halves.push(0, None, None, Some(&"é".as_bytes()[..1]));
        halves.push(1, None, None, Some(&"é".as_bytes()[1..]));
        let mut records = Vec::new();
        halves.finish(&mut records);
        assert!(records[0].value_text().is_err() && records[1].value_text().is_err());
        let mixed = block(&[Some(b"good"), Some(&[0xff])]);
        assert_eq!(mixed[0].value_text().expect("text"), "good");
        assert!(mixed[1].value_text().is_err());
    }

    #[test]
    fn what_is_written_is_read_again() {
        let records = block(&[Some(b"one"), None, Some(&[0xff])]);
        let mut bytes = Vec::new();
        encode_chunk(&records, Compression::None, &mut bytes).expect("records can be written");
        let mut read = Vec::new();
        decode_chunk(&bytes, &mut read).expect("they have just been written");
        assert_eq!(records, read);
    }
}
