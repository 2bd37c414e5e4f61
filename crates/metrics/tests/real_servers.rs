// SPDX-License-Identifier: Apache-2.0
//! Reports as real servers take them: Graphite in both its forms, and Ganglia.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use dstreams_metrics::{Number, Settings, Value};
use dstreams_test_servers::{Carbon, Gmond};

/// Reports two metrics at a time in seconds to the sink that `options` describe.
fn report(options: &[(&str, &str)], time: i64) {
    let mut settings = Settings::default();
    settings.extend(options.iter().map(|(key, value)| (format!("*.sink.it.{key}"), *value)));
    let mut plan = settings.plan().unwrap();
    let values = BTreeMap::from([
        ("driver.shop.delay".to_owned(), Value::Gauge(Number::Float(12.5))),
        ("driver.shop.sales".to_owned(), Value::Counter(7)),
    ]);
    plan.sinks[0].1.report(&values, time * 1000).unwrap();
}

/// Carbon takes no points of a time that is long past.
fn now() -> i64 {
    let now = jiff::Timestamp::now().as_second();
    now - 30
}

#[test]
fn graphite_stores_lines_and_pickled_batches() {
    let Some(carbon) = Carbon::start_or_skip("Graphite") else { return };
    let time = now();
    let (lines, pickles) = (carbon.line_port().to_string(), carbon.pickle_port().to_string());
    let common = [("class", "GraphiteSink"), ("host", "127.0.0.1")];
    report(&[&common[..], &[("port", lines.as_str()), ("prefix", "plain")]].concat(), time);
    let in_batches = [("port", pickles.as_str()), ("prefix", "pickled"), ("protocol", "pickle")];
    report(&[&common[..], &in_batches].concat(), time);
    for prefix in ["plain", "pickled"] {
        assert_eq!(carbon.value(&format!("{prefix}.driver.shop.delay"), time), "12.500000");
        assert_eq!(carbon.value(&format!("{prefix}.driver.shop.sales.count"), time), "7.000000");
    }
}

#[test]
fn ganglia_knows_values_and_what_they_are() {
    let Some(gmond) = Gmond::start_or_skip("Ganglia") else { return };
    let port = gmond.port().to_string();
    let options = [
        ("class", "GangliaSink"),
        ("host", "127.0.0.1"),
        ("port", &port),
        ("mode", "unicast"),
        ("dmax", "90"),
    ];
    report(&options, 0);
    let element = gmond.metric("driver.shop.delay");
    assert!(element.contains("VAL=\"12.5\" TYPE=\"double\"") && element.contains("DMAX=\"90\""), "{element}");
    assert!(element.contains("<EXTRA_ELEMENT NAME=\"GROUP\" VAL=\"dstreams\"/>"), "{element}");
    assert!(gmond.metric("driver.shop.sales.count").contains("VAL=\"7\""));
}
