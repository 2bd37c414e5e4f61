// SPDX-License-Identifier: Apache-2.0
//! Kills at random moments: while the program starts and recovers, while it works, while it writes a snapshot.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    Arena, Options, clear,
    compare::Verdict,
    dice::Dice,
    feed::Feed,
    finish,
    program::{Life, Program, Said},
    wait,
};
use crate::Result;

/// Events that each source has more every [`PAUSE`].
const PORTION: u64 = 10;
const PAUSE: Duration = Duration::from_millis(50);

/// The longest life before a kill that waits for a snapshot.
const LONGEST: Duration = Duration::from_secs(5);

pub(super) fn run(arena: &Arena, options: &Options) -> Result<()> {
    let kills = options.kills.unwrap_or(10);
    let seed = options.seed;
    let place = if arena.s3.is_some() { ", checkpoints on S3" } else { "" };
    println!("chaos: {kills} kills, seed {seed}{place}");
    let interval = Duration::from_millis(options.interval.unwrap_or(100));
    let (mut program, feed) = arena.program(&format!("kills-{seed}"), interval)?;
    let set = [
        // What is not needed any more goes soon, so that something would be missed.
        ("spark.streaming.driver.writeAheadLog.rollingIntervalSecs", "1s"),
        ("spark.streaming.receiver.writeAheadLog.rollingIntervalSecs", "1s"),
        ("spark.streaming.fileStream.minRememberDuration", "5s"),
    ];
    program.settings.extend(set.map(|(key, value)| (key, value.to_owned())));
    let outcome = kill_and_compare(&program, feed, kills, &mut Dice::new(seed));
    let is_good = outcome.as_ref().is_ok_and(|(verdict, _)| verdict.is_good());
    clear(&program, is_good, options.keep)?;
    let (verdict, recoveries) = outcome.map_err(|error| format!("seed {seed}: {error}"))?;
    println!("{kills} kills, {} lives: {verdict}", kills + 1);
    println!("from SIGKILL to the first new batch: {}", summary(recoveries));
    if is_good { Ok(()) } else { Err(format!("the outputs are wrong; seed {seed}").into()) }
}

fn kill_and_compare(
    program: &Program,
    feed: Feed,
    kills: u32,
    dice: &mut Dice,
) -> Result<(Verdict, Vec<Duration>)> {
    let feed = Mutex::new(feed);
    let done = AtomicBool::new(false);
    let recoveries = thread::scope(|threads| {
        let feeder = threads.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let offered = feed.lock().unwrap_or_else(PoisonError::into_inner).offer(PORTION);
                offered.map_err(|error| error.to_string())?;
                wait::pause(PAUSE);
            }
            Ok::<(), String>(())
        });
        let recoveries = kill_often(program, kills, dice);
        done.store(true, Ordering::Relaxed);
        feeder.join().map_err(|_| "the feeder panicked")??;
        recoveries
    });
    let (mut recoveries, last_kill) = recoveries?;
    let feed = feed.into_inner().unwrap_or_else(PoisonError::into_inner);
    let life = program.start(&format!("{:04}", kills + 1), &[])?;
    recoveries.extend(first_new_batch(&life, last_kill.as_ref(), wait::now() + LONGEST)?);
    Ok((finish(program, &feed, life)?, recoveries))
}

/// When a life was ended, by both clocks.
struct Kill {
    at: Instant,
    wall: i64,
}

fn kill_often(program: &Program, kills: u32, dice: &mut Dice) -> Result<(Vec<Duration>, Option<Kill>)> {
    let mut recoveries = Vec::new();
    let mut last: Option<Kill> = None;
    for number in 1..=kills {
        let mut life = program.start(&format!("{number:04}"), &[])?;
        recoveries.extend(live(program, &life, last.as_ref(), dice)?);
        last = Some(Kill { at: wait::now(), wall: wait::wall_millis() });
        life.kill()?;
        if number % 20 == 0 {
            println!("{number} kills");
        }
    }
    Ok((recoveries, last))
}

/// Waits for the moment of the kill; returns how long after the last one the first new batch was there, if it was.
fn live(program: &Program, life: &Life, last: Option<&Kill>, dice: &mut Dice) -> Result<Option<Duration>> {
    let born = wait::now();
    match dice.below(10) {
        // Most of these end before the first batch.
        0..3 => first_new_batch(life, last, born + dice.millis(0, 400)),
        3..8 => {
            let end = born + dice.millis(400, 2500);
            let recovery = first_new_batch(life, last, end)?;
            while life.hear(end)?.is_some() {}
            Ok(recovery)
        }
        _ => {
            let (known, soon) = (snapshots(program.checkpoints.as_ref()), dice.millis(0, 15));
            let recovery = first_new_batch(life, last, born + LONGEST)?;
            while snapshots(program.checkpoints.as_ref()).is_subset(&known) && born.elapsed() < LONGEST {
                wait::pause(Duration::from_millis(1));
            }
            wait::pause(soon);
            Ok(recovery)
        }
    }
}

/// Waits for the outputs of a batch that is later than the last kill.
fn first_new_batch(life: &Life, last: Option<&Kill>, end: Instant) -> Result<Option<Duration>> {
    while let Some((heard, said)) = life.hear(end)? {
        match (said, last) {
            (Said::Batch(_), None) => return Ok(None),
            (Said::Batch(time), Some(last)) if time > last.wall => return Ok(Some(heard - last.at)),
            _ => {}
        }
    }
    Ok(None)
}

/// What there is of snapshots and checkpoint files, finished or not.
fn snapshots(checkpoints: &Path) -> BTreeSet<PathBuf> {
    let list = |dir: &Path| -> Vec<PathBuf> {
        fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    };
    let states = list(&checkpoints.join("state")).into_iter().flat_map(|operator| list(&operator));
    list(checkpoints).into_iter().chain(states).collect()
}

fn summary(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let middle = times.get(times.len() / 2).copied();
    match (middle, times.last()) {
        (Some(median), Some(longest)) => {
            format!("median {median:.0?}, longest {longest:.0?}, of {} lives that came so far", times.len())
        }
        _ => "no life came so far".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_has_median_and_maximum() {
        let times = [3, 1, 2].map(Duration::from_millis);
        assert_eq!(summary(times.to_vec()), "median 2ms, longest 3ms, of 3 lives that came so far");
        assert_eq!(summary(Vec::new()), "no life came so far");
    }
}
