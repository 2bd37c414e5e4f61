// SPDX-License-Identifier: Apache-2.0
//! Batches that are made while an earlier one runs, after the original's `JobGeneratorSuite`.
#![allow(clippy::unwrap_used, reason = "tests")]

mod probe;

use std::sync::{Arc, mpsc::channel};

use dstreams_streaming::{
    Config, StreamingListener, Time,
    event::BatchInfo,
    testing::TestContext,
    time::{milliseconds, seconds},
};
use parking_lot::Mutex;

use probe::{STUCK_AFTER, probe};

/// Tells of the batches that are made.
struct Made(Mutex<std::sync::mpsc::Sender<Time>>);

impl StreamingListener for Made {
    fn on_batch_submitted(&self, batch: &BatchInfo) {
        let _ = self.0.lock().send(batch.batch_time);
    }
}

#[test]
fn the_data_of_a_batch_that_runs_is_kept_whatever_is_made_meanwhile() {
    // SPARK-6222
    const BATCHES: i64 = 10;
    let mut config = Config::default();
    // So that a block which is forgotten too early cannot be read from anywhere.
    config.set("spark.streaming.receiver.writeAheadLog.enable", "false").unwrap();
    let test = TestContext::with(config, seconds(1)).unwrap().with_checkpoint_dir().unwrap();
    let (sender, made) = channel();
    test.context().add_listener(Arc::new(Made(Mutex::new(sender))));
    let (receiver, calls) = probe::<i64>();
    let stream = test.context().receiver_stream(receiver);
    let (release, released) = channel::<()>();
    let released = Mutex::new(released);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let records = Arc::clone(&seen);
    stream.for_each_rdd(move |rdd, time| {
        if time == Time::from_millis(3000) {
            // Until the end of the wait, one way or the other.
            let _ = released.lock().recv_timeout(STUCK_AFTER);
        }
        records.lock().push((time.as_millis(), rdd.collect()?));
        Ok(())
    });
    test.context().start().unwrap();
    let handle = calls.started();
    for second in 1..=BATCHES {
        handle.store_block(vec![second]).unwrap();
        test.clock().advance(milliseconds(1000));
        let time = made.recv_timeout(STUCK_AFTER).expect("the batch is made");
        assert_eq!(time, Time::from_millis(second * 1000));
    }
    let done = seen.lock().len();
    assert!(done < 3, "{done} batches are complete while the third waits");
    release.send(()).unwrap();
    test.stop();
    let expected: Vec<_> = (1..=BATCHES).map(|second| (second * 1000, vec![second])).collect();
    assert_eq!(*seen.lock(), expected);
}
