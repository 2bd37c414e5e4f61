// SPDX-License-Identifier: Apache-2.0
//! What must hold on every object store.

use std::{io::Write as _, ops::Deref, sync::mpsc, thread, time::Duration};

use dstreams_streaming::{CheckpointContents, CheckpointError, Error};
use dstreams_test_servers::ObjectServer;

use crate::{
    given,
    program::{config, context, place, sum_of, sums},
};

/// The tests that every store has, on servers of a type, and `server`, one of them for all tests that do not stop it: each
/// has a directory of its own.
macro_rules! tests_on {
    ($server:ty) => {
        fn server(test: &str) -> Option<&'static $server> {
            static SERVER: std::sync::LazyLock<Option<$server>> =
                std::sync::LazyLock::new(|| <$server>::start_or_skip("the tests on one server"));
            dstreams_objects::register();
            let server = SERVER.as_ref();
            if server.is_none() {
                eprintln!("{test} was not run");
            }
            server
        }

        $crate::essentials::tests_on!(server: [
            states_go_on_where_they_were,
            blocks_of_a_receiver_are_logged_before_they_count,
            of_two_processes_the_earlier_can_record_nothing_any_more,
            a_marker_is_placed_seen_and_removed,
            large_objects_are_put_in_parts_and_names_may_be_any,
        ]);

        #[test]
        fn a_batch_waits_for_a_store_that_is_away() {
            let Some(server) = <$server>::start_or_skip("a store that is away") else { return };
            dstreams_objects::register();
            $crate::essentials::a_batch_waits_for_a_store_that_is_away(&server);
        }

        #[test]
        fn a_batch_fails_when_the_store_is_away_for_too_long() {
            let Some(server) = <$server>::start_or_skip("a store that is gone") else { return };
            dstreams_objects::register();
            $crate::essentials::a_batch_fails_when_the_store_is_away_for_too_long(server);
        }
    };
    ($start:ident: [$($test:ident),* $(,)?]) => {
        $(
            #[test]
            fn $test() {
                let Some(server) = $start(stringify!($test)) else { return };
                $crate::essentials::$test(server);
            }
        )*
    };
}
pub(crate) use tests_on;

pub(crate) fn states_go_on_where_they_were(server: &ObjectServer) {
    for start in 0..4 {
        let test = context(server, "states", 3 * start, &[]);
        let seen = sums(&test);
        test.run(3).expect("all batches succeed");
        let expected: Vec<_> = (3 * start + 1..=3 * start + 3).map(sum_of).collect();
        assert_eq!(seen.batches(), expected, "from {start}");
    }
    let shown = CheckpointContents::read_with(&server.url("states"), &config(server, &[]));
    let shown = shown.expect("it is whole");
    assert_eq!(shown.completed.map(|time| time.as_millis()), Some(12_000));
}

pub(crate) fn blocks_of_a_receiver_are_logged_before_they_count(server: &ObjectServer) {
    let start = |start| {
        let test = context(server, "received", start, &[]);
        let (stream, handle) = given::stream(test.context());
        let seen = test.collect(&stream);
        test.context().start().expect("it starts");
        (test, seen, handle.recv().expect("the receiver starts"))
    };
    let (test, seen, handle) = start(0);
    handle.store_block(vec![1, 2, 3]).expect("it is stored");
    test.run(1).expect("the batch succeeds");
    assert_eq!(seen.batches(), [[1, 2, 3]]);
    // Stored, and no batch has come.
    handle.store_block(vec![4, 5]).expect("it is stored");
    test.context().stop().expect("it stops");
    let (test, seen, handle) = start(1);
    handle.store_block(vec![6]).expect("it is stored");
    test.run(1).expect("the batch succeeds");
    assert_eq!(seen.batches().concat(), [4, 5, 6]);
}

/// INVARIANT 23.
pub(crate) fn of_two_processes_the_earlier_can_record_nothing_any_more(server: &ObjectServer) {
    let first = context(server, "two", 0, &[]);
    let by_first = sums(&first);
    first.run(2).expect("all batches succeed");
    let (stream, handle) = given::stream(context(server, "two-received", 0, &[]).context());
    drop((stream, handle));
    let second = context(server, "two", 2, &[]);
    let by_second = sums(&second);
    second.run(2).expect("all batches succeed");
    let refused = first.run(1).expect_err("it has been taken over");
    assert!(matches!(refused, Error::Checkpoint(CheckpointError::TakenOver { .. })), "{refused}");
    let process = format!("process {}", std::process::id());
    assert!(refused.to_string().contains(&process), "{refused}");
    assert_eq!(by_first.batches(), [sum_of(1), sum_of(2)], "no job has begun of a batch that is not logged");
    second.run(1).expect("it goes on");
    drop(first);
    second.run(1).expect("it goes on");
    assert_eq!(by_second.batches(), [sum_of(3), sum_of(4), sum_of(5), sum_of(6)]);
}

pub(crate) fn a_batch_waits_for_a_store_that_is_away(server: &ObjectServer) {
    let test = context(server, "away", 0, &[("dstreams.objectStore.timeout", "500ms")]);
    let seen = sums(&test);
    test.run(1).expect("the batch succeeds");
    server.pause().expect("it is told");
    let (done, is_done) = mpsc::channel();
    thread::scope(|threads| {
        threads.spawn(|| done.send(test.run(1)));
        // It may take as long as it wants.
        let early = is_done.recv_timeout(Duration::from_secs(2));
        server.resume().expect("it is told");
        early.expect_err("nothing is complete without the store");
        is_done.recv().expect("it ends").expect("the batch succeeds");
    });
    test.run(1).expect("the batch succeeds");
    assert_eq!(seen.batches(), [sum_of(1), sum_of(2), sum_of(3)]);
}

pub(crate) fn a_batch_fails_when_the_store_is_away_for_too_long(server: impl Deref<Target = ObjectServer>) {
    let settings = [
        ("dstreams.objectStore.giveUpAfter", "300ms"),
        ("spark.streaming.driver.writeAheadLog.maxFailures", "1"),
    ];
    let test = context(&server, "gone", 0, &settings);
    sums(&test);
    test.run(1).expect("the batch succeeds");
    let log = server.url("gone/batches");
    drop(server);
    let error = test.run(1).expect_err("there is no store").to_string();
    assert!(error.contains(&format!("cannot append to the log {log}")), "{error}");
}

pub(crate) fn a_marker_is_placed_seen_and_removed(server: &ObjectServer) {
    let marker = place(server, "markers/job/stop");
    assert!(!marker.exists().expect("it answers"));
    marker.create("marker").and_then(|file| file.commit()).expect("it is put");
    assert!(marker.exists().expect("it answers"));
    assert_eq!(marker.read().expect("it is there"), b"");
    assert_eq!(place(server, "markers").list().expect("a listing").len(), 1);
    marker.remove("marker").expect("it is removed");
    assert!(!marker.exists().expect("it answers"));
}

pub(crate) fn large_objects_are_put_in_parts_and_names_may_be_any(server: &ObjectServer) {
    let dir = place(server, "large").join("sums%20per%2fday ü");
    let content: Vec<u8> = (0..18u32 << 20).map(|n| n.to_le_bytes()[2] ^ n.to_le_bytes()[0]).collect();
    let mut file = dir.join("part-00000").create("test").expect("it begins");
    file.write_all(&content).expect("it is taken");
    assert!(!dir.exists().expect("it answers"));
    file.commit().expect("it is put");
    assert!(dir.join("part-00000").read().expect("it is there") == content);
    let mut given_up = dir.join("part-00001").create("test").expect("it begins");
    given_up.write_all(&content).expect("it is taken");
    drop(given_up);
    let entries = dir.list().expect("a listing");
    assert_eq!((entries.len(), entries[0].bytes), (1, Some(18 << 20)));
    let above = place(server, "large").list().expect("a listing");
    assert_eq!(above[0].name, "sums%20per%2fday ü");
    place(server, "large").remove_dir_all("test").expect("it is removed");
    assert!(!dir.exists().expect("it answers"));
}
