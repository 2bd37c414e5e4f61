// SPDX-License-Identifier: Apache-2.0
//! The REST interface, health, metrics and their description, over HTTP.
#![allow(clippy::unwrap_used, reason = "tests")]

mod shop;

use std::collections::BTreeSet;

use serde_json::Value;
use shop::Shop;

/// The fields that the original has, those that may be absent with a question mark.
const FIELDS: &[(&str, &str)] = &[
    (
        "statistics",
        "startTime batchDuration numReceivers numActiveReceivers numInactiveReceivers numTotalCompletedBatches \
         numRetainedCompletedBatches numActiveBatches numProcessedRecords numReceivedRecords avgInputRate \
         avgSchedulingDelay avgProcessingTime avgTotalDelay",
    ),
    (
        "receivers/0",
        "streamId streamName isActive? executorId? executorHost? lastErrorTime? lastErrorMessage? lastError? \
         avgEventRate eventRates",
    ),
    (
        "batches/3000",
        "batchId batchTime status batchDuration inputSize schedulingDelay processingTime totalDelay \
         numActiveOutputOps numCompletedOutputOps numFailedOutputOps numTotalOutputOps firstFailureReason?",
    ),
    (
        "batches/3000/operations/0",
        "outputOpId name description startTime endTime duration failureReason? jobIds",
    ),
];

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn the_fields_are_those_of_the_original() {
    let shop = Shop::open();
    shop.run(5);
    for (path, fields) in FIELDS {
        let answer = shop.json(path);
        let (may, must): (Vec<&str>, Vec<&str>) =
            fields.split_whitespace().partition(|field| field.ends_with('?'));
        let must: BTreeSet<&str> = must.into_iter().collect();
        let may: BTreeSet<&str> = may.into_iter().map(|field| field.trim_end_matches('?')).collect();
        let found = keys(&answer);
        assert!(must.is_subset(&found), "{path}: {answer}");
        assert!(found.iter().all(|field| must.contains(field) || may.contains(field)), "{path}: {answer}");
    }
}

#[test]
fn values_are_those_of_the_batches() {
    let shop = Shop::open();
    shop.run(2);
    shop.fail_next();
    shop.run(1);
    let batches = shop.json("batches?status=COMPLETED&status=QUEUED");
    let ids: Vec<i64> =
        batches.as_array().unwrap().iter().map(|batch| batch["batchId"].as_i64().unwrap()).collect();
    assert_eq!(ids, [3000, 2000, 1000]);
    let newest = shop.json("batches?limit=1");
    assert_eq!((newest.as_array().unwrap().len(), &newest[0]), (1, &batches[0]));
    assert_eq!(batches[0]["batchTime"], "1970-01-01T00:00:03.000GMT");
    assert_eq!(
        (&batches[0]["numFailedOutputOps"], &batches[0]["numCompletedOutputOps"]),
        (&1.into(), &1.into())
    );
    assert!(batches[0]["firstFailureReason"].as_str().unwrap().contains("no price for product 7"));
    assert_eq!(batches[2].get("firstFailureReason"), None);
    let operations = shop.json("batches/2000/operations");
    assert_eq!(operations.as_array().unwrap().len(), 2);
    assert!(!operations[0]["jobIds"].as_array().unwrap().is_empty());
    let numbers = shop.json("statistics");
    assert_eq!(numbers["numTotalCompletedBatches"], 3);
    assert_eq!(numbers["numReceivedRecords"], 300 + 400 + 500);
    assert_eq!(numbers["avgInputRate"], 400.0);
    let rates = shop.json("receivers/0");
    assert_eq!(rates["eventRates"].to_string(), "[[1000,300.0],[2000,400.0],[3000,500.0]]");
    let jobs = shop.json("batches/1000/jobs").to_string();
    assert!(jobs.contains(r#""operator":"reduce_by_key""#) && jobs.contains(r#""shuffle":true"#), "{jobs}");
    let engine = shop.json("engine");
    assert_eq!(engine["states"][0]["operator"], "totals");
}

#[test]
fn what_is_not_there_is_said_as_the_original_does() {
    let shop = Shop::open();
    shop.run(1);
    for (path, text) in [
        ("receivers/9", "unknown receiver: 9"),
        ("batches/1", "unknown batch: 1"),
        ("batches/1/operations", "unknown batch: 1"),
        ("batches/1000/operations/7", "unknown output operation: 7"),
    ] {
        let answer = shop.get(&Shop::path(path));
        assert_eq!((answer.status, answer.kind.as_str(), answer.body.as_str()), (404, "text/plain", text));
    }
    assert_eq!(shop.get(&Shop::path("batches?status=foo")).status, 404);
    assert_eq!(shop.get(&Shop::path("batches?limit=few")).status, 404);
    assert_eq!(shop.get("/api/v1/applications/other/streaming/statistics").status, 404);
    let page = shop.get("/streaming/batch/");
    assert!(page.status == 400 && page.body.contains("Missing id parameter"));
    let page = shop.get("/streaming/batch/?id=12345");
    assert!(page.status == 400 && page.body.contains("does not exist"));
    assert_eq!(shop.get("/nothing").status, 404);
}

#[test]
fn the_run_of_an_application_can_stand_in_the_path() {
    let shop = Shop::open();
    let applications: Value = serde_json::from_str(&shop.get("/api/v1/applications").body).unwrap();
    let id = applications[0]["id"].as_str().unwrap();
    assert_eq!(
        (applications[0]["name"].as_str(), applications[0]["attempts"][0]["completed"].as_bool()),
        (Some("shop"), Some(false))
    );
    assert_eq!(shop.get(&format!("/api/v1/applications/{id}/1/streaming/statistics")).status, 200);
}

/// Whether `value` is of a schema, as far as the words go that the description uses.
fn check(schema: &Value, all: &Value, value: &Value, at: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap();
        return check(&all["components"]["schemas"][name], all, value, at);
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => return,
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    assert!(
        kinds.contains(&kind) || kind == "integer" && kinds.contains(&"number"),
        "{at}: {value} is no {kinds:?}"
    );
    for (number, element) in value.as_array().into_iter().flatten().enumerate() {
        let element_schema = schema["prefixItems"].get(number).unwrap_or(&schema["items"]);
        check(element_schema, all, element, &format!("{at}[{number}]"));
    }
    let properties = schema["properties"].as_object();
    for (name, field) in value.as_object().into_iter().flatten() {
        let described = properties.and_then(|properties| properties.get(name));
        let described = described.or(schema.get("additionalProperties"));
        if properties.is_some() {
            check(
                described.unwrap_or_else(|| panic!("{at}.{name} is not described")),
                all,
                field,
                &format!("{at}.{name}"),
            );
        }
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        assert!(value.get(name).is_some(), "{at}.{name} is missing");
    }
}

#[test]
fn every_answer_is_as_it_is_described() {
    let shop = Shop::open();
    shop.run(3);
    let described: Value = serde_json::from_str(&shop.get("/api/v1/openapi.json").body).unwrap();
    assert_eq!(described["openapi"], "3.1.0");
    let mut asked = 0;
    for (path, methods) in described["paths"].as_object().unwrap() {
        let Some(operation) = methods.get("get") else { continue };
        let full = path
            .replace("{app}", "local-0")
            .replace("{batch}", "2000")
            .replace("{operation}", "0")
            .replace("{receiver}", "0");
        let answer = shop.get(&full);
        assert_eq!(answer.status, 200, "{full}");
        let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        check(schema, &described, &serde_json::from_str(&answer.body).unwrap(), &full);
        asked += 1;
    }
    assert_eq!(asked, 14);
    assert!(described["paths"]["/api/v1/applications/{app}/streaming/stop"]["post"].is_object());
}

#[test]
fn a_stop_needs_a_header_that_no_other_site_can_send() {
    let shop = Shop::open();
    shop.run(1);
    assert_eq!(shop.ask("POST", &Shop::path("stop"), &[]).status, 403);
    assert_eq!(shop.test().context().state(), dstreams_streaming::StreamingContextState::Active);
    assert_eq!(shop.ask("POST", &Shop::path("stop"), &["X-Requested-By: test"]).status, 200);
    shop.test().context().await_termination().unwrap();
    // What the pages know comes after the fact, on a thread of its own.
    shop.ui().monitor().settle();
    let again = shop.ask("POST", &Shop::path("stop"), &["X-Requested-By: test"]);
    assert_eq!(again.status, 409);
    assert_eq!(shop.get("/health/live").status, 200);
    assert_eq!(shop.get("/health/ready").status, 503);
}

#[test]
fn with_a_token_only_those_who_have_it_are_answered() {
    let module = "org.X required username=\"ann\" password=\"let me in\";";
    let shop = Shop::with(&[("dstreams.ui.token", "let me in"), ("app.kafka.sasl.jaas.config", module)]);
    assert_eq!(shop.get("/streaming/").status, 401);
    assert_eq!(shop.ask("GET", "/streaming/", &["Authorization: Bearer let me in"]).status, 200);
    let answer = shop.get("/streaming/?token=let+me+in");
    assert_eq!(answer.status, 303);
    assert!(
        answer
            .head
            .to_lowercase()
            .contains("set-cookie: dstreams_token=let+me+in; path=/; httponly; samesite=strict"),
        "{}",
        answer.head
    );
    assert_eq!(shop.get("/health/live").status, 200);
    // The page with the settings does not show it.
    let page = shop.ask("GET", "/environment/", &["Authorization: Bearer let me in"]).body;
    assert!(page.contains("dstreams.ui.token") && page.contains("sasl.jaas.config"), "{page}");
    assert!(!page.contains("let me in"));
}

#[test]
fn another_name_of_this_machine_is_not_answered() {
    let shop = Shop::open();
    assert_eq!(shop.ask_as("evil.example", "GET", "/streaming/", &[]).status, 403);
}

#[test]
fn metrics_have_the_names_of_the_original() {
    let shop = Shop::open();
    shop.run(12);
    let answer = shop.get("/metrics/json");
    assert_eq!(answer.kind, "text/json;charset=utf-8");
    let json: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(
        keys(&json),
        BTreeSet::from(["counters", "gauges", "histograms", "meters", "timers", "version"])
    );
    let base = "local-0.driver.shop.StreamingMetrics.streaming";
    let names = "lastCompletedBatch_processingDelay lastCompletedBatch_processingEndTime \
         lastCompletedBatch_processingStartTime lastCompletedBatch_schedulingDelay lastCompletedBatch_submissionTime \
         lastCompletedBatch_totalDelay lastReceivedBatch_processingEndTime lastReceivedBatch_processingStartTime \
         lastReceivedBatch_records lastReceivedBatch_submissionTime receivers retainedCompletedBatches runningBatches \
         totalCompletedBatches totalProcessedRecords totalReceivedRecords unprocessedBatches waitingBatches";
    for name in names.split_whitespace() {
        assert!(json["gauges"][format!("{base}.{name}")]["value"].is_i64(), "{name}");
    }
    assert_eq!(json["gauges"][format!("{base}.totalReceivedRecords")]["value"], 6700);
    assert!(json["gauges"]["local-0.driver.shop.dstreams.state_logged_bytes.totals"]["value"].is_i64());

    let text = shop.get("/metrics/prometheus").body;
    for line in ["Number", "Value"] {
        let line = format!(
            "metrics_local_0_driver_shop_StreamingMetrics_streaming_totalCompletedBatches_{line}{{type=\"gauges\"}} 12\n"
        );
        assert!(text.contains(&line), "{text}");
    }
    assert!(text.contains("\ndstreams_state_logged_bytes{app=\"shop\",operator=\"totals\"} "), "{text}");
    let short = shop.get("/metrics").body;
    assert!(
        !short.contains("metrics_local")
            && short.contains("dstreams_batches_completed_total{app=\"shop\"} 12\n")
    );
}

#[test]
fn the_namespace_and_the_path_of_metrics_can_be_set() {
    let servlet = "spark.metrics.conf.*.sink.servlet.path";
    let shop = Shop::with(&[("spark.metrics.namespace", "prod"), (servlet, "/numbers")]);
    shop.run(1);
    assert!(shop.get("/numbers").body.contains("\"prod.driver.shop.StreamingMetrics.streaming.receivers\""));
    assert_eq!(shop.get("/metrics/json").status, 404);
}

#[test]
fn another_address_needs_a_token() {
    use dstreams_streaming::{Config, testing::TestContext, time::seconds};
    let start = |settings: &[(&str, &str)]| {
        let mut config = Config::new();
        for (key, value) in settings {
            config.set(key, value).unwrap();
        }
        let test = TestContext::with(config, seconds(1)).unwrap();
        dstreams_web::WebUi::start(test.context()).map(|ui| ui.is_some()).map_err(|error| error.to_string())
    };
    let open = [("spark.ui.port", "0"), ("dstreams.ui.address", "0.0.0.0")];
    assert!(start(&open).unwrap_err().contains("only with a token: set dstreams.ui.token"));
    assert_eq!(start(&[&open[..], &[("dstreams.ui.token", "t")]].concat()), Ok(true));
    assert_eq!(start(&[("spark.ui.enabled", "false")]), Ok(false));
    assert!(start(&[("dstreams.ui.address", "here")]).unwrap_err().contains("is no IP address"));
}

#[test]
fn a_port_that_is_taken_is_passed_over() {
    let first = Shop::open();
    let port = first.ui().address().port();
    let second = Shop::with(&[("spark.ui.port", &port.to_string())]);
    assert!(second.ui().address().port() > port);
}
