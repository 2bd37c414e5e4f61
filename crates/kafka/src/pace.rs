// SPDX-License-Identifier: Apache-2.0
//! `Pace`: says in the log that a stream is behind, how fast it catches up, and when it probably has.

use dstreams_streaming::{Duration, Time, time::seconds};

/// The time between two lines.
const EVERY: Duration = seconds(10);

/// How a stream does against what comes in.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    last: Option<Last>,
    /// When it was said last that the stream is behind; nothing while it is not.
    said: Option<Time>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    time: Time,
    lag: u64,
}

impl Pace {
    /// A batch was made that takes so many records, and so many are left.
    pub(crate) fn planned(&mut self, time: Time, interval: Duration, taken: u64, lag: u64) {
        let last = self.last.replace(Last { time, lag });
        if lag == 0 {
            if self.said.take().is_some() {
                tracing::info!(%time, "caught up");
            }
            return;
        }
        if self.said.is_some_and(|said| time - said < EVERY) {
            return;
        }
        self.said = Some(time);
        match last.and_then(|last| end(last, time, lag)) {
            Some(end) => tracing::info!(lag, taken, %interval, expected_end = %end, "catching up"),
            None if last.is_some_and(|last| last.lag > 0) => {
                tracing::warn!(lag, taken, %interval, "behind, and not catching up");
            }
            None => tracing::info!(lag, taken, %interval, "behind"),
        }
    }
}

/// What is still to be read of batches that were made before, if it is much more than what comes in now: without a limit
/// one batch takes all that came while the program was down.
pub(crate) fn backlog(unread: u64, taken: u64) -> u64 {
    if unread > LARGE + taken * 10 { unread } else { 0 }
}

/// Fewer records are nothing to speak of.
const LARGE: u64 = 10_000;

/// When nothing is left if it goes on as since the batch before.
fn end(last: Last, time: Time, lag: u64) -> Option<Time> {
    let gained = last.lag.checked_sub(lag).filter(|gained| *gained > 0)?;
    let elapsed = u64::try_from((time - last.time).as_millis()).ok()?;
    let left = u128::from(lag) * u128::from(elapsed) / u128::from(gained);
    Some(time + Duration::from_millis(i64::try_from(left).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backlog_is_much_more_than_what_comes_in() {
        assert_eq!(backlog(5_000_000, 1_000), 5_000_000);
        assert_eq!(backlog(9_000, 1_000), 0);
        assert_eq!(backlog(50_000, 50_000), 0);
    }

    #[test]
    fn the_end_is_where_the_gain_leads() {
        let at = |seconds: i64| Time::from_millis(seconds * 1_000);
        assert_eq!(end(Last { time: at(1), lag: 100 }, at(2), 80), Some(at(6)));
        assert_eq!(end(Last { time: at(1), lag: 80 }, at(2), 80), None);
        assert_eq!(end(Last { time: at(1), lag: 0 }, at(2), 80), None);
    }
}
