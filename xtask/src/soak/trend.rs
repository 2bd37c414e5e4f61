// SPDX-License-Identifier: Apache-2.0
//! `Trend`: the straight line through samples of a value, and whether it rises.

use std::fmt;

/// How a value has developed.
#[derive(Debug)]
pub(super) struct Trend {
    pub(super) name: &'static str,
    unit: &'static str,
    mean: f64,
    /// Per second.
    slope: f64,
    /// Seconds from the first sample to the last.
    length: f64,
    /// By how much it may rise within the time of the samples.
    slack: f64,
}

/// The part of its mean by which a value may rise within the time of the samples.
const PART: f64 = 0.05;

impl Trend {
    /// The line of least squares through values at seconds; nothing through fewer than ten.
    pub(super) fn of(
        name: &'static str,
        unit: &'static str,
        samples: impl Iterator<Item = (f64, f64)>,
        slack: f64,
    ) -> Option<Self> {
        let samples: Vec<_> = samples.collect();
        if samples.len() < 10 {
            return None;
        }
        let count = samples.len() as f64;
        let mean_of = |values: fn(&(f64, f64)) -> f64| samples.iter().map(values).sum::<f64>() / count;
        let (middle, mean) = (mean_of(|sample| sample.0), mean_of(|sample| sample.1));
        let (mut together, mut squares) = (0.0, 0.0);
        for (at, value) in &samples {
            together += (at - middle) * (value - mean);
            squares += (at - middle).powi(2);
        }
        let length = samples.last()?.0 - samples.first()?.0;
        Some(Self { name, unit, mean, slope: together / squares, length, slack })
    }

    /// Whether it rises by more than a part of it and more than the slack.
    pub(super) fn grows(&self) -> bool {
        self.slope * self.length > self.slack.max(self.mean * PART)
    }
}

impl fmt::Display for Trend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, unit, mean, slope, length, .. } = self;
        let verdict = if self.grows() { "GROWS" } else { "flat" };
        write!(
            f,
            "{name:<17} {mean:>10.0} {unit:<3} on average, {:>+9.1} {unit} in {length:.0} s, {:>+10.1} {unit} an hour: {verdict}",
            slope * length,
            slope * 3600.0
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trend(value: impl Fn(f64) -> f64) -> Trend {
        let samples = (0..600_u32).map(|second| (f64::from(second), value(f64::from(second))));
        Trend::of("memory", "KiB", samples, 10.0).expect("enough samples")
    }

    #[test]
    fn a_leak_is_seen_through_ups_and_downs() {
        let waves = |second: f64| 1000.0 + 200.0 * (second / 7.0).sin();
        assert!(!trend(waves).grows());
        let leaking = trend(|second| waves(second) + second / 5.0);
        assert!(leaking.grows());
        assert!((leaking.slope - 0.2).abs() < 0.02, "{leaking}");
    }

    #[test]
    fn what_shrinks_or_barely_rises_is_flat() {
        assert!(!trend(|second| 2000.0 - second).grows());
        assert!(!trend(|second| 2000.0 + second / 100.0).grows());
    }

    #[test]
    fn a_few_samples_say_nothing() {
        assert!(Trend::of("memory", "", (0..9).map(|at| (f64::from(at), 1.0)), 0.0).is_none());
    }
}
