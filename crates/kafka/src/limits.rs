// SPDX-License-Identifier: Apache-2.0
//! How much of each partition a batch takes: what waits, within the rates and sizes that are allowed.

use std::collections::BTreeMap;

use dstreams_streaming::Duration;

use crate::{
    ranges::TopicPartition,
    subscription::{PartitionRate, Rates},
};

/// The size that a record is taken to have before any was read.
const UNKNOWN_SIZE: f64 = 1024.0;

/// What the configuration allows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// The batch interval.
    pub(crate) interval: Duration,
    /// Records per second and partition; 0 is unlimited.
    pub(crate) max_rate: i64,
    /// Records of a batch that every partition may give whatever the rate.
    pub(crate) min_records: i64,
    /// Records of a batch.
    pub(crate) max_records: Option<i64>,
    /// Bytes of a batch.
    pub(crate) max_bytes: Option<u64>,
}

/// What is known when a batch is made.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Known {
    /// How many records of the batches that are not complete are still to be read.
    pub(crate) unread: u64,
    /// Records per second that backpressure leaves to the stream.
    pub(crate) rate: Option<i64>,
    /// Whether the batch is to take nothing, since too many wait.
    pub(crate) is_held: bool,
    /// The mean size of a record, once one was read.
    pub(crate) record_size: Option<f64>,
}

impl Limits {
    /// How many offsets the batch takes of each partition, given how many wait there; nothing where there is no limit.
    pub(crate) fn of(
        &self,
        lags: &BTreeMap<TopicPartition, u64>,
        rates: Option<&Rates>,
        known: Known,
    ) -> Option<BTreeMap<TopicPartition, u64>> {
        if known.is_held {
            return Some(lags.keys().map(|partition| (partition.clone(), 0)).collect());
        }
        let by_rate = self.by_rate(lags, rates, known.rate);
        match (by_rate, self.total(known)) {
            (None, None) => None,
            (by_rate, None) => by_rate,
            (by_rate, Some(total)) => Some(share(&by_rate.unwrap_or_else(|| lags.clone()), total)),
        }
    }

    /// As Spark does it: the rate is shared out by what waits, and no partition exceeds its own.
    fn by_rate(
        &self,
        lags: &BTreeMap<TopicPartition, u64>,
        rates: Option<&Rates>,
        rate: Option<i64>,
    ) -> Option<BTreeMap<TopicPartition, u64>> {
        let total: u64 = lags.values().sum();
        let rate = rate.filter(|rate| *rate > 0);
        if rate.is_some() && total == 0 {
            return None;
        }
        let own = |partition: &TopicPartition| {
            rates
                .map_or(PartitionRate { max: self.max_rate, min: self.min_records }, |rates| rates(partition))
        };
        let limit = |partition: &TopicPartition, lag: u64| {
            let max = own(partition).max;
            match rate {
                Some(rate) => {
                    let share = lag as f64 / total as f64 * rate as f64;
                    if max > 0 { share.min(max as f64) } else { share }
                }
                None => max as f64,
            }
        };
        if lags.iter().map(|(partition, lag)| limit(partition, *lag)).sum::<f64>() <= 0.0 {
            return None;
        }
        let seconds = self.interval.as_secs_f64();
        let records = |partition: &TopicPartition, lag: u64| {
            let PartitionRate { max, min } = own(partition);
            if rate.is_none() && max <= 0 {
                return lag;
            }
            let min = u64::try_from(min).unwrap_or(0);
            count(limit(partition, lag) * seconds).max(min).min(lag)
        };
        Some(lags.iter().map(|(partition, lag)| (partition.clone(), records(partition, *lag))).collect())
    }

    /// How many records the whole batch may have.
    fn total(&self, known: Known) -> Option<u64> {
        let by_bytes = self.max_bytes.map(|bytes| {
            let size = known.record_size.unwrap_or(UNKNOWN_SIZE).max(1.0);
            count(bytes as f64 / size).max(1)
        });
        let by_records = self.max_records.and_then(|records| u64::try_from(records).ok());
        [by_bytes, by_records].into_iter().flatten().min()
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "cut off on purpose, at 0 and the largest"
)]
fn count(records: f64) -> u64 {
    records as u64
}

/// At most `total` of what is wanted, by what is wanted; what rounding leaves goes to the first partitions.
fn share(wanted: &BTreeMap<TopicPartition, u64>, total: u64) -> BTreeMap<TopicPartition, u64> {
    let all: u64 = wanted.values().sum();
    if all <= total {
        return wanted.clone();
    }
    let part = |wanted: u64| u128::from(wanted) * u128::from(total) / u128::from(all);
    let mut shares: BTreeMap<_, _> = wanted
        .iter()
        .map(|(partition, wanted)| (partition.clone(), u64::try_from(part(*wanted)).unwrap_or(*wanted)))
        .collect();
    let mut left = total - shares.values().sum::<u64>();
    for (partition, share) in &mut shares {
        let more = left.min(wanted[partition] - *share).min(1);
        *share += more;
        left -= more;
    }
    shares
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dstreams_streaming::time::milliseconds;

    use super::*;

    fn lags(lags: &[u64]) -> BTreeMap<TopicPartition, u64> {
        (0..).zip(lags).map(|(partition, lag)| (TopicPartition::new("t", partition), *lag)).collect()
    }

    fn limits(interval: i64, max_rate: i64, min_records: i64) -> Limits {
        Limits { interval: milliseconds(interval), max_rate, min_records, max_records: None, max_bytes: None }
    }

    fn taken(limits: &Limits, waiting: &[u64], rate: Option<i64>) -> Option<Vec<u64>> {
        let known = Known { rate, ..Known::default() };
        limits.of(&lags(waiting), None, known).map(|taken| taken.into_values().collect())
    }

    /// The table of `DirectKafkaStreamSuite/maxMessagesPerPartition`.
    #[test]
    fn rates_are_shared_out_as_spark_does() {
        assert_eq!(taken(&limits(100, 100, 1), &[50, 50], None), Some(vec![10, 10]));
        assert_eq!(taken(&limits(100, 100, 1), &[0, 0], Some(1000)), None);
        let rates: Rates =
            Arc::new(|partition| PartitionRate { max: 50 * (i64::from(partition.partition) + 1), min: 1 });
        let known = Known { rate: Some(1000), ..Known::default() };
        let own = limits(100, 0, 1).of(&lags(&[1000, 1000]), Some(&rates), known);
        assert_eq!(own, Some(lags(&[5, 10])));
        assert_eq!(taken(&limits(500, 1000, 1), &[1000], Some(500)), Some(vec![250]));
        assert_eq!(taken(&limits(500, 300, 1), &[1000], Some(1000)), Some(vec![150]));
        // Those of `DirectKafkaStreamSuite/using rate controller`.
        for (rate, records) in [(100, 50), (50, 25), (20, 10)] {
            assert_eq!(taken(&limits(500, 100, 1), &[5_000], Some(rate)), Some(vec![records]));
        }
        // Here a partition without lag is given nothing instead of more than it has.
        assert_eq!(taken(&limits(60_000, 100, 5), &[0, 100, 200, 300], Some(1)), Some(vec![0, 10, 20, 30]));
    }

    #[test]
    fn without_limits_everything_is_taken() {
        assert_eq!(taken(&limits(100, 0, 1), &[7, 8], None), None);
        assert_eq!(taken(&limits(100, 0, 1), &[7, 8], Some(0)), None);
    }

    #[test]
    fn a_batch_has_no_more_records_or_bytes_than_allowed() {
        let records = Limits { max_records: Some(10), ..limits(100, 0, 1) };
        assert_eq!(taken(&records, &[90, 10, 0], None), Some(vec![9, 1, 0]));
        assert_eq!(taken(&records, &[33, 33, 34], None), Some(vec![4, 3, 3]));
        assert_eq!(taken(&records, &[3, 4], None), Some(vec![3, 4]));
        let bytes = Limits { max_bytes: Some(1_000), ..limits(100, 0, 1) };
        let known = Known { record_size: Some(100.0), ..Known::default() };
        assert_eq!(bytes.of(&lags(&[50, 50]), None, known), Some(lags(&[5, 5])));
        assert_eq!(bytes.of(&lags(&[50]), None, Known::default()), Some(lags(&[1])));
    }

    #[test]
    fn a_batch_that_is_held_takes_nothing() {
        let held = Known { is_held: true, ..Known::default() };
        assert_eq!(limits(100, 0, 1).of(&lags(&[7, 8]), None, held), Some(lags(&[0, 0])));
    }

    #[test]
    fn both_kinds_of_limits_hold() {
        let both = Limits { max_records: Some(12), ..limits(100, 100, 1) };
        assert_eq!(taken(&both, &[50, 50], None), Some(vec![6, 6]));
        assert_eq!(taken(&both, &[50, 1], None), Some(vec![10, 1]));
    }
}
