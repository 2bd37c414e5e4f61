// SPDX-License-Identifier: Apache-2.0
//! A wall clock that somebody sets: the system's, and an offset that a file holds.

use std::{fs, path::PathBuf};

use dstreams::{
    Time,
    streaming::clock::{Clock, StopFlag, SystemClock, Waited},
    time::{Duration, milliseconds},
};

/// The longest wait after which the offset is looked at again.
const NAP: Duration = milliseconds(5);

/// The clock. Without a readable file it is that of the system.
#[derive(Debug)]
pub(crate) struct SetClock {
    pub(crate) offset: PathBuf,
}

impl Clock for SetClock {
    fn now(&self) -> Time {
        let text = fs::read_to_string(&self.offset).unwrap_or_default();
        SystemClock.now() + Duration::from_millis(text.trim().parse().unwrap_or(0))
    }

    fn wait_until(&self, target: Time, stop: &StopFlag) -> Waited {
        loop {
            let left = target - self.now();
            // Asks whether it is to stop, also when the time has come.
            let waited = SystemClock.sleep(left.min(NAP).max(Duration::ZERO), stop);
            if waited == Waited::Stopped || left <= Duration::ZERO {
                return waited;
            }
        }
    }
}
