// SPDX-License-Identifier: Apache-2.0
//! The rate limiter: the table of Spark's `RateLimiterSuite`, and its pace on a manual clock.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::thread;

use crossbeam_channel::unbounded;
use dstreams_streaming::clock::{Clock, ManualClock, StopFlag, Waited};
use dstreams_streaming::config::Config;
use dstreams_streaming::rate::RateLimiter;
use dstreams_streaming::time::{Time, milliseconds, seconds};
use proptest::prelude::*;

fn configured(settings: &[(&str, &str)]) -> RateLimiter {
    let mut config = Config::new();
    for (key, value) in settings {
        config.set(key, value).unwrap();
    }
    RateLimiter::from_config(&config, Arc::new(ManualClock::default()))
}

const MAX_RATE: &str = "spark.streaming.receiver.maxRate";
const INITIAL_RATE: &str = "spark.streaming.backpressure.initialRate";

/// The milliseconds at which `records` records pass, on a clock that moves as soon as it is waited for.
fn times_of(limiter: &RateLimiter, clock: &PacedClock, records: usize) -> Vec<i64> {
    let pass = |_| {
        assert_eq!(limiter.acquire(&StopFlag::new()), Waited::Reached);
        clock.now().as_millis()
    };
    (0..records).map(pass).collect()
}

/// A clock that jumps to whatever time is waited for, so that one thread can run through a pace.
#[derive(Debug, Default)]
struct PacedClock(ManualClock);

impl Clock for PacedClock {
    fn now(&self) -> Time {
        self.0.now()
    }

    fn wait_until(&self, target: Time, stop: &StopFlag) -> Waited {
        self.0.set(target.max(self.now()));
        self.0.wait_until(target, stop)
    }
}

fn paced(rate: i64) -> (RateLimiter, Arc<PacedClock>) {
    let clock = Arc::new(PacedClock::default());
    (RateLimiter::new(clock.clone(), Some(rate), None), clock)
}

#[test]
fn an_update_is_capped_by_the_maximum_rate() {
    for (max_rate, update, expected) in [(None, 105, 105), (Some("110"), 105, 105), (Some("100"), 105, 100)] {
        let limiter = configured(&max_rate.map(|rate| (MAX_RATE, rate)).into_iter().collect::<Vec<_>>());
        limiter.update_rate(update);
        assert_eq!(limiter.current_limit(), Some(expected));
    }
}

#[test]
fn the_first_limit_is_the_lower_of_the_initial_and_the_maximum_rate() {
    assert_eq!(configured(&[]).current_limit(), None);
    assert_eq!(configured(&[(MAX_RATE, "100")]).current_limit(), Some(100));
    assert_eq!(configured(&[(INITIAL_RATE, "50")]).current_limit(), Some(50));
    assert_eq!(configured(&[(MAX_RATE, "100"), (INITIAL_RATE, "50")]).current_limit(), Some(50));
    assert_eq!(configured(&[(MAX_RATE, "100"), (INITIAL_RATE, "500")]).current_limit(), Some(100));
}

#[test]
fn a_maximum_rate_of_zero_or_less_is_no_limit() {
    for rate in ["0", "-1"] {
        let limiter = configured(&[(MAX_RATE, rate)]);
        assert_eq!(limiter.current_limit(), None);
        limiter.update_rate(7);
        assert_eq!(limiter.current_limit(), Some(7));
    }
}

#[test]
fn an_update_of_zero_or_less_is_ignored() {
    let limiter = configured(&[(MAX_RATE, "100")]);
    limiter.update_rate(0);
    limiter.update_rate(-5);
    assert_eq!(limiter.current_limit(), Some(100));
}

#[test]
fn records_pass_evenly_at_the_limit() {
    let (limiter, clock) = paced(10);
    assert_eq!(times_of(&limiter, &clock, 4), [0, 100, 200, 300]);
    let (limiter, clock) = paced(2_000);
    assert_eq!(times_of(&limiter, &clock, 6), [0, 1, 1, 2, 2, 3]);
}

#[test]
fn an_idle_limiter_saves_up_one_second_and_no_more() {
    let (limiter, clock) = paced(10);
    clock.0.advance(seconds(60));
    let times = times_of(&limiter, &clock, 13);
    assert_eq!(times[..11], [60_000; 11]);
    assert_eq!(times[11..], [60_100, 60_200]);
}

#[test]
fn a_new_limit_holds_at_once_and_keeps_what_was_saved_in_proportion() {
    let (limiter, clock) = paced(100);
    clock.0.advance(milliseconds(500));
    limiter.update_rate(10);
    let times = times_of(&limiter, &clock, 8);
    assert_eq!(times[..6], [500; 6]);
    assert_eq!(times[6..], [600, 700]);
}

#[test]
fn a_clock_set_back_does_not_stop_the_flow() {
    let clock = Arc::new(PacedClock(ManualClock::new(Time::from_millis(1_000_000))));
    let limiter = RateLimiter::new(clock.clone(), Some(10), None);
    times_of(&limiter, &clock, 1);
    clock.0.set(Time::ZERO);
    assert_eq!(times_of(&limiter, &clock, 2), [100, 200]);
}

#[test]
fn without_a_limit_nothing_waits() {
    let limiter = configured(&[]);
    for _ in 0..10_000 {
        assert_eq!(limiter.acquire(&StopFlag::new()), Waited::Reached);
    }
}

#[test]
fn a_waiting_record_follows_the_clock_and_can_be_interrupted() {
    let clock = Arc::new(ManualClock::default());
    let limiter = RateLimiter::new(clock.clone(), Some(10), None);
    let stop = StopFlag::new();
    let (sender, passed) = unbounded();
    let receiver = thread::spawn({
        let stop = stop.clone();
        move || while limiter.acquire(&stop) == Waited::Reached && sender.send(()).is_ok() {}
    });
    passed.recv().unwrap();
    clock.await_waiter_for(Time::from_millis(100));
    assert!(passed.is_empty());
    clock.advance(milliseconds(100));
    passed.recv().unwrap();
    clock.await_waiter_for(Time::from_millis(200));
    stop.raise();
    receiver.join().unwrap();
    assert!(passed.recv().is_err());
}

proptest! {
    #[test]
    fn no_second_sees_more_than_two_seconds_worth(rate in 1i64..3_000, idle in 0i64..5_000, records in 1usize..3_000) {
        let (limiter, clock) = paced(rate);
        clock.0.advance(milliseconds(idle));
        let times = times_of(&limiter, &clock, records);
        let first_second = times.iter().filter(|time| **time < idle + 1_000).count();
        prop_assert!(first_second as f64 <= 2.0 * rate as f64 + 1.0);
        // From then on the limit itself holds: saved-up records are gone.
        let spent = times[times.len() - 1] - idle;
        prop_assert!(records as f64 <= rate as f64 * (1.0 + spent as f64 / 1_000.0) + 2.0);
    }
}
