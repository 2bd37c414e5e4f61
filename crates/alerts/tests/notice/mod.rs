// SPDX-License-Identifier: Apache-2.0
//! The notice that tests send.

use dstreams_alerts::{Notice, Rule, State};
use dstreams_streaming::Time;

/// A rule was broken.
pub(crate) fn notice() -> Notice {
    Notice {
        application: "orders".to_owned(),
        rule: Rule::Lag,
        subject: "Kafka [0]".to_owned(),
        state: State::Raised,
        time: Time::from_millis(2000),
        since: Time::from_millis(1000),
        problem: "2000 records wait, more than 1000".to_owned(),
    }
}
