// SPDX-License-Identifier: Apache-2.0
//! What Prometheus makes of the metrics, of the alert rules and of the dashboard that ship in `deploy/`.
#![allow(clippy::unwrap_used, reason = "tests")]

mod shop;

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use shop::Shop;

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy")
}

/// Runs promtool; nothing where it is not installed. With `CI` set that is a failure.
fn promtool(arguments: &[&str], input: &str) -> Option<(bool, String)> {
    let mut command = Command::new("promtool");
    command.args(arguments).current_dir(deploy().join("prometheus"));
    let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let Ok(mut process) = started else {
        assert!(std::env::var_os("CI").is_none(), "promtool is not installed (Debian package prometheus)");
        return None;
    };
    process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8(said).unwrap()))
}

#[test]
fn metrics_are_well_formed() {
    let shop = Shop::open();
    shop.run(12);
    let registry = dstreams_metrics::Registry::global();
    registry.counter("parsed lines").add(3);
    registry.timer("lookup").record(std::time::Duration::from_millis(5));
    registry.gauge("model version").set(7.0);
    let text = shop.get("/metrics").body;
    assert!(text.contains("dstreams_user_parsed_lines_total{app=\"shop\"} 3\n"), "{text}");
    if let Some((good, said)) = promtool(&["check", "metrics"], &text) {
        assert!(good && said.is_empty(), "{said}");
    }
}

#[test]
fn alert_rules_fire_when_they_should() {
    for arguments in [["check", "config", "prometheus.yml"], ["test", "rules", "dstreams-rules-test.yml"]] {
        if let Some((good, said)) = promtool(&arguments, "") {
            assert!(good, "{said}");
        }
    }
}

/// The names of metrics in a text.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|char: char| !char.is_ascii_alphanumeric() && char != '_');
    words.filter(|word| word.starts_with("dstreams_")).collect()
}

#[test]
fn rules_and_dashboard_ask_for_metrics_that_there_are() {
    let source =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../monitor/src/metrics.rs")).unwrap();
    for file in ["prometheus/dstreams-rules.yml", "grafana/dstreams-dashboard.json"] {
        let text = fs::read_to_string(deploy().join(file)).unwrap();
        assert!(names(&text).len() > 8, "{file}");
        for name in names(&text) {
            let known =
                name.strip_prefix("dstreams_").is_some_and(|name| source.contains(&format!("\"{name}\"")));
            assert!(known, "{file}: {name}");
        }
    }
    let dashboard = fs::read_to_string(deploy().join("grafana/dstreams-dashboard.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
    assert_eq!(dashboard["panels"].as_array().unwrap().len(), 14);
}

#[test]
fn the_program_is_the_one_executor_of_the_original() {
    let shop = Shop::with(&[("spark.ui.prometheus.enabled", "true")]);
    shop.run(2);
    let answer = shop.get("/metrics/executors/prometheus");
    assert!(answer.kind.starts_with("text/plain"), "{}", answer.kind);
    let text = answer.body;
    let labels = "{application_id=\"local-0\", application_name=\"shop\", executor_id=\"driver\"}";
    let value = |name: &str| -> f64 {
        let start = format!("metrics_executor_{name}{labels} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&start));
        line.unwrap_or_else(|| panic!("{name}: {text}")).parse().unwrap()
    };
    // The names that a run of the original has shown, but for those of its blocks.
    for name in ["memoryUsed_bytes", "diskUsed_bytes", "activeTasks", "failedTasks_total"] {
        assert!(value(name) >= 0.0, "{name}");
    }
    assert!(value("completedTasks_total") >= 4.0, "{text}");
    for (one, other) in [("totalTasks_total", "completedTasks_total"), ("maxTasks", "totalCores")] {
        assert!((value(one) - value(other)).abs() < 0.5, "{one}, {other}: {text}");
    }
    assert!(value("maxMemory_bytes") > 1e6, "{text}");
    assert!(text.starts_with("spark_info{version=\""), "{text}");
    shop.fail_next();
    shop.run(1);
    assert!(
        shop.get("/metrics/executors/prometheus").body.contains(&format!("failedTasks_total{labels} 1\n"))
    );
    // Off unless it is asked for, as in the original.
    assert_eq!(Shop::open().get("/metrics/executors/prometheus").status, 404);
}
