// SPDX-License-Identifier: Apache-2.0
//! Offset ranges as datasets: their ends, holes, and many readers at once.

mod support;

use dstreams_kafka::{OffsetRange, create_rdd};
use dstreams_rdd::RddContext;
use dstreams_streaming::BoxError;
use support::{Broker, value};

/// `KafkaRDDSuite/basic usage`
#[test]
fn a_range_has_its_records_and_one_beyond_the_end_is_an_error() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("a_range_has_its_records") else { return Ok(()) };
    broker.create("basic-rdd", 1);
    broker.send("basic-rdd", 0, ["the", "quick", "brown", "fox"]);
    let sc = RddContext::local(2)?;
    let of =
        |from, until| create_rdd(&sc, &broker.params(), &[OffsetRange::new("basic-rdd", 0, from, until)]);
    let rdd = of(0, 4)?;
    assert_eq!(rdd.map(|record| value(&record)).collect()?, ["the", "quick", "brown", "fox"]);
    assert_eq!((rdd.count()?, rdd.is_empty()?), (4, false));
    assert_eq!(rdd.map(|record| value(&record)).take(1)?, ["the"]);
    assert_eq!(rdd.take(14)?.len(), 4);
    assert_eq!(rdd.offset_ranges(), [OffsetRange::new("basic-rdd", 0, 0, 4)]);
    assert!(of(0, 0)?.is_empty()?);
    let beyond = of(0, 5)?.count().expect_err("there are four").to_string();
    assert!(beyond.contains("failOnDataLoss"), "{beyond}");
    let backwards = of(3, 2)?.count().expect_err("it makes no sense").to_string();
    assert!(backwards.contains("Beginning offset 3 is after the ending offset 2"), "{backwards}");
    Ok(())
}

/// `KafkaRDDSuite/compacted topic`
#[test]
fn a_compacted_topic_has_what_is_left_of_a_range() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("a_compacted_topic_has_what_is_left_of_a_range") else { return Ok(()) };
    let compacted = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "50"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("delete.retention.ms", "100"),
    ];
    broker.create_with("compacted", 1, &compacted);
    broker.send_keyed(
        "compacted",
        0,
        [("a", "1"), ("a", "2"), ("b", "1"), ("c", "1"), ("c", "2"), ("b", "2"), ("b", "3")],
    );
    let sc = RddContext::local(2)?;
    let rdd =
        |from, until| create_rdd(&sc, &broker.params(), &[OffsetRange::new("compacted", 0, from, until)]);
    let mut fillers = 0;
    // What is written last is never compacted: others are written until the first seven are not the last.
    while rdd(0, 7)?.count()? != 3 {
        broker.send_keyed("compacted", 0, [("filler", "x")]);
        fillers += 1;
        assert!(fillers < 300, "the broker does not compact the topic");
    }
    let left = rdd(0, 7)?.map(|record| {
        (String::from_utf8_lossy(record.key().unwrap_or_default()).into_owned(), value(&record))
    });
    let expected =
        [("a", "2"), ("c", "2"), ("b", "3")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(left.collect()?, expected);
    assert_eq!(left.take(1)?, expected[..1]);
    // A range of holes alone, and one that begins and ends in holes.
    assert_eq!(rdd(2, 4)?.count()?, 0);
    assert_eq!(rdd(0, 2)?.map(|record| record.offset()).collect()?, [1]);
    assert!(rdd(0, 10_000)?.count().is_err());
    Ok(())
}

/// `KafkaRDDSuite/iterator boundary conditions`
#[test]
fn a_range_ends_where_it_says_whatever_comes_later() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("a_range_ends_where_it_says_whatever_comes_later") else {
        return Ok(());
    };
    broker.create("bounds", 1);
    broker.send("bounds", 0, ["x"; 18]);
    let sc = RddContext::local(2)?;
    let rdd = |from, until| create_rdd(&sc, &broker.params(), &[OffsetRange::new("bounds", 0, from, until)]);
    assert_eq!(rdd(0, 18)?.map(|record| record.offset()).collect()?, (0..18).collect::<Vec<_>>());
    let empty = rdd(18, 18)?;
    assert_eq!(empty.count()?, 0);
    broker.send("bounds", 0, ["y"]);
    assert_eq!(empty.count()?, 0);
    broker.send("bounds", 0, ["z"; 22]);
    assert_eq!(rdd(18, 19)?.map(|record| value(&record)).collect()?, ["y"]);
    // The same dataset again goes back to the first offset.
    let twice = rdd(0, 18)?;
    assert_eq!((twice.count()?, twice.count()?), (18, 18));
    Ok(())
}

/// `KafkaDataConsumerSuite/concurrent use`
#[test]
fn many_threads_read_the_same_partition_at_once() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("many_threads_read_the_same_partition_at_once") else { return Ok(()) };
    broker.create("shared", 1);
    broker.send("shared", 0, (0..1_000).map(|n| n.to_string()));
    let sc = RddContext::local(8)?;
    let rdd = create_rdd(&sc, &broker.params(), &[OffsetRange::new("shared", 0, 0, 1_000)])?;
    std::thread::scope(|threads| {
        for thread in 0..100 {
            let rdd = &rdd;
            threads.spawn(move || {
                for round in 0..5 {
                    // Some readers are given up half way.
                    if (thread + round) % 7 == 2 {
                        assert_eq!(rdd.take(10).expect("ten records").len(), 10);
                    }
                    let offsets = rdd.map(|record| record.offset()).collect().expect("all records");
                    assert_eq!(offsets, (0..1_000).collect::<Vec<_>>());
                }
            });
        }
    });
    Ok(())
}

#[test]
fn parts_of_one_partition_are_read_by_tasks_at_the_same_time() -> Result<(), BoxError> {
    let Some(broker) = Broker::shared("parts_of_one_partition_are_read_by_tasks_at_the_same_time") else {
        return Ok(());
    };
    broker.create("parts-of-one", 1);
    broker.send("parts-of-one", 0, (0..1_000).map(|n| n.to_string()));
    let sc = RddContext::local(4)?;
    let ranges: Vec<_> =
        (0..10).map(|part| OffsetRange::new("parts-of-one", 0, part * 100, (part + 1) * 100)).collect();
    let rdd = create_rdd(&sc, &broker.params(), &ranges)?;
    assert_eq!(rdd.map(|record| record.offset()).collect()?, (0..1_000).collect::<Vec<_>>());
    Ok(())
}
