// SPDX-License-Identifier: Apache-2.0
//! How often something happens per second, weighed towards the present.

use crate::snapshot::Rates;

/// Weighed means over one, five and fifteen minutes, brought up to date when somebody looks.
#[derive(Debug, Default)]
pub(super) struct Ewma {
    first: Option<(i64, u64)>,
    last: Option<(i64, u64)>,
    /// None before there is anything to weigh.
    weighed: Option<[f64; 3]>,
}

/// Over how many seconds each is weighed.
const SECONDS: [f64; 3] = [60.0, 300.0, 900.0];

impl Ewma {
    /// The rates at the time `now` in milliseconds, at which it has happened `count` times.
    pub(super) fn at(&mut self, now: i64, count: u64) -> Rates {
        let (first, before) = *self.first.get_or_insert((now, 0));
        let (last, counted) = *self.last.get_or_insert((now, 0));
        let passed = (now - last) as f64 / 1000.0;
        if passed > 0.0 {
            let rate = (count - counted) as f64 / passed;
            let weighed = self.weighed.get_or_insert([rate; 3]);
            for (mean, seconds) in weighed.iter_mut().zip(SECONDS) {
                let kept = (-passed / seconds).exp();
                *mean = *mean * kept + rate * (1.0 - kept);
            }
            self.last = Some((now, count));
        }
        let [m1, m5, m15] = self.weighed.unwrap_or_default();
        let since = (now - first) as f64 / 1000.0;
        let mean = if since > 0.0 { (count - before) as f64 / since } else { 0.0 };
        Rates { mean, m1, m5, m15 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_rate_is_found_and_a_change_is_followed() {
        let mut rates = Ewma::default();
        rates.at(0, 0);
        for second in 1..=60 {
            rates.at(second * 1000, second.unsigned_abs() * 10);
        }
        let steady = rates.at(60_000, 600);
        assert!(
            [steady.mean, steady.m1, steady.m5, steady.m15].iter().all(|rate| (rate - 10.0).abs() < 1e-9)
        );
        let later = rates.at(120_000, 600);
        assert!(later.m1 < 4.0 && later.m5 > 8.0 && (later.mean - 5.0).abs() < 1e-9, "{later:?}");
    }
}
