// SPDX-License-Identifier: Apache-2.0
//! What has arrived in the topic and in the tables, against what was sent.

use std::{collections::BTreeMap, fmt};

use dstreams::{
    RddContext,
    kafka::{Admin, Params, create_rdd},
    postgres::postgres::{Client, NoTls},
    rdd::RddOptions,
};

use super::feeder::Expected;
use crate::Result;

/// What is wrong, in numbers.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    lost: u64,
    doubled: u64,
    /// Records that came after a later one of their key.
    late: u64,
    /// Keys whose totals in PostgreSQL are wrong; none if there is no server.
    wrong_totals: Option<u64>,
}

impl Outcome {
    pub(super) fn is_good(&self) -> bool {
        (self.lost, self.doubled, self.late, self.wrong_totals.unwrap_or(0)) == (0, 0, 0, 0)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lost, doubled, late, wrong_totals } = self;
        write!(f, "{lost} lost, {doubled} doubled, {late} out of order")?;
        match wrong_totals {
            Some(wrong) => write!(f, ", {wrong} wrong totals in PostgreSQL"),
            None => write!(f, "; without PostgreSQL"),
        }
    }
}

/// Reads the outputs as a consumer of committed records does.
pub(super) fn compare(
    address: &str,
    admin: &Admin,
    postgres: Option<&str>,
    expected: &Expected,
) -> Result<Outcome> {
    let context = RddContext::new(RddOptions { threads: 2, ..RddOptions::default() })?;
    let params = Params::new(address).set("isolation.level", "read_committed");
    let records = create_rdd(&context, &params, &admin.ranges("out")?)?;
    let records = records.map(|record| {
        let text = |part: Option<&[u8]>| String::from_utf8_lossy(part.unwrap_or_default()).into_owned();
        (text(record.key()), text(record.value()))
    });
    let mut arrived: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
    for (key, number) in records.collect()? {
        arrived.entry(key.parse()?).or_default().push(number.parse()?);
    }
    let mut outcome = Outcome::default();
    for (key, count) in &expected.counts {
        let numbers = arrived.remove(key).unwrap_or_default();
        outcome.late += numbers.windows(2).filter(|pair| pair[0] > pair[1]).count() as u64;
        let mut times = vec![0u64; usize::try_from(*count)?];
        for number in numbers {
            match times.get_mut(usize::try_from(number)?) {
                Some(times) => *times += 1,
                None => outcome.doubled += 1,
            }
        }
        outcome.lost += times.iter().filter(|times| **times == 0).count() as u64;
        outcome.doubled += times.iter().map(|times| times.saturating_sub(1)).sum::<u64>();
    }
    // Records of keys that were never sent.
    outcome.doubled += arrived.values().map(|numbers| numbers.len() as u64).sum::<u64>();
    outcome.wrong_totals = postgres.map(|url| wrong_totals(url, expected)).transpose()?;
    Ok(outcome)
}

fn wrong_totals(url: &str, expected: &Expected) -> Result<u64> {
    let mut client = Client::connect(url, NoTls)?;
    let mut totals = BTreeMap::new();
    for row in client.query("SELECT key, n, sum FROM totals", &[])? {
        let (key, n, sum): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
        totals.insert(key, (n, sum));
    }
    let wanted = expected.counts.iter().map(|(key, count)| {
        let count = i64::try_from(*count).unwrap_or(i64::MAX);
        (i64::from(*key), (count, count * (count - 1) / 2))
    });
    let wanted: BTreeMap<_, _> = wanted.collect();
    let wrong = wanted.iter().filter(|(key, total)| totals.get(*key) != Some(*total)).count();
    let unknown = totals.keys().filter(|key| !wanted.contains_key(*key)).count();
    Ok((wrong + unknown) as u64)
}
