// SPDX-License-Identifier: Apache-2.0
//! Receivers whose stream is logged: what they have stored survives the end of the program, and only that is acknowledged.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver as ChannelEnd, Sender, channel},
    },
    time::Duration,
};

use dstreams_rdd::{BoxError, Rdd, RddContext};
use dstreams_wal::fault::{self, Fault};
use parking_lot::Mutex;
use tempfile::tempdir;

use crate::{
    Config, InputInfo, Result, StreamingListener, Time,
    clock::{Clock as _, SystemClock},
    event::ReceiverInfo,
    receiver::{ReceivedPlan, Receiver, ReceiverHandle, ReceiverOptions},
    source::{ReceivedSource, Source},
    testing::{Collected, TestContext},
    time::seconds,
};

/// Gives its handle to the test.
struct Given(Sender<ReceiverHandle<String>>);

impl Receiver for Given {
    type Record = String;

    fn on_start(&mut self, handle: ReceiverHandle<String>) -> Result<(), BoxError> {
        // The test may have ended.
        let _ = self.0.send(handle);
        Ok(())
    }
}

/// What outlives the program apart from the log of the stream: its batches.
#[derive(Clone, Default)]
struct Batches(Arc<Mutex<Logged>>);

#[derive(Default)]
struct Logged {
    memory: Option<Vec<u8>>,
    plans: Vec<(Time, ReceivedPlan)>,
}

/// A source whose batches are logged.
struct Recovered {
    source: ReceivedSource<Given>,
    batches: Batches,
}

impl Source for Recovered {
    type Record = String;
    type Plan = ReceivedPlan;

    fn name(&self) -> String {
        self.source.name()
    }

    fn plan(&self, time: Time) -> Result<Option<ReceivedPlan>> {
        let plan = self.source.plan(time)?;
        self.batches.0.lock().plans.extend(plan.clone().map(|plan| (time, plan)));
        Ok(plan)
    }

    fn info(&self, plan: &ReceivedPlan) -> InputInfo {
        self.source.info(plan)
    }

    fn rdd(&self, context: &RddContext, plan: ReceivedPlan) -> Result<Rdd<String>> {
        self.source.rdd(context, plan)
    }

    fn start(&self) -> Result<()> {
        let mut batches = self.batches.0.lock();
        match &batches.memory {
            Some(memory) => self.source.restore(memory, batches.plans.clone())?,
            None => batches.memory = Some(self.source.memory()),
        }
        self.source.start()
    }

    fn stop(&self, graceful: bool) {
        self.source.stop(graceful);
    }

    fn forget(&self, time: Time) {
        self.source.forget(time);
    }

    fn clean(&self, time: Time) {
        self.source.clean(time);
    }
}

/// One run of the program.
struct Program {
    test: TestContext,
    seen: Collected<String>,
    handles: ChannelEnd<ReceiverHandle<String>>,
    errors: ChannelEnd<ReceiverInfo>,
    stopped: ChannelEnd<ReceiverInfo>,
}

struct Ears(Mutex<(Sender<ReceiverInfo>, Sender<ReceiverInfo>)>);

impl StreamingListener for Ears {
    fn on_receiver_paused(&self, info: &ReceiverInfo) {
        let _ = self.0.lock().0.send(info.clone());
    }

    fn on_receiver_stopped(&self, info: &ReceiverInfo) {
        let _ = self.0.lock().1.send(info.clone());
    }
}

/// How long a test waits in real time before it is declared stuck.
const STUCK_AFTER: Duration = Duration::from_secs(60);

impl Program {
    fn run(dir: &Path, batches: &Batches, settings: &[(&str, &str)]) -> Self {
        let mut config = Config::default();
        for (key, value) in settings {
            config.set(key, value).unwrap();
        }
        let test = TestContext::with(config, seconds(1)).unwrap();
        let before = batches.0.lock().plans.last().map_or(Time::ZERO, |(time, _)| *time);
        test.clock().advance(before - Time::ZERO);
        let (started, handles) = channel();
        let stream = test.context().stream("receiver_stream", |context| {
            let source = ReceivedSource::new("Given", Given(started), ReceiverOptions::default(), context);
            source.attach(&dir.into()).unwrap();
            Arc::new(Recovered { source, batches: batches.clone() })
        });
        let seen = test.collect(&stream);
        let ((error, errors), (stop, stopped)) = (channel(), channel());
        test.context().add_listener(Arc::new(Ears(Mutex::new((error, stop)))));
        test.context().start().unwrap();
        Self { test, seen, handles, errors, stopped }
    }

    /// The handle of the receiver, once it was started.
    fn handle(&self) -> ReceiverHandle<String> {
        self.handles.recv_timeout(STUCK_AFTER).expect("the receiver is started")
    }

    fn seen(&self) -> Vec<String> {
        self.seen.batches().concat()
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn what_was_stored_and_in_no_batch_is_processed_after_a_restart() {
    // INVARIANT 20
    let (dir, batches) = (tempdir().unwrap(), Batches::default());
    let program = Program::run(dir.path(), &batches, &[]);
    let handle = program.handle();
    assert_eq!(handle.last_stored(), None);
    handle.store_block(texts(&["a", "b"])).unwrap();
    program.test.run(1).unwrap();
    let last = handle.store_block(texts(&["c"])).unwrap();
    assert_eq!(program.seen(), ["a", "b"]);
    program.test.context().stop().unwrap();
    assert!(handle.store_block(texts(&["too late"])).is_err());
    drop(program);

    let program = Program::run(dir.path(), &batches, &[]);
    let handle = program.handle();
    assert_eq!(handle.last_stored(), Some(last));
    let next = handle.store_block(texts(&["d"])).unwrap();
    assert_eq!(next.id.number, 3, "names go on");
    program.test.run(1).unwrap();
    assert_eq!(program.seen(), ["c", "d"]);
}

#[test]
fn single_records_are_logged_with_their_block() {
    let (dir, batches) = (tempdir().unwrap(), Batches::default());
    let program = Program::run(dir.path(), &batches, &[]);
    let handle = program.handle();
    handle.store_many(&mut texts(&["a", "b"])).unwrap();
    program.test.clock().advance(crate::time::milliseconds(200));
    // The block is stored on a thread of its own.
    let begun = SystemClock.now();
    while handle.last_stored().is_none() {
        assert!(SystemClock.now() - begun < seconds(60), "the block is stored");
        std::thread::yield_now();
    }
    drop(program);

    let program = Program::run(dir.path(), &batches, &[]);
    program.test.run(1).unwrap();
    assert_eq!(program.seen(), ["a", "b"]);
}

#[test]
fn a_receiver_with_positions_stores_again_only_what_is_not_stored() {
    let (dir, batches) = (tempdir().unwrap(), Batches::default());
    let queue = ["a", "b", "c", "d", "e"];
    let end = |end: usize| BTreeMap::from([("end".to_owned(), end.to_string())]);
    let program = Program::run(dir.path(), &batches, &[]);
    program.handle().store_block_with(texts(&queue[..3]), &end(3)).unwrap();
    // The program ends before the acknowledgement, and before any batch.
    drop(program);

    // All but what the last block had is stored; the log is cleaned, so that only the plans say which that was.
    let program = Program::run(dir.path(), &batches, &[]);
    program.test.run(2).unwrap();
    assert_eq!(program.seen(), queue[..3]);
    drop(program);
    std::fs::remove_file(dir.path().join("log-0-60000")).unwrap();

    let program = Program::run(dir.path(), &batches, &[]);
    let handle = program.handle();
    let from: usize = handle.last_stored().unwrap().metadata["end"].parse().unwrap();
    handle.store_block_with(texts(&queue[from..]), &end(queue.len())).unwrap();
    program.test.run(1).unwrap();
    assert_eq!(program.seen(), queue[3..]);
}

#[test]
fn a_full_disk_has_the_receiver_wait() {
    let (dir, batches) = (tempdir().unwrap(), Batches::default());
    let program = Program::run(dir.path(), &batches, &[]);
    let handle = program.handle();
    let armed: Vec<_> =
        (1..4).map(|nth| fault::arm(dir.path(), "received.write", nth, Fault::DiskFull)).collect();
    let storing = std::thread::spawn(move || handle.store_block(texts(&["a"])).unwrap());
    let info = program.errors.recv_timeout(STUCK_AFTER).expect("the pause is reported");
    assert!(info.last_error_message.contains("the receiver is paused"), "{info:?}");
    assert!(info.last_error.contains("no room for"), "{info:?}");
    program.test.run_until(|| !program.seen().is_empty()).unwrap();
    assert_eq!(storing.join().unwrap().records, 1);
    assert_eq!(program.seen(), ["a"]);
    drop(armed);
}

#[test]
fn another_error_of_the_log_is_reported_and_nothing_is_acknowledged() {
    let (dir, batches) = (tempdir().unwrap(), Batches::default());
    let settings = [("spark.streaming.receiver.writeAheadLog.maxFailures", "1")];
    let program = Program::run(dir.path(), &batches, &settings);
    let handle = program.handle();
    let armed = fault::arm(dir.path(), "received.write", 1, Fault::Error);
    handle
        .spawn("storing", |handle| {
            handle.store_block(texts(&["a"]))?;
            Ok(())
        })
        .unwrap();
    let info = program.stopped.recv_timeout(STUCK_AFTER).expect("the receiver is restarted");
    assert!(info.last_error.contains("cannot append to the log"), "{info:?}");
    assert_eq!(handle.last_stored(), None);
    drop(armed);
    // The sender, who has no acknowledgement, sends it again.
    program
        .test
        .run_until(|| {
            program.handles.try_recv().is_ok_and(|handle| handle.store_block(texts(&["a"])).is_ok())
        })
        .unwrap();
    program.test.run(1).unwrap();
    assert_eq!(program.seen(), ["a"]);
}

#[test]
fn each_block_is_in_a_file_of_its_own_if_files_are_to_be_closed() {
    let (dir, batches) = (tempdir().unwrap(), Batches::default());
    let settings = [("spark.streaming.receiver.writeAheadLog.closeFileAfterWrite", "true")];
    let program = Program::run(dir.path(), &batches, &settings);
    let handle = program.handle();
    for text in ["a", "b", "c"] {
        handle.store_block(texts(&[text])).unwrap();
    }
    assert_eq!(super::segments(dir.path()).len(), 3);
}

#[test]
fn the_log_rolls_as_configured() {
    let (dir, batches) = (tempdir().unwrap(), Batches::default());
    let settings = [("spark.streaming.receiver.writeAheadLog.rollingIntervalSecs", "1")];
    let program = Program::run(dir.path(), &batches, &settings);
    let handle = program.handle();
    for text in ["a", "b", "c"] {
        handle.store_block(texts(&[text])).unwrap();
        program.test.run(2).unwrap();
    }
    assert_eq!(super::segments(dir.path()), ["log-0-1000", "log-2000-3000", "log-4000-5000"]);
    assert_eq!(program.seen(), ["a", "b", "c"]);
}

#[test]
fn without_a_log_nothing_is_written() {
    let (dir, batches) = (tempdir().unwrap(), Batches::default());
    let settings = [("spark.streaming.receiver.writeAheadLog.enable", "false")];
    let program = Program::run(dir.path(), &batches, &settings);
    program.handle().store_block(texts(&["a"])).unwrap();
    program.test.run(1).unwrap();
    assert_eq!(program.seen(), ["a"]);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_log_needs_a_checkpoint_directory() {
    let mut config = Config::default();
    config.set("spark.streaming.receiver.writeAheadLog.enable", "true").unwrap();
    let test = TestContext::with(config, seconds(1)).unwrap();
    let (started, _handles) = channel();
    test.collect(&test.context().receiver_stream(Given(started)));
    let error = test.context().start().unwrap_err().to_string();
    assert!(
        error.starts_with("Cannot enable receiver write-ahead log without checkpoint directory set."),
        "{error}"
    );
}
