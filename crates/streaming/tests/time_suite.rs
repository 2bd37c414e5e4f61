// SPDX-License-Identifier: Apache-2.0
//! The arithmetic of `Time` and `Interval`: the tables of Spark's `TimeSuite`, and laws over random times.

#![allow(clippy::unwrap_used, reason = "tests")]

use dstreams_streaming::time::{Duration, Interval, Time, milliseconds};
use proptest::prelude::*;

fn at(millis: i64) -> Time {
    Time::from_millis(millis)
}

#[test]
fn comparisons() {
    assert!(at(999) < at(1000) && at(0) < at(1));
    assert!(at(1000) >= at(999) && at(1000) >= at(1000));
    assert_eq!(at(999).min(at(1000)), at(999));
    assert_eq!(at(999).max(at(1000)), at(1000));
}

#[test]
fn plus_and_minus() {
    assert_eq!(at(1000) + milliseconds(100), at(1100));
    assert_eq!(at(1000) + milliseconds(0), at(1000));
    for (time, other, difference) in [(1000, 100, 900), (1000, 0, 1000), (1000, 1000, 0)] {
        assert_eq!(at(time) - at(other), milliseconds(difference));
        assert_eq!(at(time) - milliseconds(other), at(difference));
    }
}

#[test]
fn floor() {
    for (time, step, zero, expected) in [
        (1350, 200, 0, 1200),
        (1200, 200, 0, 1200),
        (199, 200, 0, 0),
        (1, 1, 0, 1),
        (1350, 200, 50, 1250),
        (1350, 200, 150, 1350),
        (1350, 200, 200, 1200),
    ] {
        assert_eq!(at(time).floor_from(milliseconds(step), at(zero)), at(expected), "{time} {step} {zero}");
        if zero == 0 {
            assert_eq!(at(time).floor(milliseconds(step)), at(expected), "{time} {step}");
        }
    }
}

#[test]
fn times_before_zero_are_floored_upward() {
    assert_eq!(at(-150).floor(milliseconds(100)), at(-100));
    assert_eq!(at(30).floor_from(milliseconds(100), at(200)), at(100));
}

#[test]
fn multiples() {
    for (step, expected) in
        [(5, true), (1000, true), (1, true), (6, false), (0, false), (-5, true), (-1, true)]
    {
        assert_eq!(at(1000).is_multiple_of(milliseconds(step)), expected, "{step}");
    }
    assert!(at(i64::MIN).is_multiple_of(milliseconds(-1)));
}

#[test]
fn a_stream_starts_strictly_after_now() {
    for (now, zero, expected) in
        [(0, 0, 1000), (999, 0, 1000), (1000, 0, 2000), (-1, 0, 0), (1000, 300, 1300)]
    {
        assert_eq!(at(now).next_multiple(milliseconds(1000), at(zero)), at(expected), "{now} {zero}");
    }
}

#[test]
fn until_excludes_and_to_includes_the_end() {
    let step = |until: bool, end, step| -> Vec<i64> {
        let (begin, end, step) = (at(1000), at(end), milliseconds(step));
        if until { begin.until(end, step) } else { begin.to(end, step) }.map(Time::as_millis).collect()
    };
    assert_eq!(step(true, 1100, 100), [1000]);
    assert_eq!(step(true, 1000, 100), [0; 0]);
    assert_eq!(step(true, 1100, 30), [1000, 1030, 1060, 1090]);
    assert_eq!(step(false, 1100, 100), [1000, 1100]);
    assert_eq!(step(false, 1000, 100), [1000]);
    assert_eq!(step(false, 1100, 30), [1000, 1030, 1060, 1090]);
}

#[test]
fn a_step_that_leads_nowhere_gives_no_times() {
    assert_eq!(at(0).to(at(100), milliseconds(0)).count(), 0);
    assert_eq!(at(0).until(at(100), milliseconds(-10)).count(), 0);
    assert_eq!(at(0).floor(milliseconds(0)), at(0));
    assert_eq!(at(7).next_multiple(milliseconds(0), at(0)), at(7));
}

#[test]
fn arithmetic_saturates_at_the_ends_of_the_range() {
    assert_eq!(at(i64::MAX) + milliseconds(1), at(i64::MAX));
    assert_eq!(at(i64::MIN) - milliseconds(1), at(i64::MIN));
    assert_eq!(at(i64::MAX) - at(i64::MIN), Duration::MAX);
    assert_eq!(at(i64::MIN).floor(milliseconds(-1)), at(i64::MIN));
    assert_eq!(at(i64::MAX - 1).to(at(i64::MAX), milliseconds(10)).count(), 1);
}

#[test]
fn text_and_stored_form() {
    assert_eq!(at(1000).to_string(), "1000 ms");
    assert_eq!(serde_json::to_string(&at(-5)).unwrap(), "-5");
    assert_eq!(serde_json::from_str::<Time>("1000").unwrap(), at(1000));
}

#[test]
fn intervals_include_both_ends_and_compare_at_equal_length_only() {
    let interval = Interval::new(at(1000), at(3000));
    assert_eq!(interval.duration(), milliseconds(2000));
    assert!(interval.contains(at(1000)) && interval.contains(at(3000)) && !interval.contains(at(3001)));
    assert_eq!(interval - milliseconds(1000), Interval::new(at(0), at(2000)));
    assert!(interval < interval + milliseconds(1));
    let longer = Interval::new(at(1000), at(4000));
    assert_eq!(interval.partial_cmp(&longer), None);
    assert_eq!(interval.to_string(), "[1000 ms, 3000 ms]");
}

proptest! {
    #[test]
    fn floor_agrees_with_its_formula(time in -1_000_000i64..1_000_000, step in 1i64..5_000, zero in -10_000i64..10_000) {
        let expected = (time - zero) / step * step + zero;
        prop_assert_eq!(at(time).floor_from(milliseconds(step), at(zero)), at(expected));
    }

    #[test]
    fn the_next_multiple_is_the_only_one_within_a_step(time in any::<i32>(), step in 1i64..5_000, zero in any::<i32>()) {
        let (time, zero, step) = (at(i64::from(time)), at(i64::from(zero)), milliseconds(step));
        let next = time.next_multiple(step, zero);
        prop_assert!(next > time && next <= time + step);
        prop_assert!((next - zero).is_multiple_of(step));
    }

    #[test]
    fn nothing_overflows(a in any::<i64>(), b in any::<i64>(), c in any::<i64>()) {
        let (time, zero, step) = (at(a), at(b), milliseconds(c));
        let _ = (time.floor_from(step, zero), time.next_multiple(step, zero), time.is_multiple_of(step));
        let _ = (step * a, step / milliseconds(b), -step, Interval::new(time, zero) - step);
        prop_assert!(time.to(zero, step).take(3).count() <= 3);
    }
}
