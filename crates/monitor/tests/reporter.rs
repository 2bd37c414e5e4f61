// SPDX-License-Identifier: Apache-2.0
//! Reports of a program: each sink when it is due and at the end, with labels for those that can say them.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, mpsc},
    time::Duration,
};

use dstreams_metrics::{Number, Sink, Snapshot, Value};
use dstreams_monitor::{Monitor, Reporter};
use dstreams_streaming::{Time, clock::ManualClock, testing::TestContext};

const STUCK_AFTER: Duration = Duration::from_secs(60);

/// Gives what it is told.
struct Teller(mpsc::Sender<(i64, Snapshot, BTreeMap<String, Value>)>);

impl Sink for Teller {
    fn name(&self) -> String {
        "a test".to_owned()
    }

    fn report(&mut self, _: &BTreeMap<String, Value>, _: i64) -> io::Result<()> {
        Err(io::Error::other("this one takes labels"))
    }

    fn report_labelled(
        &mut self,
        snapshot: &Snapshot,
        values: &BTreeMap<String, Value>,
        now: i64,
    ) -> io::Result<()> {
        let _ = self.0.send((now, snapshot.clone(), values.clone()));
        Ok(())
    }
}

#[test]
fn sinks_are_told_when_they_are_due_and_at_the_end() {
    let test = TestContext::new().unwrap();
    let monitor = Monitor::attach(test.context()).unwrap();
    test.input(vec![vec![1, 2], vec![3]]).for_each_rdd(|_, _| Ok(()));
    test.run(2).unwrap();
    test.stop();
    monitor.settle();
    let (tell, told) = mpsc::channel();
    let clock = Arc::new(ManualClock::default());
    let sinks: Vec<(Duration, Box<dyn Sink>)> = vec![(Duration::from_secs(10), Box::new(Teller(tell)))];
    let reporter = Reporter::start(&monitor, Arc::clone(&clock) as _, sinks).unwrap();
    clock.await_waiter_for(Time::from_millis(10_000));
    clock.set(Time::from_millis(10_000));
    let (now, snapshot, values) = told.recv_timeout(STUCK_AFTER).unwrap();
    assert_eq!(now, 10_000);
    let family = snapshot.families.iter().find(|family| family.name == "records_processed_total").unwrap();
    assert_eq!(family.samples[0].value, Number::Int(3));
    let plain = values.iter().find(|(name, _)| name.ends_with(".records_processed_total")).unwrap();
    assert_eq!(*plain.1, Value::Gauge(Number::Int(3)));
    clock.await_waiter_for(Time::from_millis(20_000));
    drop(reporter);
    assert_eq!(told.recv_timeout(STUCK_AFTER).unwrap().0, 10_000, "what is known at the end");
}
