// SPDX-License-Identifier: Apache-2.0
//! What listeners hear of receivers, after the original's `StreamingListenerSuite`.
#![allow(clippy::unwrap_used, reason = "tests")]

mod probe;

use dstreams_streaming::{StreamId, testing::TestContext, time::Time};
use probe::{Heard, listen, probe};

#[test]
fn receiver_info_reporting() {
    let test = TestContext::new().unwrap();
    let heard = listen(test.context());
    let (receiver, calls) = probe::<u8>();
    test.context().receiver_stream(receiver).for_each_rdd(|_, _| Ok(()));
    test.context().start().unwrap();
    let handle = calls.started();
    handle.report_error("test report error", "test report exception");
    handle.stop("test stop error", Some("test stop exception".into()));
    calls.stopped();

    let Heard::Started(info) = heard.next() else { panic!("not started") };
    assert_eq!((info.stream_id, info.name.as_str(), info.active), (StreamId(0), "Probe-0", true));
    assert_eq!((info.executor_id.as_str(), info.location.is_empty()), ("driver", false));
    assert_eq!((info.last_error_message.as_str(), info.last_error_time), ("", None));

    let Heard::Error(info) = heard.next() else { panic!("no error") };
    assert_eq!(info.stream_id, StreamId(0));
    assert_eq!(
        (info.last_error_message.as_str(), info.last_error.as_str()),
        ("test report error", "test report exception")
    );
    assert_eq!((info.active, info.last_error_time), (true, Some(Time::ZERO)));

    let Heard::Stopped(info) = heard.next() else { panic!("not stopped") };
    assert_eq!((info.stream_id, info.active), (StreamId(0), false));
    assert!(info.last_error_message.contains("test stop error"), "{info:?}");
    assert_eq!(info.last_error, "test stop exception");

    // Nothing more happens before the delay is over.
    assert_eq!(heard.rest(), []);
}

#[test]
fn a_restart_is_a_stop_and_a_start() {
    let test = TestContext::new().unwrap();
    let heard = listen(test.context());
    let (receiver, calls) = probe::<u8>();
    test.context().receiver_stream(receiver).for_each_rdd(|_, _| Ok(()));
    test.context().start().unwrap();
    assert!(heard.next().is_started());
    calls.started().restart("out of luck", None);
    let stopped = heard.next_stopped();
    assert_eq!(stopped.last_error, "");
    test.clock().await_waiter_for(Time::from_millis(2000));
    test.run(2).unwrap();
    assert!(heard.next().is_started());
    test.stop();
    assert!(matches!(&heard.rest()[..], [Heard::Stopped(info)] if info.last_error.is_empty()));
}
