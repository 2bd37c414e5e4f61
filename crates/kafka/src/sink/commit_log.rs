// SPDX-License-Identifier: Apache-2.0
//! `CommitLog`: the topic of an application in which each transaction leaves the identity of its partition.

use std::{collections::BTreeSet, time::Duration as Waiting};

use dstreams_streaming::{
    BatchIdentity, Committed, CommittedPositions, Duration, Time,
    clock::{Clock as _, SystemClock},
    time::{minutes, seconds},
};
use futures_executor::block_on;
use parking_lot::Mutex;
use rdkafka::{
    admin::{AdminOptions, NewTopic, TopicReplication},
    types::RDKafkaErrorCode,
};

use super::{identity::IdentityRecord, known::Known, names, producer::Producer};
use crate::{
    client,
    cluster::{Cluster, is_passing},
    error::{Error, Result},
    params::{Params, Reset},
    partition_reader::{Found, PartitionReader},
    ranges::TopicPartition,
    record::Record,
    subscription::Consumer,
};

/// The clocks of the brokers, by which the topic is searched, may differ by so much from that of the application.
const CLOCKS_DIFFER: Duration = minutes(24 * 60);

/// A transaction that holds back what comes after it is left alone for so long; most are about to end.
const GRACE: Duration = seconds(3);

/// How long to wait for records at a time.
const WAIT: Waiting = Waiting::from_millis(100);

/// What is known of the topic of one application.
pub(super) struct CommitLog {
    params: Params,
    application: String,
    topic: TopicPartition,
    /// How long a new topic keeps its records.
    keep: Duration,
    timeout: Waiting,
    /// After this time no transaction is open that was open before.
    patience: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    reading: Option<Reading>,
    known: Known,
    /// Something may have been committed that is not known.
    in_doubt: bool,
}

/// The clients with which the topic is read.
struct Reading {
    /// Reads what is committed.
    reader: PartitionReader,
    /// Sees all of it.
    all: Cluster,
}

impl CommitLog {
    pub(super) fn new(
        params: &Params,
        application: &str,
        keep: Duration,
        timeout: Waiting,
        patience: Duration,
    ) -> Self {
        Self {
            // Its consumers get nothing of the group of the program.
            params: params.clone().without("group.id"),
            application: application.to_owned(),
            topic: TopicPartition::new(names::commits_topic(application), 0),
            keep,
            timeout,
            patience,
            state: Mutex::default(),
        }
    }

    pub(super) fn topic(&self) -> &str {
        &self.topic.topic
    }

    /// What is committed of a batch. The topic is read where that is not known for sure.
    pub(super) fn of_batch(&self, batch: &BatchIdentity) -> Result<Committed> {
        let mut state = self.state.lock();
        if state.in_doubt || !state.known.covers(batch.batch_time) {
            self.catch_up(&mut state, batch.batch_time)?;
        }
        Ok(state.known.of_batch(batch))
    }

    /// As `of_batch`, after the topic was read to its present end: for one who has just shut others out.
    pub(super) fn of_batch_now(&self, batch: &BatchIdentity) -> Result<Committed> {
        let mut state = self.state.lock();
        self.catch_up(&mut state, batch.batch_time)?;
        Ok(state.known.of_batch(batch))
    }

    /// The latest batches of an output, the latest first.
    pub(super) fn latest(&self, output: &str, limit: usize) -> Result<Vec<CommittedPositions>> {
        let mut state = self.state.lock();
        self.catch_up(&mut state, Time::from_millis(0))?;
        Ok(state.known.latest(output, limit))
    }

    /// A transaction of this process has committed it.
    pub(super) fn note(&self, record: IdentityRecord) {
        self.state.lock().known.add(record);
    }

    /// A transaction of this process has ended, and it is not known how.
    pub(super) fn doubt(&self) {
        self.state.lock().in_doubt = true;
    }

    fn catch_up(&self, state: &mut State, batch: Time) -> Result<()> {
        // What fails half-way is begun anew, with new clients.
        let State { reading, mut known, .. } = std::mem::take(state);
        let (mut reading, known) = match reading {
            Some(reading) if known.covers(batch) => (reading, &mut known),
            _ => {
                known = Known::since(batch);
                (self.open(batch)?, &mut known)
            }
        };
        self.read_all(&mut reading, known)?;
        *state = State { reading: Some(reading), known: std::mem::take(known), in_doubt: false };
        Ok(())
    }

    fn open(&self, batch: Time) -> Result<Reading> {
        let visible =
            Cluster::new(&self.params.clone().set("isolation.level", "read_committed"), self.timeout)?;
        let topic = [self.topic.clone()];
        let exists = visible.partitions(&Consumer::assign(topic.clone()).selection)?.contains(&self.topic);
        if !exists {
            self.create()?;
        }
        let since = Time::from_millis((batch - CLOCKS_DIFFER).as_millis().max(0));
        let start = Consumer::assign(topic.clone()).from_time(since);
        let topic = BTreeSet::from(topic);
        // A topic that was just made is not known everywhere at once.
        let from = visible.when_known(self.patience.to_std(), |cluster| {
            Ok(cluster.start(&topic, &start, Reset::Latest)?.get(&self.topic).copied())
        })?;
        let from = from.ok_or_else(late)?;
        let all =
            Cluster::new(&self.params.clone().set("isolation.level", "read_uncommitted"), self.timeout)?;
        Ok(Reading { reader: self.reader("read_committed", from)?, all })
    }

    fn reader(&self, isolation: &str, from: i64) -> Result<PartitionReader> {
        let properties = [
            ("isolation.level", isolation),
            ("enable.auto.commit", "false"),
            ("enable.partition.eof", "true"),
            ("auto.offset.reset", "error"),
            // The end is told with the first fetch that finds nothing.
            ("fetch.wait.max.ms", "20"),
        ];
        let client = client::connect(&self.params, &properties)?;
        PartitionReader::open(&client, &self.topic, from)
    }

    fn create(&self) -> Result<()> {
        let admin = client::administrate(&self.params)?;
        let keep = self.keep.as_millis().to_string();
        let topic = NewTopic::new(self.topic(), 1, TopicReplication::Fixed(-1))
            .set("cleanup.policy", "delete")
            .set("retention.ms", &keep)
            .set("message.timestamp.type", "LogAppendTime");
        let options = AdminOptions::new().operation_timeout(Some(self.timeout));
        let action = "create the topic in which the sink keeps what it has committed";
        let created = block_on(admin.create_topics([&topic], &options));
        let created = created.map_err(|error| admin.inner().context().failed(action, &error))?;
        for outcome in created {
            match outcome {
                Ok(_) => tracing::info!(topic = self.topic(), "topic created"),
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((_, code)) => {
                    return Err(Error::Request { action, code, reason: String::new() });
                }
            }
        }
        Ok(())
    }

    /// Reads to the present end, behind which lies what is not decided yet.
    fn read_all(&self, reading: &mut Reading, known: &mut Known) -> Result<()> {
        let end = reading.all.when_known(self.patience.to_std(), |cluster| {
            Ok(cluster.latest([&self.topic])?.get(&self.topic).copied())
        })?;
        let end = end.ok_or_else(late)?;
        if reading.reader.position() >= end {
            return Ok(());
        }
        reading.reader.resume()?;
        let begun = SystemClock.now();
        let mut shut_out = false;
        let mut records = Vec::new();
        loop {
            match reading.reader.read(end, &mut records, WAIT) {
                Found::End => break,
                Found::Records { .. } => {
                    let ours = records.drain(..).filter_map(|record| self.identity(&record));
                    ours.for_each(|identity| known.add(identity));
                }
                Found::Nothing | Found::EndOfPartition => {}
                Found::Failed(code) if is_passing(code) => {}
                Found::Failed(code) => {
                    let (partition, offset) = (self.topic.clone(), reading.reader.position());
                    return Err(Error::Read { partition, offset, code });
                }
            }
            let waited = SystemClock.now() - begun;
            if waited > GRACE && !shut_out {
                self.shut_out(reading.reader.position(), end)?;
                shut_out = true;
            }
            if waited > self.patience {
                return Err(late());
            }
        }
        reading.reader.pause();
        Ok(())
    }

    fn identity(&self, record: &Record) -> Option<IdentityRecord> {
        let identity = IdentityRecord::decode(record.value()?)?;
        (identity.application == self.application).then_some(identity)
    }

    /// Ends the transactions that an earlier process has left open before `end`.
    fn shut_out(&self, from: i64, end: i64) -> Result<()> {
        let mut reader = self.reader("read_uncommitted", from)?;
        let deadline = SystemClock.now() + GRACE;
        let (mut records, mut ids) = (Vec::new(), BTreeSet::new());
        while reader.read(end, &mut records, WAIT) != Found::End && SystemClock.now() < deadline {
            let ours = records.drain(..).filter_map(|record| self.identity(&record));
            ids.extend(
                ours.map(|found| names::of_partition(&found.application, &found.output, found.partition)),
            );
        }
        for id in ids {
            tracing::warn!(id, "a transaction that an earlier process has left open is ended");
            Producer::new(&self.params, Some(&id))?.take_over(self.timeout)?;
        }
        Ok(())
    }
}

/// The brokers do not say within reason what is in the topic.
fn late() -> Error {
    Error::late("read what the sink has committed")
}
