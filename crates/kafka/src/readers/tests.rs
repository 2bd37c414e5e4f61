// SPDX-License-Identifier: Apache-2.0
//! Readers are kept, found again at the offset that they have fetched to, and dropped when they have failed.

use std::time::Duration;

use dstreams_streaming::{BoxError, Config, time::seconds};

use super::{Lent, Readers};
use crate::{
    partition_reader::Found, ranges::TopicPartition, record::Record, settings::Settings, support::Broker,
};

fn readers(broker: &Broker, settings: &[(&str, &str)]) -> Result<Readers, BoxError> {
    let mut config = Config::new();
    for (name, value) in settings {
        config.set(name, value)?;
    }
    Ok(Readers::new(broker.params(), Settings::new(&config, seconds(1)).reading))
}

fn topic(test: &str) -> Option<(Broker, TopicPartition)> {
    let broker = Broker::shared(test)?;
    let topic = format!("readers-{test}");
    broker.create(&topic, 2);
    for partition in [0, 1] {
        broker.send(&topic, partition, (0..100).map(|n| n.to_string()));
    }
    Some((broker, TopicPartition::new(topic.as_str(), 0)))
}

/// Reads up to an offset, and returns the offsets.
fn read(lent: &mut Lent, until: i64) -> Vec<i64> {
    let mut records = Vec::new();
    while lent.reader.read(until, &mut records, Duration::from_millis(100)) != Found::End {}
    records.iter().map(Record::offset).collect()
}

/// `KafkaDataConsumerSuite/reuse`
#[test]
fn a_reader_is_kept_and_found_where_it_has_fetched_to() -> Result<(), BoxError> {
    let Some((broker, partition)) = topic("kept") else { return Ok(()) };
    let readers = readers(&broker, &[])?;
    let mut lent = readers.lend(&partition, 0)?;
    assert_eq!(read(&mut lent, 10), (0..10).collect::<Vec<_>>());
    let client = lent.reader.client().clone();
    readers.give_back(lent, true);
    let mut lent = readers.lend(&partition, 10)?;
    assert!(std::sync::Arc::ptr_eq(&client, lent.reader.client()));
    // What was fetched ahead is there: nobody has to be waited for.
    let mut records = Vec::new();
    let found = lent.reader.read(20, &mut records, Duration::ZERO);
    assert_eq!((found, records.len()), (Found::Records { bytes: 20 }, 10));
    readers.give_back(lent, true);
    // Back, and beyond the end of what was read.
    let mut lent = readers.lend(&partition, 5)?;
    assert_eq!(read(&mut lent, 8), [5, 6, 7]);
    readers.give_back(lent, true);
    let mut lent = readers.lend(&partition, 90)?;
    assert_eq!(read(&mut lent, 100), (90..100).collect::<Vec<_>>());
    assert!(std::sync::Arc::ptr_eq(&client, lent.reader.client()));
    readers.give_back(lent, true);
    assert_eq!(readers.pool.lock().idle.len(), 1);
    Ok(())
}

/// `KafkaDataConsumerSuite/task retry`
#[test]
fn a_reader_that_has_failed_is_not_used_again() -> Result<(), BoxError> {
    let Some((broker, partition)) = topic("failed") else { return Ok(()) };
    let readers = readers(&broker, &[])?;
    let mut lent = readers.lend(&partition, 0)?;
    assert_eq!(read(&mut lent, 10).len(), 10);
    let client = lent.reader.client().clone();
    readers.give_back(lent, false);
    assert_eq!(readers.pool.lock().idle.len(), 0);
    let mut lent = readers.lend(&partition, 0)?;
    assert!(!std::sync::Arc::ptr_eq(&client, lent.reader.client()));
    assert_eq!(read(&mut lent, 100), (0..100).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn a_partition_is_read_twice_at_once_in_two_lanes() -> Result<(), BoxError> {
    let Some((broker, partition)) = topic("lanes") else { return Ok(()) };
    let readers = readers(&broker, &[])?;
    for _ in 0..3 {
        let (mut first, mut second) = (readers.lend(&partition, 0)?, readers.lend(&partition, 50)?);
        assert_eq!(read(&mut first, 50), (0..50).collect::<Vec<_>>());
        assert_eq!(read(&mut second, 100), (50..100).collect::<Vec<_>>());
        readers.give_back(first, true);
        readers.give_back(second, true);
        let pool = readers.pool.lock();
        assert_eq!((pool.lanes.len(), pool.idle.len()), (2, 2));
    }
    Ok(())
}

#[test]
fn no_more_readers_are_kept_than_allowed() -> Result<(), BoxError> {
    let Some((broker, first)) = topic("few") else { return Ok(()) };
    let second = TopicPartition::new(first.topic.clone(), 1);
    for (setting, kept) in [
        ("spark.streaming.kafka.consumer.cache.maxCapacity=1", 1),
        ("spark.streaming.kafka.consumer.cache.enabled=false", 0),
    ] {
        let readers = readers(&broker, &[setting.split_once('=').ok_or("a setting")?])?;
        for _ in 0..3 {
            for partition in [&first, &second] {
                let mut lent = readers.lend(partition, 0)?;
                assert_eq!(read(&mut lent, 100).len(), 100);
                readers.give_back(lent, true);
            }
        }
        let pool = readers.pool.lock();
        assert_eq!((pool.idle.len(), pool.lanes.iter().flatten().count()), (kept, kept));
    }
    Ok(())
}
