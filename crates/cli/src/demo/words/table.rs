// SPDX-License-Identifier: Apache-2.0
//! The demo's live table: a row per batch when it has been completed, and the summary at the end.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
};

use dstreams::{Duration, StreamingListener, Text, Time, streaming::event::BatchInfo};

use super::super::{
    End,
    show::{grouped, time_of_day, write},
};

/// How many words a row shows.
pub(crate) const TOP: usize = 5;

/// The header is repeated after this many rows.
const PAGE: u64 = 20;

/// Collects what the outputs and the listener bus say of each batch.
pub(crate) struct Table {
    interval: Duration,
    batches_wanted: Option<u64>,
    ends: Mutex<mpsc::Sender<End>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Results of batches that have not been completed.
    open: BTreeMap<Time, Row>,
    batches: u64,
    records: u64,
    processing: Duration,
    slowest: Duration,
}

#[derive(Default)]
struct Row {
    records: u64,
    top_words: Vec<(Text, u64)>,
}

impl Table {
    pub(crate) fn new(interval: Duration, batches_wanted: Option<u64>, ends: mpsc::Sender<End>) -> Arc<Self> {
        Arc::new(Self { interval, batches_wanted, ends: Mutex::new(ends), state: Mutex::default() })
    }

    pub(crate) fn add_records(&self, time: Time, records: u64) {
        let mut state = self.state();
        state.records += records;
        state.open.entry(time).or_default().records = records;
    }

    pub(crate) fn set_top_words(&self, time: Time, words: Vec<(Text, u64)>) {
        // A long word is a slice of its block of lines, which must not be kept for the sake of a row.
        let words = words.into_iter().map(|(word, count)| (word.detached(), count)).collect();
        self.state().open.entry(time).or_default().top_words = words;
    }

    /// Lines counted so far.
    pub(crate) fn records(&self) -> u64 {
        self.state().records
    }

    pub(crate) fn print_summary(&self, sent: Option<u64>) {
        let state = self.state();
        let busy = state.processing.as_secs_f64();
        let mut text = format!("\n{} batches, {} records counted", state.batches, grouped(state.records));
        if let Some(sent) = sent {
            let _ = write!(text, ", {} records sent: {}", grouped(sent), verdict(sent, state.records));
        }
        text.push('\n');
        if state.batches > 0 {
            let mean = busy * 1000.0 / state.batches as f64;
            let _ = writeln!(text, "processing time: {mean:.1} ms on average, {} at most", state.slowest);
        }
        write(&text);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A row that panicked half-way leaves numbers that are still worth showing.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StreamingListener for Table {
    fn on_batch_completed(&self, batch: &BatchInfo) {
        let mut state = self.state();
        let row = state.open.remove(&batch.batch_time).unwrap_or_default();
        let processing = batch.processing_delay().unwrap_or(Duration::ZERO);
        let scheduling = batch.scheduling_delay().unwrap_or(Duration::ZERO);
        let mut text = String::new();
        if state.batches.is_multiple_of(PAGE) {
            let [batch, records, rate] = ["batch", "records", "records/s"];
            let [processing, scheduling] = ["processing", "scheduling"];
            let _ = writeln!(
                text,
                "{batch:>13} {records:>10} {rate:>10} {processing:>11} {scheduling:>11}  top words"
            );
        }
        let per_second = row.records as f64 / self.interval.as_secs_f64();
        let words: Vec<_> = row.top_words.iter().map(|(word, count)| format!("{word} {count}")).collect();
        let _ = writeln!(
            text,
            "{:>13} {:>10} {:>10} {:>11} {:>11}  {}",
            time_of_day(batch.batch_time, self.interval),
            grouped(row.records),
            format!("{per_second:.0}"),
            processing.to_string(),
            scheduling.to_string(),
            words.join(", ")
        );
        state.batches += 1;
        state.processing += processing;
        state.slowest = state.slowest.max(processing);
        let enough = self.batches_wanted == Some(state.batches);
        drop(state);
        write(&text);
        if enough {
            let ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
            // The demo may be ending for another reason already.
            let _ = ends.send(End::Enough);
        }
    }
}

fn verdict(sent: u64, counted: u64) -> &'static str {
    if sent == counted { "all of them" } else { "NOT THE SAME" }
}
