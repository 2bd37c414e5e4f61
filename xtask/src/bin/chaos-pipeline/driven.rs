// SPDX-License-Identifier: Apache-2.0
//! What a program needs that `cargo xtask chaos` starts: it ends with whoever started it, and says how far it has come.

use std::io::{Write as _, copy, sink, stdin, stdout};

use dstreams::{StreamingListener, Time, streaming::event::BatchInfo};

/// Ends the program when whoever started it is gone, who holds the other end of its input.
pub(crate) fn end_with_the_driver() {
    std::thread::spawn(|| {
        let _ = copy(&mut stdin(), &mut sink());
        std::process::exit(3);
    });
}

/// Prints `started`, and then `batch MILLISECONDS` for each batch whose outputs are done.
pub(crate) struct Progress;

impl Progress {
    fn say(text: &str) {
        // Nobody may be listening any more.
        let mut out = stdout().lock();
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }
}

impl StreamingListener for Progress {
    fn on_streaming_started(&self, _: Time) {
        Self::say("started");
    }

    fn on_batch_completed(&self, batch: &BatchInfo) {
        if batch.output_operations.values().all(|output| output.failure_reason.is_none()) {
            Self::say(&format!("batch {}", batch.batch_time.as_millis()));
        }
    }
}
