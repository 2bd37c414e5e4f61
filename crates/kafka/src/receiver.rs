// SPDX-License-Identifier: Apache-2.0
//! `receiver_stream`: members of a consumer group that store what they receive, and commit it when it is in the log.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use dstreams_streaming::{
    BoxError, DStream, StreamingContext,
    clock::{Clock as _, SystemClock},
    config::keys,
    receiver::{Receiver, ReceiverHandle},
};
use parking_lot::Mutex;
use rdkafka::{
    Message as _, Offset, TopicPartitionList,
    config::FromClientConfigAndContext as _,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext, RebalanceProtocol},
    error::KafkaError,
    message::{BorrowedMessage, Headers as _},
    types::RDKafkaRespErr,
};

use crate::{
    claims::Claims,
    client::Context,
    cluster::{Offsets, commit},
    error::Error,
    params::{Params, Reset},
    ranges::TopicPartition,
    record::{BlockBuilder, Record},
    subscription::{Consumer, Selection, StartAt},
};

/// A block is stored when it has so many records or bytes, if its time has not come before.
const BLOCK_RECORDS: usize = 10_000;
const BLOCK_BYTES: usize = 8 << 20;

/// How long a record is waited for at a time.
const WAIT: Duration = Duration::from_millis(10);

/// The metadata key under which a block says how far each partition is stored.
const STORED: &str = "kafka offsets";

/// A stream of what `receivers` members of the group `group.id` receive. Records are stored in blocks, in the log where
/// there is a checkpoint directory, and their offsets committed only then: what was not stored is received again. When
/// partitions pass from one receiver to another, or the program ends between log and commit, nothing is lost and nothing
/// stored twice.
///
/// Other programs may be members of the group too; [`direct_stream`](crate::direct_stream) is faster and needs no log.
///
/// ```no_run
/// use dstreams_kafka::{Consumer, Params, receiver_stream};
/// # fn build(ssc: &dstreams_streaming::StreamingContext) -> Result<(), Box<dyn std::error::Error>> {
/// let params = Params::new("localhost:9092").group("word-count");
/// receiver_stream(ssc, Consumer::subscribe(["lines"]), params, 2)?.count().print();
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn receiver_stream(
    ssc: &StreamingContext,
    consumer: Consumer,
    params: impl Into<Params>,
    receivers: usize,
) -> Result<DStream<Record>, Error> {
    let params = params.into();
    params.client(&[])?;
    if params.get("group.id").is_none() {
        let problem = "it is missing: receivers are members of a group";
        return Err(Error::Property { name: "group.id".to_owned(), problem: problem.to_owned() });
    }
    let Consumer { selection, start, .. } = consumer;
    if !matches!(start, StartAt::Committed) || matches!(selection, Selection::Partitions(_)) {
        return Err(Error::Range(
            "the members of a group share out topics and start at committed offsets; use direct_stream to assign partitions or to say where to start"
                .to_owned(),
        ));
    }
    let reset = params.reset()?;
    let claims = Arc::new(Claims::new(receivers.max(1)));
    let every = ssc.config().get(&keys::BLOCK_INTERVAL);
    let streams = (0..receivers.max(1)).map(|number| {
        ssc.receiver_stream(KafkaReceiver {
            number,
            params: params.clone(),
            reset,
            selection: selection.clone(),
            claims: Arc::clone(&claims),
            every,
        })
    });
    let mut streams: Vec<_> = streams.collect();
    Ok(match streams.pop() {
        Some(one) if streams.is_empty() => one,
        last => ssc.union(streams.into_iter().chain(last).collect()),
    })
}

/// A member of a group.
struct KafkaReceiver {
    number: usize,
    params: Params,
    reset: Reset,
    selection: Selection,
    claims: Arc<Claims>,
    /// The time between two blocks.
    every: dstreams_streaming::Duration,
}

impl Receiver for KafkaReceiver {
    type Record = Record;

    fn on_start(&mut self, handle: ReceiverHandle<Record>) -> Result<(), BoxError> {
        let reset = match self.reset {
            Reset::Earliest => "earliest",
            Reset::Latest => "latest",
            Reset::Fail => "error",
        };
        let forced = [
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("auto.offset.reset", reset),
        ];
        let config = self.params.client(&forced)?;
        let topics: Vec<String> = match &self.selection {
            Selection::Topics(topics) => topics.iter().map(ToString::to_string).collect(),
            Selection::Pattern(pattern) => vec![pattern.as_str().to_owned()],
            Selection::Partitions(_) => Vec::new(),
        };
        let (number, every, claims) = (self.number, self.every, Arc::clone(&self.claims));
        let params = self.params.clone();
        let group = self.params.get("group.id").unwrap_or_default().to_owned();
        handle.spawn("kafka", move |handle| {
            let last = handle.last_stored();
            let stored = last.and_then(|block| block.metadata.get(STORED).map(|text| read(text)));
            let stored = stored.unwrap_or_default();
            claims.tell(number, stored.clone(), || handle.is_stopped());
            let filling = Mutex::new(Filling { stored, ..Filling::default() });
            let member = Member { number, group, handle: handle.clone(), claims, filling };
            let consumer: MemberClient =
                BaseConsumer::from_config_and_context(&config, Context::new(&params, member))
                    .map_err(|error| Error::client(&error))?;
            let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
            let subscribed = consumer.subscribe(&topics);
            subscribed.map_err(|error| consumer.context().failed("subscribe", &error))?;
            receive(&consumer, handle, every)
        })
    }

    fn name(&self) -> String {
        "KafkaReceiver".to_owned()
    }
}

/// Collects records and stores them until the receiver is to end.
fn receive(
    consumer: &MemberClient,
    handle: &ReceiverHandle<Record>,
    every: dstreams_streaming::Duration,
) -> Result<(), BoxError> {
    let context = Arc::clone(consumer.context());
    let member = context.role();
    while !handle.is_stopped() {
        let most = block_records(handle.rate().records_per_second(), every);
        // Brokers keep the time of the system, so blocks are cut by it, too.
        let end = SystemClock.now() + every;
        while SystemClock.now() < end && !member.filling.lock().is_full(most) {
            match consumer.poll(WAIT) {
                Some(Ok(message)) => member.filling.lock().add(&message),
                Some(Err(error)) => member.report(&context.failed("receive records", &error)),
                None => {}
            }
        }
        member.store(consumer)?;
    }
    // What was taken by then is stored, so that a graceful stop loses nothing of it.
    member.store(consumer)
}

/// How many records a block may have: no more than the rate gives between two blocks, or the next one would come late.
fn block_records(rate: Option<i64>, every: dstreams_streaming::Duration) -> usize {
    let by_rate = rate.map(|rate| rate.saturating_mul(every.as_millis()) / 1_000);
    let by_rate = by_rate.map_or(BLOCK_RECORDS, |records| usize::try_from(records).unwrap_or(0));
    by_rate.clamp(1, BLOCK_RECORDS)
}

/// The records of the next block.
#[derive(Default)]
struct Filling {
    blocks: BTreeMap<TopicPartition, BlockBuilder>,
    /// The offset after the last record of each block.
    ends: Offsets,
    /// How far each partition was stored that this receiver ever had.
    stored: Offsets,
    records: usize,
    bytes: usize,
}

impl Filling {
    fn is_full(&self, most: usize) -> bool {
        self.records >= most || self.bytes >= BLOCK_BYTES
    }

    fn add(&mut self, message: &BorrowedMessage<'_>) {
        let partition = TopicPartition::new(message.topic(), message.partition());
        self.ends.insert(partition.clone(), message.offset() + 1);
        let block =
            self.blocks.entry(partition.clone()).or_insert_with(|| BlockBuilder::new(&partition, 64, 0));
        let before = block.size();
        block.push(message.offset(), message.timestamp().to_millis(), message.key(), message.payload());
        for header in message.headers().into_iter().flat_map(|headers| headers.iter()) {
            block.push_header(header.key, header.value);
        }
        self.records += 1;
        self.bytes += block.size() - before;
    }
}

/// The side of a member that hears of rebalances.
struct Member {
    number: usize,
    group: String,
    handle: ReceiverHandle<Record>,
    claims: Arc<Claims>,
    filling: Mutex<Filling>,
}

type MemberClient = BaseConsumer<Context<Member>>;

impl Member {
    /// Stores what was collected of partitions that this receiver still has, then commits it.
    fn store(&self, consumer: &MemberClient) -> Result<(), BoxError> {
        let mut filling = self.filling.lock();
        let (blocks, ends) = (std::mem::take(&mut filling.blocks), std::mem::take(&mut filling.ends));
        (filling.records, filling.bytes) = (0, 0);
        if blocks.is_empty() {
            return Ok(());
        }
        let mine = self.claims.begin(self.number, &ends);
        let mut all = filling.stored.clone();
        all.extend(mine.clone());
        let mut records = Vec::new();
        for (_, block) in blocks.into_iter().filter(|(partition, _)| mine.contains_key(partition)) {
            block.finish(&mut records);
        }
        let metadata = BTreeMap::from([(STORED.to_owned(), write(&all))]);
        let stored = if records.is_empty() {
            Ok(())
        } else {
            self.handle.store_block_with(records, &metadata).map(drop)
        };
        self.claims.end(&mine, stored.is_ok());
        stored?;
        filling.stored = all;
        drop(filling);
        let mut list = TopicPartitionList::new();
        for (partition, end) in &mine {
            list.add_partition_offset(&partition.topic, partition.partition, Offset::Offset(*end))?;
        }
        if list.count() > 0
            && let Err(error) = commit(consumer, &self.group, &list)
        {
            // It is stored; when the partition comes back it goes on there, and the next commit says so.
            tracing::warn!(%error, "offsets of stored records are not committed yet");
        }
        Ok(())
    }

    fn report(&self, error: &Error) {
        self.handle.report_error("Kafka", error.clone());
    }

    fn assigned(&self, consumer: &MemberClient, list: &mut TopicPartitionList) -> Result<(), KafkaError> {
        let committed = consumer.committed_offsets(list.clone(), Duration::from_secs(10));
        let committed = committed.inspect_err(|error| {
            self.report(&consumer.context().failed("ask for the committed offsets", error));
        });
        let committed = committed.ok();
        let partitions = partitions(list);
        for partition in partitions {
            let stored = self.claims.claim(self.number, &partition);
            let at = committed.as_ref().and_then(|list| {
                match list.find_partition(&partition.topic, partition.partition)?.offset() {
                    Offset::Offset(offset) => Some(offset),
                    _ => None,
                }
            });
            if let Some(stored) = stored.filter(|stored| at.is_none_or(|at| at < *stored)) {
                list.set_partition_offset(&partition.topic, partition.partition, Offset::Offset(stored))?;
            }
        }
        Ok(())
    }

    fn revoked(&self, consumer: &MemberClient, list: &TopicPartitionList) {
        let partitions = partitions(list);
        if consumer.assignment_lost() {
            // Others may have them already: what is not stored is theirs to receive.
            self.claims.give_up(self.number, &partitions);
        }
        if let Err(error) = self.store(consumer) {
            self.handle.report_error("what was received could not be stored and is received again", error);
        }
        self.claims.give_up(self.number, &partitions);
    }
}

fn partitions(list: &TopicPartitionList) -> Vec<TopicPartition> {
    let elements = list.elements();
    elements.iter().map(|element| TopicPartition::new(element.topic(), element.partition())).collect()
}

impl ConsumerContext for Context<Member> {
    fn rebalance(&self, consumer: &MemberClient, event: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let by_parts = matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
        let outcome = if event == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            self.role().assigned(consumer, list).and_then(|()| {
                if by_parts { consumer.incremental_assign(list) } else { consumer.assign(list) }
            })
        } else {
            self.role().revoked(consumer, list);
            if by_parts { consumer.incremental_unassign(list) } else { consumer.unassign() }
        };
        if let Err(error) = outcome {
            self.role().report(&self.failed("take partitions of the group", &error));
        }
    }
}

/// Offsets as the metadata of a block has them: `topic partition offset` in lines.
fn write(offsets: &Offsets) -> String {
    let lines: Vec<String> = offsets
        .iter()
        .map(|(TopicPartition { topic, partition }, offset)| format!("{topic} {partition} {offset}"))
        .collect();
    lines.join("\n")
}

fn read(text: &str) -> Offsets {
    let parse = |line: &str| {
        let mut fields = line.split(' ');
        let partition = TopicPartition::new(fields.next()?, fields.next()?.parse().ok()?);
        Some((partition, fields.next()?.parse().ok()?))
    };
    text.lines().filter_map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_has_no_more_records_than_its_time_allows() {
        let every = dstreams_streaming::time::milliseconds(200);
        assert_eq!(block_records(None, every), BLOCK_RECORDS);
        assert_eq!(block_records(Some(1_000), every), 200);
        assert_eq!(block_records(Some(0), every), 1);
        assert_eq!(block_records(Some(i64::MAX), every), BLOCK_RECORDS);
    }

    #[test]
    fn offsets_are_read_from_what_a_block_says() {
        let offsets: Offsets =
            [(TopicPartition::new("a.b_c-d", 0), 7), (TopicPartition::new("t", 12), 0)].into();
        assert_eq!(read(&write(&offsets)), offsets);
    }
}
