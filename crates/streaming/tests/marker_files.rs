// SPDX-License-Identifier: Apache-2.0
//! Applications that are stopped by marker files, one that appears and one that is deleted.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, channel},
    },
    thread::JoinHandle,
};

use dstreams_streaming::{Config, Result, StreamingListener, event::CommitInfo, run_with};
use dstreams_streaming::{RddQueue, receiver::ReceiverHandle};
use parking_lot::Mutex;

mod probe;
use probe::probe;

/// Tells the test of each batch that is complete.
struct Commits(Mutex<std::sync::mpsc::Sender<i64>>);

impl StreamingListener for Commits {
    fn on_batch_committed(&self, commit: &CommitInfo) {
        let _ = self.0.lock().send(commit.batch_time.as_millis());
    }
}

struct Application {
    thread: JoinHandle<Result<()>>,
    commits: Receiver<i64>,
}

fn config(settings: &[(&str, &Path)]) -> Config {
    let mut config = Config::default();
    config.set("dstreams.batch.interval", "20ms").unwrap();
    config.set("dstreams.shutdown.markerInterval", "10ms").unwrap();
    config.set("spark.master", "local[2]").unwrap();
    config.set("spark.app.name", "marked").unwrap();
    for (key, path) in settings {
        config.set(key, path.to_str().unwrap()).unwrap();
    }
    config
}

/// Runs an application that has no input.
fn start(config: Config) -> Application {
    let (sender, commits) = channel();
    let thread = std::thread::spawn(move || {
        run_with(config, |ssc| {
            ssc.add_listener(Arc::new(Commits(Mutex::new(sender.clone()))));
            ssc.queue_stream(&RddQueue::<u8>::new()).for_each_rdd(|_, _| Ok(()));
            Ok(())
        })
    });
    Application { thread, commits }
}

impl Application {
    fn await_batch(&self) {
        self.commits.recv_timeout(probe::STUCK_AFTER).expect("a batch is complete");
    }

    fn finish(self) -> Result<()> {
        self.thread.join().unwrap()
    }
}

#[test]
fn a_file_that_appears_stops_the_application_and_is_renamed() {
    let dir = tempfile::tempdir().unwrap();
    let marker = dir.path().join("stop");
    let application = start(config(&[("dstreams.shutdown.markerPlaced", &marker)]));
    application.await_batch();
    fs::write(&marker, "").unwrap();
    application.finish().unwrap();
    assert!(!marker.exists());
    let report = fs::read_to_string(dir.path().join("stop.COMPLETED")).unwrap();
    assert!(report.contains("stop is there"), "{report}");
    assert!(report.contains("last complete batch"), "{report}");
}

#[test]
fn a_file_that_is_deleted_stops_the_application_that_has_put_it_there() {
    let dir = tempfile::tempdir().unwrap();
    let marker = dir.path().join("running");
    let application = start(config(&[("dstreams.shutdown.markerDeleted", &marker)]));
    application.await_batch();
    let text = fs::read_to_string(&marker).unwrap();
    assert!(text.contains("application marked, process"), "{text}");
    fs::remove_file(&marker).unwrap();
    application.finish().unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn checkpoints_can_be_set_aside_when_everything_has_been_processed() {
    let dir = tempfile::tempdir().unwrap();
    let (marker, checkpoints) = (dir.path().join("stop"), dir.path().join("checkpoints"));
    let mut config = config(&[
        ("dstreams.shutdown.markerPlaced", &marker),
        ("spark.streaming.checkpoint.directory", &checkpoints),
    ]);
    config.set("dstreams.shutdown.setCheckpointsAside", "true").unwrap();
    let application = start(config);
    application.await_batch();
    fs::write(&marker, "").unwrap();
    application.finish().unwrap();
    let mut names: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names.len(), 2, "{names:?}");
    let time = names[0].strip_prefix("checkpoints.").unwrap();
    assert!(time.parse::<i64>().unwrap() > 1_600_000_000_000, "{names:?}");
    assert_eq!(names[1], "stop.COMPLETED");
}

#[test]
fn what_was_received_before_the_marker_has_been_processed() {
    // INVARIANT 13
    let dir = tempfile::tempdir().unwrap();
    let marker = dir.path().join("stop");
    let mut config = config(&[("dstreams.shutdown.markerPlaced", &marker)]);
    // Nothing becomes a block, and no batch is made, before the stop.
    config.set("dstreams.batch.interval", "1h").unwrap();
    config.set("spark.streaming.blockInterval", "1h").unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (receiver, calls) = probe::<u32>();
    let (records, receiver) = (Arc::clone(&seen), Mutex::new(Some(receiver)));
    let application = std::thread::spawn(move || {
        run_with(config, |ssc| {
            let receiver = receiver.lock().take().expect("it is built once");
            let records = Arc::clone(&records);
            ssc.receiver_stream(receiver).for_each_rdd(move |rdd, _| {
                records.lock().extend(rdd.collect()?);
                Ok(())
            });
            Ok(())
        })
    });
    let handle: ReceiverHandle<u32> = calls.started();
    handle.store_many(&mut (0..1000).collect()).unwrap();
    fs::write(&marker, "").unwrap();
    application.join().unwrap().unwrap();
    assert_eq!(*seen.lock(), (0..1000).collect::<Vec<_>>());
    assert!(dir.path().join("stop.COMPLETED").exists());
}

#[test]
fn what_could_not_be_processed_in_time_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let marker = dir.path().join("stop");
    let mut config = config(&[("dstreams.shutdown.markerPlaced", &marker)]);
    config.set("spark.streaming.gracefulStopTimeout", "1ms").unwrap();
    let (begun, running) = channel();
    let application = std::thread::spawn(move || {
        run_with(config, |ssc| {
            let begun = begun.clone();
            ssc.queue_stream(&RddQueue::<u8>::new()).for_each_rdd(move |rdd, _| {
                let _ = begun.send(());
                // Until the stop gives up what runs.
                while rdd.count().is_ok() {
                    std::thread::yield_now();
                }
                Ok(())
            });
            Ok(())
        })
    });
    running.recv_timeout(probe::STUCK_AFTER).unwrap();
    fs::write(&marker, "").unwrap();
    application.join().unwrap().unwrap();
    let report = fs::read_to_string(dir.path().join("stop.INCOMPLETE")).unwrap();
    assert!(report.contains("the time for it was too short"), "{report}");
}

#[test]
fn a_marker_that_cannot_be_put_there_is_an_error_at_the_start() {
    let marker = Path::new("/nonexistent/directory/running");
    let error =
        start(config(&[("dstreams.shutdown.markerDeleted", marker)])).thread.join().unwrap().unwrap_err();
    assert!(error.to_string().contains("check that its directory exists"), "{error}");
}
