// SPDX-License-Identifier: Apache-2.0
//! A snapshot as the messages of OTLP.

use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    metrics::v1::{
        AggregationTemporality, Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary,
        SummaryDataPoint, metric::Data, number_data_point, summary_data_point::ValueAtQuantile,
    },
    resource::v1::Resource,
};
use regex_lite::Regex;

use crate::snapshot::{Family, Kind, Number, Snapshot, Value};

/// The span of time that a report is about, in nanoseconds.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u64,
    now: u64,
}

/// A report at `now` of what has been counted since `start`, both in milliseconds.
pub(super) fn request(
    snapshot: &Snapshot,
    service: Option<&str>,
    only: Option<&Regex>,
    start: i64,
    now: i64,
) -> ExportMetricsServiceRequest {
    let nanos = |millis: i64| u64::try_from(millis).unwrap_or(0).saturating_mul(1_000_000);
    let span = Span { start: nanos(start), now: nanos(now) };
    let wanted = |name: &str| only.is_none_or(|only| only.is_match(name));
    let named = snapshot.metrics.iter().map(|(name, value)| metric(name, value, span));
    let families = snapshot.families.iter().map(|it| family(it, span));
    let app = snapshot.labels.iter().find(|(name, _)| name == "app").map(|(_, value)| value.as_str());
    let mut attributes = vec![attribute("service.name", service.or(app).unwrap_or("dstreams"))];
    attributes.extend(snapshot.labels.iter().map(|(name, value)| attribute(name, value)));
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(Resource { attributes, ..Resource::default() }),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(InstrumentationScope {
                    name: "dstreams".to_owned(),
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    ..InstrumentationScope::default()
                }),
                metrics: named.chain(families).filter(|metric| wanted(&metric.name)).collect(),
                schema_url: String::new(),
            }],
            schema_url: String::new(),
        }],
    }
}

fn metric(name: &str, value: &Value, span: Span) -> Metric {
    let (unit, data) = match value {
        Value::Gauge(number) => ("", gauge(vec![point(*number, None, span)])),
        Value::Counter(count) => ("", sum(vec![point(Number::from(*count), None, span)])),
        Value::Histogram(summary) => ("", spread(summary, span)),
        // How often they come is for the receiver to find out from the count.
        Value::Timer(summary, _) => ("ms", spread(summary, span)),
    };
    Metric { name: name.to_owned(), unit: unit.to_owned(), data: Some(data), ..Metric::default() }
}

fn family(family: &Family, span: Span) -> Metric {
    let points = family.samples.iter();
    let points = points.map(|sample| point(sample.value, sample.label.as_ref(), span)).collect();
    let data = match family.kind {
        Kind::Gauge => gauge(points),
        Kind::Counter => sum(points),
    };
    Metric {
        name: format!("dstreams.{}", family.name),
        description: family.help.clone(),
        data: Some(data),
        ..Metric::default()
    }
}

fn gauge(data_points: Vec<NumberDataPoint>) -> Data {
    Data::Gauge(Gauge { data_points })
}

/// A count that grows and has not begun anew since the start.
fn sum(data_points: Vec<NumberDataPoint>) -> Data {
    let aggregation_temporality = AggregationTemporality::Cumulative.into();
    Data::Sum(Sum { data_points, aggregation_temporality, is_monotonic: true })
}

fn point(number: Number, label: Option<&(String, String)>, span: Span) -> NumberDataPoint {
    let value = match number {
        Number::Int(value) => number_data_point::Value::AsInt(value),
        Number::Float(value) => number_data_point::Value::AsDouble(value),
    };
    NumberDataPoint {
        attributes: label.map(|(name, value)| attribute(name, value)).into_iter().collect(),
        start_time_unix_nano: span.start,
        time_unix_nano: span.now,
        value: Some(value),
        ..NumberDataPoint::default()
    }
}

fn spread(summary: &crate::snapshot::Summary, span: Span) -> Data {
    let values = [
        (0.0, summary.min),
        (0.5, summary.p50),
        (0.75, summary.p75),
        (0.95, summary.p95),
        (0.98, summary.p98),
        (0.99, summary.p99),
        (0.999, summary.p999),
        (1.0, summary.max),
    ];
    Data::Summary(Summary {
        data_points: vec![SummaryDataPoint {
            start_time_unix_nano: span.start,
            time_unix_nano: span.now,
            count: summary.count,
            sum: summary.sum,
            quantile_values: values.map(|(quantile, value)| ValueAtQuantile { quantile, value }).to_vec(),
            ..SummaryDataPoint::default()
        }],
    })
}

fn attribute(key: &str, value: &str) -> KeyValue {
    let value = AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) };
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}
