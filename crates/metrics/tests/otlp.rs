// SPDX-License-Identifier: Apache-2.0
//! Reports to the receiver of a real OpenTelemetry collector.
#![cfg(feature = "otlp")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{net::TcpListener, time::Duration};

use dstreams_metrics::{Family, Kind, Number, Registry, Sample, Settings, Sink, Snapshot, Value};
use dstreams_test_servers::{OtlpReceiver, SchemaRegistryServer, TlsFront};
use serde_json::Value as Json;

/// The sink that `options` describe.
fn sink(options: &[(&str, &str)]) -> Result<Box<dyn Sink>, dstreams_metrics::Error> {
    let mut settings = Settings::default();
    settings.extend([("*.sink.otlp.class", "org.apache.spark.metrics.sink.OtlpSink")]);
    settings.extend(options.iter().map(|(key, value)| (format!("*.sink.otlp.{key}"), *value)));
    settings.plan().map(|mut plan| plan.sinks.remove(0).1)
}

/// One metric of each kind, and a family with labels.
fn snapshot() -> Snapshot {
    let registry = Registry::new();
    registry.counter("sales").add(7);
    registry.histogram("baskets").record(3);
    registry.timer("lookups").record(Duration::from_millis(16));
    let mut metrics = registry.values(0);
    metrics.insert("delay".to_owned(), Value::Gauge(Number::Float(12.5)));
    let label = Some(("operator".to_owned(), "totals".to_owned()));
    let sample = Sample { label, value: 3_u64.into() };
    Snapshot {
        metrics,
        families: vec![
            Family::labelled("state_keys", "Keys.", Kind::Gauge, [sample]),
            Family::single("batches_completed_total", "Batches.", Kind::Counter, 9_u64),
        ],
        labels: vec![("app".to_owned(), "shop".to_owned())],
        ..Snapshot::default()
    }
}

#[test]
fn a_collector_takes_metrics_of_all_kinds_with_their_labels() {
    let Some(mut receiver) = OtlpReceiver::start_or_skip("OpenTelemetry") else { return };
    let options = [("endpoint", receiver.endpoint()), ("headers", "x-token=a secret, x-other=2".to_owned())];
    let mut sink = sink(&options.each_ref().map(|(key, value)| (*key, value.as_str()))).unwrap();
    let snapshot = snapshot();
    for now in [5_000, 15_000] {
        sink.report_labelled(&snapshot, &snapshot.flat("p"), now).unwrap();
    }
    let _first = receiver.next_request();
    let got: Json = serde_json::from_str(&receiver.next_request()).unwrap();
    assert_eq!(got["token"], serde_json::json!(["a secret"]));
    let resource = &got["metrics"]["resourceMetrics"][0];
    let name = serde_json::json!({ "key": "service.name", "value": { "stringValue": "shop" } });
    assert!(resource["resource"]["attributes"].as_array().unwrap().contains(&name), "{resource}");
    let metrics = resource["scopeMetrics"][0]["metrics"].as_array().unwrap();
    let metric = |name: &str| metrics.iter().find(|metric| metric["name"] == name).unwrap();

    let delay = &metric("delay")["gauge"]["dataPoints"][0];
    assert_eq!((&delay["asDouble"], &delay["timeUnixNano"]), (&12.5.into(), &"15000000000".into()));
    let sales = &metric("sales")["sum"];
    assert_eq!((&sales["isMonotonic"], &sales["aggregationTemporality"]), (&true.into(), &2.into()));
    // Counted since the first report.
    let point = &sales["dataPoints"][0];
    assert_eq!((&point["asInt"], &point["startTimeUnixNano"]), (&"7".into(), &"5000000000".into()));
    let lookups = metric("lookups");
    let point = &lookups["summary"]["dataPoints"][0];
    assert_eq!((&lookups["unit"], &point["count"]), (&"ms".into(), &"1".into()));
    assert_eq!(point["quantileValues"].as_array().unwrap().len(), 8, "{point}");
    assert_eq!(metric("baskets")["summary"]["dataPoints"][0]["sum"], 3.0);
    let keys = &metric("dstreams.state_keys")["gauge"]["dataPoints"][0];
    assert_eq!(
        keys["attributes"][0],
        serde_json::json!({ "key": "operator", "value": { "stringValue": "totals" } })
    );
    assert_eq!(metric("dstreams.batches_completed_total")["sum"]["dataPoints"][0]["asInt"], "9");
    assert_eq!(metrics.len(), 6);
}

#[test]
fn a_collector_that_refuses_or_is_away_is_an_error() {
    let Some(receiver) = OtlpReceiver::start_or_skip("OpenTelemetry") else { return };
    let elsewhere = format!("{}/v1/nothing", receiver.endpoint());
    let error = sink(&[("endpoint", &elsewhere)]).unwrap().report(&snapshot().metrics, 0).unwrap_err();
    assert!(error.to_string().starts_with("it answers 404"), "{error}");
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let away = format!("http://{free}");
    let mut sink = sink(&[("endpoint", &away)]).unwrap();
    assert_eq!(sink.name(), format!("OTLP at {free}"));
    assert!(sink.report(&snapshot().metrics, 0).is_err());
}

#[test]
fn a_collector_whose_certificate_is_not_trusted_is_an_error_with_advice() {
    // Whatever is behind it is not reached.
    let server = SchemaRegistryServer::start().unwrap();
    let Some(front) = TlsFront::start_or_skip("OpenTelemetry over TLS", &server.url()) else { return };
    let mut sink = sink(&[("endpoint", &front.url())]).unwrap();
    let error = sink.report(&snapshot().metrics, 0).unwrap_err().to_string();
    assert!(error.contains("UnknownIssuer") && error.contains("SSL_CERT_FILE"), "{error}");
    assert_eq!(server.requests(), 0);
}

#[test]
fn what_is_wrong_with_the_settings_is_said_without_the_token() {
    let problem = |option, value| sink(&[(option, value)]).err().unwrap().to_string();
    assert!(problem("endpoint", "localhost:4318").contains("is no address such as http://localhost:4318"));
    let problem = problem("headers", "authorization secret");
    assert_eq!(problem, "*.sink.otlp.headers: expected name=value, separated by commas");
}
