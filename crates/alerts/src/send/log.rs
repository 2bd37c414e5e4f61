// SPDX-License-Identifier: Apache-2.0
//! `LogLine`: alerts as lines of the log.

use super::Channel;
use crate::{
    error::AlertError,
    notice::{Notice, State},
};

/// Writes a warning for an alert that is raised, and an information when it is over.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogLine;

impl Channel for LogLine {
    fn send(&mut self, notice: &Notice) -> Result<(), AlertError> {
        match notice.state {
            State::Raised => tracing::warn!(rule = ?notice.rule, "alert: {notice}"),
            State::Recovered => tracing::info!(rule = ?notice.rule, "alert over: {notice}"),
        }
        Ok(())
    }
}
