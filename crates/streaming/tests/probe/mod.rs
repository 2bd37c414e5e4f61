// SPDX-License-Identifier: Apache-2.0
//! A receiver whose handles the test holds, and a listener whose events the test waits for.
#![allow(dead_code, clippy::unwrap_used, reason = "tests, each of which uses a part")]

use std::{
    sync::{
        Arc,
        mpsc::{Receiver as ChannelEnd, Sender, channel},
    },
    time::Duration,
};

use dstreams_streaming::{
    BoxError, StreamingListener, Wire,
    event::ReceiverInfo,
    receiver::{Receiver, ReceiverHandle},
};
use parking_lot::Mutex;

/// How long a test waits in real time before it is declared stuck.
pub(crate) const STUCK_AFTER: Duration = Duration::from_secs(60);

/// Gives its handle to the test whenever it is started, and does nothing else by itself.
pub(crate) struct Probe<T> {
    calls: Sender<Call<T>>,
    on_stop: Option<Box<dyn FnMut() + Send>>,
}

/// What was called on a [`Probe`].
#[derive(Debug)]
pub(crate) enum Call<T> {
    Start(ReceiverHandle<T>),
    Stop,
}

/// The test's view of a [`Probe`].
pub(crate) struct Calls<T>(Mutex<ChannelEnd<Call<T>>>);

pub(crate) fn probe<T: Wire>() -> (Probe<T>, Calls<T>) {
    let (calls, seen) = channel();
    (Probe { calls, on_stop: None }, Calls(Mutex::new(seen)))
}

impl<T: Wire> Probe<T> {
    pub(crate) fn on_stop(self, on_stop: impl FnMut() + Send + 'static) -> Self {
        Self { on_stop: Some(Box::new(on_stop)), ..self }
    }
}

impl<T> Calls<T> {
    /// Waits for the next start; the handle given to it.
    pub(crate) fn started(&self) -> ReceiverHandle<T> {
        match self.0.lock().recv_timeout(STUCK_AFTER).expect("the receiver is started") {
            Call::Start(handle) => handle,
            Call::Stop => panic!("the receiver was stopped"),
        }
    }

    /// Waits for the next stop.
    pub(crate) fn stopped(&self) {
        match self.0.lock().recv_timeout(STUCK_AFTER).expect("the receiver is stopped") {
            Call::Stop => {}
            Call::Start(_) => panic!("the receiver was started"),
        }
    }

    /// Whether nothing was called since.
    pub(crate) fn none(&self) -> bool {
        self.0.lock().try_recv().is_err()
    }
}

impl<T: Wire> Receiver for Probe<T> {
    type Record = T;

    fn on_start(&mut self, handle: ReceiverHandle<T>) -> Result<(), BoxError> {
        // The test may have ended.
        let _ = self.calls.send(Call::Start(handle));
        Ok(())
    }

    fn on_stop(&mut self) {
        if let Some(on_stop) = &mut self.on_stop {
            on_stop();
        }
        let _ = self.calls.send(Call::Stop);
    }
}

/// What listeners hear of receivers, in order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Heard {
    Started(ReceiverInfo),
    Error(ReceiverInfo),
    Stopped(ReceiverInfo),
    Paused(ReceiverInfo),
    Resumed(ReceiverInfo),
}

impl Heard {
    pub(crate) fn info(&self) -> &ReceiverInfo {
        match self {
            Self::Started(info)
            | Self::Error(info)
            | Self::Stopped(info)
            | Self::Paused(info)
            | Self::Resumed(info) => info,
        }
    }

    pub(crate) fn is_started(&self) -> bool {
        matches!(self, Self::Started(_))
    }
}

pub(crate) struct Ears {
    heard: Mutex<Sender<Heard>>,
}

pub(crate) struct HeardSoFar(Mutex<ChannelEnd<Heard>>);

impl HeardSoFar {
    /// Waits for the next event.
    pub(crate) fn next(&self) -> Heard {
        self.0.lock().recv_timeout(STUCK_AFTER).expect("another event")
    }

    /// Waits until the receiver has stopped.
    pub(crate) fn next_stopped(&self) -> ReceiverInfo {
        loop {
            if let Heard::Stopped(info) = self.next() {
                return info;
            }
        }
    }

    /// What was heard and not taken yet.
    pub(crate) fn rest(&self) -> Vec<Heard> {
        self.0.lock().try_iter().collect()
    }
}

pub(crate) fn listen(context: &dstreams_streaming::StreamingContext) -> HeardSoFar {
    let (heard, rest) = channel();
    context.add_listener(Arc::new(Ears { heard: Mutex::new(heard) }));
    HeardSoFar(Mutex::new(rest))
}

impl Ears {
    fn hear(&self, event: Heard) {
        let _ = self.heard.lock().send(event);
    }
}

impl StreamingListener for Ears {
    fn on_receiver_started(&self, info: &ReceiverInfo) {
        self.hear(Heard::Started(info.clone()));
    }

    fn on_receiver_error(&self, info: &ReceiverInfo) {
        self.hear(Heard::Error(info.clone()));
    }

    fn on_receiver_paused(&self, info: &ReceiverInfo) {
        self.hear(Heard::Paused(info.clone()));
    }

    fn on_receiver_resumed(&self, info: &ReceiverInfo) {
        self.hear(Heard::Resumed(info.clone()));
    }

    fn on_receiver_stopped(&self, info: &ReceiverInfo) {
        self.hear(Heard::Stopped(info.clone()));
    }
}
