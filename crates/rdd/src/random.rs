// SPDX-License-Identifier: Apache-2.0
//! Random numbers that are the same wherever and however often a partition is computed.

/// The `SplitMix64` generator of Steele, Lea and Flood. It is fast, passes the usual statistical tests, and needs no
/// more than a number as seed; it must not be used for secrets.
#[derive(Debug, Clone)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    /// The generator for one partition of one operation.
    pub(crate) fn new(seed: u64, partition: usize) -> Self {
        // Neighbouring partitions must not draw shifted copies of one sequence, so that their states are scattered.
        Self { state: scatter(seed ^ scatter(partition as u64)) }
    }

    /// Evenly distributed over all numbers.
    #[inline]
    pub(crate) fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        scatter(self.state)
    }

    /// Evenly distributed from 0 to 1, without 1.
    #[inline]
    pub(crate) fn next_f64(&mut self) -> f64 {
        // The 53 bits that a mantissa holds.
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Evenly distributed below `bound`, which must not be 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // The high half of the product; its bias is below bound / 2⁶⁴.
        u64::try_from((u128::from(self.next_u64()) * u128::from(bound)) >> 64).unwrap_or(0)
    }

    /// Poisson distributed with the given mean.
    pub(crate) fn poisson(&mut self, mean: f64) -> u64 {
        // A sum of Poisson variables is one with the sum of their means; parts keep exp(-mean) far from underflow.
        const PART: f64 = 16.0;
        let mut left = mean;
        let mut events = 0;
        while left > 0.0 {
            let limit = (-left.min(PART)).exp();
            left -= PART;
            let mut product = self.next_f64();
            while product > limit {
                events += 1;
                product *= self.next_f64();
            }
        }
        events
    }

    /// Brings the records into an order of which each is equally likely.
    pub(crate) fn shuffle<T>(&mut self, records: &mut [T]) {
        for last in (1..records.len()).rev() {
            let other = usize::try_from(self.below(last as u64 + 1)).unwrap_or(last);
            records.swap(last, other);
        }
    }
}

/// The output function of `SplitMix64`: a bijection that scatters close numbers.
#[inline]
fn scatter(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_and_seeds_draw_different_sequences() {
        let mut firsts: Vec<u64> = (0..100)
            .flat_map(|seed| (0..100).map(move |partition| Random::new(seed, partition).next_u64()))
            .collect();
        firsts.sort_unstable();
        firsts.dedup();
        assert_eq!(firsts.len(), 10_000);
    }

    #[test]
    fn the_poisson_distribution_has_its_mean_and_variance() {
        for mean in [0.1, 1.0, 40.0] {
            let mut random = Random::new(7, 0);
            let draws: Vec<f64> = (0..20_000).map(|_| random.poisson(mean) as f64).collect();
            let average = draws.iter().sum::<f64>() / draws.len() as f64;
            let variance = draws.iter().map(|x| (x - average).powi(2)).sum::<f64>() / draws.len() as f64;
            assert!((average / mean - 1.0).abs() < 0.1, "mean {mean}: {average}");
            assert!((variance / mean - 1.0).abs() < 0.1, "mean {mean}: variance {variance}");
        }
    }

    #[test]
    fn bounded_numbers_cover_their_range() {
        let mut random = Random::new(1, 2);
        let mut seen = [0; 10];
        for _ in 0..10_000 {
            seen[usize::try_from(random.below(10)).expect("below 10")] += 1;
        }
        assert!(seen.iter().all(|&n| (800..1200).contains(&n)), "{seen:?}");
    }

    #[test]
    fn shuffling_keeps_all_records() {
        let mut records: Vec<u32> = (0..100).collect();
        Random::new(3, 0).shuffle(&mut records);
        assert!(!records.is_sorted());
        records.sort_unstable();
        assert!(records.into_iter().eq(0..100));
    }
}
