// SPDX-License-Identifier: Apache-2.0
//! How the tables of the demos show numbers and times, and how they get to standard output.

use std::io::{self, Write as _};

use dstreams::{Duration, Time, time::seconds};
use jiff::{Timestamp, tz::TimeZone};

/// A closed pipe (`dstreams demo | head`) ends the table, not the stream.
pub(crate) fn write(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// When a batch ended, in local time, as exactly as batches of `interval` need.
pub(crate) fn time_of_day(time: Time, interval: Duration) -> String {
    let form = if interval < seconds(1) { "%H:%M:%S%.3f" } else { "%H:%M:%S" };
    match Timestamp::from_millisecond(time.as_millis()) {
        Ok(instant) => instant.to_zoned(TimeZone::system()).strftime(form).to_string(),
        // Only for times thousands of years away.
        Err(_) => time.to_string(),
    }
}

/// 1234567 as 1,234,567.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let texts = [0, 7, 999, 1000, 20_000, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "7", "999", "1,000", "20,000", "1,234,567"]);
    }
}
