// SPDX-License-Identifier: Apache-2.0
//! Metrics over HTTP: JSON as users know it, and the text format of Prometheus.

mod executors;

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};
use dstreams_metrics::{json, prometheus};

use crate::ui::App;

/// Where Prometheus looks when it is not told: there are only metrics with labels.
const SHORT_PATH: &str = "/metrics";
/// Where the original has the numbers of executors.
const EXECUTORS_PATH: &str = "/metrics/executors/prometheus";

/// Adds the paths of metrics. One that a page has already is not given to them.
pub(crate) fn add_routes(mut router: Router<Arc<App>>, app: &App) -> Router<Arc<App>> {
    let paths = &app.metrics;
    let taken = |path: &str| {
        ["/streaming", "/graph", "/environment", "/api", "/health", "/assets"]
            .iter()
            .any(|page| path.starts_with(page))
            || ["/", "/events", "/favicon.ico", SHORT_PATH, EXECUTORS_PATH].contains(&path)
    };
    if !taken(&paths.json) {
        router = router.route(&paths.json, get(|State(app): State<Arc<App>>| async move { as_json(&app) }));
    }
    if !taken(&paths.prometheus) && paths.json != paths.prometheus {
        router = router
            .route(&paths.prometheus, get(|State(app): State<Arc<App>>| async move { as_text(&app, true) }));
    }
    if app.has_executors {
        let text = |State(app): State<Arc<App>>| async move { text(executors::text(&app)) };
        router = router.route(EXECUTORS_PATH, get(text));
    }
    router.route(SHORT_PATH, get(|State(app): State<Arc<App>>| async move { as_text(&app, false) }))
}

fn as_json(app: &App) -> Response {
    let json = json(&app.monitor.metrics(), &app.monitor.metrics_prefix());
    ([(header::CONTENT_TYPE, "text/json;charset=utf-8")], json.to_string()).into_response()
}

fn as_text(app: &App, with_original: bool) -> Response {
    text(prometheus(&app.monitor.metrics(), with_original))
}

fn text(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
