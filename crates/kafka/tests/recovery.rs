// SPDX-License-Identifier: Apache-2.0
//! A stream that goes on from a checkpoint directory: the same ranges again, no record twice in a state.

mod support;

use std::sync::{Arc, Mutex};

use dstreams_kafka::{Consumer, OffsetRange, direct_stream};
use dstreams_streaming::{BoxError, testing::TestContext, time::seconds};
use support::{Broker, config, interval, value};

type Ranges = Arc<Mutex<Vec<OffsetRange>>>;

/// A running sum of all numbers, and the ranges of the batches that are processed.
fn sums(broker: &Broker, topic: &str, dir: &str) -> Result<(TestContext, Arc<Mutex<i64>>, Ranges), BoxError> {
    let test = TestContext::with(config(), interval())?;
    test.context().checkpoint(dir);
    let stream = direct_stream(test.context(), Consumer::subscribe([topic]), broker.params())?;
    let (offsets, ranges, sum) = (stream.clone(), Ranges::default(), Arc::new(Mutex::new(0)));
    let (seen, last) = (Arc::clone(&ranges), Arc::clone(&sum));
    stream
        .map(|record| ("sum", value(&record).parse::<i64>().expect("numbers are sent")))
        .map(|(key, n)| (key.to_owned(), n))
        .update_state_by_key(|numbers: Vec<i64>, sum: Option<i64>| {
            Some(sum.unwrap_or(0) + numbers.iter().sum::<i64>())
        })
        .for_each_rdd(move |rdd, time| {
            seen.lock().expect("no panic").extend(offsets.offset_ranges(time).expect("it runs").to_vec());
            *last.lock().expect("no panic") = rdd.collect()?.into_iter().map(|(_, sum)| sum).sum();
            Ok(())
        });
    Ok((test, sum, ranges))
}

/// `DirectKafkaStreamSuite/offset recovery`
#[test]
fn a_restart_goes_on_with_the_ranges_that_were_logged() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("a_restart_goes_on_with_the_ranges_that_were_logged") else {
        return Ok(());
    };
    broker.create("recovered", 1);
    let directory = tempfile::tempdir()?;
    let dir = directory.path().to_str().ok_or("a path that is text")?;
    let numbers = |from: i32, to: i32| (from..=to).map(|n| n.to_string());
    let before = {
        let (test, sum, ranges) = sums(&broker, "recovered", dir)?;
        for (from, to) in [(1, 4), (5, 8), (9, 10)] {
            broker.send("recovered", 0, numbers(from, to));
            test.run(1)?;
        }
        assert_eq!(*sum.lock().expect("no panic"), 55);
        Vec::clone(&ranges.lock().expect("no panic"))
    };
    assert_eq!(before[0].from, 0);
    broker.send("recovered", 0, numbers(11, 20));
    let (test, sum, ranges) = sums(&broker, "recovered", dir)?;
    test.clock().advance(seconds(4));
    test.catch_up()?;
    test.run(1)?;
    assert_eq!(*sum.lock().expect("no panic"), 210);
    let after = ranges.lock().expect("no panic").clone();
    let again = after.iter().filter(|range| range.until <= 10 && !range.is_empty());
    assert!(again.clone().all(|range| before.contains(range)), "{before:?} {after:?}");
    assert_eq!(after.iter().map(|range| range.until).max(), Some(20));
    Ok(())
}

#[test]
fn a_batch_that_has_failed_is_run_again_with_its_range_and_new_records_come_after_it() -> Result<(), BoxError>
{
    let Some(broker) = Broker::shared("a_batch_that_has_failed_is_run_again") else { return Ok(()) };
    broker.create("rerun", 1);
    let directory = tempfile::tempdir()?;
    let dir = directory.path().to_str().ok_or("a path that is text")?;
    let run = |fails: bool, at: i64| {
        let test = TestContext::with(config(), interval())?;
        test.context().checkpoint(dir);
        // Without a position, `latest` would begin at the end.
        let params = broker.params().set("auto.offset.reset", "latest").group("rerun-group");
        let stream = direct_stream(test.context(), Consumer::subscribe(["rerun"]), params)?;
        let batches = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&batches);
        stream.map(|record| record.offset()).for_each_rdd(move |rdd, _| {
            if fails {
                return Err(dstreams_streaming::Error::user("not today"));
            }
            seen.lock().expect("no panic").push(rdd.collect()?);
            Ok(())
        });
        if at == 0 {
            // The position of the start is stored before there is any batch.
            test.context().start()?;
        }
        broker.send("rerun", 0, ["a", "b"]);
        test.clock().advance(seconds(at));
        let outcome = if at == 0 { test.run(1) } else { test.catch_up() };
        assert_eq!(outcome.is_err(), fails);
        let committed = broker.committed("rerun-group", "rerun", 0);
        drop(test);
        let batches = batches.lock().expect("no panic").clone();
        Ok::<_, BoxError>((batches, committed))
    };
    let (batches, committed) = run(true, 0)?;
    assert_eq!((batches.len(), committed), (0, None));
    let (batches, _) = run(false, 2)?;
    assert_eq!(batches, [vec![0, 1], vec![2, 3]]);
    assert_eq!(broker.committed("rerun-group", "rerun", 0), Some(4));
    Ok(())
}
