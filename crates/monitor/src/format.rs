// SPDX-License-Identifier: Apache-2.0
//! How times, lengths of time, counts and bytes look on pages.

use dstreams_streaming::{Duration, Time};
use jiff::{Timestamp, tz::TimeZone};

/// `yyyy/MM/dd HH:mm:ss` of a batch time, with milliseconds when batches are shorter than a second.
///
/// ```
/// use dstreams_monitor::format::batch_time;
/// use dstreams_streaming::{Time, time::{milliseconds, seconds}};
/// let (time, utc) = (Time::from_millis(1_431_637_480_452), jiff::tz::TimeZone::UTC);
/// assert_eq!(batch_time(time, seconds(1), true, &utc), "2015/05/14 21:04:40");
/// assert_eq!(batch_time(time, milliseconds(500), false, &utc), "21:04:40.452");
/// ```
pub fn batch_time(time: Time, interval: Duration, with_date: bool, zone: &TimeZone) -> String {
    let date = if with_date { "%Y/%m/%d " } else { "" };
    let millis = if interval.as_millis() < 1000 { "%.3f" } else { "" };
    zoned(time, &format!("{date}%H:%M:%S{millis}"), zone)
}

/// As the original's REST interface writes times: `2026-11-21T09:35:20.684GMT`.
pub fn rest_time(time: Time) -> String {
    zoned(time, "%Y-%m-%dT%H:%M:%S%.3fGMT", &TimeZone::UTC)
}

/// The hour and minute of a time, with seconds: for sentences.
pub fn clock_time(time: Time, zone: &TimeZone) -> String {
    zoned(time, "%H:%M:%S", zone)
}

fn zoned(time: Time, format: &str, zone: &TimeZone) -> String {
    match Timestamp::from_millisecond(time.as_millis()) {
        Ok(timestamp) => timestamp.to_zoned(zone.clone()).strftime(format).to_string(),
        Err(_) => time.to_string(),
    }
}

/// A length of time in three digits or so: `7 ms`, `1.83 s`, `12.4 s`, `5.2 min`, `3.1 h`.
///
/// ```
/// use dstreams_monitor::format::length;
/// use dstreams_streaming::time::{milliseconds, seconds};
/// assert_eq!(length(milliseconds(340)), "340 ms");
/// assert_eq!(length(milliseconds(1_830)), "1.83 s");
/// assert_eq!(length(seconds(1)), "1 s");
/// assert_eq!(length(seconds(5_400)), "1.5 h");
/// ```
pub fn length(length: Duration) -> String {
    let millis = length.as_millis();
    let size = millis.unsigned_abs();
    if size < 1000 {
        return format!("{millis} ms");
    }
    let seconds = length.as_secs_f64();
    match size {
        ..10_000 => format!("{} s", digits(seconds, 2)),
        10_000..60_000 => format!("{} s", digits(seconds, 1)),
        60_000..3_600_000 => format!("{} min", digits(seconds / 60.0, 1)),
        3_600_000..86_400_000 => format!("{} h", digits(seconds / 3600.0, 1)),
        _ => format!("{} d", digits(seconds / 86_400.0, 1)),
    }
}

/// A length in microseconds, as [`length`] but with those below a millisecond told.
pub fn micros(micros: u64) -> String {
    match micros {
        ..1000 => format!("{micros} µs"),
        1000..10_000 => format!("{} ms", digits(micros as f64 / 1000.0, 1)),
        _ => length(Duration::from_millis(i64::try_from(micros / 1000).unwrap_or(i64::MAX))),
    }
}

fn digits(value: f64, places: usize) -> String {
    let text = format!("{value:.places$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A length in words, its two largest units: `12 minutes 5 seconds`.
///
/// ```
/// use dstreams_monitor::format::verbose;
/// use dstreams_streaming::time::{milliseconds, seconds};
/// assert_eq!(verbose(seconds(1)), "1 second");
/// assert_eq!(verbose(milliseconds(13_932)), "13 seconds 932 ms");
/// assert_eq!(verbose(seconds(7_325)), "2 hours 2 minutes");
/// ```
pub fn verbose(length: Duration) -> String {
    let mut left = length.as_millis().max(0);
    let mut parts = Vec::new();
    for (unit, name) in [(86_400_000, "day"), (3_600_000, "hour"), (60_000, "minute"), (1000, "second")] {
        let count = left / unit;
        left %= unit;
        if count > 0 {
            parts.push(format!("{count} {name}{}", if count == 1 { "" } else { "s" }));
        }
    }
    if left > 0 || parts.is_empty() {
        parts.push(format!("{left} ms"));
    }
    parts.truncate(2);
    parts.join(" ")
}

/// A number with thin groups of three digits: `12,345`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A rate or another number that need not be whole: `0.25`, `3.4`, `20,400`.
pub fn rate(value: f64) -> String {
    if value >= 100.0 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is shown in whole numbers"
        )]
        return count(value.round() as u64);
    }
    digits(value, if value < 1.0 { 2 } else { 1 })
}

/// Bytes in the largest unit of which there is one: `1.5 MiB`.
pub fn bytes(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = "B";
    for next in units {
        if value < 1024.0 {
            break;
        }
        (value, unit) = (value / 1024.0, next);
    }
    format!("{} {unit}", digits(value, usize::from(unit != "B" && value < 100.0)))
}

/// The unit of a graph of lengths of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// `ns`
    Nanoseconds,
    /// `us`
    Microseconds,
    /// `ms`
    Milliseconds,
    /// `sec`
    Seconds,
    /// `min`
    Minutes,
    /// `hrs`
    Hours,
    /// `days`
    Days,
}

impl Unit {
    /// The largest unit, from milliseconds to days, of which `length` holds one.
    ///
    /// ```
    /// use dstreams_monitor::format::Unit;
    /// use dstreams_streaming::time::milliseconds;
    /// let unit = Unit::of(milliseconds(90_000));
    /// assert_eq!((unit.measure(milliseconds(90_000)), unit.name()), (1.5, "min"));
    /// ```
    pub fn of(length: Duration) -> Self {
        match length.as_millis() {
            ..1000 => Self::Milliseconds,
            1000..60_000 => Self::Seconds,
            60_000..3_600_000 => Self::Minutes,
            3_600_000..86_400_000 => Self::Hours,
            _ => Self::Days,
        }
    }

    /// A length as so many of the unit.
    pub fn measure(self, length: Duration) -> f64 {
        let millis = length.as_millis() as f64;
        match self {
            Self::Nanoseconds => millis * 1e6,
            Self::Microseconds => millis * 1e3,
            Self::Milliseconds => millis,
            Self::Seconds => millis / 1e3,
            Self::Minutes => millis / 1e3 / 60.0,
            Self::Hours => millis / 1e3 / 60.0 / 60.0,
            Self::Days => millis / 1e3 / 60.0 / 60.0 / 24.0,
        }
    }

    /// What graphs call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nanoseconds => "ns",
            Self::Microseconds => "us",
            Self::Milliseconds => "ms",
            Self::Seconds => "sec",
            Self::Minutes => "min",
            Self::Hours => "hrs",
            Self::Days => "days",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_lose_nothing_that_matters() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0.0, 0.25, 3.44, 20_400.4].map(rate), ["0", "0.25", "3.4", "20,400"]);
        assert_eq!([0, 1023, 1536, 104_857_600].map(bytes), ["0 B", "1023 B", "1.5 KiB", "100 MiB"]);
        assert_eq!([7, 1_500, 12_000].map(micros), ["7 µs", "1.5 ms", "12 ms"]);
    }

    #[test]
    fn rest_times_are_those_of_the_original() {
        assert_eq!(rest_time(Time::from_millis(1_795_253_720_684)), "2026-11-21T09:35:20.684GMT");
    }
}
