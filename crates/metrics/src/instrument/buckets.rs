// SPDX-License-Identifier: Apache-2.0
//! Counts of values in buckets: sixteen to each power of two.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{Counts, place::add};
use crate::snapshot::Summary;

/// Bits of a value that tell buckets of one power of two apart.
const BITS: u32 = 4;
/// Values below this have a bucket each.
const EXACT: u64 = 1 << BITS;
/// The number of buckets.
pub(super) const COUNT: usize = (64 - BITS as usize + 1) << BITS;

/// The buckets of one place.
#[repr(align(128))]
pub(super) struct Buckets {
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Default for Buckets {
    fn default() -> Self {
        Self { counts: (0..COUNT).map(|_| AtomicU64::new(0)).collect(), sum: AtomicU64::new(0) }
    }
}

impl Buckets {
    #[inline]
    pub(super) fn record(&self, place: usize, value: u64) {
        add(&self.counts[bucket_of(value)], place, 1);
        add(&self.sum, place, value);
    }

    pub(super) fn count(&self) -> u64 {
        self.counts.iter().map(|count| count.load(Relaxed)).sum()
    }

    pub(super) fn add_to(&self, counts: &mut Counts) {
        for (sum, count) in counts.buckets.iter_mut().zip(&self.counts) {
            *sum += count.load(Relaxed);
        }
        counts.sum = counts.sum.wrapping_add(self.sum.load(Relaxed));
    }
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "there are fewer than a thousand buckets")]
fn bucket_of(value: u64) -> usize {
    if value < EXACT {
        return value as usize;
    }
    let power = value.ilog2();
    let within = (value >> (power - BITS)) & (EXACT - 1);
    ((u64::from(power - BITS + 1) << BITS) | within) as usize
}

/// The value in the middle of a bucket.
fn middle_of(bucket: usize) -> f64 {
    let bucket = bucket as u64;
    if bucket < EXACT {
        return bucket as f64;
    }
    let power = (bucket >> BITS) - 1;
    let low = (EXACT | bucket & (EXACT - 1)) as f64;
    (low + 0.5) * (power as f64).exp2()
}

/// What is known of the values in `all` that are not in `before`; the counts are of all.
pub(super) fn summarize(all: &Counts, before: &Counts) -> Summary {
    let count: u64 = all.buckets.iter().sum();
    let late: Vec<(f64, u64)> = all
        .buckets
        .iter()
        .enumerate()
        .map(|(bucket, count)| (bucket, count - before.buckets.get(bucket).copied().unwrap_or(0)))
        .filter(|(_, count)| *count > 0)
        .map(|(bucket, count)| (middle_of(bucket), count))
        .collect();
    let number: u64 = late.iter().map(|(_, count)| count).sum();
    let summary = Summary { count, sum: all.sum as f64, ..Summary::default() };
    let (Some((min, _)), Some((max, _))) = (late.first(), late.last()) else { return summary };
    let mean = all.sum.wrapping_sub(before.sum) as f64 / number as f64;
    let squares: f64 = late.iter().map(|(value, count)| (value - mean).powi(2) * *count as f64).sum();
    let quantile = |share: f64| {
        let mut left = share * number as f64;
        let found = late.iter().find(|(_, count)| {
            left -= *count as f64;
            left <= 0.0
        });
        found.map_or(*max, |(value, _)| *value)
    };
    Summary {
        min: *min,
        max: *max,
        mean,
        stddev: (squares / number as f64).sqrt(),
        p50: quantile(0.5),
        p75: quantile(0.75),
        p95: quantile(0.95),
        p98: quantile(0.98),
        p99: quantile(0.99),
        p999: quantile(0.999),
        ..summary
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_middle_of_the_bucket_is_near_the_value(value: u64) {
            let middle = middle_of(bucket_of(value));
            prop_assert!((middle - value as f64).abs() <= value as f64 / 31.0, "{value}: {middle}");
        }

        #[test]
        fn buckets_are_in_the_order_of_values(a: u64, b: u64) {
            prop_assert_eq!(bucket_of(a) <= bucket_of(b) || a > b, true);
            prop_assert!(bucket_of(a) < COUNT);
        }
    }
}
