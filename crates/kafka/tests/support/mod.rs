// SPDX-License-Identifier: Apache-2.0
//! Topics of a real broker, and a producer, for the tests of this crate.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::time::Duration;

use dstreams_kafka::{Params, Record};
use dstreams_streaming::{Config, time::seconds};
use dstreams_test_servers::Kafka;
use futures_executor::block_on;
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    error::KafkaError,
    message::{Header, Message as _, OwnedHeaders},
    producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer},
};

/// How long a broker may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A broker, and what tests do with it.
pub(crate) struct Broker {
    pub(crate) address: String,
    admin: AdminClient<DefaultClientContext>,
    producer: ThreadedProducer<DefaultProducerContext>,
}

impl Broker {
    /// The broker that tests share; none where there is none. Every test uses topics of its own names.
    pub(crate) fn shared(test: &str) -> Option<Self> {
        Some(Self::at(&Kafka::shared_or_skip(test)?))
    }

    /// The broker at an address.
    pub(crate) fn at(address: &str) -> Self {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", address).set("linger.ms", "0").set("reconnect.backoff.max.ms", "500");
        let admin = config.create().expect("an admin client");
        let producer = config.create().expect("a producer");
        Self { address: address.to_owned(), admin, producer }
    }

    /// Parameters of a consumer that starts at the beginning.
    pub(crate) fn params(&self) -> Params {
        Params::new(&self.address).set("auto.offset.reset", "earliest").set("reconnect.backoff.max.ms", "500")
    }

    pub(crate) fn create(&self, topic: &str, partitions: i32) {
        self.create_with(topic, partitions, &[]);
    }

    pub(crate) fn create_with(&self, topic: &str, partitions: i32, config: &[(&str, &str)]) {
        let mut new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        for (name, value) in config {
            new = new.set(name, value);
        }
        let created = block_on(self.admin.create_topics([&new], &AdminOptions::new())).expect("an answer");
        for topic in created {
            topic.expect("a topic that is not there yet");
        }
        self.await_partitions(topic, partitions);
    }

    pub(crate) fn add_partitions(&self, topic: &str, partitions: i32) {
        let new = NewPartitions::new(topic, usize::try_from(partitions).expect("a number of partitions"));
        let added = block_on(self.admin.create_partitions([&new], &AdminOptions::new())).expect("an answer");
        for topic in added {
            topic.expect("more partitions than before");
        }
        self.await_partitions(topic, partitions);
    }

    pub(crate) fn delete(&self, topic: &str) {
        let deleted = block_on(self.admin.delete_topics(&[topic], &AdminOptions::new())).expect("an answer");
        for topic in deleted {
            topic.expect("a topic that is there");
        }
        self.await_partitions(topic, 0);
    }

    /// Removes the records before `offset`, as retention does.
    pub(crate) fn truncate(&self, topic: &str, partition: i32, offset: i64) {
        let mut list = rdkafka::TopicPartitionList::new();
        list.add_partition_offset(topic, partition, rdkafka::Offset::Offset(offset)).expect("an offset");
        block_on(self.admin.delete_records(&list, &AdminOptions::new())).expect("an answer");
    }

    fn await_partitions(&self, topic: &str, partitions: i32) {
        // Asked by the producer, so that it knows them too.
        let count = || {
            let metadata = self.producer.client().fetch_metadata(Some(topic), PATIENCE).expect("metadata");
            let topic =
                metadata.topics().iter().find(|found| found.name() == topic && found.error().is_none());
            topic.map_or(0, |topic| topic.partitions().iter().filter(|p| p.leader() >= 0).count())
        };
        while i32::try_from(count()).expect("few partitions") != partitions {
            std::thread::yield_now();
        }
    }

    /// Appends values, and returns when the broker has them.
    pub(crate) fn send<V: AsRef<[u8]>>(
        &self,
        topic: &str,
        partition: i32,
        values: impl IntoIterator<Item = V>,
    ) {
        self.send_keyed(topic, partition, values.into_iter().map(|value| ("", value)));
    }

    /// Appends values with keys, and returns when the broker has them.
    pub(crate) fn send_keyed<K: AsRef<[u8]>, V: AsRef<[u8]>>(
        &self,
        topic: &str,
        partition: i32,
        records: impl IntoIterator<Item = (K, V)>,
    ) {
        send(&self.producer, topic, partition, records);
        self.producer.flush(PATIENCE).expect("the broker takes the records");
    }

    /// Appends a record with a header, made at a time in milliseconds.
    pub(crate) fn send_with_header(
        &self,
        topic: &str,
        key: &str,
        value: &str,
        (name, content): (&str, &str),
        time: i64,
    ) {
        let headers = OwnedHeaders::new().insert(Header { key: name, value: Some(content) });
        let record =
            BaseRecord::to(topic).partition(0).key(key).payload(value).headers(headers).timestamp(time);
        self.producer.send(record).map_err(|(error, _)| error).expect("room for the record");
        self.producer.flush(PATIENCE).expect("the broker takes the record");
    }

    /// Commits an offset to a group that has no members.
    pub(crate) fn commit(&self, group: &str, topic: &str, partition: i32, offset: i64) {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.address).set("group.id", group);
        let consumer: BaseConsumer = config.create().expect("a consumer");
        let mut list = rdkafka::TopicPartitionList::new();
        list.add_partition_offset(topic, partition, rdkafka::Offset::Offset(offset)).expect("an offset");
        consumer.commit(&list, CommitMode::Sync).expect("the group has no members");
    }

    /// What a group has committed of a partition.
    pub(crate) fn committed(&self, group: &str, topic: &str, partition: i32) -> Option<i64> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.address).set("group.id", group);
        let consumer: BaseConsumer = config.create().expect("a consumer");
        let mut list = rdkafka::TopicPartitionList::new();
        list.add_partition(topic, partition);
        let list = consumer.committed_offsets(list, PATIENCE).expect("an answer");
        list.elements()[0].offset().to_raw().filter(|offset| *offset >= 0)
    }
}

/// A producer that writes with transactions to the first partition.
pub(crate) struct Transactions(ThreadedProducer<DefaultProducerContext>);

impl Transactions {
    pub(crate) fn new(broker: &Broker, id: &str) -> Self {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &broker.address).set("transactional.id", id).set("linger.ms", "0");
        let producer: ThreadedProducer<DefaultProducerContext> = config.create().expect("a producer");
        producer.init_transactions(PATIENCE).expect("a coordinator");
        Self(producer)
    }

    /// Begins a transaction and leaves it open, with these values at the broker.
    pub(crate) fn begin<'a>(&self, topic: &str, values: impl IntoIterator<Item = &'a str>) {
        self.0.begin_transaction().expect("no transaction is open");
        send(&self.0, topic, 0, values.into_iter().map(|value| ("", value)));
        self.0.flush(PATIENCE).expect("the broker takes the records");
    }

    /// Commits what was begun.
    pub(crate) fn end(&self) {
        self.0.commit_transaction(PATIENCE).expect("the broker commits");
    }

    pub(crate) fn commit<'a>(&self, topic: &str, values: impl IntoIterator<Item = &'a str>) {
        self.begin(topic, values);
        self.end();
    }

    pub(crate) fn abort<'a>(&self, topic: &str, values: impl IntoIterator<Item = &'a str>) {
        self.begin(topic, values);
        self.0.abort_transaction(PATIENCE).expect("the broker aborts");
    }
}

/// Appends records without waiting for the broker.
pub(crate) fn send<K: AsRef<[u8]>, V: AsRef<[u8]>>(
    producer: &ThreadedProducer<DefaultProducerContext>,
    topic: &str,
    partition: i32,
    records: impl IntoIterator<Item = (K, V)>,
) {
    for (key, value) in records {
        let mut record = BaseRecord::to(topic).partition(partition).payload(value.as_ref());
        if !key.as_ref().is_empty() {
            record = record.key(key.as_ref());
        }
        producer.send(record).map_err(|(error, _)| error).expect("room for the record");
    }
}

/// A configuration in which a test does not wait long for brokers that are away, and sees changes at once.
pub(crate) fn config() -> Config {
    config_with(&[])
}

/// As `config`, with settings.
pub(crate) fn config_with(settings: &[(&str, &str)]) -> Config {
    let mut config = Config::new();
    for (name, value) in [("dstreams.kafka.metadataInterval", "0")].iter().chain(settings) {
        config.set(name, value).expect("a known setting");
    }
    config
}

/// The interval of the batches of most tests.
pub(crate) fn interval() -> dstreams_streaming::Duration {
    seconds(1)
}

/// The value of a record as a string.
pub(crate) fn value(record: &Record) -> String {
    record.value_text().expect("a value that is text").to_string()
}

/// A record that was read from a topic.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) partition: i32,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: String,
}

impl Broker {
    /// All records of a topic, partition by partition, as far as readers of this isolation may see them.
    pub(crate) fn read(&self, topic: &str, partitions: i32, isolation: &str) -> Vec<Seen> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.address)
            .set("group.id", "reader")
            .set("isolation.level", isolation);
        config
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "10");
        let consumer: BaseConsumer = config.create().expect("a consumer");
        let mut list = rdkafka::TopicPartitionList::new();
        for partition in 0..partitions {
            list.add_partition_offset(topic, partition, rdkafka::Offset::Beginning).expect("a partition");
        }
        consumer.assign(&list).expect("partitions");
        let (mut seen, mut ended) = (Vec::new(), 0);
        while ended < partitions {
            match consumer.poll(PATIENCE).expect("the end of each partition is told") {
                Ok(message) => seen.push(Seen {
                    partition: message.partition(),
                    key: message.key().map(<[u8]>::to_vec),
                    value: String::from_utf8_lossy(message.payload().unwrap_or_default()).into_owned(),
                }),
                Err(KafkaError::PartitionEOF(_)) => ended += 1,
                Err(error) => panic!("{topic} cannot be read: {error}"),
            }
        }
        seen
    }
}
