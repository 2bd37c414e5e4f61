// SPDX-License-Identifier: Apache-2.0
//! What listeners are told of a receiver.

use std::sync::Arc;

use dstreams_rdd::BoxError;
use parking_lot::Mutex;

use crate::{
    clock::Clock,
    event::{ListenerBus, ReceiverInfo, StreamingEvent},
    input::StreamId,
};

/// Keeps the state of a receiver as listeners see it, and tells them its changes.
pub(super) struct Report {
    bus: Arc<ListenerBus>,
    clock: Arc<dyn Clock>,
    info: Mutex<ReceiverInfo>,
}

impl Report {
    pub(super) fn new(
        bus: Arc<ListenerBus>,
        clock: Arc<dyn Clock>,
        stream: StreamId,
        receiver: &str,
    ) -> Self {
        let info = ReceiverInfo {
            stream_id: stream,
            name: format!("{receiver}-{stream}"),
            active: false,
            location: host_name(),
            executor_id: "driver".to_owned(),
            last_error_message: String::new(),
            last_error: String::new(),
            last_error_time: None,
        };
        Self { bus, clock, info: Mutex::new(info) }
    }

    pub(super) fn started(&self) {
        let mut info = self.info.lock();
        info.active = true;
        self.bus.post(|| StreamingEvent::ReceiverStarted(info.clone()));
    }

    pub(super) fn error(&self, message: &str, error: Option<&BoxError>) {
        let mut info = self.info.lock();
        self.note_error(&mut info, message, error);
        self.bus.post(|| StreamingEvent::ReceiverError(info.clone()));
    }

    /// What was received has to wait for room.
    pub(super) fn paused(&self, message: &str, error: &BoxError) {
        let mut info = self.info.lock();
        self.note_error(&mut info, message, Some(error));
        self.bus.post(|| StreamingEvent::ReceiverPaused(info.clone()));
    }

    /// There is room again.
    pub(super) fn resumed(&self) {
        self.bus.post(|| StreamingEvent::ReceiverResumed(self.info.lock().clone()));
    }

    pub(super) fn stopped(&self, message: &str, error: Option<&BoxError>) {
        let mut info = self.info.lock();
        info.active = false;
        if error.is_some() {
            self.note_error(&mut info, message, error);
        }
        self.bus.post(|| StreamingEvent::ReceiverStopped(info.clone()));
    }

    fn note_error(&self, info: &mut ReceiverInfo, message: &str, error: Option<&BoxError>) {
        message.clone_into(&mut info.last_error_message);
        info.last_error = error.map(ToString::to_string).unwrap_or_default();
        info.last_error_time = Some(self.clock.now());
    }
}

/// The name of this machine, as far as it can be told without asking the network.
fn host_name() -> String {
    std::env::var("HOSTNAME")
        .ok()
        .or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "localhost".to_owned())
}
