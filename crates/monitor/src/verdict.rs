// SPDX-License-Identifier: Apache-2.0
//! Whether an application keeps up, said in words: a pure function of what its last batches took.

use std::fmt::Write as _;

use dstreams_streaming::{Duration, Time};
use jiff::tz::TimeZone;

use crate::{
    format::{clock_time, length},
    store::{BatchRecord, Phase, Spread, Store},
};

/// How an application does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing can be said yet, or it has ended.
    Idle,
    /// It keeps up.
    Good,
    /// It keeps up, but something should be looked at.
    Warning,
    /// It falls behind, or batches fail.
    Bad,
}

/// A judgement and its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// How it does.
    pub level: Level,
    /// One sentence.
    pub headline: String,
    /// What else is to be said, a sentence each.
    pub notes: Vec<String>,
}

/// What a verdict is made from.
#[derive(Debug, Clone, Default)]
pub struct Situation {
    /// The length of a batch.
    pub interval: Duration,
    /// The last completed batches, the oldest first.
    pub recent: Vec<RecentBatch>,
    /// Batches that wait or run.
    pub active: usize,
    /// Whether the context has stopped.
    pub stopped: bool,
    /// Receivers that do not run, by name.
    pub receivers_down: Vec<String>,
    /// Receivers that wait for room, by name.
    pub receivers_paused: Vec<String>,
}

/// What a verdict needs to know of a batch.
#[derive(Debug, Clone, Default)]
pub struct RecentBatch {
    /// The batch time.
    pub time: Time,
    /// From submission to the first job.
    pub scheduling_delay: Duration,
    /// From the first job to the end of the last.
    pub processing: Duration,
    /// The output that failed, and why.
    pub failure: Option<(String, String)>,
    /// What took the most time.
    pub slowest: Option<Slowest>,
}

/// The part of a batch that took the most time.
#[derive(Debug, Clone, PartialEq)]
pub struct Slowest {
    /// The output.
    pub output: String,
    /// Which of its stages, from 1, and of how many; none when the time went elsewhere in the output.
    pub stage: Option<(usize, usize)>,
    /// What the stage ends with.
    pub operator: String,
    /// How long it took.
    pub took: Duration,
    /// How long its tasks ran, in microseconds.
    pub tasks: Option<Spread>,
    /// How many tasks it had.
    pub task_count: usize,
}

/// From which share of the time on the engine has little to spare.
const NEARLY_FULL: f64 = 0.8;
/// Above which skew one task is named as the reason.
const SKEWED: f64 = 4.0;

/// Judges.
///
/// ```
/// use dstreams_monitor::verdict::{RecentBatch, Situation, verdict};
/// use dstreams_streaming::{Time, time::{milliseconds, seconds}};
/// let batch = |s: i64| RecentBatch { time: Time::from_millis(s * 1000), processing: milliseconds(340), ..Default::default() };
/// let situation = Situation { interval: seconds(1), recent: vec![batch(1), batch(2)], ..Default::default() };
/// assert_eq!(verdict(&situation, &jiff::tz::TimeZone::UTC).headline, "Keeps up: 34 % busy.");
/// ```
pub fn verdict(situation: &Situation, zone: &TimeZone) -> Verdict {
    let (mut level, headline) = headline(situation, zone);
    let mut notes = Vec::new();
    for name in &situation.receivers_down {
        notes.push(format!("{name} is down; it is started again."));
    }
    for name in &situation.receivers_paused {
        notes.push(format!("{name} waits: there is no room for what it receives (dstreams.memory.budget)."));
    }
    let failed = situation.recent.iter().filter(|batch| batch.failure.is_some()).count();
    if failed > 0 && level != Level::Bad {
        notes.push(format!("{failed} of the last {} batches failed.", situation.recent.len()));
    }
    if level == Level::Good && !notes.is_empty() {
        level = Level::Warning;
    }
    Verdict { level, headline, notes }
}

fn headline(situation: &Situation, zone: &TimeZone) -> (Level, String) {
    let Some(last) = situation.recent.last() else {
        return match (situation.stopped, situation.active) {
            (true, _) => (Level::Idle, "Stopped before any batch was complete.".to_owned()),
            (false, 0) => (Level::Idle, "Waiting for the first batch.".to_owned()),
            (false, _) => (Level::Idle, "The first batch is being processed.".to_owned()),
        };
    };
    if situation.stopped {
        return (
            Level::Idle,
            format!("Stopped; the last batch was that of {}.", clock_time(last.time, zone)),
        );
    }
    if let Some((output, reason)) = &last.failure {
        let reason = reason.lines().next().unwrap_or_default();
        return (
            Level::Bad,
            format!("The batch of {} failed in {output}: {reason}", clock_time(last.time, zone)),
        );
    }
    let busy = busy(situation);
    let percent = (busy * 100.0).round();
    let late = |batch: &RecentBatch| {
        batch.scheduling_delay + batch.processing > situation.interval
            && (batch.processing > situation.interval || batch.scheduling_delay > situation.interval)
    };
    let run = situation.recent.iter().rev().take_while(|batch| late(batch)).count();
    if run == 0 && situation.active <= 2 {
        return if busy < NEARLY_FULL {
            (Level::Good, format!("Keeps up: {percent:.0} % busy."))
        } else {
            (Level::Warning, format!("Just keeps up: {percent:.0} % busy; {}", why(situation)))
        };
    }
    let first = &situation.recent[situation.recent.len() - run.max(1)];
    let since = clock_time(first.time, zone);
    let behind = last.scheduling_delay;
    let worst = situation.recent[situation.recent.len() - run.max(1)..]
        .iter()
        .map(|batch| batch.scheduling_delay)
        .max()
        .unwrap_or(behind);
    let recent_busy = last.processing / situation.interval;
    if run > 1 && recent_busy < 1.0 && behind < worst {
        // Each batch gains what it leaves of its interval.
        let gain = 1.0 - recent_busy;
        let left = behind.as_secs_f64() / gain.max(0.01);
        #[expect(clippy::cast_possible_truncation, reason = "an estimate for people")]
        let left = length(Duration::from_millis((left * 1000.0) as i64));
        return (
            Level::Warning,
            format!(
                "Catching up: {} behind, {} at the worst; at this pace on time again in {left}.",
                length(behind),
                length(worst)
            ),
        );
    }
    if run == 1 && last.scheduling_delay <= situation.interval && busy < 1.0 {
        return (
            Level::Warning,
            format!(
                "One batch took longer than the interval ({} of {}); {percent:.0} % busy over the last {}.",
                length(last.processing),
                length(situation.interval),
                situation.recent.len()
            ),
        );
    }
    (Level::Bad, format!("Falling behind since {since}: {}", why(situation)))
}

/// The share of the time in which batches were processed.
pub fn busy(situation: &Situation) -> f64 {
    let (Some(first), Some(last)) = (situation.recent.first(), situation.recent.last()) else { return 0.0 };
    let span = last.time - first.time + situation.interval;
    let worked: Duration = situation.recent.iter().map(|batch| batch.processing).sum();
    if span.is_positive() { worked / span } else { 0.0 }
}

/// What takes the time, and what can be done.
fn why(situation: &Situation) -> String {
    let interval = length(situation.interval);
    let last = &situation.recent[situation.recent.len().saturating_sub(5)..];
    // The newest of those that took as long.
    let longest = last.iter().filter_map(|batch| Some((batch, batch.slowest.as_ref()?)));
    let Some((batch, slowest)) = longest.max_by_key(|(batch, _)| batch.processing) else {
        let processing = last.iter().map(|batch| batch.processing).max().unwrap_or_default();
        return format!("a batch takes {} of an interval of {interval}.", length(processing));
    };
    let what = match slowest.stage {
        Some((number, _)) => format!("stage {number} ({}) of output {}", slowest.operator, slowest.output),
        None => format!("output {}", slowest.output),
    };
    let took = length(slowest.took);
    let mut text = format!("{what} takes {took} of an interval of {interval}");
    match slowest.tasks {
        Some(tasks) if slowest.task_count > 1 && tasks.skew() > SKEWED && tasks.max > 50_000 => {
            let _ = write!(
                text,
                ": one task runs {} where the one in the middle of {} runs {}; its keys or blocks are uneven",
                crate::format::micros(tasks.max),
                slowest.task_count,
                crate::format::micros(tasks.median)
            );
        }
        Some(_) if slowest.task_count == 1 => {
            text += ": it has one task; more partitions would let more threads work";
        }
        _ if slowest.took * 2 < batch.processing => {
            let _ = write!(text, ", the whole batch {}", length(batch.processing));
        }
        _ => {}
    }
    text + "."
}

/// How many of the last batches a verdict is made from.
const LOOK_BACK: usize = 20;

impl Situation {
    /// The situation of a store.
    pub fn of(store: &Store) -> Self {
        let mut recent: Vec<RecentBatch> =
            store.batches_in(Phase::Completed).rev().take(LOOK_BACK).map(recent).collect();
        recent.reverse();
        let receivers = store.receivers().values();
        let down = receivers.clone().filter(|receiver| !receiver.active);
        let paused = receivers.filter(|receiver| store.is_paused(receiver.stream_id));
        Self {
            interval: store.interval(),
            recent,
            active: store.count(Phase::Waiting) + store.count(Phase::Running),
            stopped: store.stopped().is_some(),
            receivers_down: down.map(|receiver| receiver.name.clone()).collect(),
            receivers_paused: paused.map(|receiver| receiver.name.clone()).collect(),
        }
    }
}

fn recent(batch: &BatchRecord) -> RecentBatch {
    let outputs = &batch.info.output_operations;
    let failure =
        outputs.values().find_map(|output| Some((output.name.clone(), output.failure_reason.clone()?)));
    RecentBatch {
        time: batch.time(),
        scheduling_delay: batch.info.scheduling_delay().unwrap_or_default(),
        processing: batch.info.processing_delay().unwrap_or_default(),
        failure,
        slowest: slowest(batch),
    }
}

/// The longest stage of the longest output, or that output when its stages are not where the time went.
fn slowest(batch: &BatchRecord) -> Option<Slowest> {
    let output = batch.info.output_operations.values().max_by_key(|output| output.duration())?;
    let took = output.duration()?;
    let stages: Vec<_> = batch.stages().filter(|(of, _)| *of == output.id).map(|(_, stage)| stage).collect();
    let longest = stages.iter().enumerate().max_by_key(|(_, stage)| stage.duration());
    match longest.and_then(|(number, stage)| Some((number, stage, stage.duration()?))) {
        Some((number, stage, length)) if length * 3 >= took => Some(Slowest {
            output: output.name.clone(),
            stage: Some((number + 1, stages.len())),
            operator: stage.name.clone(),
            took: length,
            tasks: stage.times(),
            task_count: stage.tasks,
        }),
        _ => Some(Slowest {
            output: output.name.clone(),
            stage: None,
            operator: String::new(),
            took,
            tasks: None,
            task_count: 0,
        }),
    }
}
