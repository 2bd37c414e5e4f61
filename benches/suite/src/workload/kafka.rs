// SPDX-License-Identifier: Apache-2.0
//! Records of a Kafka topic, counted per batch, with a sum of what is in them; the loop is one over librdkafka's consumer.
//! The broker is that of `DSTREAMS_TEST_KAFKA`.

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use dstreams::{
    Config,
    kafka::{Admin, Consumer, OffsetRange, Params, Sender, direct_stream},
};
use dstreams_bench_kit::{Arguments, Outcome, Report, Result, measure, mix};
use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
};

use super::Workload;
use crate::engine::{self, Engine};

pub(super) const WORKLOAD: Workload =
    Workload { name: "kafka-count", input: fill, by_hand: Some(by_hand), tuned: None, dstreams: streams };

const PARTITIONS: i32 = 4;

/// Records of a batch in the full run, and bytes of each.
const BATCH: usize = 100_000;
const VALUE: usize = 100;

/// How long the broker may keep a loop waiting.
const PATIENCE: Duration = Duration::from_secs(30);

fn broker() -> Result<String> {
    env::var("DSTREAMS_TEST_KAFKA").map_err(|_| "DSTREAMS_TEST_KAFKA does not say where a broker is".into())
}

fn records(arguments: &Arguments) -> usize {
    arguments.scaled(BATCH) * arguments.total()
}

fn topic(arguments: &Arguments) -> String {
    format!("kafka-count-{}", records(arguments))
}

/// Fills the topic, if an earlier run has not.
fn fill(arguments: &Arguments) -> Result<()> {
    let (params, topic, records) = (Params::new(broker()?), topic(arguments), records(arguments));
    let admin = Admin::new(&params)?;
    admin.create_topic(&topic, PARTITIONS, &[])?;
    let there: u64 = admin.ranges(&topic)?.iter().map(OffsetRange::count).sum();
    let (mut sender, mut value) = (Sender::new(&params.set("linger.ms", "20"))?, [b'x'; VALUE]);
    for number in usize::try_from(there)?..records {
        value[..8].copy_from_slice(&(number as u64).to_le_bytes());
        let partition = i32::try_from(number % 4)?;
        sender.send(&topic, |record| {
            record.partition(partition).value(value);
        })?;
    }
    Ok(sender.flush()?)
}

/// What a record adds to the sum.
fn number(value: Option<&[u8]>) -> u64 {
    let first = value.and_then(|value| value.first_chunk().copied());
    mix(u64::from_le_bytes(first.unwrap_or_default()))
}

/// A batch has other records on other systems, but all have the same in the end.
fn with_sum(mut report: Report, sum: u64) -> Report {
    report.checksum = mix(report.checksum ^ sum);
    report
}

fn by_hand(arguments: &Arguments) -> Result<Report> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker()?).set("group.id", "bench").set("enable.auto.commit", "false");
    // As streams have it: with the library's own settings a full queue is left alone for a second, and the loop is several
    // times slower.
    config.set("fetch.queue.backoff.ms", "5").set("queued.min.messages", "32768");
    let consumer: BaseConsumer = config.create()?;
    let (mut list, topic) = (TopicPartitionList::new(), topic(arguments));
    for partition in 0..PARTITIONS {
        list.add_partition_offset(&topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&list)?;
    let (size, mut sum) = (arguments.scaled(BATCH) as u64, 0u64);
    let outcome = Outcome::new(arguments);
    let report = measure(arguments, size * arguments.batches as u64, &outcome, |batches| {
        for batch in batches {
            for _ in 0..size {
                let message = consumer.poll(PATIENCE).ok_or("the broker gives no records")??;
                sum = sum.wrapping_add(number(message.payload()));
            }
            outcome.add(batch, size, 0);
        }
        Ok(())
    })?;
    Ok(with_sum(report, sum))
}

fn streams(arguments: &Arguments) -> Result<Report> {
    let size = arguments.scaled(BATCH);
    let mut config = Config::default();
    config.set("dstreams.kafka.maxRecordsPerBatch", &size.to_string())?;
    let engine = Engine::with(arguments, config)?;
    let params = Params::new(broker()?).set("auto.offset.reset", "earliest");
    let stream = direct_stream(engine.context(), Consumer::subscribe([topic(arguments)]), params)?;
    let (outcome, sum) = (Outcome::new(arguments), Arc::new(AtomicU64::new(0)));
    let (counts, total) = (outcome.clone(), Arc::clone(&sum));
    stream
        .map_partitions(|records| {
            let add = |(count, sum): (u64, u64), record: dstreams::kafka::Record| {
                (count + 1, sum.wrapping_add(number(record.value())))
            };
            std::iter::once(records.fold((0, 0), add))
        })
        .for_each_rdd(move |rdd, time| {
            for (count, sum) in rdd.collect()? {
                counts.add(engine::number(time), count, 0);
                total.fetch_add(sum, Ordering::Relaxed);
            }
            Ok(())
        });
    let report =
        measure(arguments, (size * arguments.batches) as u64, &outcome, |batches| engine.run(batches))?;
    Ok(with_sum(report, sum.load(Ordering::Relaxed)))
}
