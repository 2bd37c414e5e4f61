// SPDX-License-Identifier: Apache-2.0
//! What is told of receivers.

use serde::{Deserialize, Serialize};

use crate::{input::StreamId, time::Time};

/// A receiver as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiverInfo {
    /// The input stream that it feeds.
    pub stream_id: StreamId,
    /// Its kind and stream number, such as `SocketReceiver-0`.
    pub name: String,
    /// Whether it is running.
    pub active: bool,
    /// The host that it runs on.
    pub location: String,
    /// The executor that it runs on.
    pub executor_id: String,
    /// What the receiver said of its last error; empty if there was none.
    pub last_error_message: String,
    /// The text of its last error; empty if there was none.
    pub last_error: String,
    /// When that was.
    pub last_error_time: Option<Time>,
}
