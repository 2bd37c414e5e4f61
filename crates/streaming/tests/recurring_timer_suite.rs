// SPDX-License-Identifier: Apache-2.0
//! The recurring timer on a manual clock: the scripts of Spark's `RecurringTimerSuite` and its edges.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use crossbeam_channel::{Receiver, unbounded};
use dstreams_streaming::clock::ManualClock;
use dstreams_streaming::time::{Time, milliseconds};
use dstreams_streaming::timer::{RecurringTimer, RunningTimer, StopTimer, TimerError};

fn at(millis: i64) -> Time {
    Time::from_millis(millis)
}

/// A timer of 100 ms that sends the times it calls back for.
fn timer(clock: &Arc<ManualClock>) -> (RecurringTimer<impl FnMut(Time) + Send + 'static>, Receiver<i64>) {
    let (sender, ticks) = unbounded();
    let callback = move |time: Time| sender.send(time.as_millis()).unwrap();
    (RecurringTimer::new("test", clock.clone(), milliseconds(100), callback).unwrap(), ticks)
}

fn started(clock: &Arc<ManualClock>, first: i64) -> (RunningTimer, Receiver<i64>) {
    let (timer, ticks) = timer(clock);
    (timer.start_at(at(first)).unwrap(), ticks)
}

fn take(ticks: &Receiver<i64>, count: usize) -> Vec<i64> {
    ticks.iter().take(count).collect()
}

#[test]
fn basic() {
    let clock = Arc::new(ManualClock::default());
    let (timer, ticks) = started(&clock, 0);
    assert_eq!(take(&ticks, 1), [0]);
    clock.advance(milliseconds(100));
    assert_eq!(take(&ticks, 1), [100]);
    clock.advance(milliseconds(200));
    assert_eq!(take(&ticks, 2), [200, 300]);
    assert_eq!(timer.stop(StopTimer::Now), Some(at(300)));
    assert_eq!(take(&ticks, 1), [0; 0]);
}

#[test]
fn callback_after_stopping() {
    let clock = Arc::new(ManualClock::default());
    let (timer, ticks) = started(&clock, 0);
    clock.await_waiter_for(at(100));
    timer.request_stop(StopTimer::AfterNextTick);
    clock.advance(milliseconds(200));
    assert_eq!(timer.join(), Some(at(200)));
    assert_eq!(take(&ticks, 9), [0, 100, 200]);
}

#[test]
fn a_jump_of_the_clock_fires_every_missed_time() {
    let clock = Arc::new(ManualClock::default());
    let (timer, ticks) = started(&clock, 100);
    clock.await_waiter_for(at(100));
    clock.set(at(1_050));
    clock.await_waiter_for(at(1_100));
    assert_eq!(timer.stop(StopTimer::Now), Some(at(1_000)));
    assert_eq!(take(&ticks, 99), (1..=10).map(|n| n * 100).collect::<Vec<_>>());
}

#[test]
fn it_starts_at_the_next_multiple_of_the_period() {
    for (now, first) in [(0, 100), (99, 100), (100, 200)] {
        let clock = Arc::new(ManualClock::new(at(now)));
        let (timer, _ticks) = timer(&clock);
        assert_eq!(timer.start_time(), at(first));
        let timer = timer.start().unwrap();
        clock.await_waiter_for(at(first));
        assert_eq!(timer.stop(StopTimer::Now), None);
    }
}

#[test]
fn it_restarts_in_step_with_its_original_start() {
    let clock = Arc::new(ManualClock::new(at(1_000)));
    let (timer, _ticks) = timer(&clock);
    for (original, expected) in [(0, 1_100), (30, 1_030), (1_000, 1_100)] {
        assert_eq!(timer.restart_time(at(original)), at(expected), "{original}");
    }
}

#[test]
fn a_timer_that_lags_behind_stops_after_the_callback_it_is_in() {
    let clock = Arc::new(ManualClock::new(at(1_000_000)));
    let (entered_sender, entered) = unbounded();
    let (proceed, proceed_receiver) = unbounded::<()>();
    let timer = RecurringTimer::new("slow", clock, milliseconds(100), move |time| {
        entered_sender.send(time).unwrap();
        let _ = proceed_receiver.recv();
    });
    let timer = timer.unwrap().start_at(at(0)).unwrap();
    assert_eq!(entered.recv().unwrap(), at(0));
    timer.request_stop(StopTimer::Now);
    drop(proceed);
    assert_eq!(timer.join(), Some(at(0)));
    assert!(entered.recv().is_err());
}

#[test]
fn dropping_it_stops_its_thread() {
    let clock = Arc::new(ManualClock::default());
    let (timer, ticks) = started(&clock, 100);
    drop(timer);
    // The channel is closed when the thread has let go of the callback.
    assert!(ticks.recv().is_err());
}

#[test]
#[should_panic(expected = "callback broke")]
fn a_panic_of_the_callback_reaches_who_stops_it() {
    let clock = Arc::new(ManualClock::default());
    let timer = RecurringTimer::new("broken", clock, milliseconds(100), |_| panic!("callback broke"));
    timer.unwrap().start_at(at(0)).unwrap().join();
}

#[test]
fn the_period_must_be_positive() {
    let clock = Arc::new(ManualClock::default());
    let error = RecurringTimer::new("zero", clock, milliseconds(0), |_| ()).unwrap_err();
    assert!(matches!(error, TimerError::Period { .. }), "{error}");
}
