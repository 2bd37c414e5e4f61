// SPDX-License-Identifier: Apache-2.0
//! `Consumer`: which partitions a stream reads, and where it starts.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use dstreams_streaming::{BoxError, Text, Time};
use regex::Regex;

use crate::{
    error::{Error, Result},
    offset_store::OffsetStore,
    ranges::TopicPartition,
};

/// Looks up where a stream goes on, in whatever place keeps it.
type Lookup =
    Arc<dyn Fn(&BTreeSet<TopicPartition>) -> Result<BTreeMap<TopicPartition, i64>, BoxError> + Send + Sync>;

/// What a stream reads: topics, those that a pattern matches, or single partitions; and where it starts when there is no
/// stored position of an earlier run.
///
/// ```
/// use dstreams_kafka::Consumer;
/// let clicks = Consumer::subscribe(["clicks", "views"]).from_offsets([(("clicks", 0), 42)]);
/// let all = Consumer::subscribe_pattern("click-.*")?;
/// let one = Consumer::assign([("clicks", 0)]);
/// # Ok::<(), dstreams_kafka::Error>(())
/// ```
#[derive(Clone)]
pub struct Consumer {
    pub(crate) selection: Selection,
    pub(crate) start: StartAt,
    pub(crate) store: Option<Arc<dyn OffsetStore>>,
    pub(crate) rates: Option<Rates>,
}

/// The limits of each partition.
pub(crate) type Rates = Arc<dyn Fn(&TopicPartition) -> PartitionRate + Send + Sync>;

/// How much of a partition a batch takes, in place of `spark.streaming.kafka.maxRatePerPartition` and `minRatePerPartition`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionRate {
    /// Records per second; 0 is unlimited.
    pub max: i64,
    /// Records of each batch that limits leave to the partition.
    pub min: i64,
}

/// Which partitions.
#[derive(Debug, Clone)]
pub(crate) enum Selection {
    Topics(Vec<Text>),
    Pattern(Regex),
    Partitions(Vec<TopicPartition>),
}

/// Where a stream starts in partitions of which no earlier run has stored a position. Those that it says nothing of start
/// at the offset that the group has committed, else as `auto.offset.reset` says.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum StartAt {
    /// At committed offsets.
    #[default]
    Committed,
    /// At these offsets.
    Offsets(BTreeMap<TopicPartition, i64>),
    /// At the first record that is not older; at the end where there is none.
    Time(Time),
    /// Where another system says, such as the database that has the results.
    Stored(Lookup),
}

impl Consumer {
    /// All partitions of these topics, those that are added later included.
    pub fn subscribe<T: Into<Text>>(topics: impl IntoIterator<Item = T>) -> Self {
        Self::new(Selection::Topics(topics.into_iter().map(Into::into).collect()))
    }

    /// All partitions of all topics whose whole name the pattern matches, those that are made later included. Topics of
    /// Kafka itself, whose names begin with two underscores, are left out.
    pub fn subscribe_pattern(pattern: &str) -> Result<Self, Error> {
        let pattern = Regex::new(&format!("^(?:{pattern})$"))
            .map_err(|error| Error::Range(format!("{pattern} is no pattern of topic names: {error}")))?;
        Ok(Self::new(Selection::Pattern(pattern)))
    }

    /// These partitions.
    pub fn assign<P: Into<TopicPartition>>(partitions: impl IntoIterator<Item = P>) -> Self {
        Self::new(Selection::Partitions(partitions.into_iter().map(Into::into).collect()))
    }

    fn new(selection: Selection) -> Self {
        Self { selection, start: StartAt::Committed, store: None, rates: None }
    }

    /// Starts at these offsets.
    #[must_use]
    pub fn from_offsets<P: Into<TopicPartition>>(self, offsets: impl IntoIterator<Item = (P, i64)>) -> Self {
        let offsets = offsets.into_iter().map(|(partition, offset)| (partition.into(), offset)).collect();
        self.start_at(StartAt::Offsets(offsets))
    }

    /// Starts at the first records that are not older than `time`.
    #[must_use]
    pub fn from_time(self, time: Time) -> Self {
        self.start_at(StartAt::Time(time))
    }

    /// Starts where `lookup` says; it is asked when the stream starts, and when there are new partitions.
    #[must_use]
    pub fn from_store(
        self,
        lookup: impl Fn() -> Result<BTreeMap<TopicPartition, i64>, BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.start_at(StartAt::Stored(Arc::new(move |_partitions| lookup())))
    }

    /// Starts where `store` says, and tells it the positions of each batch that is complete.
    ///
    /// ```
    /// use dstreams_kafka::{Consumer, FileOffsets};
    /// let lines = Consumer::subscribe(["lines"]).from_offset_store(FileOffsets::new("/var/lib/words/offsets"));
    /// ```
    #[must_use]
    pub fn from_offset_store(self, store: impl OffsetStore) -> Self {
        let store: Arc<dyn OffsetStore> = Arc::new(store);
        let lookup = Arc::clone(&store);
        let start = StartAt::Stored(Arc::new(move |partitions| lookup.load(partitions)));
        Self { store: Some(store), ..self.start_at(start) }
    }

    /// Gives each partition limits of its own.
    ///
    /// ```
    /// use dstreams_kafka::{Consumer, PartitionRate};
    /// let consumer = Consumer::subscribe(["clicks", "views"]).rates(|partition| match partition.topic.as_str() {
    ///     "clicks" => PartitionRate { max: 0, min: 1 },
    ///     _ => PartitionRate { max: 1_000, min: 1 },
    /// });
    /// ```
    #[must_use]
    pub fn rates(self, rates: impl Fn(&TopicPartition) -> PartitionRate + Send + Sync + 'static) -> Self {
        Self { rates: Some(Arc::new(rates)), ..self }
    }

    /// Starts as `start` says.
    #[must_use]
    pub fn start_at(self, start: StartAt) -> Self {
        Self { start, ..self }
    }
}

impl Selection {
    /// Whether a topic is among those that are read.
    pub(crate) fn has(&self, topic: &str) -> bool {
        match self {
            Self::Topics(topics) => topics.iter().any(|other| other == topic),
            Self::Pattern(pattern) => !topic.starts_with("__") && pattern.is_match(topic),
            Self::Partitions(partitions) => partitions.iter().any(|other| other.topic == topic),
        }
    }
}
