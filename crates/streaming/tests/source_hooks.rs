// SPDX-License-Identifier: Apache-2.0
//! What a source is told of its batches: complete, failed, and that none is left.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use dstreams_streaming::{Error, InputInfo, Rdd, RddContext, Result, Source, Time, testing::TestContext};

/// What happens, in order.
type Log = Arc<Mutex<Vec<String>>>;

fn note(log: &Log, text: String) {
    log.lock().expect("no panic").push(text);
}

struct Told(Log);

impl Told {
    fn at(&self, what: &str, time: Time) {
        note(&self.0, format!("{what} {}", time.as_millis() / 1_000));
    }
}

impl Source for Told {
    type Record = u32;
    type Plan = u32;

    fn name(&self) -> String {
        "Told".to_owned()
    }

    fn plan(&self, _time: Time) -> Result<Option<u32>> {
        Ok(Some(1))
    }

    fn info(&self, _plan: &u32) -> InputInfo {
        InputInfo::default()
    }

    fn rdd(&self, context: &RddContext, plan: u32) -> Result<Rdd<u32>> {
        Ok(context.parallelize([plan]))
    }

    fn attach(&self, _dir: &Path) -> Result<()> {
        Ok(())
    }

    fn stop(&self, _graceful: bool) {
        note(&self.0, "stop".to_owned());
    }

    fn completed(&self, time: Time) {
        self.at("completed", time);
    }

    fn failed(&self, time: Time) {
        self.at("failed", time);
    }

    fn close(&self) {
        note(&self.0, "close".to_owned());
    }
}

/// Runs three batches of which the second fails, if at all.
fn run(test: &TestContext, fails: bool) -> Vec<String> {
    let log = Log::default();
    let output = Arc::clone(&log);
    test.context().stream("told", |_| Arc::new(Told(Arc::clone(&log)))).for_each_rdd(move |_, time| {
        let second = time.as_millis() / 1_000;
        note(&output, format!("output {second}"));
        if fails && second == 2 { Err(Error::user("not today")) } else { Ok(()) }
    });
    for _ in 0..3 {
        // The error of the second batch stays, and is returned for the third one, too.
        let _ = test.run(1);
    }
    test.stop();
    let log = log.lock().expect("no panic");
    log.clone()
}

#[test]
fn a_source_hears_of_each_batch_after_its_outputs_and_last_that_none_is_left() -> Result<()> {
    let expected =
        ["output 1", "completed 1", "output 2", "completed 2", "output 3", "completed 3", "stop", "close"];
    assert_eq!(run(&TestContext::new()?, false), expected);
    assert_eq!(run(&TestContext::new()?.with_checkpoint_dir()?, false), expected);
    Ok(())
}

#[test]
fn a_batch_that_fails_is_told_and_with_checkpoints_nothing_after_it_is_complete() -> Result<()> {
    assert_eq!(
        run(&TestContext::new()?, true),
        ["output 1", "completed 1", "output 2", "failed 2", "output 3", "completed 3", "stop", "close"]
    );
    assert_eq!(
        run(&TestContext::new()?.with_checkpoint_dir()?, true),
        ["output 1", "completed 1", "output 2", "output 3", "stop", "close"]
    );
    Ok(())
}
