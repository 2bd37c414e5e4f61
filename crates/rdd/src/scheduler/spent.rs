// SPDX-License-Identifier: Apache-2.0
//! Where the time of a task goes: each operator is charged from the moment its code runs until another's does.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Measures one task. Operators are told once per chunk, so that the cost per record is next to nothing.
pub(crate) struct Spent {
    begun: Instant,
    charged: Mutex<Charged>,
}

struct Charged {
    since: Instant,
    /// By the number of the operator in the task.
    operators: Vec<Duration>,
}

impl Spent {
    pub(crate) fn begin() -> Self {
        let begun = now();
        Self { begun, charged: Mutex::new(Charged { since: begun, operators: Vec::new() }) }
    }

    /// Charges `operator` with the time since the last call. What runs before any operator is charged to nobody.
    pub(crate) fn charge(&self, operator: usize) {
        let mut charged = self.charged.lock();
        let now = now();
        let past = now - charged.since;
        charged.since = now;
        if operator == usize::MAX {
            return;
        }
        if charged.operators.len() <= operator {
            charged.operators.resize(operator + 1, Duration::ZERO);
        }
        charged.operators[operator] += past;
    }

    /// The time since the task began.
    pub(crate) fn elapsed(&self) -> Duration {
        now() - self.begun
    }

    /// What each operator was charged with.
    pub(crate) fn operators(&self) -> Vec<Duration> {
        std::mem::take(&mut self.charged.lock().operators)
    }
}

#[expect(clippy::disallowed_methods, reason = "how long tasks take is reported and decides nothing")]
fn now() -> Instant {
    Instant::now()
}
