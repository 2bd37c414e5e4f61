// SPDX-License-Identifier: Apache-2.0
//! Many threads of a receiver store at once, while batches are made, forgotten and cleaned.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    thread,
};

use tempfile::tempdir;

use super::{Run, at};

const THREADS: usize = 4;
const BLOCKS: usize = 40;

#[test]
fn each_block_of_each_thread_is_in_one_batch_and_in_order() {
    // INVARIANT 9
    let dir = tempdir().unwrap();
    let run = Run::logged(dir.path());
    let clock = AtomicI64::new(0);
    let (mut plans, mut seen) = (Vec::new(), Vec::new());
    thread::scope(|scope| {
        let stores: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (run, clock) = (&run, &clock);
                scope.spawn(move || {
                    for block in 0..BLOCKS {
                        // Each block 100 ms later, so that the log rolls.
                        let time = clock.fetch_add(100, Ordering::Relaxed);
                        run.store(time, &[&format!("{thread} {block:02}")]);
                    }
                })
            })
            .collect();
        while stores.iter().any(|store| !store.is_finished()) {
            let plan = run.plan(i64::try_from(plans.len()).unwrap());
            seen.extend(run.read(&plan));
            let old = at(plan.0 - 3);
            run.blocks.forget(old);
            run.blocks.clean(old);
            plans.push(plan);
        }
    });
    let kept = plans.len().saturating_sub(3);
    drop(run);

    let run = Run::restored(dir.path(), &plans[kept..]);
    plans[kept..].iter().for_each(|plan| drop(run.read(plan)));
    seen.extend(run.read(&run.plan(i64::try_from(plans.len()).unwrap())));
    for thread in 0..THREADS {
        let of_thread: Vec<_> = seen.iter().filter(|text| text.starts_with(&thread.to_string())).collect();
        let expected: Vec<_> = (0..BLOCKS).map(|block| format!("{thread} {block:02}")).collect();
        assert_eq!(of_thread, expected.iter().collect::<Vec<_>>());
    }
}
