// SPDX-License-Identifier: Apache-2.0
//! Receivers in a consumer group: every record is stored once, whatever ends a receiver or moves a partition.

mod support;

use std::{collections::BTreeSet, sync::Arc};

use dstreams_kafka::{Consumer, Record, receiver_stream};
use dstreams_streaming::{BoxError, DStream, testing::TestContext, time::seconds};
use support::{Broker, config, interval, value};

fn numbers(range: std::ops::Range<usize>) -> impl Iterator<Item = String> {
    range.map(|n| n.to_string())
}

fn stream(
    broker: &Broker,
    test: &TestContext,
    topic: &str,
    receivers: usize,
) -> Result<DStream<Record>, BoxError> {
    let params = broker.params().group(format!("{topic}-group")).set("session.timeout.ms", "6000");
    Ok(receiver_stream(test.context(), Consumer::subscribe([topic]), params, receivers)?)
}

#[test]
fn what_a_group_receives_is_stored_then_committed() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("what_a_group_receives_is_stored_then_committed") else {
        return Ok(());
    };
    broker.create("received", 2);
    broker.send("received", 0, numbers(0..50));
    broker.send("received", 1, numbers(50..100));
    let test = TestContext::with(config(), interval())?;
    let values = test.collect(&stream(&broker, &test, "received", 2)?.map(|record| value(&record)));
    test.run_until(|| values.batches().concat().len() >= 100)?;
    test.stop();
    let all: BTreeSet<usize> =
        values.batches().concat().iter().map(|n| n.parse()).collect::<Result<_, _>>()?;
    assert_eq!((values.batches().concat().len(), all), (100, (0..100).collect()));
    for partition in [0, 1] {
        assert_eq!(broker.committed("received-group", "received", partition), Some(50));
    }
    Ok(())
}

#[test]
fn a_restart_stores_nothing_twice_although_the_commit_was_lost() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("a_restart_stores_nothing_twice_although_the_commit_was_lost") else {
        return Ok(());
    };
    broker.create("restarted", 2);
    let directory = tempfile::tempdir()?;
    let dir = directory.path().to_str().ok_or("a path that is text")?;
    let run = |from: usize, at: i64| {
        for (partition, numbers) in [(0, numbers(from..from + 10)), (1, numbers(from + 10..from + 20))] {
            broker.send("restarted", partition, numbers);
        }
        let test = TestContext::with(config(), interval())?;
        test.context().checkpoint(dir);
        let values = test.collect(&stream(&broker, &test, "restarted", 2)?.map(|record| value(&record)));
        test.clock().advance(seconds(at));
        if at > 0 {
            test.catch_up()?;
        }
        test.run_until(|| values.batches().concat().len() >= 20)?;
        test.run(3)?;
        test.stop();
        let mut values: Vec<usize> =
            values.batches().concat().iter().map(|n| n.parse()).collect::<Result<_, _>>()?;
        values.sort_unstable();
        Ok::<_, BoxError>((values, test.clock().clone()))
    };
    let (first, clock) = run(0, 0)?;
    assert_eq!(first, (0..20).collect::<Vec<_>>());
    // As if the program had ended between log and commit.
    broker.commit("restarted-group", "restarted", 0, 5);
    broker.commit("restarted-group", "restarted", 1, 0);
    let now = dstreams_streaming::clock::Clock::now(&*clock).as_millis() / 1_000;
    let (second, _) = run(20, now + 1)?;
    assert_eq!(second, (20..40).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn partitions_that_pass_to_another_member_are_received_once() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("partitions_that_pass_to_another_member_are_received_once") else {
        return Ok(());
    };
    broker.create("passed", 4);
    let broker = Arc::new(broker);
    let first = TestContext::with(config(), interval())?;
    let of_first = first.collect(&stream(&broker, &first, "passed", 2)?.map(|record| value(&record)));
    let send = |from: usize| {
        for partition in 0..4 {
            let start = from + usize::try_from(partition).expect("small") * 25;
            broker.send("passed", partition, numbers(start..start + 25));
        }
    };
    send(0);
    first.run_until(|| of_first.batches().concat().len() >= 100)?;
    // Another program joins the group, takes its share, and leaves.
    let second = TestContext::with(config(), interval())?;
    let of_second = second.collect(&stream(&broker, &second, "passed", 1)?.map(|record| value(&record)));
    second.context().start()?;
    let mut total = 100;
    while of_second.batches().concat().is_empty() {
        send(total);
        total += 100;
        first.run(1)?;
        second.run(1)?;
        assert!(total < 100_000, "the second member gets nothing");
    }
    second.stop();
    send(total);
    total += 100;
    let all = || [of_first.batches().concat(), of_second.batches().concat()].concat();
    first.run_until(|| all().len() >= total)?;
    first.run(2)?;
    first.stop();
    let mut all: Vec<usize> = all().iter().map(|n| n.parse()).collect::<Result<_, _>>()?;
    all.sort_unstable();
    assert_eq!(all, (0..total).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn what_a_group_cannot_do_is_refused() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("what_a_group_cannot_do_is_refused") else { return Ok(()) };
    let test = TestContext::with(config(), interval())?;
    let topics = Consumer::subscribe(["t"]);
    let no_group = receiver_stream(test.context(), topics.clone(), broker.params(), 1);
    assert!(no_group.expect_err("no group").to_string().contains("group.id"));
    let grouped = broker.params().group("g");
    let assigned = receiver_stream(test.context(), Consumer::assign([("t", 0)]), grouped.clone(), 1);
    assert!(assigned.expect_err("assigned").to_string().contains("direct_stream"));
    let offsets = receiver_stream(test.context(), topics.from_offsets([(("t", 0), 1)]), grouped, 1);
    assert!(offsets.is_err());
    Ok(())
}
