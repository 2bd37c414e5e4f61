// SPDX-License-Identifier: Apache-2.0
//! An application to look at: it counts words, on a manual clock, and fails when it is told to.
#![allow(dead_code, reason = "not every test needs all of it")]

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, channel},
    },
};

use dstreams_monitor::Store;
use dstreams_streaming::{Config, event::GraphInfo, testing::TestContext, time::seconds};
use dstreams_web::WebUi;

/// What a server has answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) kind: String,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// A running application with its pages.
pub(crate) struct Shop {
    test: TestContext,
    ui: WebUi,
    fails: Arc<AtomicBool>,
    ran: AtomicU64,
    changed: Receiver<()>,
}

impl Shop {
    /// An application with an input, a state and two outputs.
    pub(crate) fn open() -> Self {
        Self::with(&[])
    }

    /// As [`open`](Self::open), with more settings.
    pub(crate) fn with(settings: &[(&str, &str)]) -> Self {
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
    pub(crate) fn of_two_outputs_with_two_jobs_each() -> Self {
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
    pub(crate) fn run(&self, batches: usize) {
        for _ in 0..batches {
            // A batch that fails is what some tests want to see.
            let _ran = self.test.run(1);
        }
        let wanted = self.ran.fetch_add(batches as u64, Ordering::SeqCst) + batches as u64;
        while !self.ui.monitor().read(|store| is_known(store, wanted)) {
            self.changed.recv().expect("the monitor lives");
        }
    }

    /// Makes the next batch fail.
    pub(crate) fn fail_next(&self) {
        self.fails.store(true, Ordering::SeqCst);
    }

    /// The time of the last batch, in milliseconds.
    pub(crate) fn batch_time(&self) -> i64 {
        self.ui.monitor().read(|store| store.last_completed().map_or(0, |batch| batch.time().as_millis()))
    }

    /// The address of a page.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.ui.url())
    }

    /// A path below that of the application.
    pub(crate) fn path(path: &str) -> String {
        format!("/api/v1/applications/local-0/streaming/{path}")
    }

    /// What a path below that of the application gives.
    pub(crate) fn json(&self, path: &str) -> serde_json::Value {
        let answer = self.get(&Self::path(path));
        assert_eq!((answer.status, answer.kind.as_str()), (200, "application/json"), "{path}");
        serde_json::from_str(&answer.body).expect("it is JSON")
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[])
    }

    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[&str]) -> Answer {
        self.ask_as("127.0.0.1", method, path, headers)
    }

    /// Asks, as a browser does that knows the server by the name `host`.
    pub(crate) fn ask_as(&self, host: &str, method: &str, path: &str, headers: &[&str]) -> Answer {
        let mut stream = TcpStream::connect(self.ui.address()).expect("it listens");
        let headers: String = headers.iter().flat_map(|header| [header, "\r\n"]).collect();
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("it answers");
        let (head, body) = text.split_once("\r\n\r\n").expect("there is a head");
        let kind = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or_default();
        let status =
            head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("there is a status");
        Answer { status, kind: kind.to_owned(), head: head.to_owned(), body: body.to_owned() }
    }

    pub(crate) fn ui(&self) -> &WebUi {
        &self.ui
    }

    pub(crate) fn test(&self) -> &TestContext {
        &self.test
    }
}

/// Whether all is known of so many batches: the states are told last. Those of a batch after one that has failed are not.
fn is_known(store: &Store, batches: u64) -> bool {
    let has_states = |graph: &GraphInfo| graph.operators.iter().any(|operator| operator.state.is_some());
    let told = |last| {
        store.states().values().all(|state| state.last.batch_time == last) && !store.states().is_empty()
    };
    let totals = store.totals();
    let Some((last, graph)) = store.last_completed().zip(store.graph()) else { return batches == 0 };
    totals.completed_batches >= batches
        && (totals.failed_batches > 0 || !has_states(graph) || told(last.time()))
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
