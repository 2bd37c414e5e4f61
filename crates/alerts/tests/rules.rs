// SPDX-License-Identifier: Apache-2.0
//! When alerts begin and end, by the events that a context tells.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use dstreams_alerts::{Notice, Rules, State, Watch};
use dstreams_streaming::{
    Config, Duration, InputInfo, StreamId, Time,
    event::{
        BatchInfo, CheckpointInfo, DeadLettersInfo, GraphInfo, InputStreamInfo, LagInfo, OutputOperationInfo,
        ReceiverInfo, ShutdownReport, StreamingEvent,
    },
    time::{milliseconds, minutes, seconds},
};

fn at(second: i64) -> Time {
    Time::ZERO + seconds(second)
}

/// A watch of an application with one stream and batches of one second, with one rule.
fn watch(key: &str, value: &str) -> Watch {
    let mut config = Config::default();
    config.set(&format!("dstreams.alerts.{key}"), value).unwrap();
    let mut watch = Watch::new("orders", Rules::of(&config));
    let graph = GraphInfo {
        application: "orders".to_owned(),
        interval: seconds(1),
        checkpoint_dir: Some("/checkpoints".to_owned()),
        inputs: vec![InputStreamInfo {
            stream_id: StreamId(0),
            name: "Queue [0]".to_owned(),
            is_receiver: true,
        }],
        operators: Vec::new(),
        outputs: Vec::new(),
    };
    assert_eq!(watch.observe(&StreamingEvent::StreamingStarted(Time::ZERO)), []);
    assert_eq!(watch.observe(&StreamingEvent::Graph(graph)), []);
    watch
}

/// The batch of a second, which took so long and had so many records.
fn batch(second: i64, took: Duration, records: u64) -> BatchInfo {
    let time = at(second);
    let output = OutputOperationInfo {
        batch_time: time,
        id: 0,
        name: "print".to_owned(),
        description: "print".to_owned(),
        start_time: Some(time),
        end_time: Some(time + took),
        failure_reason: None,
    };
    BatchInfo {
        batch_time: time,
        inputs: BTreeMap::from([(StreamId(0), InputInfo::of_records(records))]),
        submission_time: time,
        processing_start_time: Some(time),
        processing_end_time: Some(time + took),
        output_operations: BTreeMap::from([(0, output)]),
    }
}

fn quick(second: i64) -> StreamingEvent {
    StreamingEvent::BatchCompleted(batch(second, milliseconds(10), 1))
}

/// What is told, as `+` or `-` and the text.
fn told(notices: &[Notice]) -> Vec<String> {
    let sign = |notice: &Notice| if notice.state == State::Raised { '+' } else { '-' };
    notices.iter().map(|notice| format!("{}{notice}", sign(notice))).collect()
}

#[test]
fn slow_batches_count_in_a_row_and_so_do_those_after_them() {
    let mut watch = watch("slowBatches", "3");
    let mut heard = Vec::new();
    for (second, millis) in
        [1200, 1200, 900, 1200, 1200, 1300, 1400, 900, 900, 1200, 900, 900, 900, 900].into_iter().enumerate()
    {
        let batch = batch(i64::try_from(second).unwrap() + 1, milliseconds(millis), 1);
        for notice in watch.observe(&StreamingEvent::BatchCompleted(batch)) {
            heard.push((second + 1, told(&[notice]).remove(0)));
        }
    }
    let problem = "batches take longer than their interval of 1 s, the last one 1 s 300 ms";
    assert_eq!(
        heard,
        [(6, format!("+orders: {problem}")), (13, format!("-orders: over after 6 s 600 ms: {problem}"))]
    );
}

#[test]
fn lag_that_wavers_about_its_limit_is_told_once() {
    let mut watch = watch("lag", "1000");
    let lag = |second, records| {
        let (records, parts) = (Some(records), BTreeMap::new());
        StreamingEvent::Lag(LagInfo {
            stream_id: StreamId(0),
            time: at(second),
            records,
            oldest: None,
            parts,
        })
    };
    let mut heard = Vec::new();
    for (second, records) in [(1, 1000), (2, 1001), (3, 950), (4, 1010), (5, 899), (6, 950), (7, 2000)] {
        heard.extend(told(&watch.observe(&lag(second, records))));
    }
    let first = "1001 records wait, more than 1000";
    assert_eq!(
        heard,
        [
            format!("+orders: Queue [0]: {first}"),
            format!("-orders: Queue [0]: over after 3 s: {first}"),
            "+orders: Queue [0]: 2000 records wait, more than 1000".to_owned()
        ]
    );
}

#[test]
fn a_record_that_waits_too_long_is_told() {
    let mut watch = watch("oldestRecord", "30min");
    let lag = |oldest| LagInfo {
        stream_id: StreamId(0),
        time: at(1),
        records: None,
        oldest: Some(oldest),
        parts: BTreeMap::new(),
    };
    assert_eq!(watch.observe(&StreamingEvent::Lag(lag(minutes(30)))), []);
    let heard = told(&watch.observe(&StreamingEvent::Lag(lag(minutes(31)))));
    assert_eq!(heard, ["+orders: Queue [0]: a record has waited for 31 min, longer than 30 min"]);
    assert_eq!(watch.observe(&StreamingEvent::Lag(lag(minutes(1)))).len(), 1);
}

#[test]
fn a_source_that_gives_nothing_is_told_by_the_clock() {
    let mut watch = watch("noInputFor", "10s");
    assert_eq!(watch.observe(&quick(5)), []);
    for second in 6..15 {
        let empty = batch(second, milliseconds(10), 0);
        assert_eq!(watch.observe(&StreamingEvent::BatchCompleted(empty)), []);
    }
    assert_eq!(watch.tick(at(15)), []);
    assert_eq!(told(&watch.tick(at(16))), ["+orders: Queue [0]: nothing has come for 10 s"]);
    assert_eq!(watch.tick(at(60)), []);
    assert_eq!(told(&watch.observe(&quick(60))).len(), 1);
    // A file has records, although nobody has counted them.
    let mut files = batch(70, milliseconds(10), 0);
    files
        .inputs
        .get_mut(&StreamId(0))
        .unwrap()
        .metadata
        .insert(InputInfo::FILES.to_owned(), "/in/a".to_owned());
    watch.observe(&StreamingEvent::BatchCompleted(files));
    assert_eq!(watch.tick(at(79)), []);
}

#[test]
fn a_checkpoint_that_is_too_old_is_told() {
    let mut watch = watch("noCheckpointFor", "1min");
    assert_eq!(watch.tick(at(59)), []);
    assert_eq!(told(&watch.tick(at(60))), ["+orders: no checkpoint for 1 min"]);
    let written = CheckpointInfo { batch_time: at(60), time: at(61), duration: seconds(1), bytes: 0 };
    assert_eq!(
        told(&watch.observe(&StreamingEvent::CheckpointWritten(written))),
        ["-orders: over after 1 s: no checkpoint for 1 min"]
    );
}

#[test]
fn a_failed_batch_is_told_until_another_succeeds() {
    let mut watch = watch("batchFailed", "true");
    let failed = |second| {
        let mut batch = batch(second, milliseconds(10), 1);
        batch.output_operations.get_mut(&0).unwrap().failure_reason = Some("no table".to_owned());
        StreamingEvent::BatchCompleted(batch)
    };
    assert_eq!(watch.observe(&quick(1)), []);
    assert_eq!(
        told(&watch.observe(&failed(2))),
        ["+orders: output 0 of the batch 2000 ms has failed: no table"]
    );
    assert_eq!(watch.observe(&failed(3)), []);
    assert_eq!(watch.observe(&quick(4)).len(), 1);
}

fn receiver(active: bool, error: &str) -> ReceiverInfo {
    ReceiverInfo {
        stream_id: StreamId(0),
        name: "SocketReceiver-0".to_owned(),
        active,
        location: "here".to_owned(),
        executor_id: "driver".to_owned(),
        last_error_message: error.to_owned(),
        last_error: error.to_owned(),
        last_error_time: None,
    }
}

#[test]
fn a_receiver_that_is_started_again_and_again_is_down() {
    let mut watch = watch("receiverDownFor", "10s");
    let mut heard = Vec::new();
    for second in 0..12 {
        heard.extend(watch.tick(at(second)));
        heard.extend(watch.observe(&StreamingEvent::ReceiverStarted(receiver(true, ""))));
        heard.extend(watch.observe(&StreamingEvent::ReceiverStopped(receiver(false, "Connection refused"))));
    }
    assert_eq!(
        told(&heard),
        ["+orders: SocketReceiver-0: the receiver has been down for 10 s: Connection refused"]
    );
    watch.observe(&StreamingEvent::ReceiverStarted(receiver(true, "")));
    assert_eq!(watch.tick(at(20)), [], "it may fail once more");
    assert_eq!(told(&watch.observe(&quick(20))).len(), 1, "it gives records");
}

#[test]
fn a_receiver_that_runs_without_records_is_up_after_a_while() {
    let mut watch = watch("receiverDownFor", "10s");
    watch.observe(&StreamingEvent::ReceiverStopped(receiver(false, "gone")));
    assert_eq!(watch.tick(at(10)).len(), 1);
    watch.observe(&StreamingEvent::ReceiverStarted(receiver(true, "gone")));
    assert_eq!(watch.tick(at(19)), []);
    assert_eq!(told(&watch.tick(at(20))).len(), 1);
}

#[test]
fn dead_letters_are_told_by_their_part_of_a_batch() {
    let mut watch = watch("deadLetters", "0.1");
    let letters = |second, letters| {
        let (batch_time, output) = (at(second), "bad lines".to_owned());
        StreamingEvent::DeadLetters(DeadLettersInfo { batch_time, output, letters, records: 100 })
    };
    assert_eq!(watch.observe(&letters(1, 10)), []);
    assert_eq!(watch.observe(&quick(1)), []);
    assert_eq!(
        told(&watch.observe(&letters(2, 11))),
        ["+orders: bad lines: 11 of 100 records in the batch 2000 ms are dead letters"]
    );
    assert_eq!(watch.observe(&quick(2)), []);
    assert_eq!(watch.observe(&letters(3, 50)), []);
    assert_eq!(watch.observe(&quick(3)), []);
    assert_eq!(watch.observe(&quick(4)).len(), 1, "a batch with few or none");
}

#[test]
fn an_application_that_has_stopped_with_an_error_is_told_and_nothing_after_it() {
    let report = |error: Option<&str>| {
        StreamingEvent::Stopped(ShutdownReport {
            time: at(9),
            duration: seconds(1),
            graceful: true,
            finished: true,
            reason: "the program".to_owned(),
            last_batch: None,
            completed_batches: 0,
            pending: Vec::new(),
            positions: BTreeMap::new(),
            error: error.map(str::to_owned),
        })
    };
    let mut watch = watch("stopped", "true");
    assert_eq!(
        told(&watch.observe(&report(Some("no disk")))),
        ["+orders: the application has stopped: no disk"]
    );
    let mut watch = self::watch("noInputFor", "1min");
    assert_eq!(watch.observe(&report(None)), []);
    assert_eq!(watch.tick(at(600)), [], "it was to stop");
}

#[test]
fn without_rules_there_is_nothing_to_watch() {
    assert!(Rules::of(&Config::default()).is_empty());
}
