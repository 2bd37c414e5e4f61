// SPDX-License-Identifier: Apache-2.0
//! The PID rate estimator: the tables of Spark's `PIDRateEstimatorSuite` (in `data/pid.json`, one row per
//! batch) and the laws of the controller.

#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::float_cmp, reason = "the rates are exact")]

use dstreams_streaming::config::Config;
use dstreams_streaming::rate::{PidGains, PidRateEstimator, RateError, RateEstimator, estimator};
use dstreams_streaming::time::{Time, milliseconds, seconds};
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Table {
    name: String,
    batch_ms: i64,
    p: f64,
    i: f64,
    d: f64,
    min_rate: f64,
    /// Time, records, processing delay, scheduling delay, rate.
    rows: Vec<(i64, i64, i64, i64, Option<f64>)>,
}

fn gains(proportional: f64, integral: f64, derivative: f64, min_rate: f64) -> PidGains {
    PidGains { proportional, integral, derivative, min_rate }
}

fn compute(
    pid: &mut dyn RateEstimator,
    time: i64,
    records: i64,
    processing: i64,
    scheduling: i64,
) -> Option<f64> {
    pid.compute(Time::from_millis(time), records, milliseconds(processing), milliseconds(scheduling))
}

#[test]
fn tables() {
    let tables: Vec<Table> = serde_json::from_str(include_str!("data/pid.json")).unwrap();
    assert_eq!(tables.len(), 8);
    for table in tables {
        let gains = gains(table.p, table.i, table.d, table.min_rate);
        let mut pid = PidRateEstimator::new(milliseconds(table.batch_ms), gains).unwrap();
        for (time, records, processing, scheduling, expected) in table.rows {
            let rate = compute(&mut pid, time, records, processing, scheduling);
            assert_eq!(rate, expected, "{} at {time}", table.name);
        }
    }
}

#[test]
fn ranges_are_checked() {
    for (batch, p, i, d, min_rate) in [
        (0, 1.0, 2.0, 3.0, 10.0),
        (100, -1.0, 2.0, 3.0, 10.0),
        (100, 0.0, -1.0, 3.0, 10.0),
        (100, 0.0, 0.0, -1.0, 10.0),
        (100, 0.0, 0.0, 0.0, 0.0),
        (100, 0.0, 0.0, 0.0, -10.0),
        (100, f64::NAN, 0.0, 0.0, 10.0),
    ] {
        let error = PidRateEstimator::new(milliseconds(batch), gains(p, i, d, min_rate)).unwrap_err();
        assert!(matches!(error, RateError::OutOfRange { .. }), "{error}");
    }
    assert!(PidRateEstimator::new(milliseconds(1), gains(0.0, 0.0, 0.0, 0.1)).is_ok());
}

#[test]
fn the_configured_estimator_is_created() {
    let mut config = Config::new();
    config.set("spark.streaming.backpressure.rateEstimator", "pid").unwrap();
    config.set("spark.streaming.backpressure.pid.minRate", "7000").unwrap();
    let mut pid = estimator(&config, seconds(1)).unwrap();
    assert_eq!(compute(pid.as_mut(), 0, 10, 1000, 0), None);
    assert_eq!(compute(pid.as_mut(), 1000, 10, 1000, 0), Some(7000.0));
    assert!(config.set("spark.streaming.backpressure.rateEstimator", "oracle").is_err());
}

#[test]
fn the_derivative_term_weighs_the_change_of_the_error() {
    let mut pid = PidRateEstimator::new(seconds(1), gains(0.0, 0.0, 0.5, 1.0)).unwrap();
    compute(&mut pid, 0, 1000, 1000, 0);
    // The error goes from 0 to 200 within two seconds: 1000 - 0.5 * 100.
    assert_eq!(compute(&mut pid, 2000, 800, 1000, 0), Some(950.0));
    // And then from 200 to 150 within one second: 950 - 0.5 * -50.
    assert_eq!(compute(&mut pid, 3000, 800, 1000, 0), Some(975.0));
}

proptest! {
    #[test]
    fn with_queued_work_the_rate_stays_below_the_processing_speed(
        batches in prop::collection::vec((1000i64..2000, 1i64..20), 50),
    ) {
        let mut pid = PidRateEstimator::new(milliseconds(20), gains(1.0, 0.01, 0.0, 10.0)).unwrap();
        for (n, (records, scheduling)) in (0..).zip(batches) {
            match compute(&mut pid, n * 20, records, 20, scheduling) {
                None => prop_assert_eq!(n, 0),
                Some(rate) => prop_assert!(rate < records as f64 / 20.0 * 1000.0 && rate >= 10.0),
            }
        }
    }

    #[test]
    fn a_skipped_batch_leaves_no_trace(records in -5i64..=0, processing in -5i64..=0) {
        let mut pid = PidRateEstimator::new(milliseconds(20), gains(1.0, 0.5, 0.5, 1.0)).unwrap();
        compute(&mut pid, 0, 100, 10, 0);
        let mut undisturbed = pid.clone();
        prop_assert_eq!(compute(&mut pid, 10, records, 10, 3), None);
        prop_assert_eq!(compute(&mut pid, 10, 10, processing, 3), None);
        prop_assert_eq!(compute(&mut pid, 0, 10, 10, 3), None);
        prop_assert_eq!(compute(&mut pid, 20, 300, 10, 3), compute(&mut undisturbed, 20, 300, 10, 3));
    }
}
