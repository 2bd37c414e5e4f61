// SPDX-License-Identifier: Apache-2.0
//! Reports to standard output.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, Write as _},
};

use super::{Sink, numbers};
use crate::snapshot::Value;

/// Writes all metrics as lines, by kind.
pub(crate) struct Console;

/// A kind of metrics: its name, and whether a value is of it.
type Kind = (&'static str, fn(&Value) -> bool);

impl Sink for Console {
    fn name(&self) -> String {
        "console".to_owned()
    }

    fn report(&mut self, values: &BTreeMap<String, Value>, now: i64) -> io::Result<()> {
        io::stdout().write_all(text(values, now).as_bytes())
    }
}

fn text(values: &BTreeMap<String, Value>, now: i64) -> String {
    let mut text = format!("-- Metrics at {} s ", now / 1000);
    text.extend(std::iter::repeat_n('-', 80_usize.saturating_sub(text.len())));
    text.push('\n');
    let kinds: [Kind; 4] = [
        ("Gauges", |value| matches!(value, Value::Gauge(_))),
        ("Counters", |value| matches!(value, Value::Counter(_))),
        ("Histograms", |value| matches!(value, Value::Histogram(_))),
        ("Timers", |value| matches!(value, Value::Timer(..))),
    ];
    for (kind, is_of) in kinds {
        let mut of_kind = values.iter().filter(|(_, value)| is_of(value)).peekable();
        if of_kind.peek().is_some() {
            let _ = writeln!(text, "\n-- {kind} {}", "-".repeat(76 - kind.len()));
        }
        for (name, value) in of_kind {
            let numbers = numbers(value);
            let shown = numbers.iter().map(|(last, number)| match *last {
                "" => number.to_string(),
                last => format!("{last} = {number:.2}"),
            });
            let _ = writeln!(text, "{name}\n    {}", shown.collect::<Vec<_>>().join(", "));
        }
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Number;

    #[test]
    fn metrics_stand_by_kind() {
        let values = BTreeMap::from([
            ("b".to_owned(), Value::Gauge(Number::Int(5))),
            ("a".to_owned(), Value::Counter(2)),
        ]);
        let text = text(&values, 12_345);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("-- Metrics at 12 s ---"));
        assert!(lines[2].starts_with("-- Gauges ---"));
        assert_eq!(lines[3..5], ["b", "    5"]);
        assert_eq!(lines[7..9], ["a", "    count = 2.00"]);
    }
}
