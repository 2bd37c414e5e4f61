// SPDX-License-Identifier: Apache-2.0
//! `Notice`: what is told to people when an alert is raised, and when it is over.

use std::fmt;

use dstreams_streaming::{Duration, Time};
use serde::{Deserialize, Serialize};

use crate::length::Length;

/// What an alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Rule {
    /// Batches take longer than their interval.
    SlowBatches,
    /// Too many records wait in a source.
    Lag,
    /// Records have waited too long in a source.
    OldestRecord,
    /// A source has given nothing for too long.
    NoInput,
    /// No checkpoint was written for too long.
    NoCheckpoint,
    /// A batch has failed.
    BatchFailed,
    /// A receiver does not run.
    ReceiverDown,
    /// Too many records are dead letters.
    DeadLetters,
    /// The application has stopped because of an error.
    Stopped,
}

/// Whether an alert has begun or ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// It has begun.
    Raised,
    /// It is over.
    Recovered,
}

/// One message to people. Shown as a line of text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// `spark.app.name`.
    pub application: String,
    /// What it is about.
    pub rule: Rule,
    /// Which of several, such as the name of an input stream; empty where there is one only.
    pub subject: String,
    /// Whether it has begun or ended.
    pub state: State,
    /// When, in milliseconds since 1970.
    pub time: Time,
    /// Since when it is so; for one that is over, when it had begun.
    pub since: Time,
    /// What is the matter.
    pub problem: String,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { application, subject, problem, .. } = self;
        if !application.is_empty() {
            write!(f, "{application}: ")?;
        }
        if !subject.is_empty() {
            write!(f, "{subject}: ")?;
        }
        match self.state {
            State::Raised => write!(f, "{problem}"),
            State::Recovered => write!(f, "over after {}: {problem}", Length(self.lasted())),
        }
    }
}

impl Notice {
    /// How long it has been so.
    pub fn lasted(&self) -> Duration {
        self.time - self.since
    }
}
