// SPDX-License-Identifier: Apache-2.0
//! The pages, and what they have in common.

mod batch;
mod environment;
mod graph;
mod layers;
mod streaming;
mod table;
mod tiles;

use axum::http::StatusCode;
use dstreams_monitor::{
    Store, format,
    verdict::{Level, Verdict},
};
use dstreams_streaming::{Duration, Time};
use jiff::tz::TimeZone;
use maud::{DOCTYPE, Markup, html};

use crate::{query::Query, ui::App};

/// A page that cannot be made as asked.
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) page: Markup,
}

type Make = fn(&App, &Query) -> Result<Markup, Problem>;

/// Every page with its paths.
pub(crate) const PAGES: &[(&[&str], Make)] = &[
    (&["/streaming", "/streaming/"], |app, query| Ok(streaming::page(app, query))),
    (&["/streaming/batch", "/streaming/batch/"], batch::page),
    (&["/graph", "/graph/"], |app, _| Ok(graph::page(app))),
    (&["/environment", "/environment/"], |app, _| Ok(environment::page(app))),
];

/// The tabs: where they lead, and what they are called.
const TABS: &[(&str, &str)] =
    &[("/streaming/", "Streaming"), ("/graph/", "Graph"), ("/environment/", "Environment")];

/// A whole page.
fn whole(store: &Store, tab: &str, title: &str, main: &Markup) -> Markup {
    let name = &store.application().name;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " – " (name) }
                link rel="stylesheet" href="/assets/app.css";
                link rel="icon" href="/favicon.ico" type="image/svg+xml";
                script src="/assets/app.js" defer {}
            }
            body {
                header {
                    a.brand href="/streaming/" { (logo()) span { (name) } }
                    nav {
                        @for (path, label) in TABS {
                            a href=(path) aria-current=[(tab == *label).then_some("page")] { (label) }
                        }
                    }
                    @if store.stopped().is_some() {
                        span.live title="The application has stopped" { "ended" }
                    } @else {
                        span #live .live title="Whether this page follows the application" { "live" }
                    }
                }
                main #main { (main) }
                footer {
                    "dstreams " (store.application().version) " · " (store.application().id) " · "
                    a href="/api/v1/openapi.json" { "REST" }
                }
            }
        }
    }
}

fn logo() -> Markup {
    html! {
        svg.logo viewBox="0 0 24 24" aria-hidden="true" {
            path d="M2 7c4 0 4 4 8 4s4-4 8-4h4M2 13c4 0 4 4 8 4s4-4 8-4h4" {}
        }
    }
}

/// A page that says what is wrong with the request.
fn bad_request(store: &Store, text: &str) -> Problem {
    let main =
        html! { h3 { "This cannot be shown" } p { (text) } p { a href="/streaming/" { "To all batches" } } };
    Problem { status: StatusCode::BAD_REQUEST, page: whole(store, "", "Error", &main) }
}

/// What to say of the application before everything else.
fn banner(verdict: &Verdict) -> Markup {
    let class = match verdict.level {
        Level::Idle => "idle",
        Level::Good => "good",
        Level::Warning => "warning",
        Level::Bad => "bad",
    };
    html! {
        section.verdict.(class) #verdict role="status" {
            p.headline { (verdict.headline) }
            @for note in &verdict.notes { p { (note) } }
        }
    }
}

/// How times look on the pages of one application.
struct Clock {
    zone: TimeZone,
    interval: Duration,
}

impl Clock {
    fn of(store: &Store) -> Self {
        Self { zone: TimeZone::system(), interval: store.interval() }
    }

    /// A batch time with its day.
    fn batch(&self, time: Time) -> String {
        format::batch_time(time, self.interval, true, &self.zone)
    }

    /// The day of a batch time.
    fn day(&self, time: Time) -> String {
        let whole = self.batch(time);
        whole.split(' ').next().unwrap_or_default().to_owned()
    }

    /// A batch time without its day.
    fn short(&self, millis: i64) -> String {
        format::batch_time(Time::from_millis(millis), self.interval, false, &self.zone)
    }
}

/// A length that may not be known yet.
fn length_or_dash(length: Option<Duration>) -> Markup {
    let text = length.map_or_else(|| "-".to_owned(), format::length);
    html! { (crate::chart::glued(&text)) }
}

/// A text of no more than a hundred characters.
fn shortened(text: &str) -> String {
    if text.chars().count() > 100 {
        format!("{}…", text.chars().take(97).collect::<String>())
    } else {
        text.to_owned()
    }
}

/// An error: its first line, the rest on demand.
fn failure(id: &str, text: &str) -> Markup {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    html! {
        details.failure id=(id) {
            summary { (first.chars().take(200).collect::<String>()) }
            pre.stacktrace-details { (first) @if !rest.is_empty() { "\n" (rest) } }
        }
    }
}
