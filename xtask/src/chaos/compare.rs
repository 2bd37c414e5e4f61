// SPDX-License-Identifier: Apache-2.0
//! Compares what the sinks hold with what plain loops make of the same input.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::{
    feed::{Feed, SOURCES, event},
    program::Program,
    results::{self, EventRow, KeyRow, Sqlite},
};
use crate::Result;

/// What a comparison comes to.
#[derive(Default)]
pub(super) struct Verdict {
    pub(super) records: u64,
    pub(super) lost: u64,
    pub(super) duplicated: u64,
    pub(super) batches: usize,
    /// What is not as it should be, a line each, as far as it is worth reading.
    pub(super) differences: Vec<String>,
}

impl Verdict {
    pub(super) fn is_good(&self) -> bool {
        self.differences.is_empty() && self.lost == 0 && self.duplicated == 0
    }

    fn differs(&mut self, text: String) {
        if self.differences.len() < 20 {
            self.differences.push(text);
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} records in {} batches, {} lost, {} duplicated",
            self.records, self.batches, self.lost, self.duplicated
        )?;
        self.differences.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

/// How many, and their sum.
type Sum = (i64, i64);

/// By key.
type Sums = BTreeMap<i64, Sum>;

fn add(sums: &mut Sums, key: i64, (n, sum): Sum) {
    let entry = sums.entry(key).or_default();
    entry.0 += n;
    entry.1 += sum;
}

/// Compares every sink of the program with what it was fed.
pub(super) fn compare(program: &Program, feed: &Feed) -> Result<Verdict> {
    let mut verdict = Verdict { records: feed.total(), ..Verdict::default() };
    let mut expected = Sums::new();
    for (source, offered) in feed.offered().into_iter().enumerate() {
        for number in 0..offered {
            let event = event(source, number);
            add(&mut expected, event.key, (1, event.value));
        }
    }
    let sqlite = Sqlite::open(&program.output())?.ok_or("there is no SQLite database")?;
    let events = sqlite.events()?;
    same_events(&mut verdict, "SQLite", feed, &events);
    same_sums(&mut verdict, "SQLite sums", &expected, &sqlite.sums()?);
    let interval = i64::try_from(program.interval.as_millis())?;
    by_batch(&mut verdict, interval, &sqlite, &events)?;
    same_events(&mut verdict, "files", feed, &results::files(&program.output())?);
    if let Some(url) = &program.postgres {
        let (events, sums) = results::postgres(url)?;
        same_events(&mut verdict, "PostgreSQL", feed, &events);
        same_sums(&mut verdict, "PostgreSQL sums", &expected, &sums);
    }
    Ok(verdict)
}

/// Each event that was offered is there, once, as it was.
fn same_events(verdict: &mut Verdict, sink: &str, feed: &Feed, rows: &[EventRow]) {
    let mut seen: BTreeMap<(i64, i64), u64> = BTreeMap::new();
    for row in rows {
        *seen.entry((row.source, row.number)).or_default() += 1;
        let known = usize::try_from(row.source).ok().zip(u64::try_from(row.number).ok());
        let event = known.map(|(source, number)| event(source, number));
        if event.is_none_or(|event| (event.key, event.value) != (row.key, row.value)) {
            verdict.differs(format!("{sink}: {row:?} was never offered"));
        }
    }
    for (source, (name, offered)) in (0..).zip(SOURCES.into_iter().zip(feed.offered())) {
        for number in 0..offered {
            let key = (source, i64::try_from(number).unwrap_or(i64::MAX));
            match seen.remove(&key).unwrap_or(0) {
                1 => {}
                0 => {
                    verdict.lost += 1;
                    verdict.differs(format!("{sink}: event {number} of {name} is lost"));
                }
                times => {
                    verdict.duplicated += times - 1;
                    let of_it = rows.iter().filter(|row| (row.source, row.number) == key);
                    let batches: Vec<_> = of_it.map(|row| row.batch).collect();
                    verdict.differs(format!("{sink}: event {number} of {name} is there in {batches:?}"));
                }
            }
        }
    }
    if let Some((source, number)) = seen.keys().next() {
        verdict.differs(format!("{sink}: event {number} of source {source} is there and was not offered"));
    }
}

fn same_sums(verdict: &mut Verdict, sink: &str, expected: &Sums, rows: &[KeyRow]) {
    let found: Sums = rows.iter().map(|row| (row.key, (row.n, row.sum))).collect();
    if found != *expected || rows.len() != found.len() {
        verdict.differs(format!("{sink}: expected {expected:?}, found {rows:?}"));
    }
}

/// What depends on batches fits to the events that each batch has written.
fn by_batch(verdict: &mut Verdict, interval: i64, sqlite: &Sqlite, events: &[EventRow]) -> Result<()> {
    let mut batches: BTreeMap<i64, Sums> = BTreeMap::new();
    for row in events {
        add(batches.entry(row.batch.unwrap_or_default()).or_default(), row.key, (1, row.value));
    }
    let totals = sqlite.keyed("totals")?;
    let times: BTreeSet<i64> = totals.iter().map(|row| row.batch).collect();
    verdict.batches = times.len();
    for (before, after) in times.iter().zip(times.iter().skip(1)) {
        if after - before != interval {
            verdict.differs(format!("totals: no batch between {before} and {after}"));
        }
    }
    if let Some(batch) = batches.keys().find(|batch| !times.contains(batch)) {
        verdict.differs(format!("totals: batch {batch} has events and is not there"));
    }

    let mut total = Sums::new();
    let mut expected = BTreeMap::new();
    for time in &times {
        for (key, sum) in batches.get(time).into_iter().flatten() {
            add(&mut total, *key, *sum);
        }
        expected.insert(*time, total.clone());
    }
    same_keyed(verdict, "totals", &expected, &totals);

    let window = |length: i64, time: i64| {
        let mut sums = Sums::new();
        for (_, batch) in batches.range(time - length * interval + 1..=time) {
            for (key, sum) in batch {
                add(&mut sums, *key, *sum);
            }
        }
        sums
    };
    let expected = times.iter().map(|time| (*time, window(8, *time))).collect();
    let mut rows = sqlite.keyed("inverse_window")?;
    // Keys whose events have left the window stay with nothing.
    rows.retain(|row| (row.n, row.sum) != (0, 0));
    same_keyed(verdict, "inverse_window", &expected, &rows);

    let rows = sqlite.keyed("plain_window")?;
    let first = rows.iter().map(|row| row.batch).min();
    let is_due = |time: &i64| first.is_some_and(|first| (time - first) % (2 * interval) == 0);
    let expected = times.iter().filter(|time| is_due(time)).map(|time| (*time, window(6, *time))).collect();
    same_keyed(verdict, "plain_window", &expected, &rows);

    same_running(verdict, &batches, &sqlite.keyed("running")?);
    Ok(())
}

/// Each batch has one row for each of its keys, with the right number and sum.
fn same_keyed(verdict: &mut Verdict, table: &str, expected: &BTreeMap<i64, Sums>, rows: &[KeyRow]) {
    let mut found: BTreeMap<i64, Sums> = BTreeMap::new();
    for row in rows {
        let before = found.entry(row.batch).or_default().insert(row.key, (row.n, row.sum));
        if before.is_some() {
            verdict.differs(format!("{table}: two rows for key {} in batch {}", row.key, row.batch));
        }
    }
    let times: BTreeSet<i64> = expected.keys().chain(found.keys()).copied().collect();
    for time in times {
        let nothing = Sums::new();
        let expected = expected.get(&time).unwrap_or(&nothing);
        let found = found.get(&time).unwrap_or(&nothing);
        if expected != found {
            verdict.differs(format!("{table}: batch {time}: expected {expected:?}, found {found:?}"));
        }
    }
}

/// The running number of each key has every value once, in the order of batches, and the sum after the last record of a
/// batch is that of all records up to it.
fn same_running(verdict: &mut Verdict, batches: &BTreeMap<i64, Sums>, rows: &[KeyRow]) {
    let mut by_key: BTreeMap<i64, Vec<KeyRow>> = BTreeMap::new();
    for row in rows {
        by_key.entry(row.key).or_default().push(*row);
    }
    let keys: BTreeSet<i64> = batches.values().flat_map(|sums| sums.keys().copied()).collect();
    for key in keys {
        let mut rows = by_key.remove(&key).unwrap_or_default();
        rows.sort_unstable_by_key(|row| (row.n, row.batch));
        let (mut n, mut sum, mut at) = (0, 0, 0);
        for (time, sums) in batches {
            let Some((new, added)) = sums.get(&key) else { continue };
            n += new;
            sum += added;
            let of_batch = rows[at..].iter().take_while(|row| row.batch == *time).count();
            at += of_batch;
            let last = rows[..at].last().map(|row| (row.n, row.sum));
            if last != Some((n, sum)) {
                verdict.differs(format!(
                    "running: key {key} in batch {time}: expected {n} records with the sum {sum}, found {last:?}"
                ));
                break;
            }
        }
        if let Some(wrong) = rows.iter().zip(1..).find(|(row, n)| row.n != *n) {
            verdict.differs(format!("running: key {key}: {wrong:?} is out of order"));
        }
        if rows.len() != usize::try_from(n).unwrap_or_default() {
            verdict.differs(format!("running: key {key} has {} rows for {n} records", rows.len()));
        }
    }
}
