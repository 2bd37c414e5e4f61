// SPDX-License-Identifier: Apache-2.0
//! The application as lines: verdict, rates and delays, inputs, states, batches, in the room that there is.

use dstreams::{Duration, Time, monitor::format};
use jiff::tz::TimeZone;

use super::{
    client::{Batch, InputStream, Seen, StateSize},
    table::{Cell, Table},
    text::{Line, Style, bars},
};

/// How much room there is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    columns: usize,
    /// Without them everything is shown that there is, but for the batches.
    rows: Option<usize>,
}

/// Batches that are shown where there is room for all.
const BATCHES: usize = 10;
/// From how many rows on not every row counts.
const AMPLE: usize = 32;
/// What is said where nothing is known.
const NOTHING: &str = "-";

impl Room {
    pub(super) fn of(columns: usize, rows: usize) -> Self {
        Self { columns, rows: Some(rows) }
    }

    pub(super) fn unlimited(columns: usize) -> Self {
        Self { columns, rows: None }
    }

    /// Whether there is room for empty lines between all parts.
    fn is_ample(self) -> bool {
        self.rows.is_none_or(|rows| rows >= AMPLE)
    }

    /// Rows for a table that is not the last.
    fn share(self) -> usize {
        self.rows.map_or(usize::MAX, |rows| (rows / 8).max(2))
    }
}

/// What is to be seen; `trouble` is why nothing newer is.
pub(super) fn lines(seen: &Seen, trouble: Option<&str>, room: Room) -> Vec<Line> {
    let mut lines = vec![title(seen), counts(seen)];
    if let Some(trouble) = trouble {
        lines.extend(wrapped(&format!("Not up to date: {trouble}"), Style::Bad, room.columns));
    }
    lines.extend(verdict(seen, room));
    lines.push(Line::default());
    lines.extend(rates(seen, room.columns));
    lines.push(Line::default());
    for part in [inputs(seen, room), states(seen, room), held(seen)] {
        lines.extend(part);
        if room.is_ample() && lines.last().is_some_and(|last| *last != Line::default()) {
            lines.push(Line::default());
        }
    }
    if !room.is_ample() {
        lines.push(Line::default());
    }
    // The names of the columns, and below the batches how to end.
    let left = room.rows.map_or(BATCHES, |rows| rows.saturating_sub(lines.len() + 2));
    lines.extend(batches(seen, room.columns, left));
    if let Some(rows) = room.rows {
        lines.resize(rows.saturating_sub(1).max(1), Line::default());
        lines.push(Line::of("q ends", Style::Dim));
    }
    lines
}

fn title(seen: &Seen) -> Line {
    let application = &seen.application;
    Line::of(application.name.clone(), Style::Strong).and(format!(" ({})", application.id), Style::Dim)
}

fn counts(seen: &Seen) -> Line {
    let statistics = &seen.statistics;
    let attempt = seen.application.attempts.last();
    let ran = attempt.map_or(0, |attempt| attempt.duration);
    let verb = if attempt.is_some_and(|attempt| attempt.completed) { "ended after" } else { "for" };
    let text = format!(
        "Batches of {} {verb} {}: {} completed, {} active, {} records",
        format::verbose(seen.interval()),
        format::verbose(Duration::from_millis(ran - ran % 1000)),
        format::count(statistics.num_total_completed_batches),
        format::count(statistics.num_active_batches),
        format::count(statistics.num_processed_records),
    );
    Line::of(text, Style::Plain)
}

fn verdict(seen: &Seen, room: Room) -> Vec<Line> {
    let style = match seen.health.level.as_str() {
        "good" => Style::Good,
        "warning" => Style::Warning,
        "bad" => Style::Bad,
        _ => Style::Dim,
    };
    let mut lines = wrapped(&seen.health.headline, style, room.columns);
    for note in &seen.health.notes {
        lines.extend(wrapped(note, Style::Warning, room.columns));
    }
    lines.truncate(room.share());
    lines
}

/// A text in as many lines as it takes.
fn wrapped(text: &str, style: Style, columns: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > columns {
            lines.push(Line::of(std::mem::take(&mut line), style));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(Line::of(line, style));
    lines
}

/// The timelines of the page: the last value, what is usual, and a bar for each batch.
fn rates(seen: &Seen, columns: usize) -> Vec<Line> {
    let seconds = seen.interval().as_secs_f64().max(f64::MIN_POSITIVE);
    // The oldest first, as time goes.
    let batches: Vec<&Batch> = seen.batches.iter().rev().collect();
    let of = |number: fn(&Batch) -> Option<i64>| -> Vec<f64> {
        batches.iter().filter_map(|batch| number(batch)).map(|millis| millis as f64).collect()
    };
    let input: Vec<f64> = batches.iter().map(|batch| batch.input_size as f64 / seconds).collect();
    let interval = seen.statistics.batch_duration as f64;
    let rows = [
        ("Input rate", input, per_second as fn(f64) -> String, None),
        ("Scheduling delay", of(|batch| batch.scheduling_delay), millis, None),
        ("Processing time", of(|batch| batch.processing_time), millis, Some(interval)),
        ("Total delay", of(|batch| batch.total_delay), millis, None),
    ];
    let mut table = Table::with_text(&["", "last", "mean", "95 %", "max", "per batch, oldest first"]);
    for (name, values, show, limit) in rows {
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
        let numbers = [
            values.last().copied(),
            (!values.is_empty()).then_some(mean),
            sorted.get(sorted.len() * 95 / 100).copied(),
            sorted.last().copied(),
        ];
        let mut cells: Vec<Cell> = vec![(name.to_owned(), Style::Strong)];
        cells.extend(numbers.map(|number| match number {
            Some(number) if limit.is_some_and(|limit| number > limit) => (show(number), Style::Bad),
            Some(number) => (show(number), Style::Plain),
            None => (NOTHING.to_owned(), Style::Dim),
        }));
        cells.push((bars(&values, columns.saturating_sub(BEFORE_BARS)), Style::Good));
        table.row(cells);
    }
    table.lines(columns, usize::MAX)
}

/// Columns that are taken before the bars: a name and four numbers, each as long as they get.
const BEFORE_BARS: usize = 64;

fn per_second(value: f64) -> String {
    format!("{}/s", format::rate(value))
}

fn millis(value: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "it is shown in whole milliseconds")]
    length(value.round() as i64)
}

fn length(millis: i64) -> String {
    format::length(Duration::from_millis(millis))
}

fn known(text: Option<String>) -> Cell {
    text.map_or_else(|| (NOTHING.to_owned(), Style::Dim), |text| (text, Style::Plain))
}

fn inputs(seen: &Seen, room: Room) -> Vec<Line> {
    let mut table = Table::with_text(&["Input", "receiver", "rate", "mean", "lag", "oldest", "limit", "why"]);
    for stream in &seen.streams {
        table.row(input(seen, stream));
    }
    let mut lines = table.lines(room.columns, room.share());
    let errors = seen.streams.iter().filter(|stream| stream.is_active == Some(false));
    for stream in errors.take(room.share()) {
        let said = [&stream.last_error_message, &stream.last_error];
        let said: Vec<&str> = said.into_iter().flatten().map(String::as_str).collect();
        lines.push(Line::of(format!("{}: {}", stream.stream_name, said.join(" - ")), Style::Bad));
    }
    lines
}

fn input(seen: &Seen, stream: &InputStream) -> Vec<Cell> {
    let receiver = match stream.is_active {
        Some(true) => ("active".to_owned(), Style::Good),
        Some(false) => ("inactive".to_owned(), Style::Bad),
        None => (NOTHING.to_owned(), Style::Dim),
    };
    let lag = seen.engine.lag.iter().find(|lag| lag.stream_id == stream.stream_id);
    let behind = lag.map(|lag| match (lag.records, lag.parts.len()) {
        (None, _) => "unknown".to_owned(),
        (Some(records), _) => format::count(records),
    });
    let limit = seen.engine.limits.iter().find(|limit| limit.stream_id == stream.stream_id);
    let rate = limit.map(|limit| match limit.records_per_second.and_then(|rate| u64::try_from(rate).ok()) {
        Some(rate) => format!("{}/s", format::count(rate)),
        None => "no limit".to_owned(),
    });
    vec![
        (stream.stream_name.clone(), Style::Strong),
        receiver,
        known(stream.event_rates.last().map(|(_, rate)| per_second(*rate))),
        known(stream.avg_event_rate.map(per_second)),
        known(behind),
        known(lag.and_then(|lag| lag.oldest).map(length)),
        known(rate),
        (limit.map_or_else(String::new, |limit| limit.why.clone()), Style::Dim),
    ]
}

fn states(seen: &Seen, room: Room) -> Vec<Line> {
    if seen.engine.states.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new(&["State", "keys", "a minute", "snapshot"]);
    for state in &seen.engine.states {
        table.row(self::state(state));
    }
    table.lines(room.columns, room.share())
}

fn state(state: &StateSize) -> Vec<Cell> {
    let growth = state.keys_per_minute.map(|growth| match growth {
        0.0 => "steady".to_owned(),
        growth if growth > 0.0 => format!("+{}", format::rate(growth)),
        growth => format!("−{}", format::rate(-growth)),
    });
    vec![
        (state.operator.clone(), Style::Strong),
        known(state.keys.map(format::count)),
        known(growth),
        known(state.snapshot_bytes.map(format::bytes)),
    ]
}

/// From which share of dead letters on they are shown in the colour of trouble.
const MANY_DEAD_LETTERS: f64 = 0.01;

/// Memory, the last checkpoint, dead letters.
fn held(seen: &Seen) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut line = Line::default();
    if let Some(memory) = &seen.engine.memory {
        let share = memory.used as f64 / memory.limit.max(1) as f64 * 100.0;
        let text =
            format!(" {} ({share:.0} % of {})   ", format::bytes(memory.used), format::bytes(memory.limit));
        line = line.and("Memory", Style::Strong).and(text, Style::Plain);
    }
    if let Some(checkpoint) = &seen.engine.checkpoint {
        let text = format!(
            " {} ago, took {}, {}",
            length(checkpoint.age.max(0)),
            length(checkpoint.duration),
            format::bytes(checkpoint.bytes)
        );
        line = line.and("Last checkpoint", Style::Strong).and(text, Style::Plain);
    }
    if line != Line::default() {
        lines.push(line);
    }
    for dead in &seen.engine.dead_letters {
        let share = dead.letters as f64 / dead.records.max(1) as f64;
        let text = format!(
            " {} of {}: {} % of {} records",
            format::count(dead.letters),
            dead.output,
            format::rate(share * 100.0),
            format::count(dead.records)
        );
        let style = if share > MANY_DEAD_LETTERS { Style::Warning } else { Style::Plain };
        lines.push(Line::of("Dead letters", Style::Strong).and(text, style));
    }
    lines
}

fn batches(seen: &Seen, columns: usize, rows: usize) -> Vec<Line> {
    let mut table =
        Table::with_text(&["Batch", "records", "scheduling", "processing", "total", "outputs", ""]);
    let zone = TimeZone::system();
    for batch in seen.batches.iter().take(rows) {
        table.row(self::batch(batch, seen.interval(), &zone));
    }
    table.lines(columns, usize::MAX)
}

fn batch(batch: &Batch, interval: Duration, zone: &TimeZone) -> Vec<Cell> {
    let time = format::batch_time(Time::from_millis(batch.time), interval, false, zone);
    let status = match (&batch.first_failure_reason, batch.status.as_str()) {
        (Some(reason), _) => (format!("failed: {reason}"), Style::Bad),
        (None, "COMPLETED") => (String::new(), Style::Plain),
        (None, status) => (status.to_lowercase(), Style::Dim),
    };
    let is_slow = batch.processing_time.is_some_and(|millis| millis > interval.as_millis());
    let processing = known(batch.processing_time.map(length));
    vec![
        (time, Style::Strong),
        (format::count(batch.input_size), Style::Plain),
        known(batch.scheduling_delay.map(length)),
        if is_slow { (processing.0, Style::Bad) } else { processing },
        known(batch.total_delay.map(length)),
        (format!("{}/{}", batch.num_completed_output_ops, batch.num_total_output_ops), Style::Plain),
        status,
    ]
}
