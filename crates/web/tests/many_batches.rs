// SPDX-License-Identifier: Apache-2.0
//! Pages of an application that keeps as many batches as it may.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::Arc,
};

use dstreams_monitor::{Application, EngineStep, Event, Limits, Monitor, Store};
use dstreams_streaming::{
    Config, InputInfo, StreamId, Time,
    clock::{Clock as _, ManualClock, SystemClock},
    event::{BatchInfo, OutputOperationInfo, StreamingEvent},
};
use dstreams_web::WebUi;

/// A thousand batches of two outputs.
fn store() -> Store {
    let mut store = Store::new(Limits::default());
    let application =
        Application { id: "local-0".into(), name: "long".into(), interval_ms: 1000, ..Default::default() };
    store.apply(Event::Engine(EngineStep::Application(application)));
    store.apply(Event::Streaming(StreamingEvent::StreamingStarted(Time::ZERO)));
    for number in 1..=1000_i64 {
        let at = |millis: i64| Time::from_millis(number * 1000 + millis);
        let output = |id| OutputOperationInfo {
            batch_time: at(0),
            id,
            name: format!("print at main.rs:{id}"),
            description: String::new(),
            start_time: Some(at(3)),
            end_time: Some(at(number % 700 + 10)),
            failure_reason: None,
        };
        store.apply(Event::Streaming(StreamingEvent::BatchCompleted(BatchInfo {
            batch_time: at(0),
            inputs: BTreeMap::from([(StreamId(0), InputInfo::of_records(number.unsigned_abs() % 500))]),
            submission_time: at(1),
            processing_start_time: Some(at(3)),
            processing_end_time: Some(at(number % 700 + 10)),
            output_operations: BTreeMap::from([(0, output(0)), (1, output(1))]),
        })));
    }
    store
}

/// The measured time is for `--nocapture`; how fast a machine is decides nothing.
#[test]
fn a_thousand_batches_are_a_page_of_moderate_size() {
    let mut config = Config::new();
    config.set("spark.ui.port", "0").unwrap();
    let clock = Arc::new(ManualClock::new(Time::from_millis(1_001_000)));
    let ui = WebUi::show(Monitor::of(store(), clock), &config).unwrap();
    let begun = SystemClock.now();
    let mut stream = TcpStream::connect(ui.address()).unwrap();
    stream.write_all(b"GET /streaming/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    println!("{} bytes after {}", page.len(), SystemClock.now() - begun);
    assert!(page.contains("Completed Batches (last 1000 out of 1,000)") && page.contains("Page 1 of 10"));
    assert!(page.len() < 600_000, "{}", page.len());
    let shown = |path: &str| {
        let mut stream = TcpStream::connect(ui.address()).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        page
    };
    let slowest = "/streaming/?completedBatches.sort=Processing+Time&completedBatches.desc=true&completedBatches.pageSize=1";
    assert!(shown(slowest).contains("batch-699000"));
    assert!(shown("/streaming/batch?id=500000").contains("Details of batch at"));
}
