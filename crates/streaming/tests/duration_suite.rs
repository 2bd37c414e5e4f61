// SPDX-License-Identifier: Apache-2.0
//! The arithmetic and the text form of `Duration`: the tables of Spark's `DurationSuite`, and parsing.

#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::float_cmp, reason = "the quotients are exact")]

use dstreams_streaming::time::{Duration, TimeUnit, milliseconds, minutes, seconds};
use proptest::prelude::*;

#[test]
fn comparisons() {
    assert!(milliseconds(999) < milliseconds(1000) && milliseconds(0) < milliseconds(1));
    assert!(milliseconds(1000) <= milliseconds(1000) && milliseconds(1000) >= milliseconds(999));
    assert_eq!(milliseconds(999).min(milliseconds(1000)), milliseconds(999));
    assert_eq!(milliseconds(999).max(milliseconds(1000)), milliseconds(1000));
}

#[test]
fn arithmetic() {
    assert_eq!(milliseconds(1000) + milliseconds(100), milliseconds(1100));
    assert_eq!(milliseconds(1000) - milliseconds(100), milliseconds(900));
    assert_eq!(milliseconds(1000) - milliseconds(1000), Duration::ZERO);
    for (times, expected) in [(2, 200), (1, 100), (0, 0)] {
        assert_eq!(milliseconds(100) * times, milliseconds(expected));
    }
    for (divisor, expected) in [(5, 200.0), (1, 1000.0), (1000, 1.0), (2000, 0.5)] {
        assert_eq!(milliseconds(1000) / milliseconds(divisor), expected);
    }
    assert_eq!([seconds(1), milliseconds(5)].into_iter().sum::<Duration>(), milliseconds(1005));
}

#[test]
fn multiples() {
    for (step, expected) in [(5, true), (1000, true), (1, true), (6, false), (0, false)] {
        assert_eq!(milliseconds(1000).is_multiple_of(milliseconds(step)), expected, "{step}");
    }
}

#[test]
fn zero() {
    assert!(milliseconds(0).is_zero());
    assert!(!milliseconds(1).is_zero());
}

#[test]
fn constructors() {
    assert_eq!(milliseconds(100).as_millis(), 100);
    assert_eq!(seconds(30).as_millis(), 30_000);
    assert_eq!(minutes(2).as_millis(), 120_000);
    assert_eq!(minutes(i64::MAX), Duration::MAX);
}

#[test]
fn standard_durations_convert_both_ways() {
    assert_eq!(Duration::from(std::time::Duration::from_micros(1_999)), milliseconds(1));
    assert_eq!(Duration::from(std::time::Duration::MAX), Duration::MAX);
    assert_eq!(milliseconds(1500).to_std(), std::time::Duration::from_millis(1500));
    assert_eq!(milliseconds(-1).to_std(), std::time::Duration::ZERO);
}

#[test]
fn texts_with_a_unit() {
    for (text, expected) in [
        ("500ms", milliseconds(500)),
        ("1s", seconds(1)),
        ("2 min", minutes(2)),
        ("2m", minutes(2)),
        ("1h", minutes(60)),
        ("1d", minutes(24 * 60)),
        (" 7S ", seconds(7)),
        ("-5s", seconds(-5)),
        ("1999us", milliseconds(1)),
        ("100us", milliseconds(0)),
    ] {
        assert_eq!(text.parse::<Duration>().unwrap(), expected, "{text}");
    }
}

#[test]
fn a_plain_number_needs_a_unit_to_be_given() {
    assert_eq!(Duration::parse("30", TimeUnit::Seconds).unwrap(), seconds(30));
    assert_eq!(Duration::parse("30ms", TimeUnit::Seconds).unwrap(), milliseconds(30));
    assert!("30".parse::<Duration>().unwrap_err().to_string().contains("it has no unit"));
}

#[test]
fn other_texts_are_refused_with_their_problem() {
    for (text, problem) in [
        ("", "does not start with a whole number"),
        ("-", "does not start with a whole number"),
        ("ms", "does not start with a whole number"),
        ("1.5s", "fractions are not allowed"),
        ("5 fortnights", "its unit is not known"),
        ("5\u{b5}s", "its unit is not known"),
        ("9223372036854775808ms", "too long"),
        ("9223372036854775807h", "too long"),
    ] {
        let message = text.parse::<Duration>().unwrap_err().to_string();
        assert!(message.contains(problem) && message.contains(&format!("`{text}`")), "{message}");
    }
}

proptest! {
    #[test]
    fn what_is_shown_can_be_read_back(millis in any::<i64>()) {
        let length = milliseconds(millis);
        prop_assert_eq!(length.to_string().parse::<Duration>().unwrap(), length);
    }

    #[test]
    fn no_text_panics(text in ".{0,12}") {
        let _ = text.parse::<Duration>();
    }
}
