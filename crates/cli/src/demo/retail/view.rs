// SPDX-License-Identifier: Apache-2.0
//! The live table: a row for each batch, and at the end how fast that was.

use std::fmt::Write as _;

use dstreams::{Duration, Time};

use super::{
    super::show::{grouped, time_of_day, write},
    watch::Row,
};

/// The header is repeated after this many rows.
const PAGE: u64 = 20;

/// Shows batches and adds them up.
pub(super) struct View {
    interval: Duration,
    batches: u64,
    messages: u64,
    sales: u64,
    rejected: u64,
    processing: i64,
    slowest: i64,
    longest_delay: i64,
    /// When the input of the first batch began to come.
    began: Option<Time>,
    last: Option<Row>,
}

impl View {
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            interval,
            batches: 0,
            messages: 0,
            sales: 0,
            rejected: 0,
            processing: 0,
            slowest: 0,
            longest_delay: 0,
            began: None,
            last: None,
        }
    }

    pub(super) fn batches(&self) -> u64 {
        self.batches
    }

    /// When the last batch shown ended.
    pub(super) fn last_batch(&self) -> Option<String> {
        self.last.map(|row| self.time_of_day(row.time()))
    }

    fn time_of_day(&self, time: Time) -> String {
        time_of_day(time, self.interval)
    }

    /// Shows a batch. One that is shown already, as it is when its worker was killed before that was logged, is left out.
    pub(super) fn show(&mut self, row: &Row) {
        if self.last.is_some_and(|last| last.batch >= row.batch) {
            return;
        }
        let mut text = String::new();
        if self.batches.is_multiple_of(PAGE) {
            let [batch, messages, sales, rate] = ["batch", "messages", "sales", "sales/s"];
            let [processing, delay, rejected] = ["processing", "delay", "dead letters"];
            let _ = writeln!(
                text,
                "{batch:>13} {messages:>9} {sales:>9} {rate:>9} {processing:>11} {delay:>9} {rejected:>13}"
            );
        }
        let _ = writeln!(
            text,
            "{:>13} {:>9} {:>9} {:>9} {:>11} {:>9} {:>13}",
            self.time_of_day(row.time()),
            grouped(row.messages),
            grouped(row.sales),
            grouped((row.sales as f64 / self.interval.as_secs_f64()).round() as u64),
            Duration::from_millis(row.processing).to_string(),
            Duration::from_millis(row.delay).to_string(),
            grouped(row.rejected),
        );
        write(&text);
        self.batches += 1;
        self.messages += row.messages;
        self.sales += row.sales;
        self.rejected += row.rejected;
        self.processing += row.processing;
        self.slowest = self.slowest.max(row.processing);
        self.longest_delay = self.longest_delay.max(row.delay);
        self.began.get_or_insert(row.time() - self.interval);
        self.last = Some(*row);
    }

    /// The sums of what was shown.
    pub(super) fn summary(&self) -> String {
        let mut text = format!(
            "\n{} batches, {} messages, {} sales stored, {} dead letters\n",
            grouped(self.batches),
            grouped(self.messages),
            grouped(self.sales),
            grouped(self.rejected)
        );
        if let (Some(began), Some(last)) = (self.began, self.last) {
            let took = Time::from_millis(last.ended) - began;
            let _ = writeln!(
                text,
                "{} sales/s sustained for {took}; processing time: {:.1} ms on average, {} at most; delay: {} at most",
                grouped((self.sales as f64 / took.as_secs_f64()) as u64),
                self.processing as f64 / self.batches as f64,
                Duration::from_millis(self.slowest),
                Duration::from_millis(self.longest_delay),
            );
        }
        text
    }
}
