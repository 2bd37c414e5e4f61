// SPDX-License-Identifier: Apache-2.0
//! A length of time in whole milliseconds, its arithmetic and its text forms.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A length of time in milliseconds; it may be negative. Arithmetic saturates.
///
/// Shown as `"<ms> ms"`, read from texts such as `500ms`, `1s`, `2 min`, `1h`, stored by serde as the
/// plain number.
///
/// ```
/// use dstreams_streaming::time::{Duration, milliseconds, minutes};
///
/// assert_eq!("2 min".parse::<Duration>()?, minutes(2));
/// assert_eq!(minutes(2) / milliseconds(500), 240.0);
/// assert_eq!((milliseconds(500) * 3).to_string(), "1500 ms");
/// # Ok::<(), dstreams_streaming::time::ParseDurationError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Duration(i64);

/// A length of `n` milliseconds.
pub const fn milliseconds(n: i64) -> Duration {
    Duration(n)
}

/// A length of `n` seconds.
pub const fn seconds(n: i64) -> Duration {
    Duration(n.saturating_mul(1_000))
}

/// A length of `n` minutes.
pub const fn minutes(n: i64) -> Duration {
    Duration(n.saturating_mul(60_000))
}

impl Duration {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// The longest length: for all purposes, for ever.
    pub const MAX: Self = Self(i64::MAX);

    /// A length of `millis` milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// The length in milliseconds.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The length in seconds.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1_000.0
    }

    /// True for a length of zero.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// True for a length above zero.
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// True when this length is a whole number of `step`s; false for a zero `step`.
    pub const fn is_multiple_of(self, step: Self) -> bool {
        // The only remainder that overflows is that of -1, of which everything is a multiple.
        step.0 != 0 && self.0.wrapping_rem(step.0) == 0
    }

    /// The same length in the standard library's type, which knows no negative length: those become zero.
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_millis(u64::try_from(self.0).unwrap_or(0))
    }

    /// Reads a length such as `500ms`; a number without a unit counts in `plain_unit`.
    pub fn parse(text: &str, plain_unit: TimeUnit) -> Result<Self, ParseDurationError> {
        Self::parse_with(text, Some(plain_unit))
    }

    fn parse_with(text: &str, plain_unit: Option<TimeUnit>) -> Result<Self, ParseDurationError> {
        let error = |problem| ParseDurationError { text: text.to_owned(), problem };
        let trimmed = text.trim();
        let digits_start = usize::from(trimmed.starts_with('-'));
        let digits_end = trimmed[digits_start..]
            .find(|c: char| !c.is_ascii_digit())
            .map_or(trimmed.len(), |n| digits_start + n);
        if digits_end == digits_start {
            return Err(error("it does not start with a whole number"));
        }
        let unit = match trimmed[digits_end..].trim_start() {
            "" => plain_unit.ok_or_else(|| error("it has no unit"))?,
            suffix if suffix.starts_with('.') => {
                return Err(error("fractions are not allowed, use a smaller unit"));
            }
            suffix => TimeUnit::from_suffix(suffix).ok_or_else(|| error("its unit is not known"))?,
        };
        let too_long = || error("it is too long for 64 bits of milliseconds");
        let number: i64 = trimmed[..digits_end].parse().map_err(|_| too_long())?;
        unit.checked_millis(number).map(Self).ok_or_else(too_long)
    }
}

/// The unit of a length of time in text form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeUnit {
    /// `us`; rounded toward zero to whole milliseconds.
    Microseconds,
    /// `ms`
    Milliseconds,
    /// `s`
    Seconds,
    /// `m` or `min`
    Minutes,
    /// `h`
    Hours,
    /// `d`
    Days,
}

impl TimeUnit {
    fn from_suffix(suffix: &str) -> Option<Self> {
        match suffix.to_ascii_lowercase().as_str() {
            "us" => Some(Self::Microseconds),
            "ms" => Some(Self::Milliseconds),
            "s" => Some(Self::Seconds),
            "m" | "min" => Some(Self::Minutes),
            "h" => Some(Self::Hours),
            "d" => Some(Self::Days),
            _ => None,
        }
    }

    fn checked_millis(self, number: i64) -> Option<i64> {
        match self {
            Self::Microseconds => Some(number / 1_000),
            Self::Milliseconds => Some(number),
            Self::Seconds => number.checked_mul(1_000),
            Self::Minutes => number.checked_mul(60_000),
            Self::Hours => number.checked_mul(3_600_000),
            Self::Days => number.checked_mul(86_400_000),
        }
    }
}

impl fmt::Display for TimeUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Microseconds => "microseconds",
            Self::Milliseconds => "milliseconds",
            Self::Seconds => "seconds",
            Self::Minutes => "minutes",
            Self::Hours => "hours",
            Self::Days => "days",
        })
    }
}

/// A text that is not a length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a length of time: {problem}; expected a whole number and one of us, ms, s, m, min, h, d, \
     such as 500ms"
)]
pub struct ParseDurationError {
    text: String,
    problem: &'static str,
}

impl FromStr for Duration {
    type Err = ParseDurationError;

    /// Reads a length with its unit; a bare number is refused because its unit would be a guess.
    fn from_str(text: &str) -> Result<Self, ParseDurationError> {
        Self::parse_with(text, None)
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

impl From<std::time::Duration> for Duration {
    /// Whole milliseconds; what is below one is dropped, what is beyond the range is cut to [`Duration::MAX`].
    fn from(length: std::time::Duration) -> Self {
        Self(i64::try_from(length.as_millis()).unwrap_or(i64::MAX))
    }
}

impl Add for Duration {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Duration {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Duration {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Neg for Duration {
    type Output = Self;

    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl Mul<i64> for Duration {
    type Output = Self;

    fn mul(self, times: i64) -> Self {
        Self(self.0.saturating_mul(times))
    }
}

impl Div for Duration {
    type Output = f64;

    /// How many times `other` fits in this length; division by zero follows the rules of `f64`.
    fn div(self, other: Self) -> f64 {
        self.0 as f64 / other.0 as f64
    }
}

impl Sum for Duration {
    fn sum<I: Iterator<Item = Self>>(lengths: I) -> Self {
        lengths.fold(Self::ZERO, Add::add)
    }
}
