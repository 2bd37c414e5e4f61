// SPDX-License-Identifier: Apache-2.0
//! The time of the machine, and pauses: the program under test runs in real time.
#![expect(
    clippy::disallowed_methods,
    reason = "what is waited for here happens in another process, which has no clock of ours"
)]

use std::{
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::Result;

pub(super) fn now() -> Instant {
    Instant::now()
}

/// The wall clock, in milliseconds, as batch times are given.
pub(super) fn wall_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

pub(super) fn pause(length: Duration) {
    thread::sleep(length);
}

/// Asks again and again until the answer is something; after `limit` it says what it has waited for in vain.
pub(super) fn until<R>(what: &str, limit: Duration, mut ask: impl FnMut() -> Result<Option<R>>) -> Result<R> {
    let end = now() + limit;
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if now() > end {
            return Err(format!("{what}: not within {limit:?}").into());
        }
        pause(Duration::from_millis(10));
    }
}
