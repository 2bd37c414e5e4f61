// SPDX-License-Identifier: Apache-2.0
//! Programs whose checkpoint directory is on a real S3 server.

mod essentials;
mod given;
mod program;

use std::io::Write as _;

use dstreams_streaming::{
    CheckpointContents, DStream, Location, State, StateSpec,
    testing::{Collected, TestContext},
    time::seconds,
};
use dstreams_test_servers::{ObjectServer, S3};
use program::{config, context, numbers, place, sum_of, sums};

essentials::tests_on!(S3);

/// Runs a program for some batches, then again on the same directory for the rest.
fn in_two<T: Clone + Send + Sync + 'static>(
    server: &ObjectServer,
    dir: &str,
    settings: &[(&str, &str)],
    program: impl Fn(&TestContext) -> Collected<T>,
) -> Vec<Vec<T>> {
    let mut all = Vec::new();
    for (start, batches) in [(0, 4), (4, 3)] {
        let test = context(server, dir, start, settings);
        let seen = program(&test);
        test.run(batches).expect("all batches succeed");
        all.extend(seen.batches());
    }
    all
}

#[test]
fn windows_see_the_batches_of_the_first_process() {
    let Some(server) = server("windows") else { return };
    let seen = in_two(server, "windows", &[], |test| {
        let window = |numbers: DStream<(char, i64)>| {
            numbers.reduce_by_key_and_window_inverse(|a, b| a + b, |a, b| a - b, seconds(4), seconds(1))
        };
        test.collect(&window(numbers(test, 20).map(|n| ('w', n))))
    });
    let expected: Vec<_> = (1..=7i64).map(|n| vec![('w', ((n - 3).max(1)..=n).sum::<i64>())]).collect();
    assert_eq!(seen, expected);
}

#[test]
fn mapped_states_go_on_in_memory_and_on_disk() {
    let Some(server) = server("mapped states") else { return };
    for stores in [["memory", "memory"], ["memory", "disk"], ["disk", "disk"], ["disk", "memory"]] {
        let dir = format!("mapped-{}-{}", stores[0], stores[1]);
        let mut all = Vec::new();
        for (store, start, batches) in [(stores[0], 0, 3), (stores[1], 3, 2)] {
            let test = context(server, &dir, start, &[("dstreams.state.store", store)]);
            let first = test.context().rdd_context().parallelize(vec![('a', 100), ('b', 900)]);
            let spec = StateSpec::function(|key: &char, n: Option<i64>, sum: &mut State<'_, i64>| {
                let total = sum.get().unwrap_or(&0) + n.unwrap_or(0);
                sum.update(total);
                (*key, total)
            });
            let input = numbers(&test, 20).map(|n| (if n % 2 == 0 { 'a' } else { 'b' }, n));
            let seen = test.collect(&input.map_with_state(spec.partitions(2).initial_state(first)));
            test.run(batches).expect("all batches succeed");
            all.extend(seen.batches().concat());
        }
        assert_eq!(all, [('b', 901), ('a', 102), ('b', 904), ('a', 106), ('b', 909)], "{stores:?}");
    }
}

#[test]
fn snapshots_are_made_of_changes_and_read_by_the_next_process() {
    let Some(server) = server("snapshots") else { return };
    // On an object store each logged batch counts as much, so that these are enough for a snapshot.
    let batches = 75;
    for store in ["memory", "disk"] {
        let dir = format!("snapshots-{store}");
        for (start, batches) in [(0, batches), (batches, 1)] {
            let test = context(server, &dir, start, &[("dstreams.state.store", store)]);
            let input = test.input((1..=batches.max(76)).map(|n| vec![(n % 10, n)]).collect());
            let spec = StateSpec::function(|key: &i64, n: Option<i64>, sum: &mut State<'_, i64>| {
                let total = sum.get().unwrap_or(&0) + n.unwrap_or(0);
                sum.update(total);
                (*key, total)
            });
            let seen = test.collect(&input.map_with_state(spec.partitions(2)));
            test.run(usize::try_from(batches).expect("a few")).expect("all batches succeed");
            if start > 0 {
                let sum = (1..=76).filter(|n| n % 10 == 6).sum::<i64>();
                assert_eq!(seen.batches(), [vec![(6, sum)]], "{store}");
            }
        }
        let shown = CheckpointContents::read_with(&server.url(&dir), &config(server, &[]));
        let (_, keys, _) = shown.expect("it is whole").states[0].snapshot.expect("there is one");
        assert_eq!(keys, 10);
        let snapshots = place(server, &dir).join("state/map_with_state-1").list().expect("a listing");
        assert_eq!(snapshots.len(), 1, "{snapshots:?}");
    }
}

#[test]
fn a_receiver_of_a_process_that_was_taken_over_confirms_nothing() {
    let Some(server) = server("two receivers") else { return };
    let start = || {
        let test = context(server, "two-receivers", 0, &[]);
        let (stream, handle) = given::stream(test.context());
        let seen = test.collect(&stream);
        test.context().start().expect("it starts");
        (test, seen, handle.recv().expect("the receiver starts"))
    };
    let (_first, _, by_first) = start();
    by_first.store_block(vec![1]).expect("it is stored");
    let (second, seen, by_second) = start();
    let refused = by_first.store_block(vec![2]).expect_err("nobody will read it").to_string();
    assert!(refused.contains("taken over"), "{refused}");
    by_second.store_block(vec![3]).expect("it is stored");
    second.run(1).expect("the batch succeeds");
    assert_eq!(seen.batches(), [[1, 3]]);
}

#[test]
fn another_application_is_refused_and_takes_nothing_over() {
    let Some(server) = server("another application") else { return };
    let own = context(server, "application", 0, &[]);
    let seen = sums(&own);
    own.run(1).expect("the batch succeeds");
    let other = context(server, "application", 0, &[("spark.app.name", "other")]);
    sums(&other);
    let refused = other.run(1).expect_err("it is another's").to_string();
    assert!(refused.contains("belongs to the application \"test\""), "{refused}");
    own.run(1).expect("it goes on");
    assert_eq!(seen.batches().len(), 2);
}

#[test]
fn to_explain_takes_nothing_over() {
    let Some(server) = server("explain") else { return };
    let running = context(server, "explain", 0, &[]);
    sums(&running);
    running.run(1).expect("the batch succeeds");
    let asking = context(server, "explain", 1, &[]);
    sums(&asking);
    let report = asking.context().explain_recovery().expect("it is readable").expect("there is something");
    assert_eq!((report.completed.as_millis(), report.rows.len()), (1000, 3));
    running.run(1).expect("it goes on");
    let nothing = context(server, "explain-nothing", 1, &[]);
    sums(&nothing);
    assert_eq!(nothing.context().explain_recovery().expect("it is readable"), None);
    assert!(!place(server, "explain-nothing").exists().expect("it answers"));
}

/// Changes an object behind the back of the program.
fn damage(object: &Location, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = object.read().expect("it is there");
    change(&mut bytes);
    let mut file = object.create("test").expect("it begins");
    file.write_all(&bytes).and_then(|()| file.commit()).expect("it is put");
}

fn names(dir: &Location, prefix: &str) -> Vec<String> {
    let entries = dir.list().expect("a listing");
    entries.into_iter().map(|entry| entry.name).filter(|name| name.starts_with(prefix)).collect()
}

#[test]
fn where_the_newest_checkpoint_object_is_damaged_the_one_before_serves() {
    let Some(server) = server("damaged checkpoints") else { return };
    let dir = place(server, "damaged");
    let go_on = |start| {
        let test = context(server, "damaged", start, &[]);
        let seen = sums(&test);
        let outcome = test.run(2).map(|()| seen.batches());
        // Which writes a checkpoint file.
        test.stop();
        outcome
    };
    for start in [0, 2, 4] {
        go_on(start).expect("all batches succeed");
    }
    let files = names(&dir, "checkpoint-");
    assert_eq!(files.len(), 2, "{files:?}");
    damage(&dir.join(&files[1]), |bytes| bytes.truncate(bytes.len() / 2));
    assert_eq!(go_on(6).expect("the one before serves"), [sum_of(7), sum_of(8)]);
    for file in names(&dir, "checkpoint-") {
        damage(&dir.join(&file), |bytes| bytes[10] ^= 1);
    }
    for batches in names(&dir.join("batches"), "log-").into_iter().take(3) {
        // As if it had been cleaned: without the first start the log alone is not enough.
        dir.join("batches").join(batches).remove("test").expect("it is removed");
    }
    let refused = go_on(8).expect_err("nothing serves").to_string();
    assert!(refused.contains("no checkpoint file is readable"), "{refused}");
}

#[test]
fn a_damaged_group_is_named_with_its_object_and_place() {
    let Some(server) = server("damaged groups") else { return };
    let dir = place(server, "groups").join("batches");
    let go_on = |start| {
        let test = context(server, "groups", start, &[]);
        sums(&test);
        test.run(2).map_err(|error| error.to_string())
    };
    go_on(0).expect("all batches succeed");
    let objects = names(&dir, "log-");
    // The last has the completion of the last batch, and the one before it what that was made of.
    let [.., planned, completed] = &objects[..] else { panic!("{objects:?}") };
    for (name, change) in [
        (planned, (|bytes| bytes[80] ^= 1) as fn(&mut Vec<u8>)),
        (completed, |bytes| bytes.truncate(bytes.len() - 1)),
        (completed, |bytes| bytes.truncate(30)),
    ] {
        let whole = dir.join(name).read().expect("it is there");
        damage(&dir.join(name), change);
        let refused = go_on(2).expect_err("it is damaged");
        let named = format!("{} is damaged at byte ", dir.join(name));
        assert!(refused.contains(&named), "{refused}");
        damage(&dir.join(name), |bytes| *bytes = whole);
    }
    go_on(2).expect("it is whole again");
}
