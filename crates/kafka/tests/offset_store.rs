// SPDX-License-Identifier: Apache-2.0
//! Streams without a checkpoint directory that go on where a store says.

mod support;

use std::sync::{Arc, Mutex};

use dstreams_kafka::{
    Consumer, FileOffsets, GroupOffsets, KafkaSink, OffsetStore, ResultOffsets, direct_stream,
};
use dstreams_streaming::{BoxError, Text, testing::TestContext};
use support::{Broker, config, config_with, interval, value};

/// Reads a batch of a topic as a program would that has been started again.
fn read(broker: &Broker, topic: &str, store: impl OffsetStore) -> Result<Vec<String>, BoxError> {
    let test = TestContext::with(config(), interval())?;
    let consumer = Consumer::subscribe([topic]).from_offset_store(store);
    let stream = direct_stream(test.context(), consumer, broker.params())?;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let values = Arc::clone(&seen);
    stream.map(|record| value(&record)).for_each_rdd(move |rdd, _| {
        values.lock().expect("no panic").extend(rdd.collect()?);
        Ok(())
    });
    test.run(1)?;
    let seen = seen.lock().expect("no panic").clone();
    Ok(seen)
}

#[test]
fn a_file_and_a_group_know_where_to_go_on() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("a_file_and_a_group_know_where_to_go_on") else { return Ok(()) };
    broker.create("stored", 1);
    let directory = tempfile::tempdir()?;
    let file = || FileOffsets::new(directory.path().join("offsets"));
    let group = || GroupOffsets::new(broker.params().group("a-store"));
    broker.send("stored", 0, ["a", "b"]);
    assert_eq!(read(&broker, "stored", file())?, ["a", "b"]);
    assert_eq!(read(&broker, "stored", group())?, ["a", "b"]);
    broker.send("stored", 0, ["c"]);
    assert_eq!(read(&broker, "stored", file())?, ["c"]);
    assert_eq!(read(&broker, "stored", group())?, ["c"]);
    assert_eq!(broker.committed("a-store", "stored", 0), Some(3));
    Ok(())
}

#[test]
fn results_in_kafka_know_where_to_go_on() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("results_in_kafka_know_where_to_go_on") else { return Ok(()) };
    broker.create("source", 2);
    broker.create("results", 1);
    let sink = || {
        KafkaSink::new(broker.params(), "results", |text: Text, record| {
            record.value(text);
        })
    };
    // A batch of the same time is the same batch: each process begins a second later.
    let run = |batches: i64| {
        let test = TestContext::with(config_with(&[("dstreams.kafka.commitOffsets", "false")]), interval())?;
        let store = ResultOffsets::new(sink()?, "test", "results");
        let consumer = Consumer::subscribe(["source"]).from_offset_store(store);
        test.clock().advance(interval() * (batches - 1));
        let stream = direct_stream(test.context(), consumer, broker.params())?;
        stream.map(|record| Text::from(value(&record))).write_to(sink()?).named("results");
        test.run(1)?;
        Ok::<(), BoxError>(())
    };
    broker.send("source", 0, ["a", "b"]);
    broker.send("source", 1, ["c"]);
    run(1)?;
    broker.send("source", 1, ["d"]);
    run(2)?;
    run(3)?;
    let mut values: Vec<_> =
        broker.read("results", 1, "read_committed").into_iter().map(|record| record.value).collect();
    values.sort();
    assert_eq!(values, ["a", "b", "c", "d"]);
    Ok(())
}
