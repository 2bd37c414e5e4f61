// SPDX-License-Identifier: Apache-2.0
//! Streams joined with what is not a stream: a dataset that changes between batches, and windows of another stream.

use std::sync::{Arc, Mutex};

use dstreams_streaming::{testing::TestContext, time::seconds};

#[test]
fn a_dataset_that_changes_is_joined_as_it_is_in_each_batch() {
    let test = TestContext::new().expect("an engine");
    let blocked = Arc::new(Mutex::new(vec![("eve".to_owned(), true)]));
    let (context, list) = (test.context().rdd_context().clone(), Arc::clone(&blocked));
    let visits = test.input(vec![vec![("ann".to_owned(), 1), ("eve".to_owned(), 2)]; 3]);
    let cleaned = visits.transform(move |visits, _| {
        let blocked = context.parallelize(list.lock().expect("no panic").clone());
        let allowed = visits.left_outer_join(&blocked).filter(|(_, (_, blocked))| blocked.is_none());
        allowed.map(|(name, (page, _))| (name, page))
    });
    let seen = test.collect(&cleaned);
    test.run(1).expect("the batch succeeds");
    blocked.lock().expect("no panic").push(("ann".to_owned(), true));
    test.run(1).expect("the batch succeeds");
    blocked.lock().expect("no panic").clear();
    test.run(1).expect("the batch succeeds");
    let mut batches = seen.batches();
    batches[2].sort_unstable();
    let [ann, eve] = [("ann".to_owned(), 1), ("eve".to_owned(), 2)];
    assert_eq!(batches, [vec![ann.clone()], vec![], vec![ann, eve]]);
}

#[test]
fn windows_of_two_streams_are_joined() {
    let test = TestContext::new().expect("an engine");
    let clicks = test.input(vec![vec![('a', 1)], vec![('b', 2)], vec![('a', 3)], vec![]]);
    let buys = test.input(vec![vec![], vec![('a', 'x')], vec![('b', 'y')], vec![]]);
    let joined = clicks.window(seconds(2)).join(&buys.window_with(seconds(3), seconds(1)));
    let seen = test.collect(&joined);
    test.run(4).expect("all batches succeed");
    let mut batches = seen.batches();
    for batch in &mut batches {
        batch.sort_unstable();
    }
    let expected =
        [vec![], vec![('a', (1, 'x'))], vec![('a', (3, 'x')), ('b', (2, 'y'))], vec![('a', (3, 'x'))]];
    assert_eq!(batches, expected);
}
