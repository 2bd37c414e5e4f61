// SPDX-License-Identifier: Apache-2.0
//! `OffsetRange`: what a batch takes of a partition. Data only, logged with the batch.

use std::{fmt, str::FromStr};

use dstreams_streaming::{InputInfo, Text};
use serde::{Deserialize, Serialize};

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TopicPartition {
    /// The topic.
    pub topic: Text,
    /// The number of the partition, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// The partition `partition` of `topic`.
    pub fn new(topic: impl Into<Text>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

impl<T: Into<Text>> From<(T, i32)> for TopicPartition {
    fn from((topic, partition): (T, i32)) -> Self {
        Self::new(topic, partition)
    }
}

/// The offsets of a partition from one to before another.
///
/// ```
/// use dstreams_kafka::OffsetRange;
/// let range = OffsetRange::new("clicks", 0, 2, 7);
/// assert_eq!((range.count(), range.to_string().as_str()), (5, "OffsetRange(topic: 'clicks', partition: 0, range: [2 -> 7])"));
/// assert_eq!(range.to_string().parse(), Ok(range));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OffsetRange {
    /// The partition.
    pub partition: TopicPartition,
    /// The first offset.
    pub from: i64,
    /// The offset after the last one.
    pub until: i64,
}

impl OffsetRange {
    /// The offsets of a partition from `from` to before `until`.
    pub fn new(topic: impl Into<Text>, partition: i32, from: i64, until: i64) -> Self {
        Self { partition: TopicPartition::new(topic, partition), from, until }
    }

    /// How many offsets it has. There may be fewer records: compaction and transactions leave offsets without one.
    pub fn count(&self) -> u64 {
        u64::try_from(self.until - self.from).unwrap_or(0)
    }

    /// Whether it has no offsets.
    pub fn is_empty(&self) -> bool {
        self.until <= self.from
    }

    /// The ranges of a batch of a Kafka stream, from what listeners are told of its input: empty for other streams.
    pub fn list_of(input: &InputInfo) -> Vec<Self> {
        let listed = input.metadata.get(Self::METADATA);
        listed.into_iter().flat_map(|text| text.lines()).filter_map(|line| line.parse().ok()).collect()
    }

    /// The metadata key under which listeners find the ranges of a batch, one per line.
    pub const METADATA: &str = "offsets";

    /// Neighbouring ranges of the same partition as one.
    pub(crate) fn merged(ranges: &[Self]) -> Vec<Self> {
        let mut merged: Vec<Self> = Vec::new();
        for range in ranges {
            match merged.last_mut() {
                Some(last) if last.partition == range.partition && last.until == range.from => {
                    last.until = range.until;
                }
                _ => merged.push(range.clone()),
            }
        }
        merged
    }

    /// The range in parts of at most `limit` offsets, as equal as can be; an empty one stays.
    pub(crate) fn split(self, limit: Option<u64>) -> Vec<Self> {
        let count = self.count();
        let parts = limit.map_or(1, |limit| count.div_ceil(limit.max(1))).max(1);
        let cut = |part: u64| {
            let offsets = u128::from(count) * u128::from(part) / u128::from(parts);
            self.from + i64::try_from(offsets).expect("at most the length of the range")
        };
        if parts == 1 {
            return vec![self];
        }
        (0..parts)
            .map(|part| Self { partition: self.partition.clone(), from: cut(part), until: cut(part + 1) })
            .collect()
    }
}

impl fmt::Display for OffsetRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition: TopicPartition { topic, partition }, from, until } = self;
        write!(f, "OffsetRange(topic: '{topic}', partition: {partition}, range: [{from} -> {until}])")
    }
}

/// A text that is not an offset range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an offset range such as OffsetRange(topic: 't', partition: 0, range: [0 -> 5])")]
pub struct ParseOffsetRangeError(String);

impl FromStr for OffsetRange {
    type Err = ParseOffsetRangeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let rest = text.strip_prefix("OffsetRange(topic: '")?.strip_suffix("])")?;
            let (topic, rest) = rest.split_once("', partition: ")?;
            let (partition, rest) = rest.split_once(", range: [")?;
            let (from, until) = rest.split_once(" -> ")?;
            Some(Self::new(topic, partition.parse().ok()?, from.parse().ok()?, until.parse().ok()?))
        };
        parse().ok_or_else(|| ParseOffsetRangeError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_range_are_neighbours_and_no_longer_than_the_limit() {
        for (count, limit, lengths) in
            [(10, 4, &[3, 3, 4][..]), (4, 4, &[4]), (0, 4, &[0]), (5, 1, &[1, 1, 1, 1, 1])]
        {
            let range = OffsetRange::new("t", 0, 7, 7 + count);
            let parts = range.clone().split(Some(limit));
            assert_eq!(parts.iter().map(OffsetRange::count).collect::<Vec<_>>(), lengths);
            assert_eq!(OffsetRange::merged(&parts), [range]);
        }
        assert_eq!(OffsetRange::new("t", 0, 0, 9).split(None).len(), 1);
    }

    #[test]
    fn ranges_of_a_batch_are_read_from_what_listeners_are_told() {
        let ranges = [OffsetRange::new("it's", 0, 0, 5), OffsetRange::new("b", 1, 3, 3)];
        let text = format!("{}\n{}", ranges[0], ranges[1]);
        let mut info = InputInfo::of_records(5);
        assert_eq!(OffsetRange::list_of(&info), []);
        info.metadata.insert(OffsetRange::METADATA.to_owned(), text);
        assert_eq!(OffsetRange::list_of(&info), ranges);
    }
}
