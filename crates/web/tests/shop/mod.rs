// SPDX-License-Identifier: Apache-2.0
//! An application to look at: it counts words, on a manual clock, and fails when it is told to.
#![allow(dead_code, reason = "not every test needs all of it")]

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering},
    mpsc::{Receiver, channel},
};

use dstreams_streaming::{Config, testing::TestContext, time::seconds};
use dstreams_web::WebUi;

/// A running application with its pages.
pub struct Shop {
    test: TestContext,
    ui: WebUi,
    fails: Arc<AtomicBool>,
    ran: AtomicU64,
    changed: Receiver<()>,
}

impl Shop {
    /// An application with an input, a state and two outputs.
    pub fn open() -> Self {
        Self::with(&[])
    }

    /// As [`open`](Self::open), with more settings.
    pub fn with(settings: &[(&str, &str)]) -> Self {
        let (test, ui) = parts(settings);
        let fails = Arc::new(AtomicBool::new(false));
        let sales =
            (0..2000).map(|batch| (0..batch % 7 * 100 + 300).map(|n| (n % 90, n)).collect()).collect();
        let sales = test.input::<(i64, i64)>(sales).named("sales");
        let totals = sales.reduce_by_key(|a, b| a + b);
        let state = totals
            .update_state_by_key(|new, sum: Option<i64>| Some(sum.unwrap_or(0) + new.iter().sum::<i64>()));
        let failing = Arc::clone(&fails);
        state.named("totals").for_each_rdd(move |rdd, _| {
            let failing = failing.swap(false, Ordering::SeqCst);
            rdd.map(move |pair| if failing && pair.0 == 7 { panic!("no price for product 7") } else { pair })
                .count()?;
            Ok(())
        });
        let large = sales.filter(|(_, price)| *price > 100).map(|(product, _)| product);
        large
            .union(&sales.map(|(product, _)| product))
            .count_by_value()
            .for_each_rdd(|rdd, _| Ok(rdd.count().map(drop)?));
        Self::of(test, ui, fails)
    }

    fn of(test: TestContext, ui: WebUi, fails: Arc<AtomicBool>) -> Self {
        let (change, changed) = channel();
        let change = Mutex::new(change);
        ui.monitor().subscribe(move |_| {
            // Nobody listens any more when the test is over.
            let _ = change.lock().expect("no test panics here").send(());
        });
        Self { test, ui, fails, ran: AtomicU64::new(0), changed }
    }

    /// Two outputs that run two jobs each; one task of the last job fails, and the program goes on.
    pub fn of_two_outputs_with_two_jobs_each() -> Self {
        let (test, ui) = parts(&[]);
        let numbers = test.input_with(vec![Some(vec![1, 2, 3, 4])], 4);
        numbers.for_each_rdd(|rdd, _| {
            rdd.count()?;
            rdd.count()?;
            Ok(())
        });
        numbers.for_each_rdd(|rdd, _| {
            rdd.count()?;
            let caught = rdd.map(|n| if n == 4 { panic!("this task fails") } else { n }).count();
            assert!(caught.is_err(), "the task fails");
            Ok(())
        });
        Self::of(test, ui, Arc::default())
    }

    /// Runs batches, and waits until the pages know of them.
    pub fn run(&self, batches: usize) {
        for _ in 0..batches {
            // A batch that fails is what some tests want to see.
            let _ran = self.test.run(1);
        }
        let wanted = self.ran.fetch_add(batches as u64, Ordering::SeqCst) + batches as u64;
        while self.ui.monitor().read(|store| store.totals().completed_batches) < wanted {
            self.changed.recv().expect("the monitor lives");
        }
    }

    /// Makes the next batch fail.
    pub fn fail_next(&self) {
        self.fails.store(true, Ordering::SeqCst);
    }

    /// The time of the last batch, in milliseconds.
    pub fn batch_time(&self) -> i64 {
        self.ui.monitor().read(|store| store.last_completed().map_or(0, |batch| batch.time().as_millis()))
    }

    /// The address of a page.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.ui.url())
    }

    pub fn ui(&self) -> &WebUi {
        &self.ui
    }

    pub fn test(&self) -> &TestContext {
        &self.test
    }
}

fn parts(settings: &[(&str, &str)]) -> (TestContext, WebUi) {
    let mut config = Config::new();
    config.set("spark.ui.port", "0").expect("the key is known");
    config.set("spark.app.name", "shop").expect("the key is known");
    for (key, value) in settings {
        config.set(key, value).expect("the key is known");
    }
    let test = TestContext::with(config, seconds(1)).expect("a context");
    let test = test.with_checkpoint_dir().expect("a directory");
    let ui = WebUi::start(test.context()).expect("a server").expect("it is enabled");
    (test, ui)
}
