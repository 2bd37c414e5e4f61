// SPDX-License-Identifier: Apache-2.0
//! The tables of batches on the streaming page: sorted and paged as the address says.

use std::cmp::Ordering;

use dstreams_monitor::{BatchRecord, Phase, Store, format};
use maud::{Markup, html};

use super::{Clock, length_or_dash};
use crate::{
    chart::progress,
    query::{Query, encode},
};

/// A column that can be sorted by.
struct Column {
    name: &'static str,
    order: fn(&BatchRecord, &BatchRecord) -> Ordering,
}

const COLUMNS: &[Column] = &[
    Column { name: "Batch Time", order: |a, b| a.time().cmp(&b.time()) },
    Column { name: "Records", order: |a, b| a.records().cmp(&b.records()) },
    Column {
        name: "Scheduling Delay",
        order: |a, b| a.info.scheduling_delay().cmp(&b.info.scheduling_delay()),
    },
    Column {
        name: "Processing Time",
        order: |a, b| a.info.processing_delay().cmp(&b.info.processing_delay()),
    },
    Column { name: "Total Delay", order: |a, b| a.info.total_delay().cmp(&b.info.total_delay()) },
];

/// Rows of a page when the address does not say.
const PAGE_SIZE: usize = 100;
/// Rows of a page at most.
const LARGEST_PAGE: usize = 1000;

/// One of the three tables.
pub(super) struct BatchTable {
    /// Its name in addresses.
    id: &'static str,
    phase: Phase,
    /// How many columns of those that can be sorted by.
    columns: usize,
    title: fn(&Store, usize) -> String,
}

/// The tables in the order of the page.
pub(super) const TABLES: &[BatchTable] = &[
    BatchTable {
        id: "runningBatches",
        phase: Phase::Running,
        columns: 4,
        title: |_, rows| format!("Running Batches ({rows})"),
    },
    BatchTable {
        id: "waitingBatches",
        phase: Phase::Waiting,
        columns: 4,
        title: |_, rows| format!("Waiting Batches ({rows})"),
    },
    BatchTable {
        id: "completedBatches",
        phase: Phase::Completed,
        columns: 5,
        title: |store, rows| {
            format!(
                "Completed Batches (last {rows} out of {})",
                format::count(store.totals().completed_batches)
            )
        },
    },
];

/// How a table is to be shown.
struct Wish<'a> {
    sort: &'a Column,
    descending: bool,
    page: usize,
    page_size: usize,
}

impl BatchTable {
    /// The table with its title; nothing when it has no rows.
    pub(super) fn show(&self, store: &Store, query: &Query, clock: &Clock) -> Markup {
        let mut rows: Vec<&BatchRecord> = store.batches_in(self.phase).collect();
        if rows.is_empty() {
            return html! {};
        }
        let wish = self.wish(query);
        // Newest first among equals.
        rows.reverse();
        rows.sort_by(|a, b| if wish.descending { (wish.sort.order)(b, a) } else { (wish.sort.order)(a, b) });
        let pages = rows.len().div_ceil(wish.page_size);
        let page = wish.page.clamp(1, pages);
        let failed = rows.iter().any(|batch| batch.failure().is_some());
        let shown = rows.iter().skip((page - 1) * wish.page_size).take(wish.page_size);
        html! {
            section id=(self.id) {
                h4 { ((self.title)(store, rows.len())) }
                div.scroll {
                    table.batches id={ (self.id) "-table" } {
                        thead { tr {
                            @for column in &COLUMNS[..self.columns] { (self.heading(column, &wish)) }
                            @if self.phase == Phase::Completed {
                                th { "Output Ops: Succeeded/Total" }
                            } @else {
                                th { "Output Ops: Succeeded/Total" }
                                th { "Status" }
                            }
                            @if failed { th { "Error" } }
                        } }
                        tbody { @for batch in shown { (self.row(batch, store, clock, failed)) } }
                    }
                }
                @if pages > 1 { (self.pages(&wish, page, pages)) }
            }
        }
    }

    fn wish(&self, query: &Query) -> Wish<'static> {
        let parameter = |name: &str| query.get(&format!("{}.{name}", self.id)).map(str::to_owned);
        let sort = parameter("sort");
        let sort = COLUMNS[..self.columns].iter().find(|column| Some(column.name) == sort.as_deref());
        let number = |name| parameter(name).and_then(|text| text.parse::<usize>().ok());
        Wish {
            // Without a wish the newest come first.
            descending: parameter("desc").map_or(sort.is_none(), |text| text == "true"),
            sort: sort.unwrap_or(&COLUMNS[0]),
            page: number("page").unwrap_or(1),
            page_size: number("pageSize").unwrap_or(PAGE_SIZE).clamp(1, LARGEST_PAGE),
        }
    }

    fn address(&self, sort: &str, descending: bool, page: usize, page_size: usize) -> String {
        let id = self.id;
        let sort = encode(sort);
        format!(
            "/streaming/?{id}.sort={sort}&{id}.desc={descending}&{id}.page={page}&{id}.pageSize={page_size}#{id}"
        )
    }

    fn heading(&self, column: &Column, wish: &Wish<'_>) -> Markup {
        let is_sorted = column.name == wish.sort.name;
        let arrow = match (is_sorted, wish.descending) {
            (false, _) => "",
            (true, true) => " \u{25be}",
            (true, false) => " \u{25b4}",
        };
        let descending = !(is_sorted && wish.descending);
        html! {
            th.number[column.name != "Batch Time"] aria-sort=[is_sorted.then_some(if wish.descending { "descending" } else { "ascending" })] {
                a href=(self.address(column.name, descending, 1, wish.page_size)) { (column.name) (arrow) }
            }
        }
    }

    fn row(&self, batch: &BatchRecord, store: &Store, clock: &Clock, failed: bool) -> Markup {
        let info = &batch.info;
        let outputs = info.output_operations.values();
        let failures = info.failures().count();
        let done = outputs.filter(|output| output.end_time.is_some()).count() - failures;
        let slow = info.processing_delay().is_some_and(|length| length > store.interval());
        html! {
            tr.failed[failures > 0] id={ "batch-" (batch.time().as_millis()) } {
                td { a href={ "/streaming/batch?id=" (batch.time().as_millis()) } {
                    span.day { (clock.day(batch.time())) " " } (clock.short(batch.time().as_millis()))
                } }
                td.number { (format::count(batch.records())) span.unit { " records" } }
                td.number { (length_or_dash(info.scheduling_delay())) }
                td.number.slow[slow] { (length_or_dash(info.processing_delay())) }
                @if self.phase == Phase::Completed { td.number { (length_or_dash(info.total_delay())) } }
                td { (progress(done, failures, info.output_operations.len())) }
                @match self.phase {
                    Phase::Running => td { "processing" },
                    Phase::Waiting => td { "queued" },
                    Phase::Completed => {},
                }
                @if failed {
                    td { @if let Some(reason) = batch.failure() {
                        (super::failure(&format!("failure-{}", batch.time().as_millis()), reason))
                    } }
                }
            }
        }
    }

    fn pages(&self, wish: &Wish<'_>, page: usize, pages: usize) -> Markup {
        let to = |page| self.address(wish.sort.name, wish.descending, page, wish.page_size);
        html! {
            nav.pages aria-label="Pages" {
                @if page > 1 { a href=(to(page - 1)) rel="prev" { "‹ newer" } }
                span { "Page " (page) " of " (pages) }
                @if page < pages { a href=(to(page + 1)) rel="next" { "older ›" } }
            }
        }
    }
}
