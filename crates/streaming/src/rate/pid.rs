// SPDX-License-Identifier: Apache-2.0
//! A proportional–integral–derivative controller that steers the rate towards what was processed.

use super::{RateError, RateEstimator, RateTerms};
use crate::config::{Config, keys};
use crate::time::{Duration, Time};

/// Sets the next rate from three errors: how far the last rate was off, how much work is queued, and how
/// the error changes.
///
/// ```
/// use dstreams_streaming::rate::{PidGains, PidRateEstimator, RateEstimator};
/// use dstreams_streaming::time::{Duration, Time, seconds};
///
/// let mut pid = PidRateEstimator::new(seconds(1), PidGains::default())?;
/// // 1000 records in two seconds: the first batch only sets the base.
/// assert_eq!(pid.compute(Time::from_millis(2_000), 1_000, seconds(2), Duration::ZERO), None);
/// assert_eq!(pid.compute(Time::from_millis(4_000), 1_000, seconds(2), seconds(1)), Some(400.0));
/// # Ok::<(), dstreams_streaming::rate::RateError>(())
/// ```
#[derive(Debug, Clone)]
pub struct PidRateEstimator {
    batch_interval: Duration,
    gains: PidGains,
    latest: Option<Latest>,
    terms: Option<RateTerms>,
}

/// What the estimator remembers of the batch before.
#[derive(Debug, Clone, Copy)]
struct Latest {
    time: Time,
    rate: f64,
    error: f64,
}

/// The parameters of the controller.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PidGains {
    /// Weight of the difference between the last rate and the rate processed; at least 0.
    pub proportional: f64,
    /// Weight of the work that is queued; at least 0.
    pub integral: f64,
    /// Weight of the change of the difference; at least 0.
    pub derivative: f64,
    /// The lowest rate that is ever given, in records per second; above 0.
    pub min_rate: f64,
}

impl Default for PidGains {
    fn default() -> Self {
        Self { proportional: 1.0, integral: 0.2, derivative: 0.0, min_rate: 100.0 }
    }
}

impl PidGains {
    /// The gains under `spark.streaming.backpressure.pid`.
    pub fn from_config(config: &Config) -> Self {
        Self {
            proportional: config.get(&keys::BACKPRESSURE_PID_PROPORTIONAL),
            integral: config.get(&keys::BACKPRESSURE_PID_INTEGRAL),
            derivative: config.get(&keys::BACKPRESSURE_PID_DERIVED),
            min_rate: config.get(&keys::BACKPRESSURE_PID_MIN_RATE),
        }
    }
}

impl PidRateEstimator {
    /// An estimator for batches of `batch_interval`; fails for an interval or a gain out of its range.
    pub fn new(batch_interval: Duration, gains: PidGains) -> Result<Self, RateError> {
        let interval = batch_interval.as_millis() as f64;
        for (parameter, value, expected, within) in [
            ("batch interval in ms", interval, "above 0", interval > 0.0),
            ("proportional gain", gains.proportional, "at least 0", gains.proportional >= 0.0),
            ("integral gain", gains.integral, "at least 0", gains.integral >= 0.0),
            ("derivative gain", gains.derivative, "at least 0", gains.derivative >= 0.0),
            ("minimum rate", gains.min_rate, "above 0", gains.min_rate > 0.0),
        ] {
            if !within {
                return Err(RateError::OutOfRange { parameter, value, expected });
            }
        }
        Ok(Self { batch_interval, gains, latest: None, terms: None })
    }
}

impl RateEstimator for PidRateEstimator {
    fn compute(
        &mut self,
        time: Time,
        records: i64,
        processing_delay: Duration,
        scheduling_delay: Duration,
    ) -> Option<f64> {
        let newer = self.latest.is_none_or(|latest| time > latest.time);
        if !newer || records <= 0 || !processing_delay.is_positive() {
            return None;
        }
        let processed = records as f64 / processing_delay.as_millis() as f64 * 1_000.0;
        let Some(latest) = self.latest else {
            self.latest = Some(Latest { time, rate: processed, error: 0.0 });
            return None;
        };
        let seconds_since = (time - latest.time).as_secs_f64();
        let error = latest.rate - processed;
        // The records that wait, as the rate that would work them off within one batch.
        let queued = scheduling_delay.as_millis() as f64 * processed / self.batch_interval.as_millis() as f64;
        let change = (error - latest.error) / seconds_since;
        let gains = &self.gains;
        let (proportional, integral, derivative) =
            (gains.proportional * error, gains.integral * queued, gains.derivative * change);
        let rate = (latest.rate - proportional - integral - derivative).max(gains.min_rate);
        self.terms = Some(RateTerms {
            latest: latest.rate,
            processing: processed,
            proportional,
            integral,
            derivative,
            minimum: gains.min_rate,
            rate,
        });
        self.latest = Some(Latest { time, rate, error });
        Some(rate)
    }

    fn terms(&self) -> Option<RateTerms> {
        self.terms
    }
}
