// SPDX-License-Identifier: Apache-2.0
//! The table of endpoints.

use axum::http::StatusCode;
use dstreams_monitor::{
    verdict::{Level, Situation, verdict},
    view::{self, Status},
};
use dstreams_streaming::{StreamId, StreamingContext, Time};
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Answer, Asked, Endpoint, Method, openapi};
use crate::ui::App;

/// How the application does.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Health {
    /// Whether what was asked for is so.
    ok: bool,
    /// `idle`, `good`, `warning` or `bad`.
    level: &'static str,
    /// One sentence.
    headline: String,
    /// What else is to be said.
    notes: Vec<String>,
}

/// What was done.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Done {
    /// In words.
    message: String,
}

const UNKNOWN_APP: (u16, &str) = (404, "The application is another one.");

/// Everything that can be asked for.
pub(crate) static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        method: Method::Get,
        path: "/api/v1/applications",
        summary: "The applications of this process: one.",
        query: &[],
        schema: |schemas| schemas.subschema_for::<Vec<view::ApplicationInfo>>(),
        others: &[],
        answer: |app, _| Answer::json(&app.monitor.read(|store| vec![view::application(store)])),
    },
    Endpoint {
        method: Method::Get,
        path: "/api/v1/applications/{app}",
        summary: "The application.",
        query: &[],
        schema: |schemas| schemas.subschema_for::<view::ApplicationInfo>(),
        others: &[UNKNOWN_APP],
        answer: |app, _| Answer::json(&app.monitor.read(view::application)),
    },
    Endpoint {
        method: Method::Get,
        path: "/streaming/statistics",
        summary: "Numbers over all batches that are kept.",
        query: &[],
        schema: |schemas| schemas.subschema_for::<view::Statistics>(),
        others: &[UNKNOWN_APP],
        answer: |app, _| Answer::json(&app.monitor.read(view::statistics)),
    },
    Endpoint {
        method: Method::Get,
        path: "/streaming/receivers",
        summary: "All input streams, with their receivers where they have one.",
        query: &[],
        schema: |schemas| schemas.subschema_for::<Vec<view::InputStream>>(),
        others: &[UNKNOWN_APP],
        answer: |app, _| Answer::json(&app.monitor.read(view::input_streams)),
    },
    Endpoint {
        method: Method::Get,
        path: "/streaming/receivers/{receiver}",
        summary: "One input stream.",
        query: &[],
        schema: |schemas| schemas.subschema_for::<view::InputStream>(),
        others: &[(404, "There is no such input stream.")],
        answer: |app, asked| {
            let id = asked.path("receiver");
            let found = id.parse().ok().map(StreamId);
            let stream = found.and_then(|id| app.monitor.read(|store| view::input_stream(store, id)));
            Answer::found(stream, || format!("unknown receiver: {id}"))
        },
    },
    Endpoint {
        method: Method::Get,
        path: "/streaming/batches",
        summary: "Batches, newest first.",
        query: &[
            ("status", "COMPLETED, QUEUED or PROCESSING; can be given several times."),
            (
                "limit",
                "The greatest number of batches; all that are kept if missing. The original does not have this.",
            ),
        ],
        schema: |schemas| schemas.subschema_for::<Vec<view::Batch>>(),
        others: &[(404, "There is no such status, or the limit is no number.")],
        answer: |app, asked| {
            let wanted: Result<Vec<Status>, String> = asked.query().all("status").map(str::parse).collect();
            let limit = asked.query().get("limit").map_or(Ok(usize::MAX), |text| {
                text.parse().map_err(|_| format!("unknown limit: {text}; it is a number of batches"))
            });
            match wanted.and_then(|wanted| Ok((wanted, limit?))) {
                Ok((wanted, limit)) => {
                    Answer::json(&app.monitor.read(|store| view::batches(store, &wanted, limit)))
                }
                Err(unknown) => Answer::not_found(unknown),
            }
        },
    },
    Endpoint {
        method: Method::Get,
        path: "/streaming/batches/{batch}",
        summary: "One batch, by its time in milliseconds.",
        query: &[],
        schema: |schemas| schemas.subschema_for::<view::Batch>(),
        others: &[(404, "There is no such batch, or not any more.")],
        answer: |app, asked| {
            let found = time(asked).and_then(|time| app.monitor.read(|store| view::batch(store, time)));
            Answer::found(found, || unknown_batch(asked))
        },
    },
    Endpoint {
        method: Method::Get,
        path: "/streaming/batches/{batch}/operations",
        summary: "The outputs of a batch.",
        query: &[],
        schema: |schemas| schemas.subschema_for::<Vec<view::Operation>>(),
        others: &[(404, "There is no such batch, or not any more.")],
        answer: |app, asked| {
            let found = time(asked).and_then(|time| app.monitor.read(|store| view::operations(store, time)));
            Answer::found(found, || unknown_batch(asked))
        },
    },
    Endpoint {
        method: Method::Get,
        path: "/streaming/batches/{batch}/operations/{operation}",
        summary: "One output of a batch.",
        query: &[],
        schema: |schemas| schemas.subschema_for::<view::Operation>(),
        others: &[(404, "There is no such batch, or no such output.")],
        answer: |app, asked| {
            let Some(time) = time(asked) else { return Answer::not_found(unknown_batch(asked)) };
            if app.monitor.read(|store| store.batch(time).is_none()) {
                return Answer::not_found(unknown_batch(asked));
            }
            let number = asked.path("operation");
            let found = number
                .parse()
                .ok()
                .and_then(|number| app.monitor.read(|store| view::operation(store, time, number)));
            Answer::found(found, || format!("unknown output operation: {number}"))
        },
    },
    Endpoint {
        method: Method::Get,
        path: "/streaming/batches/{batch}/jobs",
        summary: "The engine jobs of a batch with their stages and tasks. The original does not have this here.",
        query: &[],
        schema: |schemas| schemas.subschema_for::<Vec<view::Job>>(),
        others: &[(404, "There is no such batch, or not any more.")],
        answer: |app, asked| {
            let found = time(asked).and_then(|time| app.monitor.read(|store| view::jobs(store, time)));
            Answer::found(found, || unknown_batch(asked))
        },
    },
    Endpoint {
        method: Method::Get,
        path: "/streaming/engine",
        summary: "Memory, states, checkpoints, lag, limits and dead letters. The original does not have this.",
        query: &[],
        schema: |schemas| schemas.subschema_for::<view::Engine>(),
        others: &[UNKNOWN_APP],
        answer: |app, _| Answer::json(&app.monitor.read(|store| view::engine(store, app.monitor.now()))),
    },
    Endpoint {
        method: Method::Post,
        path: "/streaming/stop",
        summary: "Processes what has been received and stops. Needs the header X-Requested-By.",
        query: &[],
        schema: |schemas| schemas.subschema_for::<Done>(),
        others: &[(403, "The header is missing."), (409, "Nothing runs any more.")],
        answer: |app, _| stop(app),
    },
    Endpoint {
        method: Method::Get,
        path: "/health/live",
        summary: "Whether the process answers: always, if it does.",
        query: &[],
        schema: |schemas| schemas.subschema_for::<Health>(),
        others: &[],
        answer: |app, _| Answer::json(&health(app, |_| true)),
    },
    Endpoint {
        method: Method::Get,
        path: "/health/ready",
        summary: "Whether batches are processed and none has failed of late.",
        query: &[],
        schema: |schemas| schemas.subschema_for::<Health>(),
        others: &[(503, "It falls behind, its last batch failed, or it has stopped.")],
        answer: |app, _| {
            let running = app.monitor.read(|store| store.started().is_some() && store.stopped().is_none());
            let health = health(app, |level| running && level != Level::Bad);
            let status = if health.ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            Answer::json(&health).with_status(status)
        },
    },
    Endpoint {
        method: Method::Get,
        path: "/api/v1/openapi.json",
        summary: "This description.",
        query: &[],
        schema: |_| schemars::json_schema!({ "type": "object" }),
        others: &[],
        answer: |_, _| Answer::json(&openapi::describe()),
    },
];

/// The batch that is asked for.
fn time(asked: &Asked) -> Option<Time> {
    asked.path("batch").parse().ok().map(Time::from_millis)
}

fn unknown_batch(asked: &Asked) -> String {
    format!("unknown batch: {}", asked.path("batch"))
}

fn health(app: &App, ok: impl FnOnce(Level) -> bool) -> Health {
    let verdict = app.monitor.read(|store| verdict(&Situation::of(store), &TimeZone::system()));
    Health {
        ok: ok(verdict.level),
        level: match verdict.level {
            Level::Idle => "idle",
            Level::Good => "good",
            Level::Warning => "warning",
            Level::Bad => "bad",
        },
        headline: verdict.headline,
        notes: verdict.notes,
    }
}

fn stop(app: &App) -> Answer {
    let Some(context) = app.engine.as_ref().and_then(StreamingContext::active) else {
        let done = Done { message: "nothing runs any more".to_owned() };
        return Answer::json(&done).with_status(StatusCode::CONFLICT);
    };
    match context.stop_gracefully("a request over HTTP") {
        Ok(()) => Answer::json(&Done { message: "stopping after what has been received".to_owned() }),
        Err(error) => {
            Answer::json(&Done { message: error.to_string() }).with_status(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}
