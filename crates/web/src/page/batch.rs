// SPDX-License-Identifier: Apache-2.0
//! The page of one batch: what it was made from, what its outputs did, and where the time went.

use dstreams_monitor::{BatchRecord, JobRecord, StageRecord, Store, format};
use dstreams_streaming::{InputInfo, Time, event::OutputOperationInfo};
use maud::{Markup, html};

use super::{Clock, Problem, bad_request, failure, length_or_dash, shortened, whole};
use crate::{chart::progress, query::Query, ui::App};

pub(super) fn page(app: &App, query: &Query) -> Result<Markup, Problem> {
    app.monitor.read(|store| {
        let id = query.get("id").ok_or_else(|| bad_request(store, "Missing id parameter"))?;
        let time = id.parse().map(Time::from_millis);
        let time = time.map_err(|_| bad_request(store, &format!("Batch {id} does not exist")))?;
        let clock = Clock::of(store);
        let batch = store.batch(time).ok_or_else(|| {
            bad_request(
                store,
                &format!("Batch {} does not exist, or it is no longer kept", clock.batch(time)),
            )
        })?;
        let title = format!("Batch {}", clock.batch(time));
        Ok(whole(store, "Streaming", &title, &content(store, batch, &clock)))
    })
}

fn content(store: &Store, batch: &BatchRecord, clock: &Clock) -> Markup {
    let info = &batch.info;
    let before = store.batches().rev().find(|other| other.time() < batch.time());
    let after = store.batches().find(|other| other.time() > batch.time());
    html! {
        nav.pages aria-label="Batches" {
            @if let Some(before) = before {
                a href={ "/streaming/batch?id=" (before.time().as_millis()) } rel="prev" { "‹ earlier" }
            }
            a href="/streaming/" { "all batches" }
            @if let Some(after) = after {
                a href={ "/streaming/batch?id=" (after.time().as_millis()) } rel="next" { "later ›" }
            }
        }
        h3 { "Details of batch at " (clock.batch(batch.time())) }
        ul.facts {
            li { strong { "Batch Duration:" } " " (format::length(store.interval())) }
            li { strong { "Input data size:" } " " (format::count(batch.records())) " records" }
            li { strong { "Scheduling delay:" } " " (length_or_dash(info.scheduling_delay())) }
            li { strong { "Processing time:" } " " (length_or_dash(info.processing_delay())) }
            li { strong { "Total delay:" } " " (length_or_dash(info.total_delay())) }
            @if let Some(commit) = &batch.commit {
                li { strong { "Made durable in:" } " " (format::length(commit.duration))
                    " (" (format::bytes(commit.changed_bytes)) " of changes)" }
            }
        }
        (inputs(store, batch))
        (outputs(batch))
        @if batch.forgotten_jobs { p.small { "Some of the jobs of this batch are no longer kept (spark.ui.retainedJobs)." } }
        (stages(store, batch))
    }
}

fn inputs(store: &Store, batch: &BatchRecord) -> Markup {
    let known = store.graph().map(|graph| graph.inputs.as_slice()).unwrap_or_default();
    let name = |id| {
        let input = known.iter().find(|input| input.stream_id == id);
        input.map_or_else(|| format!("input {id}"), |input| input.name.clone())
    };
    html! {
        section #inputs {
            h4 { "Input Metadata" }
            div.scroll {
                table #batch-input-table {
                    thead { tr { th { "Input" } th { "Records" } th { "Metadata" } } }
                    tbody {
                        @for (id, input) in &batch.info.inputs {
                            tr {
                                td { (name(*id)) }
                                td.number { (format::count(input.records)) }
                                td { (metadata(input)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn metadata(input: &InputInfo) -> Markup {
    let described = input.metadata.get(InputInfo::DESCRIPTION);
    let others = input.metadata.iter().filter(|(key, _)| key.as_str() != InputInfo::DESCRIPTION);
    html! {
        @if let Some(text) = described { pre.metadata { (text.replace('\t', "    ")) } }
        @for (key, value) in others {
            @if value.contains('\n') {
                details { summary { (key) ": " (value.lines().count()) } pre.metadata { (value) } }
            } @else if !value.is_empty() {
                p { (key) ": " (value) }
            }
        }
    }
}

const HEADINGS: &[(&str, &str)] = &[
    ("Output Op Id", ""),
    ("Description", ""),
    ("Output Op Duration", "Time for all jobs of this output, and what its program does beside them"),
    ("Status", ""),
    ("Job Id", ""),
    ("Job Duration", "Time from the start to the end of the engine job"),
    ("Stages: Succeeded/Total", ""),
    ("Tasks (for all stages): Succeeded/Total", ""),
    ("Error", ""),
];

fn outputs(batch: &BatchRecord) -> Markup {
    html! {
        section #outputs {
            h4 { "Outputs" }
            div.scroll {
                table #batch-job-table {
                    thead { tr { @for (heading, meaning) in HEADINGS {
                        th title=[(!meaning.is_empty()).then_some(*meaning)] { (heading) @if !meaning.is_empty() { " (?)" } }
                    } } }
                    tbody {
                        @for output in batch.info.output_operations.values() {
                            @let jobs: Vec<&JobRecord> = batch.jobs_of(output.id).collect();
                            @if jobs.is_empty() {
                                tr {
                                    (output_cells(output, 1))
                                    td { "-" } td { "-" } td { "-" } td { "-" } td { (error(output, None)) }
                                }
                            }
                            @for (number, job) in jobs.iter().enumerate() {
                                tr {
                                    @if number == 0 { (output_cells(output, jobs.len())) }
                                    (job_cells(job))
                                    td { (error(output, Some(job))) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn output_cells(output: &OutputOperationInfo, rows: usize) -> Markup {
    let status = match (&output.failure_reason, output.end_time) {
        (Some(reason), _) => {
            format!("Failed due to error: {}", shortened(reason.lines().next().unwrap_or_default()))
        }
        (None, Some(_)) => "Succeeded".to_owned(),
        (None, None) => "-".to_owned(),
    };
    html! {
        td.output-op-id-cell rowspan=(rows) { (output.id) }
        td rowspan=(rows) { strong { (output.name) } details id={ "about-" (output.id) } { summary { "+details" } pre { (output.description) } } }
        td.number rowspan=(rows) { (length_or_dash(output.duration())) }
        td.bad[output.failure_reason.is_some()] rowspan=(rows) { (status) }
    }
}

fn job_cells(job: &JobRecord) -> Markup {
    let (done, failed, all) = job.tasks();
    let failed_stages = job.stages.iter().filter(|stage| stage.error.is_some()).count();
    let ended = job.stages.iter().filter(|stage| stage.end.is_some()).count();
    html! {
        td { a href={ "#job-" (job.id) } { (job.id) } }
        td.number { (length_or_dash(job.duration())) }
        td.stage-progress-cell { (progress_text(ended - failed_stages, failed_stages, job.stages.len())) }
        td.progress-cell { (progress(done, failed, all)) }
    }
}

fn progress_text(done: usize, failed: usize, all: usize) -> Markup {
    html! { (done) "/" (all) @if failed > 0 { " (" (failed) " failed)" } }
}

fn error(output: &OutputOperationInfo, job: Option<&JobRecord>) -> Markup {
    let reason = match job {
        Some(job) => job.error.as_deref(),
        None => output.failure_reason.as_deref(),
    };
    let id =
        job.map_or_else(|| format!("error-{}", output.id), |job| format!("error-{}-{}", output.id, job.id));
    html! { @if let Some(reason) = reason { (failure(&id, reason)) } }
}

fn stages(store: &Store, batch: &BatchRecord) -> Markup {
    html! {
        section #stages {
            @for job in batch.jobs.values() {
                h4 id={ "job-" (job.id) } { "Job " (job.id) " of output " (job.output) }
                @for (number, stage) in job.stages.iter().enumerate() { (self::stage(store, job, number, stage)) }
            }
        }
    }
}

fn stage(store: &Store, job: &JobRecord, number: usize, stage: &StageRecord) -> Markup {
    let took = stage.duration();
    html! {
        div.stage.failed[stage.error.is_some()] {
            h5 {
                span { "Stage " (number + 1) ": " (stage.name) @if stage.shuffle { span.small { " → shuffle" } } }
                span.number { (length_or_dash(took)) }
            }
            ul.facts {
                li { strong { "Tasks:" } " " (progress_text(stage.succeeded, stage.failed, stage.tasks)) }
                li { strong { "Records:" } " " (format::count(stage.records)) }
                @if let Some(times) = stage.times() {
                    li {
                        strong { "Task time:" } " " (format::micros(times.min)) " / " (format::micros(times.median)) " / "
                        (format::micros(times.max)) " (least, middle, most)"
                        @if stage.tasks > 1 && times.max > 10_000 && times.skew() > 2.0 {
                            strong.warning { " skew " (format::rate(times.skew())) "×" }
                        }
                    }
                }
                @if let Some(records) = stage.record_counts() {
                    @if stage.tasks > 1 && records.max > 1000 && records.skew() > 2.0 {
                        li { strong.warning { "Records skew: " (format::rate(records.skew())) "×" }
                            " (" (format::count(records.median)) " in the middle, " (format::count(records.max)) " at most)" }
                    }
                }
            }
            (operators(store, stage))
            @if !stage.runs.is_empty() {
                details id={ "tasks-" (job.id) "-" (stage.id) } { summary { (stage.runs.len()) " tasks" } div.wide { (tasks(stage)) } }
            }
            @if let Some(error) = &stage.error { (failure(&format!("stage-{}", stage.id), error)) }
        }
    }
}

/// Which operators took the time of the tasks.
fn operators(store: &Store, stage: &StageRecord) -> Markup {
    let all: u64 = stage.operators.iter().map(|run| run.micros).sum();
    let mut runs: Vec<_> = stage.operators.iter().filter(|run| run.micros > 0).collect();
    runs.sort_by_key(|run| std::cmp::Reverse(run.micros));
    let place = |stream: Option<u64>| {
        let operators = store.graph().map(|graph| graph.operators.as_slice()).unwrap_or_default();
        let id = stream.and_then(|id| usize::try_from(id).ok())?;
        let operator = operators.iter().find(|operator| operator.id == id)?;
        Some(match &operator.name {
            Some(name) => format!("{name}, {}", operator.location),
            None => format!("{} at {}", operator.operator, operator.location),
        })
    };
    html! {
        @if !runs.is_empty() {
            table.operators {
                @for run in runs {
                    @let share = run.micros as f64 / all.max(1) as f64 * 100.0;
                    tr {
                        th { (run.operator) }
                        td { div.share { i style={ "width:" (format!("{share:.1}%")) } {} } }
                        td.number { (crate::chart::glued(&format::micros(run.micros))) }
                        td.small { (place(run.stream).unwrap_or_default()) }
                    }
                }
            }
        }
    }
}

fn tasks(stage: &StageRecord) -> Markup {
    let any_failed = stage.runs.iter().any(|task| task.error.is_some());
    let longest = stage.runs.iter().map(|task| task.micros).max().unwrap_or(0).max(1);
    html! {
        table.tasks {
            thead { tr {
                th.number { "Partition" } th.number { "Attempt" } th.number { "Time" } th {} th.number { "Records" }
                @if any_failed { th { "Error" } }
            } }
            tbody {
                @for task in &stage.runs {
                    tr.failed[task.error.is_some()] {
                        td.number { (task.partition) }
                        td.number { (task.attempt) }
                        td.number { (crate::chart::glued(&format::micros(task.micros))) }
                        td { div.share { i style={ "width:" (format!("{:.1}%", task.micros as f64 / longest as f64 * 100.0)) } {} } }
                        td.number { (format::count(task.records)) }
                        @if any_failed { td.error { @if let Some(error) = &task.error { (error) } } }
                    }
                }
            }
        }
    }
}
