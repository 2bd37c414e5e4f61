// SPDX-License-Identifier: Apache-2.0
//! What is said of an application that does well, and of those that do not.
#![allow(clippy::unwrap_used, reason = "tests")]

use dstreams_monitor::{
    Spread,
    verdict::{Level, RecentBatch, Situation, Slowest, Verdict, verdict},
};
use dstreams_streaming::{
    Duration, Time,
    time::{milliseconds, seconds},
};
use jiff::tz::TimeZone;
use proptest::prelude::*;

/// Batches of a second from 12:04:00 on, each with its delay and what it took, in milliseconds.
fn situation(batches: &[(i64, i64)]) -> Situation {
    let first = 12 * 3600 + 4 * 60;
    let batch = |(number, (delay, took)): (usize, &(i64, i64))| RecentBatch {
        time: Time::from_millis((first + i64::try_from(number).unwrap()) * 1000),
        scheduling_delay: milliseconds(*delay),
        processing: milliseconds(*took),
        ..RecentBatch::default()
    };
    let recent = batches.iter().enumerate().map(batch).collect();
    Situation { interval: seconds(1), recent, ..Situation::default() }
}

fn judged(situation: &Situation) -> Verdict {
    verdict(situation, &TimeZone::UTC)
}

fn slow(stage: Option<(usize, usize)>, took: Duration, tasks: Option<Spread>, task_count: usize) -> Slowest {
    Slowest {
        output: "counts".to_owned(),
        stage,
        operator: "reduce_by_key".to_owned(),
        took,
        tasks,
        task_count,
    }
}

#[test]
fn one_that_keeps_up_is_told_how_busy_it_is() {
    let verdict = judged(&situation(&[(0, 300), (0, 380), (2, 340)]));
    assert_eq!((verdict.level, verdict.headline.as_str()), (Level::Good, "Keeps up: 34 % busy."));
    let verdict = judged(&situation(&[(0, 900), (0, 950)]));
    assert_eq!(verdict.level, Level::Warning);
    assert!(verdict.headline.starts_with("Just keeps up: 93 % busy; "), "{}", verdict.headline);
}

#[test]
fn one_that_falls_behind_is_told_since_when_and_why() {
    let mut behind = situation(&[(0, 500), (0, 1800), (800, 1800), (1600, 1800)]);
    behind.active = 3;
    behind.recent[3].slowest = Some(slow(Some((2, 3)), milliseconds(1750), None, 8));
    let verdict = judged(&behind);
    assert_eq!(verdict.level, Level::Bad);
    assert_eq!(
        verdict.headline,
        "Falling behind since 12:04:01: stage 2 (reduce_by_key) of output counts takes 1.75 s of an interval of 1 s."
    );
}

#[test]
fn uneven_tasks_and_a_single_task_are_named() {
    let mut behind = situation(&[(0, 1800), (800, 1800), (1600, 1800)]);
    let uneven = Spread { min: 50_000, median: 100_000, max: 1_700_000, sum: 2_400_000 };
    behind.recent[2].slowest = Some(slow(Some((2, 2)), milliseconds(1750), Some(uneven), 8));
    let headline = judged(&behind).headline;
    assert!(
        headline.contains("one task runs 1.7 s where the one in the middle of 8 runs 100 ms"),
        "{headline}"
    );
    behind.recent[2].slowest = Some(slow(Some((1, 1)), milliseconds(1750), Some(uneven), 1));
    assert!(judged(&behind).headline.contains("it has one task; more partitions"));
}

#[test]
fn one_that_catches_up_is_told_how_long_it_will_take() {
    let verdict = judged(&situation(&[(0, 5000), (4000, 500), (3500, 500), (3000, 500)]));
    assert_eq!(
        (verdict.level, verdict.headline.as_str()),
        (Level::Warning, "Catching up: 3 s behind, 4 s at the worst; at this pace on time again in 6 s.")
    );
}

#[test]
fn one_slow_batch_is_no_disaster() {
    let verdict = judged(&situation(&[(0, 200), (0, 200), (0, 1100)]));
    assert_eq!(verdict.level, Level::Warning);
    assert!(verdict.headline.starts_with("One batch took longer than the interval (1.1 s of 1 s)"));
}

#[test]
fn a_failed_batch_comes_first() {
    let mut failed = situation(&[(0, 100), (0, 100)]);
    failed.recent[1].failure = Some(("counts".to_owned(), "disk full\nat …".to_owned()));
    let verdict = judged(&failed);
    assert_eq!(verdict.level, Level::Bad);
    assert_eq!(verdict.headline, "The batch of 12:04:01 failed in counts: disk full");
    // An earlier one is mentioned.
    failed.recent.push(RecentBatch { time: Time::from_millis(43_442_000), ..RecentBatch::default() });
    let verdict = judged(&failed);
    assert_eq!(verdict.level, Level::Warning);
    assert_eq!(verdict.notes, ["1 of the last 3 batches failed."]);
}

#[test]
fn receivers_that_do_not_run_are_mentioned() {
    let mut down = situation(&[(0, 100)]);
    down.receivers_down.push("SocketReceiver-0".to_owned());
    down.receivers_paused.push("KafkaReceiver-1".to_owned());
    let verdict = judged(&down);
    assert_eq!(verdict.level, Level::Warning);
    assert!(verdict.notes[0].starts_with("SocketReceiver-0 is down"));
    assert!(verdict.notes[1].starts_with("KafkaReceiver-1 waits"));
}

#[test]
fn before_and_after_there_is_little_to_say() {
    assert_eq!(judged(&Situation::default()).headline, "Waiting for the first batch.");
    let stopped = Situation { stopped: true, ..situation(&[(0, 100)]) };
    assert_eq!(judged(&stopped).headline, "Stopped; the last batch was that of 12:04:00.");
}

proptest! {
    /// More work never looks better: not with the same delays and every batch taking longer.
    #[test]
    fn more_work_is_no_better(batches in prop::collection::vec((0..50_i64, 0..990_i64), 1..20), more in 1..3_000_i64) {
        let light = judged(&situation(&batches));
        let heavier: Vec<(i64, i64)> = batches.iter().map(|(delay, took)| (*delay, took + more)).collect();
        prop_assert!(judged(&situation(&heavier)).level >= light.level);
    }

    #[test]
    fn there_is_always_a_sentence(batches in prop::collection::vec((0..100_000_i64, 0..100_000_i64), 0..20), active in 0..50_usize) {
        let verdict = judged(&Situation { active, ..situation(&batches) });
        prop_assert!(verdict.headline.ends_with('.') && !verdict.headline.contains("NaN") && !verdict.headline.contains("inf"));
    }
}
