// SPDX-License-Identifier: Apache-2.0
//! The streaming page: how the application does, its rates and delays over time, its batches.

use dstreams_monitor::{
    BatchRecord, Phase, Store, format,
    verdict::{Situation, verdict},
    view::{InputStream, input_streams, statistics},
};
use dstreams_streaming::{Duration, Time};
use maud::{Markup, html};

use super::{Clock, banner, shortened, table::TABLES, tiles::tiles, whole};
use crate::{
    chart::{Timeline, glued},
    query::Query,
    ui::App,
};

pub(super) fn page(app: &App, query: &Query) -> Markup {
    let now = app.monitor.now();
    app.monitor.read(|store| whole(store, "Streaming", "Streaming", &content(store, query, now)))
}

fn content(store: &Store, query: &Query, now: Time) -> Markup {
    let clock = Clock::of(store);
    let verdict = verdict(&Situation::of(store), &clock.zone);
    html! {
        h3 { "Streaming Statistics" }
        (banner(&verdict))
        (since(store, now, &clock))
        (tiles(store, now))
        (statistics_table(store, &clock))
        @for table in TABLES { (table.show(store, query, &clock)) }
    }
}

fn since(store: &Store, now: Time, clock: &Clock) -> Markup {
    let Some(started) = store.started() else { return html! { p.since { "Not started yet." } } };
    let end = store.stopped().map_or(now, |report| report.time);
    let totals = store.totals();
    let date = format::batch_time(started, Duration::from_millis(1000), true, &clock.zone);
    html! {
        p.since {
            @if store.stopped().is_some() { "Ran batches of " } @else { "Running batches of " }
            strong { (format::verbose(store.interval())) }
            " for " strong { (format::verbose(rounded(end - started))) }
            " since " strong { (date) }
            " (" strong { (format::count(totals.completed_batches)) } " completed batches, "
            strong { (format::count(totals.processed_records)) } " records"
            @if totals.failed_batches > 0 {
                ", " strong.bad { (format::count(totals.failed_batches)) " failed" }
            }
            ")"
        }
        @if let Some(report) = store.stopped() {
            details.report #report { summary { "What was left at the stop" } pre { (report) } }
        }
    }
}

/// A length without milliseconds, where they do not matter.
fn rounded(length: Duration) -> Duration {
    let millis = length.as_millis();
    Duration::from_millis(if millis < 10_000 { millis } else { millis - millis % 1000 })
}

/// A number of each batch that has it.
fn over_time(store: &Store, number: impl Fn(&BatchRecord) -> Option<f64>) -> Vec<(i64, f64)> {
    store.batches().filter_map(|batch| Some((batch.time().as_millis(), number(batch)?))).collect()
}

fn millis(length: Option<Duration>) -> Option<f64> {
    length.map(|length| length.as_millis() as f64)
}

fn show_millis(value: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "it is shown in whole milliseconds")]
    format::length(Duration::from_millis(value.round() as i64))
}

fn show_rate(value: f64) -> String {
    format!("{}/s", format::rate(value))
}

fn statistics_table(store: &Store, clock: &Clock) -> Markup {
    let seconds = store.interval().as_secs_f64();
    let rates = over_time(store, |batch| Some(batch.records() as f64 / seconds));
    let scheduling = over_time(store, |batch| millis(batch.info.scheduling_delay()));
    let processing = over_time(store, |batch| millis(batch.info.processing_delay()));
    let total = over_time(store, |batch| millis(batch.info.total_delay()));
    let failed: Vec<i64> = store
        .batches()
        .filter(|batch| batch.failure().is_some())
        .map(|batch| batch.time().as_millis())
        .collect();
    let completed = store.count(Phase::Completed);
    let active = store.count(Phase::Running) + store.count(Phase::Waiting);
    let time = |millis: i64| clock.short(millis);
    let interval = store.interval();
    let limit = (interval.as_millis() as f64, format!("interval {}", format::length(interval)));
    let timeline =
        |title, points, value| Timeline { title, points, marked: &[], limit: None, value, time: &time };
    let numbers = statistics(store);
    html! {
        table #stat-table {
            thead { tr {
                th {}
                th { "Timelines (Last " (completed + active) " batches, " (active) " active, " (completed) " completed)" }
                th { "Histograms" }
            } }
            tbody {
                tr {
                    td.about {
                        strong { "Input Rate" }
                        @if numbers.num_receivers > 0 {
                            p { "Receivers: " (numbers.num_active_receivers) " / " (numbers.num_receivers) " active" }
                        }
                        p { "Avg: " (format::rate(numbers.avg_input_rate.unwrap_or_default())) " records/sec" }
                    }
                    (charts(&timeline("Input rate", &rates, show_rate)))
                }
                tr.inputs { td colspan="3" { (inputs(store, clock)) } }
                (delay_row("Scheduling Delay", "from the batch time to its first job", &timeline("Scheduling delay", &scheduling, show_millis)))
                (delay_row(
                    "Processing Time", "from the first job to the end of the last",
                    &Timeline { marked: &failed, limit: Some(limit), ..timeline("Processing time", &processing, show_millis) },
                ))
                (delay_row("Total Delay", "both together", &timeline("Total delay", &total, show_millis)))
            }
        }
    }
}

fn delay_row(name: &str, meaning: &str, timeline: &Timeline<'_>) -> Markup {
    let mut values: Vec<f64> = timeline.points.iter().map(|(_, value)| *value).collect();
    values.sort_by(f64::total_cmp);
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    html! {
        tr {
            td.about {
                strong title=(meaning) { (name) }
                @if let (Some(last), Some(p95)) = (values.last(), values.get(values.len() * 95 / 100)) {
                    p { "Avg: " (show_millis(mean)) }
                    p.small { "95 %: " (glued(&show_millis(*p95))) " · max " (glued(&show_millis(*last))) }
                }
            }
            (charts(timeline))
        }
    }
}

fn charts(timeline: &Timeline<'_>) -> Markup {
    html! {
        td.timeline { (timeline.line()) }
        td.bars { (timeline.histogram()) }
    }
}

/// The inputs one by one.
fn inputs(store: &Store, clock: &Clock) -> Markup {
    let streams = input_streams(store);
    html! {
        details #inputs open[streams.len() == 1 && streams.iter().any(|stream| stream.last_error.is_some())] {
            summary { (streams.len()) " input stream" @if streams.len() != 1 { "s" } }
            @for stream in &streams { (input(store, stream, clock)) }
        }
    }
}

fn input(store: &Store, stream: &InputStream, clock: &Clock) -> Markup {
    let paused = store.is_paused(dstreams_streaming::StreamId(stream.stream_id));
    let status = match stream.is_active {
        _ if paused => "PAUSED",
        Some(true) => "ACTIVE",
        Some(false) => "INACTIVE",
        None => "-",
    };
    let place = match (&stream.executor_id, &stream.executor_host) {
        (Some(executor), Some(host)) => format!("{executor} / {host}"),
        _ => "-".to_owned(),
    };
    let error = match (&stream.last_error_message, &stream.last_error) {
        (Some(message), Some(error)) => Some(format!("{message} - {error}")),
        (message, error) => message.clone().or_else(|| error.clone()),
    };
    let time = |millis: i64| clock.short(millis);
    let title = format!("Rate of {}", stream.stream_name);
    let timeline = Timeline {
        title: &title,
        points: &stream.event_rates,
        marked: &[],
        limit: None,
        value: show_rate,
        time: &time,
    };
    html! {
        div.input {
            div.about {
                strong { (stream.stream_name) }
                @if stream.is_active.is_some() || paused {
                    p { span.status.(status.to_lowercase()) { (status) } " " (place) }
                }
                p { "Avg: " (format::rate(stream.avg_event_rate.unwrap_or_default())) " records/sec" }
                @if let Some(error) = error {
                    p.bad {
                        @if let Some(date) = stream.last_error_time { (clock.short(date.0.as_millis())) ": " }
                        (shortened(&error))
                    }
                }
            }
            (timeline.line())
            (timeline.histogram())
        }
    }
}
