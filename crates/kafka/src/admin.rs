// SPDX-License-Identifier: Apache-2.0
//! `Admin`: topics and lags, for tests, demos and tools that run beside a stream.

use std::{collections::BTreeMap, time::Duration};

use futures_executor::block_on;
use rdkafka::{
    admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication, TopicResult},
    error::KafkaResult,
    types::RDKafkaErrorCode,
};

use crate::{
    client::{self, Context},
    cluster::Cluster,
    error::{Error, Result},
    params::Params,
    ranges::{OffsetRange, TopicPartition},
    subscription::Consumer,
};

/// How long brokers may take to answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

/// Asks and changes what topics there are.
pub struct Admin {
    client: AdminClient<Context>,
    cluster: Cluster,
}

impl Admin {
    /// The cluster of these properties, and the group of `group.id` if there is one.
    pub fn new(params: &Params) -> Result<Self, Error> {
        let client = client::administrate(&params.clone().without("group.id"))?;
        Ok(Self { client, cluster: Cluster::new(params, ANSWERED_WITHIN)? })
    }

    /// Creates a topic, or leaves one that is there as it is. Returns when it can be used.
    pub fn create_topic(&self, topic: &str, partitions: i32, config: &[(&str, &str)]) -> Result<(), Error> {
        let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(-1));
        let new = config.iter().fold(new, |new, (name, value)| new.set(name, value));
        let options = AdminOptions::new().operation_timeout(Some(ANSWERED_WITHIN));
        let created = block_on(self.client.create_topics([&new], &options));
        self.check("create a topic", created)?;
        self.await_partitions(topic, 1)
    }

    /// Gives a topic so many partitions, which are more than it has. Returns when they can be used.
    pub fn add_partitions(&self, topic: &str, partitions: usize) -> Result<(), Error> {
        let new = NewPartitions::new(topic, partitions);
        let added = block_on(self.client.create_partitions([&new], &AdminOptions::new()));
        self.check("add partitions", added)?;
        self.await_partitions(topic, partitions)
    }

    fn await_partitions(&self, topic: &str, partitions: usize) -> Result<(), Error> {
        let ready = self.cluster.when_known(ANSWERED_WITHIN, |cluster| {
            let found = cluster.partitions(&Consumer::subscribe([topic]).selection)?;
            // A partition has a leader when its end can be told.
            let is_ready = found.len() >= partitions && cluster.latest(&found)?.len() == found.len();
            Ok(is_ready.then_some(()))
        })?;
        ready.ok_or_else(|| Error::late("see a topic that was just made"))
    }

    fn check(&self, action: &'static str, outcomes: KafkaResult<Vec<TopicResult>>) -> Result<()> {
        let outcomes = outcomes.map_err(|error| self.client.inner().context().failed(action, &error))?;
        outcomes.into_iter().try_for_each(|outcome| match outcome {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => Ok(()),
            Err((_, code)) => Err(Error::Request { action, code, reason: String::new() }),
        })
    }

    /// All that readers may see of a topic now.
    pub fn ranges(&self, topic: &str) -> Result<Vec<OffsetRange>, Error> {
        let partitions = self.cluster.partitions(&Consumer::subscribe([topic]).selection)?;
        let (earliest, latest) = (self.cluster.earliest(&partitions)?, self.cluster.latest(&partitions)?);
        let range = |(partition, until): (&TopicPartition, &i64)| OffsetRange {
            partition: partition.clone(),
            from: earliest.get(partition).copied().unwrap_or_default(),
            until: *until,
        };
        Ok(latest.iter().map(range).collect())
    }

    /// What the group has committed of a topic.
    pub fn committed(&self, topic: &str) -> Result<BTreeMap<TopicPartition, i64>, Error> {
        self.cluster.committed(&self.cluster.partitions(&Consumer::subscribe([topic]).selection)?)
    }

    /// How many records of a topic the group has still to read; where it has committed nothing, all of them.
    pub fn lag(&self, topic: &str) -> Result<u64, Error> {
        let (ranges, committed) = (self.ranges(topic)?, self.committed(topic)?);
        let left = |range: &OffsetRange| {
            let from = committed.get(&range.partition).copied().unwrap_or(range.from);
            u64::try_from(range.until - from).unwrap_or(0)
        };
        Ok(ranges.iter().map(left).sum())
    }
}
