// SPDX-License-Identifier: Apache-2.0
//! Checkpoint directories on a real S3 server that are set aside when a marker has stopped their program.

mod given;

use std::{sync::mpsc, thread, time::Duration};

use dstreams_streaming::{
    CheckpointContents, Config, Error, Location, receiver::ReceiverHandle, storage::location,
};
use dstreams_test_servers::S3;
use dstreams_wal::fault::{self, Fault};

fn config(server: &S3, settings: &[(&str, &str)]) -> Config {
    let mut config = Config::default();
    let of_server = server.settings();
    let of_server = of_server.iter().map(|(key, value)| (*key, value.as_str()));
    for (key, value) in of_server.chain(settings.iter().copied()) {
        config.set(key, value).expect("a known key");
    }
    config
}

fn place(server: &S3, path: &str) -> Location {
    location(&server.url(path), &config(server, &[])).expect("a place")
}

/// Longer than a test may take.
const STUCK_AFTER: Duration = Duration::from_secs(60);

/// Runs a program for some batches that stops when `stop` is there, and waits for its end.
fn run_until_the_marker(server: &S3, dir: &str) -> Result<(), Error> {
    let marker = server.url(&format!("{dir}-control/stop"));
    let settings = [
        ("dstreams.batch.interval", "50ms"),
        ("dstreams.shutdown.markerInterval", "10ms"),
        ("dstreams.shutdown.markerPlaced", &marker),
        ("dstreams.shutdown.setCheckpointsAside", "true"),
        ("spark.streaming.checkpoint.directory", &server.url(dir)),
        ("spark.master", "local[2]"),
        ("spark.app.name", "sums"),
    ];
    let (begun, handles) = mpsc::channel();
    let (told, sums) = mpsc::channel();
    let asked = place(server, &format!("{dir}-control/stop"));
    let asking = thread::spawn(move || {
        let handles: mpsc::Receiver<ReceiverHandle<u64>> =
            handles.recv_timeout(STUCK_AFTER).expect("the program is built");
        let receiver = handles.recv_timeout(STUCK_AFTER).expect("the receiver is started");
        receiver.store_block(vec![3, 4]).expect("it is stored");
        while sums.recv_timeout(STUCK_AFTER).expect("a batch is processed") != [('s', 7)] {}
        asked.create("marker").and_then(|file| file.commit()).expect("it is put");
    });
    let ran = dstreams_streaming::run_with(config(server, &settings), |ssc| {
        let told = told.clone();
        let (numbers, handle) = given::stream(ssc);
        begun.send(handle).expect("the test waits for it");
        let sum = |new: Vec<u64>, sum: Option<u64>| Some(sum.unwrap_or(0) + new.iter().sum::<u64>());
        numbers.map(|n| ('s', n)).update_state_by_key(sum).for_each_rdd(move |rdd, _| {
            // Nobody waits for those after the one that was waited for.
            let _ = told.send(rdd.collect()?);
            Ok(())
        });
        Ok(())
    });
    asking.join().expect("it does not panic");
    ran
}

#[test]
fn a_directory_is_set_aside_when_a_marker_has_stopped_its_program() {
    let Some(server) = S3::start_or_skip("a directory set aside") else { return };
    let server = &server;
    dstreams_objects::register();
    run_until_the_marker(server, "set/aside").expect("it stops as asked");
    assert!(place(server, "set/aside-control/stop.COMPLETED").exists().expect("it answers"));
    assert_eq!(place(server, "set/aside").list().expect("a listing"), [], "the next start begins anew");
    let beside = place(server, "set").list().expect("a listing").into_iter().map(|entry| entry.name);
    let aside: Vec<String> = beside.filter(|name| name.starts_with("aside.")).collect();
    assert_eq!(aside.len(), 1, "{aside:?}");
    let shown =
        CheckpointContents::read_with(&server.url(&format!("set/{}", aside[0])), &config(server, &[]));
    let shown = shown.expect("it can be read");
    assert_eq!((shown.application.as_str(), shown.pending.len()), ("sums", 0));
    assert!(shown.completed.is_some() && !shown.states.is_empty(), "{shown:?}");
}

#[test]
fn a_directory_that_is_set_aside_in_part_is_what_it_was_or_new() {
    let Some(server) = S3::start_or_skip("a directory set aside in part") else { return };
    let server = &server;
    dstreams_objects::register();
    // A copy that is not whole.
    let dir = "half/copied";
    {
        let _armed = fault::arm(server.url("half"), "aside.put", 3, Fault::Error);
        let failed = run_until_the_marker(server, dir).expect_err("it cannot be copied").to_string();
        assert!(failed.contains("cannot be set aside") && failed.contains("by hand"), "{failed}");
    }
    let shown = CheckpointContents::read_with(&server.url(dir), &config(server, &[])).expect("it is whole");
    assert!(shown.completed.is_some());

    // One that is, of which not all has been removed.
    let dir = "half/removed";
    {
        let _armed = fault::arm(server.url(dir), "aside.remove", 2, Fault::Error);
        run_until_the_marker(server, dir).expect_err("it cannot be removed");
    }
    assert!(!place(server, dir).list().expect("a listing").is_empty());
    CheckpointContents::read_with(&server.url(dir), &config(server, &[])).expect_err("it is nobody's");
    place(server, "half/removed-control/stop").remove("marker").expect("it is there");
    run_until_the_marker(server, dir).expect("it begins anew");
    assert_eq!(place(server, dir).list().expect("a listing"), []);
}
