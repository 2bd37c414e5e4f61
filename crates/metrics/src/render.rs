// SPDX-License-Identifier: Apache-2.0
//! Snapshots as texts that are served: JSON as users know it, and the text format of Prometheus.

use std::fmt::Write as _;

use serde_json::{Map, Value as Json, json};

use crate::snapshot::{Family, Kind, Number, Rates, Snapshot, Summary, Value};

/// The layout of the original's `/metrics/json`.
///
/// ```
/// use dstreams_metrics::{Number, Snapshot, Value, json};
/// let mut snapshot = Snapshot::default();
/// snapshot.metrics.insert("a.b".to_owned(), Value::Gauge(Number::Int(5)));
/// assert_eq!(json(&snapshot, "p")["gauges"]["a.b"]["value"], 5);
/// ```
pub fn json(snapshot: &Snapshot, prefix: &str) -> Json {
    let (mut gauges, mut counters, mut histograms, mut timers) =
        (Map::new(), Map::new(), Map::new(), Map::new());
    for (name, value) in snapshot.flat(prefix) {
        match value {
            Value::Gauge(number) => {
                let number = match number {
                    Number::Int(value) => json!(value),
                    Number::Float(value) => json!(value),
                };
                gauges.insert(name, json!({ "value": number }));
            }
            Value::Counter(count) => {
                counters.insert(name, json!({ "count": count }));
            }
            Value::Histogram(summary) => {
                histograms.insert(name, spread(&summary));
            }
            Value::Timer(summary, rates) => {
                let mut fields = spread(&summary);
                for (rate, value) in rates.named() {
                    fields[rate] = json!(value);
                }
                fields["duration_units"] = json!("milliseconds");
                fields["rate_units"] = json!("calls/second");
                timers.insert(name, fields);
            }
        }
    }
    json!({
        "version": "4.0.0", "gauges": gauges, "counters": counters, "histograms": histograms, "meters": {},
        "timers": timers,
    })
}

fn spread(summary: &Summary) -> Json {
    let mut fields = json!({ "count": summary.count });
    for (name, value) in summary.named() {
        fields[name] = json!(value);
    }
    fields
}

/// The text format of Prometheus: families and metrics of the program with help, type and labels; before them, if
/// `with_original`, every metric in the form that the original's servlet gives it.
pub fn prometheus(snapshot: &Snapshot, with_original: bool) -> String {
    let mut text = String::new();
    if with_original {
        for (name, value) in &snapshot.metrics {
            original(&mut text, name, value);
        }
    }
    for family in &snapshot.families {
        self::family(&mut text, family, &snapshot.labels);
    }
    for (name, value) in &snapshot.own {
        own(&mut text, name, value, &snapshot.labels);
    }
    text
}

/// A name as Prometheus allows it.
fn allowed(name: &str) -> String {
    name.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '_' }).collect()
}

/// Writing to a text cannot fail.
macro_rules! put {
    ($text:expr, $($part:tt)*) => {{ let _ = writeln!($text, $($part)*); }};
}

fn original(text: &mut String, name: &str, value: &Value) {
    let name = format!("metrics_{}_", allowed(name));
    match value {
        Value::Gauge(number) => {
            put!(text, "{name}Number{{type=\"gauges\"}} {number}");
            put!(text, "{name}Value{{type=\"gauges\"}} {number}");
        }
        Value::Counter(count) => put!(text, "{name}Count{{type=\"counters\"}} {count}"),
        Value::Histogram(summary) => statistics(text, &name, "histograms", summary, None),
        Value::Timer(summary, rates) => statistics(text, &name, "timers", summary, Some(rates)),
    }
}

fn statistics(text: &mut String, name: &str, kind: &str, summary: &Summary, rates: Option<&Rates>) {
    put!(text, "{name}Count{{type=\"{kind}\"}} {}", summary.count);
    let names = [
        ("Max", summary.max),
        ("Mean", summary.mean),
        ("Min", summary.min),
        ("50thPercentile", summary.p50),
        ("75thPercentile", summary.p75),
        ("95thPercentile", summary.p95),
        ("98thPercentile", summary.p98),
        ("99thPercentile", summary.p99),
        ("999thPercentile", summary.p999),
        ("StdDev", summary.stddev),
    ];
    for (statistic, value) in names {
        put!(text, "{name}{statistic}{{type=\"{kind}\"}} {value}");
    }
    if let Some(rates) = rates {
        let names = [
            ("FifteenMinuteRate", rates.m15),
            ("FiveMinuteRate", rates.m5),
            ("OneMinuteRate", rates.m1),
            ("MeanRate", rates.mean),
        ];
        for (rate, value) in names {
            put!(text, "{name}{rate}{{type=\"{kind}\"}} {value}");
        }
    }
}

fn family(text: &mut String, family: &Family, labels: &[(String, String)]) {
    let kind = match family.kind {
        Kind::Gauge => "gauge",
        Kind::Counter => "counter",
    };
    let name = format!("dstreams_{}", allowed(&family.name));
    put!(text, "# HELP {name} {}", family.help.replace('\\', "\\\\").replace('\n', "\\n"));
    put!(text, "# TYPE {name} {kind}");
    for sample in &family.samples {
        put!(text, "{name}{} {}", braces(labels, sample.label.as_slice()), sample.value);
    }
}

fn own(text: &mut String, name: &str, value: &Value, labels: &[(String, String)]) {
    let base = format!("dstreams_user_{}", allowed(name));
    let quantiles = |text: &mut String, name: &str, summary: &Summary, factor: f64| {
        put!(text, "# HELP {name} The metric {name:?} of the program.");
        put!(text, "# TYPE {name} summary");
        let quantiles = [("0.5", summary.p50), ("0.95", summary.p95), ("0.99", summary.p99)];
        for (quantile, value) in quantiles {
            let label = [("quantile".to_owned(), quantile.to_owned())];
            put!(text, "{name}{} {}", braces(labels, &label), value * factor);
        }
        put!(text, "{name}_sum{} {}", braces(labels, &[]), summary.sum * factor);
        put!(text, "{name}_count{} {}", braces(labels, &[]), summary.count);
    };
    match value {
        Value::Counter(count) => {
            let base = format!("{}_total", base.trim_end_matches("_total"));
            put!(text, "# HELP {base} The counter {name:?} of the program.");
            put!(text, "# TYPE {base} counter");
            put!(text, "{base}{} {count}", braces(labels, &[]));
        }
        Value::Gauge(number) => {
            put!(text, "# HELP {base} The gauge {name:?} of the program.");
            put!(text, "# TYPE {base} gauge");
            put!(text, "{base}{} {number}", braces(labels, &[]));
        }
        Value::Histogram(summary) => quantiles(text, &base, summary, 1.0),
        // Prometheus counts in seconds.
        Value::Timer(summary, _) => quantiles(text, &format!("{base}_seconds"), summary, 1e-3),
    }
}

fn braces(labels: &[(String, String)], more: &[(String, String)]) -> String {
    let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let pairs =
        labels.iter().chain(more).map(|(name, value)| format!("{}=\"{}\"", allowed(name), escaped(value)));
    let pairs = pairs.collect::<Vec<_>>().join(",");
    if pairs.is_empty() { pairs } else { format!("{{{pairs}}}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{registry::Registry, snapshot::Sample};

    #[test]
    fn the_original_form_has_two_lines_for_a_gauge() {
        let mut snapshot = Snapshot::default();
        let name = "local-1.driver.RestDemo.StreamingMetrics.streaming.receivers";
        snapshot.metrics.insert(name.to_owned(), Value::Gauge(Number::Int(1)));
        assert_eq!(
            prometheus(&snapshot, true),
            "metrics_local_1_driver_RestDemo_StreamingMetrics_streaming_receivers_Number{type=\"gauges\"} 1\n\
             metrics_local_1_driver_RestDemo_StreamingMetrics_streaming_receivers_Value{type=\"gauges\"} 1\n"
        );
        assert_eq!(prometheus(&snapshot, false), "");
    }

    #[test]
    fn families_and_own_metrics_have_labels() {
        let registry = Registry::new();
        registry.counter("bad lines").add(2);
        let label = Some(("operator".to_owned(), "a \"b\"".to_owned()));
        let snapshot = Snapshot {
            families: vec![Family::labelled(
                "state_keys",
                "Keys.",
                Kind::Gauge,
                [Sample { label, value: 3_u64.into() }],
            )],
            labels: vec![("app".to_owned(), "shop".to_owned())],
            own: registry.values(0),
            ..Snapshot::default()
        };
        assert_eq!(
            prometheus(&snapshot, true),
            "# HELP dstreams_state_keys Keys.\n# TYPE dstreams_state_keys gauge\n\
             dstreams_state_keys{app=\"shop\",operator=\"a \\\"b\\\"\"} 3\n\
             # HELP dstreams_user_bad_lines_total The counter \"bad lines\" of the program.\n\
             # TYPE dstreams_user_bad_lines_total counter\ndstreams_user_bad_lines_total{app=\"shop\"} 2\n"
        );
    }

    #[test]
    fn json_has_the_fields_of_the_original() {
        let registry = Registry::new();
        registry.timer("t").record(std::time::Duration::from_millis(16));
        registry.histogram("h").record(3);
        let snapshot = Snapshot { metrics: registry.values(0), ..Snapshot::default() };
        let json = json(&snapshot, "p");
        let keys =
            |value: &Json| value.as_object().map(|map| map.keys().cloned().collect::<Vec<_>>().join(" "));
        assert_eq!(
            keys(&json["histograms"]["h"]).as_deref(),
            Some("count max mean min p50 p75 p95 p98 p99 p999 stddev")
        );
        let timer = "count duration_units m15_rate m1_rate m5_rate max mean mean_rate min p50 p75 p95 p98 p99 p999 rate_units stddev";
        assert_eq!(keys(&json["timers"]["t"]).as_deref(), Some(timer));
        assert_eq!(json["timers"]["t"]["mean"], 16.0);
    }
}
