// SPDX-License-Identifier: Apache-2.0
//! `Cluster`: what the driver asks the brokers. Which partitions there are, where they begin and end, what is committed.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
    time::Duration,
};

use dstreams_streaming::{
    Text,
    clock::{Clock as _, SystemClock},
};
use dstreams_wal::fault;
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext},
    error::KafkaResult,
    metadata::Metadata,
    types::RDKafkaErrorCode,
};

use crate::{
    client::{self, Client, Context},
    error::{Error, Result},
    params::{Params, Reset},
    ranges::TopicPartition,
    subscription::{Consumer, Selection, StartAt},
};

/// Up to so many topics are asked for one by one; for more, all topics of the cluster at once.
const FEW: usize = 8;

/// Errors that the client library goes on after by itself, such as that of a topic that was made a moment ago.
pub(crate) fn is_passing(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::LeaderNotAvailable
            | RDKafkaErrorCode::NotLeaderForPartition
            | RDKafkaErrorCode::FencedLeaderEpoch
            | RDKafkaErrorCode::UnknownLeaderEpoch
            | RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownPartition
    )
}

/// How long is waited before the same is asked again.
const PAUSE: Duration = Duration::from_millis(50);

/// Offsets by partition.
pub(crate) type Offsets = BTreeMap<TopicPartition, i64>;

/// A client that reads nothing. It joins no group, so that no other member can take partitions from a stream.
#[derive(Clone)]
pub(crate) struct Cluster {
    client: Arc<Client>,
    timeout: Duration,
    group: Option<String>,
}

impl Cluster {
    /// Makes the client; the brokers need not be there yet.
    pub(crate) fn new(params: &Params, timeout: Duration) -> Result<Self> {
        let forced = [("enable.auto.commit", "false"), ("enable.auto.offset.store", "false")];
        let client = client::connect(params, &forced)?;
        Ok(Self { client, timeout, group: params.get("group.id").map(str::to_owned) })
    }

    /// Whether there is a group to commit to.
    pub(crate) fn has_group(&self) -> bool {
        self.group.is_some()
    }

    /// As this, but gives up sooner.
    pub(crate) fn within(&self, timeout: Duration) -> Self {
        Self { timeout: timeout.min(self.timeout), ..self.clone() }
    }

    /// Asks again and again while brokers or partitions are not known yet; nothing after `patience`.
    pub(crate) fn when_known<R>(
        &self,
        patience: Duration,
        ask: impl Fn(&Self) -> Result<Option<R>>,
    ) -> Result<Option<R>> {
        let end = SystemClock.now() + patience.into();
        loop {
            match ask(self) {
                Ok(Some(answer)) => return Ok(Some(answer)),
                Ok(None) => {}
                Err(Error::Request { code, .. }) if is_passing(code) => {}
                Err(error) => return Err(error),
            }
            if SystemClock.now() > end {
                return Ok(None);
            }
            self.pause();
        }
    }

    /// Lets a moment pass, and takes in what the client says meanwhile.
    pub(crate) fn pause(&self) {
        drop(self.client.poll(PAUSE));
    }

    fn ask<A>(&self, action: &'static str, ask: impl FnOnce(&Client) -> KafkaResult<A>) -> Result<A> {
        let answer = ask(&self.client);
        client::listen(&self.client);
        let context = self.client.context();
        answer.inspect(|_| context.answered()).map_err(|error| context.failed(action, &error))
    }

    /// The partitions of a selection that exist.
    pub(crate) fn partitions(&self, selection: &Selection) -> Result<BTreeSet<TopicPartition>> {
        client::listen(&self.client);
        let mut found = BTreeSet::new();
        let asked: Vec<Option<&str>> = match selection {
            Selection::Topics(topics) if topics.len() <= FEW => {
                topics.iter().map(|topic| Some(topic.as_str())).collect()
            }
            Selection::Partitions(partitions) => {
                let topics: BTreeSet<&str> = partitions.iter().map(|partition| &*partition.topic).collect();
                if topics.len() <= FEW { topics.into_iter().map(Some).collect() } else { vec![None] }
            }
            _ => vec![None],
        };
        for topic in asked {
            let metadata = self
                .ask("ask which partitions there are", |client| client.fetch_metadata(topic, self.timeout))?;
            collect(&metadata, selection, &mut found);
        }
        if let Selection::Partitions(partitions) = selection {
            found.retain(|partition| partitions.contains(partition));
        }
        Ok(found)
    }

    /// The first offset of each partition. Those of which nothing is known are missing.
    pub(crate) fn earliest<'a>(
        &self,
        partitions: impl IntoIterator<Item = &'a TopicPartition>,
    ) -> Result<Offsets> {
        self.offsets(partitions, Offset::Beginning, "ask for the first offsets")
    }

    /// The offset after the last record of each partition, of those that readers may see.
    pub(crate) fn latest<'a>(
        &self,
        partitions: impl IntoIterator<Item = &'a TopicPartition>,
    ) -> Result<Offsets> {
        self.offsets(partitions, Offset::End, "ask for the last offsets")
    }

    fn offsets<'a>(
        &self,
        partitions: impl IntoIterator<Item = &'a TopicPartition>,
        at: Offset,
        action: &'static str,
    ) -> Result<Offsets> {
        let asked = list(partitions.into_iter().map(|partition| (partition, at)))?;
        if asked.count() == 0 {
            return Ok(Offsets::new());
        }
        let answer = self.ask(action, |client| client.offsets_for_times(asked, self.timeout))?;
        Ok(offsets(&answer))
    }

    /// What the group has committed.
    pub(crate) fn committed<'a>(
        &self,
        partitions: impl IntoIterator<Item = &'a TopicPartition>,
    ) -> Result<Offsets> {
        let asked = list(partitions.into_iter().map(|partition| (partition, Offset::Invalid)))?;
        if !self.has_group() || asked.count() == 0 {
            return Ok(Offsets::new());
        }
        let answer = self
            .ask("ask for the committed offsets", |client| client.committed_offsets(asked, self.timeout))?;
        Ok(offsets(&answer))
    }

    /// Commits offsets to the group; returns when the broker has them.
    pub(crate) fn commit(&self, offsets: &Offsets) -> Result<()> {
        let offsets = list(offsets.iter().map(|(partition, offset)| (partition, Offset::Offset(*offset))))?;
        let group = self.group.as_deref().unwrap_or_default();
        commit(&self.client, group, &offsets)
    }

    /// Where to start in partitions without a stored position.
    pub(crate) fn start(
        &self,
        partitions: &BTreeSet<TopicPartition>,
        consumer: &Consumer,
        rule: Reset,
    ) -> Result<Offsets> {
        let mut positions = match &consumer.start {
            StartAt::Committed => Offsets::new(),
            StartAt::Offsets(offsets) => offsets.clone(),
            StartAt::Time(time) => {
                let at = Offset::Offset(time.as_millis());
                let found = self.offsets(partitions, at, "ask for the offsets of a time")?;
                let newer: Vec<_> =
                    partitions.iter().filter(|partition| !found.contains_key(*partition)).collect();
                let mut ends = self.latest(newer)?;
                ends.extend(found);
                ends
            }
            StartAt::Stored(lookup) => lookup(partitions)
                .map_err(|error| Error::Range(format!("the store does not say where to start: {error}")))?,
        };
        positions.retain(|partition, _| partitions.contains(partition));
        let without = |positions: &Offsets| -> Vec<TopicPartition> {
            partitions.iter().filter(|partition| !positions.contains_key(*partition)).cloned().collect()
        };
        positions.extend(self.committed(&without(&positions))?);
        let others = without(&positions);
        positions.extend(self.reset(&others, rule)?);
        Ok(positions)
    }

    /// Where `auto.offset.reset` says that partitions are to be read from.
    pub(crate) fn reset(&self, partitions: &[TopicPartition], rule: Reset) -> Result<Offsets> {
        match (rule, partitions.first()) {
            (_, None) => Ok(Offsets::new()),
            (Reset::Earliest, _) => self.earliest(partitions),
            (Reset::Latest, _) => self.latest(partitions),
            (Reset::Fail, Some(partition)) => Err(Error::NoOffset { partition: partition.clone() }),
        }
    }
}

/// Commits offsets to the group of a consumer, with a fault point before and one after.
pub(crate) fn commit<R: Send + Sync + 'static>(
    consumer: &BaseConsumer<Context<R>>,
    group: &str,
    offsets: &TopicPartitionList,
) -> Result<()>
where
    Context<R>: ConsumerContext,
{
    let pass = |step| {
        fault::pass("kafka-offsets", step, Path::new(group))
            .map_err(|error| Error::Client { problem: error.to_string() })
    };
    pass("commit")?;
    let committed = consumer.commit(offsets, CommitMode::Sync);
    committed.map_err(|error| consumer.context().failed("commit offsets", &error))?;
    pass("committed")
}

fn collect(metadata: &Metadata, selection: &Selection, found: &mut BTreeSet<TopicPartition>) {
    for topic in metadata.topics() {
        if topic.error().is_none() && selection.has(topic.name()) {
            let name = Text::from(topic.name());
            let partitions = topic.partitions().iter();
            found.extend(partitions.map(|partition| TopicPartition::new(name.clone(), partition.id())));
        }
    }
}

fn list<'a>(
    partitions: impl IntoIterator<Item = (&'a TopicPartition, Offset)>,
) -> Result<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in partitions {
        list.add_partition_offset(&partition.topic, partition.partition, offset)
            .map_err(|_| Error::Range(format!("{partition} has no offset {offset:?}")))?;
    }
    Ok(list)
}

/// The offsets in an answer. Partitions with an error, or without an offset, are left out.
fn offsets(answer: &TopicPartitionList) -> Offsets {
    let elements = answer.elements();
    let known = elements.iter().filter(|element| element.error().is_ok());
    known
        .filter_map(|element| match element.offset() {
            Offset::Offset(offset) => {
                Some((TopicPartition::new(element.topic(), element.partition()), offset))
            }
            _ => None,
        })
        .collect()
}
