// SPDX-License-Identifier: Apache-2.0
//! The sink against a real broker: keys where the Java client puts them, each partition once whatever fails.

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use dstreams_kafka::{Consumer, KafkaSink, Params, direct_stream};
use dstreams_streaming::{BoxError, Config, Text, testing::TestContext, time::seconds};
use dstreams_wal::fault::{self, Fault};
use support::{Broker, Seen, config_with, interval, value};

/// What `BuiltInPartitioner.partitionForKey` of the Java client 4.1.1 says for 5 and for 12 partitions.
const JAVA: &[(&[u8], i32, i32)] = &[
    (b"", 1, 9),
    (b"a", 4, 4),
    (b"ab", 4, 2),
    (b"abc", 2, 3),
    (b"abcd", 0, 8),
    (b"21", 0, 0),
    (b"foobar", 1, 6),
    (b"dstreams", 3, 1),
    (b"to be or not to be", 3, 2),
    ("é".as_bytes(), 1, 3),
    (b"key-0", 1, 1),
    (b"key-1", 0, 0),
    (b"key-2", 2, 2),
    (b"key-3", 2, 11),
    (b"key-4", 3, 9),
    (b"key-5", 3, 8),
    (b"user:1234567", 4, 8),
    (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", 2, 5),
    (&[0xff, 0x80, 0, 1], 0, 0),
];

/// Batches that fail at once instead of waiting for a sink.
fn impatient() -> Config {
    config_with(&[("dstreams.sink.retryTimeout", "0")])
}

fn sink_of(params: Params, topic: &str) -> Result<KafkaSink<i64>, dstreams_kafka::Error> {
    KafkaSink::new(params, topic, |n: i64, record| {
        record.key(format!("key-{}", n % 3)).value(n.to_string());
    })
}

/// Runs three batches of two partitions into a new sink, as a process would that has been started again; returns how
/// many records were computed.
fn run(broker: &Broker, topic: &str) -> (dstreams_streaming::Result<()>, usize) {
    let computed = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&computed);
    let test = TestContext::with(impatient(), interval()).expect("a context");
    let numbers = test.input(vec![vec![0, 1, 2, 3], vec![4, 5], vec![6, 7, 8]]);
    let seen = numbers.map(move |n| {
        counter.fetch_add(1, Ordering::Relaxed);
        n
    });
    seen.write_to(sink_of(broker.params(), topic).expect("good properties")).named(topic);
    let outcome = test.run(3);
    (outcome, computed.load(Ordering::Relaxed))
}

fn numbers(seen: &[Seen]) -> Vec<i64> {
    let mut numbers: Vec<i64> = seen.iter().map(|record| record.value.parse().expect("a number")).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn keys_go_to_the_partitions_that_the_java_client_chooses() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("keys_go_to_the_partitions_that_the_java_client_chooses") else {
        return Ok(());
    };
    for (topic, partitions) in [("java-5", 5), ("java-12", 12)] {
        broker.create(topic, partitions);
        let test = TestContext::new()?;
        let keys = test.input(vec![JAVA.iter().map(|(key, ..)| key.to_vec()).collect()]);
        let sink = KafkaSink::new(broker.params(), topic, |key: Vec<u8>, record| {
            record.key(key).value("").header("from", "rust");
        })?;
        keys.write_to(sink.at_least_once()).named(topic);
        test.run(1)?;
        let seen = broker.read(topic, partitions, "read_committed");
        assert_eq!(seen.len(), JAVA.len());
        for (key, of_5, of_12) in JAVA {
            let found = seen.iter().find(|record| record.key.as_deref() == Some(*key)).expect("it was sent");
            assert_eq!(found.partition, if partitions == 5 { *of_5 } else { *of_12 }, "{key:?}");
        }
    }
    Ok(())
}

#[test]
fn batches_that_are_run_again_are_neither_written_nor_computed() {
    let Some(broker) = Broker::shared("batches_that_are_run_again_are_neither_written_nor_computed") else {
        return;
    };
    broker.create("again", 3);
    let (outcome, computed) = run(&broker, "again");
    outcome.expect("the sink takes it");
    assert_eq!(computed, 9);
    let (outcome, computed) = run(&broker, "again");
    outcome.expect("there is nothing to do");
    assert_eq!(computed, 0);
    let seen = broker.read("again", 3, "read_committed");
    assert_eq!(numbers(&seen), (0..9).collect::<Vec<_>>());
}

/// INVARIANT 16: with a broker, and a failure at each step of a transaction.
#[test]
fn a_partition_that_fails_at_any_step_is_there_once_after_the_next_run() {
    let Some(broker) = Broker::shared("a_partition_that_fails_at_any_step") else { return };
    for step in ["begin", "write", "identity", "commit", "committed"] {
        let topic = format!("fails-at-{step}");
        broker.create(&topic, 3);
        let armed = fault::arm(&topic, &format!("kafka.{step}"), 3, Fault::Error);
        run(&broker, &topic).0.expect_err("the third partition fails");
        drop(armed);
        let before = numbers(&broker.read(&topic, 3, "read_committed"));
        run(&broker, &topic).0.expect("the sink has the rest taken");
        let seen = broker.read(&topic, 3, "read_committed");
        assert_eq!(numbers(&seen), (0..9).collect::<Vec<_>>(), "{step}, with {before:?} before");
        let all = broker.read(&topic, 3, "read_uncommitted").len();
        // What was aborted is there, and nobody sees it who reads what is committed.
        assert_eq!(all > 9, step == "commit", "{step} left {all} records");
    }
}

#[test]
fn a_process_that_was_replaced_can_commit_nothing_any_more() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("a_process_that_was_replaced_can_commit_nothing") else {
        return Ok(());
    };
    broker.create("zombie", 1);
    let write = |input: Vec<i64>, hook: Arc<dyn Fn() + Send + Sync>| {
        let test = TestContext::with(impatient(), interval())?;
        let numbers = test.input_with(vec![Some(input)], 1).map(move |n| {
            if n == 2 {
                hook();
            }
            n
        });
        numbers.write_to(sink_of(broker.params(), "zombie")?).named("zombie");
        test.run(1)?;
        Ok::<(), BoxError>(())
    };
    let (arrived, at_two) = mpsc::channel();
    let (go_on, may_go) = mpsc::channel();
    let may_go = parking_lot::Mutex::new(may_go);
    thread::scope(|scope| {
        let hook = Arc::new(move || {
            arrived.send(()).expect("the test waits");
            may_go.lock().recv().expect("the test goes on");
        });
        let zombie = scope.spawn(|| write(vec![1, 2, 3], hook).map_err(|error| error.to_string()));
        // The first records of the zombie are in its open transaction.
        at_two.recv()?;
        write(vec![1, 2, 3], Arc::new(|| ()))?;
        go_on.send(())?;
        let refused = zombie.join().expect("no panic").expect_err("it was shut out");
        assert!(refused.contains("transaction") || refused.contains("written"), "{refused}");
        Ok::<(), BoxError>(())
    })?;
    assert_eq!(numbers(&broker.read("zombie", 1, "read_committed")), [1, 2, 3]);
    Ok(())
}

#[test]
fn a_transaction_that_a_dead_process_has_left_open_does_not_hold_up_the_next_one() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("a_transaction_that_a_dead_process_has_left_open") else {
        return Ok(());
    };
    broker.create("left", 1);
    // As long as a transaction of another output that left its identity and no more.
    let dead = support::Transactions::new(&broker, "dstreams-test-left-7");
    let test = |batches: usize| {
        let test = TestContext::with(impatient(), interval())?;
        let numbers =
            test.input_with([0i64, 1].into_iter().take(batches).map(|n| Some(vec![n])).collect(), 1);
        numbers.write_to(sink_of(broker.params(), "left")?).named("left");
        test.run(batches)?;
        Ok::<(), BoxError>(())
    };
    test(1)?;
    let identity = r#"{"application":"test","output":"left","batch_ms":2000,"partition":7,"partitions":8,"positions":"{}"}"#;
    dead.begin("__dstreams_commits-test", [identity]);
    // The next process looks behind it, and ends it.
    test(2)?;
    assert_eq!(numbers(&broker.read("left", 1, "read_committed")), [0, 1]);
    let late = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| dead.end()));
    assert!(late.is_err(), "it was shut out");
    Ok(())
}

#[test]
fn records_that_the_brokers_do_not_take_fail_the_batch() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("records_that_the_brokers_do_not_take_fail_the_batch") else {
        return Ok(());
    };
    broker.create_with("small", 1, &[("max.message.bytes", "1000")]);
    let is_exact = [true, false];
    for exact in is_exact {
        let test = TestContext::with(impatient(), interval())?;
        let sink = KafkaSink::new(broker.params(), "small", |value: String, record| {
            record.value(value);
        })?;
        let sink = if exact { sink } else { sink.at_least_once() };
        let values = test.input(vec![vec!["x".repeat(20_000)]]);
        values.write_to(sink).named(&format!("small-{exact}"));
        let error = test.run(1).expect_err("it is too large").to_string();
        assert!(error.contains("small"), "{error}");
    }
    assert_eq!(broker.read("small", 1, "read_committed").len(), 0);
    Ok(())
}

#[test]
fn properties_that_would_lose_transactions_are_refused_at_the_start() -> Result<(), BoxError> {
    let params = || Params::new("127.0.0.1:1");
    let short = params().set("transaction.timeout.ms", "10000");
    let refused = sink_of(short.clone(), "t").expect_err("shorter than half a minute").to_string();
    assert!(refused.contains("transaction.timeout.ms"), "{refused}");
    assert!(sink_of(params(), "t")?.recovery_time(seconds(61)).is_err());
    assert!(
        sink_of(params().set("transaction.timeout.ms", "90000"), "t")?.recovery_time(seconds(61)).is_ok()
    );
    assert!(sink_of(params().set("transactional.id", "mine"), "t").is_err());
    assert!(sink_of(params().set("partitioner.class", "org.X"), "t").is_err());
    Ok(())
}

/// Without a checkpoint directory: the offsets in the group are those of the results.
#[test]
fn offsets_in_the_transactions_take_the_place_of_a_checkpoint() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("offsets_in_the_transactions_take_the_place_of_a_checkpoint") else {
        return Ok(());
    };
    broker.create("plain", 2);
    broker.create("doubled", 2);
    // A batch of the same time is the same batch: each process begins later.
    let run = |nth: i64| {
        let settings = [("dstreams.sink.retryTimeout", "0"), ("dstreams.kafka.commitOffsets", "false")];
        let test = TestContext::with(config_with(&settings), interval())?;
        test.clock().advance(interval() * nth);
        let params = broker.params().group("doubling");
        let sink = KafkaSink::new(broker.params(), "doubled", |text: Text, record| {
            record.value(format!("{text}{text}"));
        })?;
        direct_stream(test.context(), Consumer::subscribe(["plain"]), params)?
            .map(|record| Text::from(value(&record)))
            .write_to(sink.with_offsets_of_group("doubling"))
            .named("doubled");
        test.run(1)?;
        Ok::<(), BoxError>(())
    };
    broker.send("plain", 0, ["1", "2"]);
    broker.send("plain", 1, ["3"]);
    run(0)?;
    broker.send("plain", 0, ["4"]);
    broker.send("plain", 1, ["5", "6"]);
    let armed = fault::arm("doubled", "kafka.commit", 2, Fault::Error);
    run(1).expect_err("one of the partitions is not committed");
    drop(armed);
    run(2)?;
    let seen = numbers(&broker.read("doubled", 2, "read_committed"));
    assert_eq!(seen, [11, 22, 33, 44, 55, 66]);
    assert_eq!(broker.committed("doubling", "plain", 0), Some(3));
    assert_eq!(broker.committed("doubling", "plain", 1), Some(3));
    Ok(())
}
