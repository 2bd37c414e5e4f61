// SPDX-License-Identifier: Apache-2.0
//! The Yahoo streaming benchmark: views of advertisements per campaign and ten seconds of their own time, from events
//! that are parsed already or are lines of JSON.

use std::{
    collections::HashMap,
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    sync::Arc,
};

use dstreams::Text;
use dstreams_bench_kit::{
    Arguments, Outcome, Report, Result, measure, mix,
    text::{self, Random},
};
use serde::Deserialize;

use super::Workload;
use crate::engine::{Engine, number};

pub(super) const PARSED: Workload = Workload {
    name: "yahoo",
    input: |arguments| file(arguments).map(drop),
    by_hand: Some(parsed_by_hand),
    tuned: None,
    dstreams: parsed,
};

pub(super) const JSON: Workload = Workload {
    name: "yahoo-json",
    input: |arguments| file(arguments).map(drop),
    by_hand: Some(json_by_hand),
    tuned: None,
    dstreams: json,
};

/// Events of a batch.
const EVENTS: usize = 50_000;

/// How many batches have events of their own.
const DISTINCT: usize = 5;

const CAMPAIGNS: u64 = 100;
const ADS_PER_CAMPAIGN: u64 = 10;

/// Milliseconds of a window, in the time of the events.
const WINDOW: u64 = 10_000;

/// Milliseconds of the time of the events from one batch to the next.
const BATCH: u64 = 15_000;

/// The identity of an advertisement.
fn ad(number: u64) -> String {
    format!("{:016x}{:016x}", mix(number), mix(number + 1_000_000))
}

/// The campaign of each advertisement.
fn campaigns() -> HashMap<String, u64> {
    (0..CAMPAIGNS * ADS_PER_CAMPAIGN).map(|number| (ad(number), number / ADS_PER_CAMPAIGN)).collect()
}

/// The file with the events, made if it is not there.
fn file(arguments: &Arguments) -> Result<PathBuf> {
    let events = arguments.scaled(EVENTS) as u64;
    let path = arguments.data.join(format!("yahoo-{}.json", events * DISTINCT as u64));
    if !path.exists() {
        fs::create_dir_all(&arguments.data)?;
        text::whole(&path, |out| {
            let mut random = Random::default();
            for number in 0..events * DISTINCT as u64 {
                let (user, page) = (random.next_u64(), random.next_u64());
                let ad = ad(random.below(CAMPAIGNS * ADS_PER_CAMPAIGN));
                let kind = ["banner", "modal", "sponsored-search", "mail", "mobile"][(user % 5) as usize];
                let event = ["view", "click", "purchase"][(page % 3) as usize];
                let time = number / events * BATCH + number % events * BATCH / events;
                let ip = user >> 32;
                writeln!(
                    out,
                    r#"{{"user_id":"{user:032x}","page_id":"{page:032x}","ad_id":"{ad}","ad_type":"{kind}","event_type":"{event}","event_time":{time},"ip_address":"10.{}.{}.{}"}}"#,
                    ip & 255,
                    ip >> 8 & 255,
                    ip >> 16 & 255
                )?;
            }
            Ok(())
        })?;
    }
    Ok(path)
}

/// What of an event matters; the rest is passed over.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "ad_id")]
    ad: &'a str,
    #[serde(rename = "event_type")]
    kind: &'a str,
    #[serde(rename = "event_time")]
    time: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    View,
    Other,
}

/// An event that has been parsed.
#[derive(Clone)]
struct Parsed<S> {
    ad: S,
    kind: Kind,
    time: u64,
}

fn lines(arguments: &Arguments) -> Result<Vec<Vec<String>>> {
    let lines = BufReader::new(fs::File::open(file(arguments)?)?).lines();
    let lines = lines.collect::<std::io::Result<Vec<_>>>()?;
    Ok(lines.chunks(arguments.scaled(EVENTS)).map(<[String]>::to_vec).collect())
}

fn events<S: for<'a> From<&'a str>>(arguments: &Arguments) -> Result<Vec<Vec<Parsed<S>>>> {
    let parse = |line: &String| {
        let event: Event<'_> = serde_json::from_str(line)?;
        let kind = if event.kind == "view" { Kind::View } else { Kind::Other };
        Ok(Parsed { ad: S::from(event.ad), kind, time: event.time })
    };
    lines(arguments)?.iter().map(|batch| batch.iter().map(parse).collect()).collect()
}

fn records(arguments: &Arguments) -> u64 {
    (arguments.scaled(EVENTS) * arguments.batches) as u64
}

fn parsed_by_hand(arguments: &Arguments) -> Result<Report> {
    let batches = events::<String>(arguments)?;
    let campaigns = campaigns();
    let outcome = Outcome::new(arguments);
    measure(arguments, records(arguments), &outcome, |range| {
        for number in range {
            let mut views: HashMap<(u64, u64), u64> = HashMap::new();
            for event in &batches[number % DISTINCT] {
                if event.kind == Kind::View
                    && let Some(campaign) = campaigns.get(&event.ad)
                {
                    *views.entry((*campaign, event.time / WINDOW)).or_insert(0) += 1;
                }
            }
            outcome.take(number, views.into_iter());
        }
        Ok(())
    })
}

fn json_by_hand(arguments: &Arguments) -> Result<Report> {
    let batches = lines(arguments)?;
    let campaigns = campaigns();
    let outcome = Outcome::new(arguments);
    measure(arguments, records(arguments), &outcome, |range| {
        for number in range {
            let mut views: HashMap<(u64, u64), u64> = HashMap::new();
            for line in &batches[number % DISTINCT] {
                let event: Event<'_> = serde_json::from_str(line)?;
                if event.kind == "view"
                    && let Some(campaign) = campaigns.get(event.ad)
                {
                    *views.entry((*campaign, event.time / WINDOW)).or_insert(0) += 1;
                }
            }
            outcome.take(number, views.into_iter());
        }
        Ok(())
    })
}

fn parsed(arguments: &Arguments) -> Result<Report> {
    let engine = Engine::start(arguments)?;
    let outcome = Outcome::new(arguments);
    let counted = outcome.clone();
    let batches = events::<Text>(arguments)?;
    let events = engine.stream(batches.into_iter().map(|batch| engine.dataset(batch)).collect());
    let campaigns = Arc::new(campaigns());
    let views = events
        .filter(|event| event.kind == Kind::View)
        .flat_map(move |event| {
            let campaign = *campaigns.get(event.ad.as_str())?;
            Some(((campaign, event.time / WINDOW), 1u64))
        })
        .reduce_by_key(|a, b| a + b);
    views.for_each_rdd(move |rdd, time| {
        counted.take(number(time), rdd.collect()?.into_iter());
        Ok(())
    });
    measure(arguments, records(arguments), &outcome, |range| engine.run(range))
}

fn json(arguments: &Arguments) -> Result<Report> {
    let engine = Engine::start(arguments)?;
    let outcome = Outcome::new(arguments);
    let counted = outcome.clone();
    let lines = engine.context().rdd_context().text_file(file(arguments)?)?.collect()?;
    let batches = lines.chunks(arguments.scaled(EVENTS));
    let lines = engine.stream(batches.map(|batch| engine.dataset(batch.to_vec())).collect());
    let campaigns = Arc::new(campaigns());
    let views = lines
        .try_flat_map(move |line| {
            let event: Event<'_> = serde_json::from_str(&line)?;
            let campaign = campaigns.get(event.ad).filter(|_| event.kind == "view");
            Ok::<_, serde_json::Error>(campaign.map(|campaign| ((*campaign, event.time / WINDOW), 1u64)))
        })
        .reduce_by_key(|a, b| a + b);
    views.for_each_rdd(move |rdd, time| {
        counted.take(number(time), rdd.collect()?.into_iter());
        Ok(())
    });
    measure(arguments, records(arguments), &outcome, |range| engine.run(range))
}
