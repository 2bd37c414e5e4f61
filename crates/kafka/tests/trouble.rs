// SPDX-License-Identifier: Apache-2.0
//! What a stream makes of aborted transactions, gaps, topics that come and go, and brokers that are away.

mod support;

use std::sync::{Arc, Mutex};

use dstreams_kafka::{Consumer, direct_stream};
use dstreams_streaming::{BoxError, InputInfo, StreamingListener, event::BatchInfo, testing::TestContext};
use dstreams_test_servers::Kafka;
use support::{Broker, Transactions, config, config_with, interval, value};

/// What is said to be wrong with each batch.
#[derive(Default)]
struct Problems(Mutex<Vec<String>>);

impl StreamingListener for Problems {
    fn on_batch_submitted(&self, batch: &BatchInfo) {
        let of = |input: &InputInfo| input.metadata.get(InputInfo::PROBLEMS).cloned();
        let problems = batch.inputs.values().filter_map(of).collect();
        self.0.lock().expect("no panic").push(problems);
    }
}

#[test]
fn aborted_transactions_are_not_seen_and_their_offsets_hold_nothing_up() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("aborted_transactions_are_not_seen") else { return Ok(()) };
    broker.create("transactions", 1);
    let test = TestContext::with(config(), interval())?;
    let params = broker.params().set("isolation.level", "read_committed");
    let stream = direct_stream(test.context(), Consumer::subscribe(["transactions"]), params)?;
    let values = test.collect(&stream.map(|record| value(&record)));
    let dirty = broker.params().set("isolation.level", "read_uncommitted");
    let dirty = direct_stream(test.context(), Consumer::subscribe(["transactions"]), dirty)?;
    let all = test.collect(&dirty.map(|record| value(&record)));
    let transactions = Transactions::new(&broker, "writer");
    // The broker ends a transaction a moment after it has said so.
    let seen = |expected: &[&str]| values.batches().concat() == expected;
    transactions.commit("transactions", ["a", "b"]);
    test.run_until(|| seen(&["a", "b"]))?;
    transactions.abort("transactions", ["x", "y"]);
    test.run(2)?;
    transactions.abort("transactions", ["z"]);
    transactions.commit("transactions", ["c"]);
    test.run_until(|| seen(&["a", "b", "c"]))?;
    // One that is open holds back what comes after it, and nothing before.
    broker.send("transactions", 0, ["d"]);
    transactions.begin("transactions", ["open"]);
    broker.send("transactions", 0, ["e"]);
    test.run_until(|| all.batches().concat().contains(&"e".to_owned()))?;
    assert_eq!(values.batches().concat(), ["a", "b", "c", "d"]);
    transactions.end();
    test.run_until(|| seen(&["a", "b", "c", "d", "open", "e"]))?;
    assert_eq!(all.batches().concat(), ["a", "b", "x", "y", "z", "c", "d", "open", "e"]);
    Ok(())
}

#[test]
fn records_removed_before_they_were_read_fail_the_batch_or_are_counted() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("records_removed_before_they_were_read") else { return Ok(()) };
    broker.create("gap", 1);
    let limit = ("dstreams.kafka.maxRecordsPerBatch", "10");
    let go_on = ("dstreams.kafka.failOnDataLoss", "false");
    let start = |settings: &[(&str, &str)]| {
        let test = TestContext::with(config_with(settings), interval())?;
        let stream = direct_stream(test.context(), Consumer::subscribe(["gap"]), broker.params())?;
        let offsets = test.collect(&stream.map(|record| record.offset()));
        Ok::<_, BoxError>((test, offsets))
    };
    broker.send("gap", 0, (0..50).map(|n| n.to_string()));
    let (strict, _) = start(&[limit])?;
    let (lenient, offsets) = start(&[limit, go_on])?;
    strict.run(1)?;
    lenient.run(1)?;
    broker.truncate("gap", 0, 45);
    let error = strict.run(1).expect_err("35 records are gone").to_string();
    assert!(
        error.contains("gap-0 from offset 10 to before 45") && error.contains("failOnDataLoss"),
        "{error}"
    );
    lenient.run(1)?;
    assert_eq!(offsets.batches(), [(0..10).collect::<Vec<_>>(), (45..50).collect()]);
    Ok(())
}

#[test]
fn records_removed_between_plan_and_task_are_a_gap_too() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("records_removed_between_plan_and_task_are_a_gap_too") else {
        return Ok(());
    };
    for (topic, fails, expected) in
        [("late-gap-1", "false", (30..50).collect::<Vec<_>>()), ("late-gap-2", "true", vec![])]
    {
        broker.create(topic, 1);
        broker.send(topic, 0, (0..50).map(|n| n.to_string()));
        let test = TestContext::with(config_with(&[("dstreams.kafka.failOnDataLoss", fails)]), interval())?;
        let consumer = Consumer::subscribe([topic]).from_offsets([((topic, 0), 20)]);
        let stream = direct_stream(test.context(), consumer, broker.params())?;
        let address = broker.address.clone();
        // The range is fixed when this is called.
        let stream = stream.transform(move |rdd, _| {
            Broker::at(&address).truncate(topic, 0, 30);
            rdd.map(|record| record.offset())
        });
        let offsets = test.collect(&stream);
        let outcome = test.run(1);
        assert_eq!(outcome.is_err(), fails == "true", "{outcome:?}");
        assert_eq!(offsets.batches().concat(), expected);
    }
    Ok(())
}

#[test]
fn a_topic_that_goes_is_reported_and_read_again_when_it_comes_back() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("a_topic_that_goes_is_reported") else { return Ok(()) };
    for topic in ["stays", "goes"] {
        broker.create(topic, 1);
        broker.send(topic, 0, ["first", "second"]);
    }
    let settings = [("dstreams.kafka.requestTimeout", "2s"), ("dstreams.kafka.failOnDataLoss", "false")];
    let test = TestContext::with(config_with(&settings), interval())?;
    let problems = Arc::new(Problems::default());
    test.context().add_listener(Arc::clone(&problems) as Arc<dyn StreamingListener>);
    let stream = direct_stream(test.context(), Consumer::subscribe(["goes", "stays"]), broker.params())?;
    let values = test.collect(&stream.map(|record| format!("{} {}", record.topic(), value(&record))));
    test.run_until(|| values.batches().concat().len() == 4)?;
    broker.delete("goes");
    broker.send("stays", 0, ["third"]);
    test.run_until(|| values.batches().concat().len() == 5)?;
    broker.create("goes", 1);
    broker.send("goes", 0, ["again"]);
    test.run_until(|| values.batches().concat().len() == 6)?;
    assert_eq!(
        values.batches().concat(),
        ["goes first", "goes second", "stays first", "stays second", "stays third", "goes again"]
    );
    test.stop();
    let problems = problems.0.lock().expect("no panic").concat();
    assert!(problems.contains("not there any more: goes-0"), "{problems}");
    Ok(())
}

#[test]
fn a_stream_waits_for_its_topic() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("a_stream_waits_for_its_topic") else { return Ok(()) };
    let test = TestContext::with(config(), interval())?;
    // All that comes is later than the start.
    let params = broker.params().set("auto.offset.reset", "latest");
    let stream = direct_stream(test.context(), Consumer::subscribe(["to-come"]), params)?;
    let values = test.collect(&stream.map(|record| value(&record)));
    test.run(1)?;
    broker.create("to-come", 1);
    broker.send("to-come", 0, ["a"]);
    test.run_until(|| values.batches().concat() == ["a"])?;
    Ok(())
}

#[test]
fn batches_go_on_without_a_broker_and_records_come_when_it_is_back() -> Result<(), BoxError> {
    let test_name = "batches_go_on_without_a_broker_and_records_come_when_it_is_back";
    let Some(mut kafka) = Kafka::start_or_skip(test_name) else { return Ok(()) };
    let broker = Broker::at(&kafka.address());
    broker.create("away", 2);
    broker.send("away", 0, ["before"]);
    let settings = [("dstreams.kafka.requestTimeout", "1s"), ("dstreams.kafka.maxRecordsPerBatch", "1")];
    let test = TestContext::with(config_with(&settings), interval())?;
    let problems = Arc::new(Problems::default());
    test.context().add_listener(Arc::clone(&problems) as Arc<dyn StreamingListener>);
    let stream = direct_stream(test.context(), Consumer::subscribe(["away"]), broker.params())?;
    let values = test.collect(&stream.map(|record| value(&record)));
    test.run_until(|| values.batches().concat() == ["before"])?;
    kafka.kill();
    let begun = values.batches().len();
    test.run(3)?;
    assert_eq!((values.batches().len(), values.batches().concat()), (begun + 3, vec!["before".to_owned()]));
    kafka.resume()?;
    broker.send("away", 1, ["after", "later"]);
    test.run_until(|| values.batches().concat().len() == 3)?;
    assert_eq!(values.batches().concat(), ["before", "after", "later"]);
    test.stop();
    let problems = problems.0.lock().expect("no panic").clone();
    let away = &problems[begun..begun + 3];
    assert!(away.iter().all(|problem| problem.contains("cannot ask")), "{problems:?}");
    Ok(())
}

#[test]
fn a_stream_that_starts_without_a_broker_begins_when_it_comes() -> Result<(), BoxError> {
    let Some(mut kafka) = Kafka::start_or_skip("a_stream_that_starts_without_a_broker") else {
        return Ok(());
    };
    let broker = Broker::at(&kafka.address());
    broker.create("absent", 1);
    broker.send("absent", 0, ["a", "b"]);
    kafka.stop();
    let test = TestContext::with(config_with(&[("dstreams.kafka.requestTimeout", "500ms")]), interval())?;
    let stream = direct_stream(test.context(), Consumer::subscribe(["absent"]), broker.params())?;
    let values = test.collect(&stream.map(|record| value(&record)));
    test.run(1)?;
    assert_eq!(values.batches().concat(), Vec::<String>::new());
    kafka.resume()?;
    test.run_until(|| values.batches().concat() == ["a", "b"])?;
    Ok(())
}
