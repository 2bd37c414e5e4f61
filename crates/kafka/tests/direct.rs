// SPDX-License-Identifier: Apache-2.0
//! The direct stream against a real broker: what it reads, where it starts, what it says of a batch, what it commits.

mod support;

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
};

use dstreams_kafka::{Consumer, OffsetRange, TopicPartition, direct_stream};
use dstreams_streaming::{
    BoxError, InputInfo, StreamingListener, Time, event::BatchInfo, testing::TestContext, time::milliseconds,
};
use dstreams_wal::fault::{self, Fault};
use support::{Broker, config, config_with, interval, value};

/// The messages of Spark's suite: seven of one kind, nine of another.
fn sixteen() -> Vec<&'static str> {
    [["a"; 7].as_slice(), &["b"; 9]].concat()
}

#[test]
fn records_that_came_since_the_batch_before_are_counted() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("records_that_came_since_the_batch_before_are_counted") else {
        return Ok(());
    };
    broker.create("counted", 2);
    broker.send("counted", 0, ["a", "b"]);
    broker.send("counted", 1, ["c"]);
    let test = TestContext::with(config(), interval())?;
    let stream = direct_stream(test.context(), Consumer::subscribe(["counted"]), broker.params())?;
    let counts = test.collect(&stream.count());
    let values = test.collect(&stream.map(|record| value(&record)));
    test.run(1)?;
    broker.send("counted", 1, ["d", "e"]);
    test.run(2)?;
    assert_eq!(counts.batches(), [[3], [2], [0]]);
    assert_eq!(values.batches(), [vec!["a", "b", "c"], vec!["d", "e"], vec![]]);
    Ok(())
}

/// `DirectKafkaStreamSuite/basic stream receiving with multiple topics and smallest starting offset`
#[test]
fn several_topics_are_read_from_the_offsets_given() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("several_topics_are_read_from_the_offsets_given") else {
        return Ok(());
    };
    for topic in ["basic1", "basic2", "basic3"] {
        broker.create(topic, 1);
        broker.send(topic, 0, sixteen());
    }
    let test = TestContext::with(config(), interval())?;
    let consumer = Consumer::subscribe(["basic1", "basic2", "basic3"]).from_offsets([(("basic3", 0), 2)]);
    let stream = direct_stream(test.context(), consumer, broker.params())?;
    let (offsets, checked) = (stream.clone(), Arc::new(Mutex::new(Vec::new())));
    let seen = Arc::clone(&checked);
    let lengths = stream.transform(move |rdd, time| {
        seen.lock().expect("no panic").push(offsets.offset_ranges(time).expect("it is being made"));
        rdd.map_partitions(|records| std::iter::once(records.count() as u64))
    });
    let lengths = test.collect(&lengths);
    test.run(1)?;
    assert_eq!(lengths.batches()[0].iter().sum::<u64>(), 46);
    let ranges = checked.lock().expect("no panic")[0].clone();
    assert_eq!(lengths.batches()[0], ranges.iter().map(OffsetRange::count).collect::<Vec<_>>());
    assert_eq!(ranges[2], OffsetRange::new("basic3", 0, 2, 16));
    Ok(())
}

/// `DirectKafkaStreamSuite/pattern based subscription`
#[test]
fn a_pattern_stands_for_all_topics_of_such_a_name_present_and_future() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("a_pattern_stands_for_all_topics") else { return Ok(()) };
    for topic in ["pat1", "pat2", "pat3", "advanced3"] {
        broker.create(topic, 1);
        broker.send(topic, 0, sixteen());
    }
    let test = TestContext::with(config(), interval())?;
    let consumer = Consumer::subscribe_pattern("pat\\d")?.from_offsets([(("pat2", 0), 3), (("pat3", 0), 4)]);
    let counts = test.collect(&direct_stream(test.context(), consumer, broker.params())?.count());
    test.run(1)?;
    broker.create("pat4", 2);
    broker.send("pat4", 1, ["new"]);
    test.run(1)?;
    assert_eq!(counts.batches(), [[41], [1]]);
    Ok(())
}

/// `DirectKafkaStreamSuite/receiving from largest starting offset`
#[test]
fn latest_means_after_the_start() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("latest_means_after_the_start") else { return Ok(()) };
    broker.create("latest", 1);
    broker.send("latest", 0, ["a"; 10]);
    let test = TestContext::with(config(), interval())?;
    let params = broker.params().set("auto.offset.reset", "latest");
    let stream = direct_stream(test.context(), Consumer::subscribe(["latest"]), params)?;
    let values = test.collect(&stream.map(|record| value(&record)));
    test.run(1)?;
    broker.send("latest", 0, ["b"; 10]);
    broker.add_partitions("latest", 2);
    broker.send("latest", 1, ["new"]);
    test.run(1)?;
    // A partition that was added is read from its beginning, although records came before it was found.
    assert_eq!(values.batches(), [vec![], [&["b"; 10][..], &["new"]].concat()]);
    Ok(())
}

/// `DirectKafkaStreamSuite/creating stream by offset`
#[test]
fn assigned_partitions_start_where_they_are_told_to() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("assigned_partitions_start_where_they_are_told_to") else {
        return Ok(());
    };
    broker.create("assigned", 2);
    broker.send("assigned", 0, (0..20).map(|n| n.to_string()));
    broker.send("assigned", 1, ["other"]);
    let none = broker.params().set("auto.offset.reset", "none");
    let test = TestContext::with(config(), interval())?;
    let consumer = Consumer::assign([("assigned", 0)]).from_offsets([(("assigned", 0), 11)]);
    let stream = direct_stream(test.context(), consumer, none.clone())?;
    let offsets = test.collect(&stream.map(|record| record.offset()));
    test.run(1)?;
    assert_eq!(offsets.batches(), [(11..20).collect::<Vec<_>>()]);
    // Without any offset, `none` says that the stream must not begin.
    let test = TestContext::with(config(), interval())?;
    direct_stream(test.context(), Consumer::assign([("assigned", 0)]), none)?.count().print();
    let refused = test.run(1).expect_err("nothing says where to start");
    assert!(refused.to_string().contains("auto.offset.reset"), "{refused}");
    Ok(())
}

#[test]
fn a_stream_starts_at_a_time_or_where_a_store_says() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("a_stream_starts_at_a_time_or_where_a_store_says") else {
        return Ok(());
    };
    broker.create("times", 2);
    broker.send("times", 0, ["a", "b", "c"]);
    let all = dstreams_rdd::RddContext::local(1)?;
    let records = dstreams_kafka::create_rdd(&all, &broker.params(), &[OffsetRange::new("times", 0, 0, 3)])?;
    let newest = records.collect()?[2].timestamp().expect("brokers set times");
    for (consumer, expected) in [
        (Consumer::subscribe(["times"]).from_time(newest + interval()), 0),
        (Consumer::subscribe(["times"]).from_time(Time::from_millis(0)), 3),
        (Consumer::subscribe(["times"]).from_store(|| Ok([(TopicPartition::new("times", 0), 2)].into())), 1),
    ] {
        let test = TestContext::with(config(), interval())?;
        let counts = test.collect(&direct_stream(test.context(), consumer, broker.params())?.count());
        test.run(1)?;
        assert_eq!(counts.batches(), [[expected]]);
    }
    Ok(())
}

#[test]
fn the_offsets_of_complete_batches_are_committed_and_the_next_start_goes_on_there() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("the_offsets_of_complete_batches_are_committed") else { return Ok(()) };
    broker.create("committed", 1);
    broker.send("committed", 0, ["a", "b"]);
    let run = |fails: bool| {
        let test = TestContext::with(config(), interval())?;
        let params = broker.params().group("committed-group");
        let stream = direct_stream(test.context(), Consumer::subscribe(["committed"]), params)?;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let values = Arc::clone(&seen);
        stream.map(|record| value(&record)).for_each_rdd(move |rdd, _| {
            values.lock().expect("no panic").extend(rdd.collect()?);
            if fails { Err(dstreams_streaming::Error::user("not today")) } else { Ok(()) }
        });
        let outcome = test.run(1);
        assert_eq!(outcome.is_err(), fails);
        // A batch that is complete before the stop is committed before the stop is over.
        test.stop();
        let seen = seen.lock().expect("no panic").clone();
        Ok::<_, BoxError>(seen)
    };
    assert_eq!(run(true)?, ["a", "b"]);
    assert_eq!(broker.committed("committed-group", "committed", 0), None);
    assert_eq!(run(false)?, ["a", "b"]);
    assert_eq!(broker.committed("committed-group", "committed", 0), Some(2));
    broker.send("committed", 0, ["c"]);
    assert_eq!(run(false)?, ["c"]);
    Ok(())
}

#[test]
fn offsets_that_could_not_be_committed_are_committed_later() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("offsets_that_could_not_be_committed") else { return Ok(()) };
    broker.create("late-commit", 1);
    broker.send("late-commit", 0, ["a", "b"]);
    let _armed = fault::arm("late-commit-group", "kafka-offsets.commit", 1, Fault::Error);
    let test = TestContext::with(config(), interval())?;
    let params = broker.params().group("late-commit-group");
    let stream = direct_stream(test.context(), Consumer::subscribe(["late-commit"]), params)?;
    let counts = test.collect(&stream.count());
    test.run(1)?;
    test.stop();
    assert_eq!(counts.batches(), [[2]]);
    assert_eq!(broker.committed("late-commit-group", "late-commit", 0), Some(2));
    Ok(())
}

/// `DirectKafkaStreamSuite/offset recovery from kafka`
#[test]
fn programs_commit_for_themselves_and_are_called_back() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("programs_commit_for_themselves_and_are_called_back") else {
        return Ok(());
    };
    broker.create("own-commits", 1);
    broker.send("own-commits", 0, ["a", "b", "c"]);
    let test = TestContext::with(config_with(&[("dstreams.kafka.commitOffsets", "false")]), interval())?;
    let params = broker.params().group("own-commits-group");
    let stream = direct_stream(test.context(), Consumer::subscribe(["own-commits"]), params)?;
    let (offsets, (sender, outcomes)) = (stream.clone(), mpsc::channel());
    stream.for_each_rdd(move |_, time| {
        let (ranges, sender) = (offsets.offset_ranges(time).expect("it runs"), sender.clone());
        offsets.commit_async(&ranges, move |outcome| drop(sender.send(outcome)))?;
        Ok(())
    });
    test.run(1)?;
    let outcome = outcomes.recv()?;
    assert!(outcome.error.is_none(), "{outcome:?}");
    assert_eq!(outcome.offsets, [(TopicPartition::new("own-commits", 0), 3)].into());
    assert_eq!(broker.committed("own-commits-group", "own-commits", 0), Some(3));
    Ok(())
}

/// What listeners are told.
#[derive(Default)]
struct Told(Mutex<Vec<(&'static str, BatchInfo)>>);

impl StreamingListener for Told {
    fn on_batch_submitted(&self, batch: &BatchInfo) {
        self.0.lock().expect("no panic").push(("submitted", batch.clone()));
    }
    fn on_batch_started(&self, batch: &BatchInfo) {
        self.0.lock().expect("no panic").push(("started", batch.clone()));
    }
    fn on_batch_completed(&self, batch: &BatchInfo) {
        self.0.lock().expect("no panic").push(("completed", batch.clone()));
    }
}

/// `DirectKafkaStreamSuite/report input information`
#[test]
fn listeners_are_told_the_records_and_ranges_of_a_batch() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("listeners_are_told_the_records_and_ranges_of_a_batch") else {
        return Ok(());
    };
    broker.create("reported", 1);
    broker.send("reported", 0, sixteen());
    let test = TestContext::with(config(), interval())?;
    let told = Arc::new(Told::default());
    test.context().add_listener(Arc::clone(&told) as Arc<dyn StreamingListener>);
    direct_stream(test.context(), Consumer::subscribe(["reported"]), broker.params())?
        .for_each_rdd(|_, _| Ok(()));
    test.run(1)?;
    test.stop();
    let told = told.0.lock().expect("no panic");
    let records: Vec<_> = told.iter().map(|(event, batch)| (*event, batch.num_records())).collect();
    assert_eq!(records, [("submitted", 16), ("started", 16), ("completed", 16)]);
    let input: &InputInfo = told[0].1.inputs.values().next().expect("an input");
    assert_eq!(OffsetRange::list_of(input), [OffsetRange::new("reported", 0, 0, 16)]);
    assert!(input.metadata[InputInfo::DESCRIPTION].contains("offsets: 0 to 16\tcount: 16"));
    Ok(())
}

#[test]
fn a_batch_takes_no_more_than_the_limits_and_the_rest_comes_later() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("a_batch_takes_no_more_than_the_limits") else { return Ok(()) };
    broker.create("limited", 2);
    broker.send("limited", 0, (0..90).map(|n| n.to_string()));
    broker.send("limited", 1, (90..100).map(|n| n.to_string()));
    for (settings, expected) in [
        (vec![("spark.streaming.kafka.maxRatePerPartition", "40")], [50, 40, 10]),
        (vec![("dstreams.kafka.maxRecordsPerBatch", "70")], [70, 30, 0]),
    ] {
        let test = TestContext::with(config_with(&settings), interval())?;
        let stream = direct_stream(test.context(), Consumer::subscribe(["limited"]), broker.params())?;
        let values = test.collect(&stream.map(|record| value(&record)));
        test.run(3)?;
        assert_eq!(values.batches().iter().map(Vec::len).collect::<Vec<_>>(), expected, "{settings:?}");
        let mut all: Vec<usize> =
            values.batches().concat().iter().map(|n| n.parse()).collect::<Result<_, _>>()?;
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
    }
    Ok(())
}

/// `DirectKafkaStreamSuite/using rate controller`, with a program that slows down in place of the estimator.
#[test]
fn batches_get_as_small_as_the_program_gets_slow() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("batches_get_as_small_as_the_program_gets_slow") else { return Ok(()) };
    broker.create("slower", 1);
    broker.send("slower", 0, (0..5_000).map(|_| "x"));
    let settings = [
        ("spark.streaming.kafka.maxRatePerPartition", "100"),
        ("spark.streaming.backpressure.enabled", "true"),
        // The rate is the one at which the last batch was processed.
        ("spark.streaming.backpressure.pid.integral", "0"),
        ("spark.streaming.backpressure.pid.minRate", "1"),
    ];
    let test = TestContext::with(config_with(&settings), milliseconds(500))?;
    let stream = direct_stream(test.context(), Consumer::subscribe(["slower"]), broker.params())?;
    let (speed, sizes) = (Arc::new(AtomicU64::new(200)), Arc::new(Mutex::new(BTreeSet::new())));
    let (clock, now, seen) = (Arc::clone(test.clock()), Arc::clone(&speed), Arc::clone(&sizes));
    stream.for_each_rdd(move |rdd, _| {
        let records = rdd.count()?;
        seen.lock().expect("no panic").insert(records);
        clock.advance(milliseconds((records * 1_000 / now.load(Ordering::Relaxed)).cast_signed()));
        Ok(())
    });
    // Records per second that the program can process, and how many of them are then in a batch.
    for (records_per_second, batch) in [(200, 50), (50, 25), (20, 10)] {
        speed.store(records_per_second, Ordering::Relaxed);
        test.run_until(|| sizes.lock().expect("no panic").contains(&batch))?;
    }
    Ok(())
}

#[test]
fn backpressure_begins_with_its_initial_rate() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("backpressure_begins_with_its_initial_rate") else { return Ok(()) };
    broker.create("pressed", 2);
    broker.send("pressed", 0, ["x"; 90]);
    broker.send("pressed", 1, ["x"; 10]);
    let settings = [
        ("spark.streaming.backpressure.enabled", "true"),
        ("spark.streaming.backpressure.initialRate", "50"),
    ];
    let test = TestContext::with(config_with(&settings), interval())?;
    let stream = direct_stream(test.context(), Consumer::subscribe(["pressed"]), broker.params())?;
    let partitions = test.collect(&stream.glom().map(|records| records.len()));
    test.run(1)?;
    assert_eq!(partitions.batches(), [[45, 5]]);
    Ok(())
}

#[test]
fn a_large_range_is_read_by_several_tasks_in_the_order_of_its_parts() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("a_large_range_is_read_by_several_tasks") else { return Ok(()) };
    broker.create("split", 1);
    let test = TestContext::with(config_with(&[("dstreams.kafka.maxRecordsPerTask", "30")]), interval())?;
    let stream = direct_stream(test.context(), Consumer::subscribe(["split"]), broker.params())?;
    let partitions = test.collect(&stream.glom().map(|records| records.len()));
    let offsets = test.collect(&stream.map(|record| record.offset()));
    for _ in 0..3 {
        broker.send("split", 0, (0..100).map(|n| n.to_string()));
        test.run(1)?;
    }
    assert_eq!(partitions.batches(), [[25; 4], [25; 4], [25; 4]]);
    assert_eq!(offsets.batches().concat(), (0..300).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn keys_headers_and_times_are_those_that_were_sent() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("keys_headers_and_times_are_those_that_were_sent") else {
        return Ok(());
    };
    broker.create_with("parts", 1, &[("retention.ms", "-1")]);
    broker.send_with_header("parts", "key", "value", ("trace", "42"), 1_234);
    broker.send("parts", 0, ["plain"]);
    let test = TestContext::with(config(), interval())?;
    let stream = direct_stream(test.context(), Consumer::subscribe(["parts"]), broker.params())?;
    let records = test.collect(&stream);
    test.run(1)?;
    let records = records.batches().concat();
    let [first, second] = &records[..] else { panic!("two records: {records:?}") };
    assert_eq!((first.key(), first.value()), (Some(&b"key"[..]), Some(&b"value"[..])));
    assert_eq!(first.headers().last("trace"), Some(&b"42"[..]));
    assert_eq!(first.timestamp(), Some(Time::from_millis(1_234)));
    assert_eq!((second.key(), second.headers().count()), (None, 0));
    assert_eq!((second.topic(), second.partition(), second.offset()), ("parts", 0, 1));
    Ok(())
}
