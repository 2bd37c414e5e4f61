// SPDX-License-Identifier: Apache-2.0
//! Rate control: the limiter in front of a receiver, the estimator that finds the rate a program can keep up with, and
//! the controllers that bring both together.

mod controller;
mod limiter;
mod pid;
mod rates;

use crate::config::{Config, keys};
use crate::time::{Duration, Time};

pub(crate) use controller::Controller;
pub use limiter::RateLimiter;
pub use pid::{PidGains, PidRateEstimator};
pub use rates::RateHandle;
pub(crate) use rates::{Hold, Rates};

pub use crate::event::RateTerms;

/// Estimates from each completed batch how many records per second the program can take.
pub trait RateEstimator: std::fmt::Debug + Send {
    /// The new rate in records per second, or nothing when the batch says too little.
    ///
    /// `time` is when the processing of the batch ended, `records` what it got from this stream,
    /// `processing_delay` how long it ran and `scheduling_delay` how long it had waited before.
    fn compute(
        &mut self,
        time: Time,
        records: i64,
        processing_delay: Duration,
        scheduling_delay: Duration,
    ) -> Option<f64>;

    /// How the last rate came about, for people; nothing where the estimator does not say.
    fn terms(&self) -> Option<RateTerms> {
        None
    }
}

/// The estimator that `spark.streaming.backpressure.rateEstimator` names, for batches of `batch_interval`.
pub fn estimator(config: &Config, batch_interval: Duration) -> Result<Box<dyn RateEstimator>, RateError> {
    match config.get(&keys::BACKPRESSURE_RATE_ESTIMATOR).as_str() {
        "pid" => Ok(Box::new(PidRateEstimator::new(batch_interval, PidGains::from_config(config))?)),
        name => Err(RateError::UnknownEstimator { name: name.to_owned() }),
    }
}

/// Why a rate estimator could not be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RateError {
    /// No estimator has this name.
    #[error("Unknown rate estimator: {name}")]
    UnknownEstimator {
        /// The name asked for.
        name: String,
    },
    /// A parameter of the estimator is outside its range.
    #[error("the {parameter} of the PID rate estimator is {value}; it must be {expected}")]
    OutOfRange {
        /// Which parameter.
        parameter: &'static str,
        /// Its value.
        value: f64,
        /// The range it must be in.
        expected: &'static str,
    },
}
