// SPDX-License-Identifier: Apache-2.0
//! A receiver that is given its blocks by the test.

use std::sync::mpsc::{Receiver as Channel, Sender, channel};

use dstreams_streaming::{
    BoxError, DStream, StreamingContext,
    receiver::{Receiver, ReceiverHandle},
};

struct Given(Sender<ReceiverHandle<u64>>);

impl Receiver for Given {
    type Record = u64;

    fn on_start(&mut self, handle: ReceiverHandle<u64>) -> Result<(), BoxError> {
        Ok(self.0.send(handle)?)
    }
}

/// The stream, and where its handle comes from when it has started.
pub(crate) fn stream(context: &StreamingContext) -> (DStream<u64>, Channel<ReceiverHandle<u64>>) {
    let (sender, handle) = channel();
    (context.receiver_stream(Given(sender)), handle)
}
