// SPDX-License-Identifier: Apache-2.0
//! A clock that somebody sets: that of the machine, and an offset that a file holds.

use std::{
    fs,
    path::{Path, PathBuf},
};

use dstreams::{
    Time,
    streaming::clock::{Clock, SteadyClock, SystemClock},
    time::Duration,
};

/// What the engine makes of a clock of the machine that is ahead by as many milliseconds as the file says.
pub(crate) fn set_by(file: PathBuf) -> SteadyClock {
    SteadyClock::new(move || machine(&file))
}

fn machine(offset: &Path) -> Time {
    let text = fs::read_to_string(offset).unwrap_or_default();
    SystemClock.now() + Duration::from_millis(text.trim().parse().unwrap_or(0))
}
