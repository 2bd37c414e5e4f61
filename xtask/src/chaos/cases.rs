// SPDX-License-Identifier: Apache-2.0
//! Cases with a name: what goes wrong around the program, and what the program does itself.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, time::Duration};

use super::{
    Arena, STANDSTILL, await_all, clear,
    compare::Verdict,
    feed::Feed,
    finish,
    program::{Life, Program, Said},
    results::Sqlite,
    wait,
};
use crate::Result;

const INTERVAL: Duration = Duration::from_millis(100);

/// How long a sink is down.
const OUTAGE: Duration = Duration::from_secs(10);

/// What a case does with a program; the outputs are compared afterwards.
type Case = fn(&mut Arena, &mut Program, &mut Feed) -> Result<Life>;

const CASES: &[(&str, Case)] = &[
    ("disk-full", disk_full),
    ("read-only-directory", read_only_directory),
    ("second-process", second_process),
    ("panics", panics),
    ("clock-set-back-at-restart", clock_set_back_at_restart),
    ("clock-jumps", clock_jumps),
    ("sqlite-locked", sqlite_locked),
    ("postgres-down", postgres_down),
];

/// Runs the cases whose name begins with `prefix`.
pub(super) fn run(arena: &mut Arena, prefix: &str, keep: bool) -> Result<()> {
    let mut failed = 0;
    for (name, case) in CASES.iter().filter(|(name, _)| name.starts_with(prefix)) {
        let began = wait::now();
        let (mut program, mut feed) = arena.program(&format!("case-{name}"), INTERVAL)?;
        let outcome = case(arena, &mut program, &mut feed).and_then(|life| end(&program, &feed, life));
        let is_good = outcome.as_ref().is_ok_and(Verdict::is_good);
        clear(&program, is_good, keep)?;
        failed += usize::from(!is_good);
        let text = outcome.map_or_else(|error| error.to_string(), |verdict| verdict.to_string());
        println!("{name}: {text}, {:.1?}", began.elapsed());
    }
    if failed == 0 { Ok(()) } else { Err(format!("{failed} cases failed").into()) }
}

/// A program with a clock of its own is not asked to stop: it has no ears for signals.
fn end(program: &Program, feed: &Feed, mut life: Life) -> Result<Verdict> {
    if !program.settings.iter().any(|(key, _)| *key == "app.clock") {
        return finish(program, feed, life);
    }
    if !await_all(program, feed, &mut life)? {
        return Err(format!("the program has ended by itself; its last words:\n{}", life.last_words()).into());
    }
    // The other outputs of the last events, and windows after them.
    hear_batches(&life, 5)?;
    drop(life);
    // By the clock of the machine, which is behind by now or ahead.
    let mut last = program.clone();
    last.settings.retain(|(key, _)| *key != "app.clock");
    finish(&last, feed, last.start("last", &[])?)
}

/// Waits until the outputs of so many batches are done.
fn hear_batches(life: &Life, batches: usize) -> Result<i64> {
    let end = wait::now() + STANDSTILL;
    let (mut heard, mut last) = (0, 0);
    while heard < batches {
        match life.hear(end)? {
            Some((_, Said::Batch(time))) => (heard, last) = (heard + 1, time),
            Some((_, Said::Started)) => {}
            None => return Err(format!("only {heard} batches; the log is {}", life.log.display()).into()),
        }
    }
    Ok(last)
}

/// Offers events for a while.
fn offer(feed: &mut Feed, portions: u32) -> Result<()> {
    for _ in 0..portions {
        feed.offer(10)?;
        wait::pause(INTERVAL / 2);
    }
    Ok(())
}

fn has_said(life: &Life, words: &[&str]) -> Result<()> {
    let text = fs::read_to_string(&life.log)?;
    match words.iter().find(|word| !text.contains(**word)) {
        None => Ok(()),
        Some(word) => Err(format!("its log does not say {word:?}: {}", life.log.display()).into()),
    }
}

/// Every place in turn finds the disk full, in the middle of the work and three times in a row.
fn disk_full(_: &mut Arena, program: &mut Program, feed: &mut Feed) -> Result<Life> {
    let points = [
        "batches.write",
        "changes.write",
        "received.write",
        "snapshot.write",
        "checkpoint.write",
        "files.write",
    ];
    for point in points {
        let faults: Vec<String> = (3..6).map(|pass| format!("{point}@{pass}=full")).collect();
        let mut life = program.start(point, &[("DSTREAMS_FAULTS", &faults.join(";"))])?;
        offer(feed, 10)?;
        if await_all(program, feed, &mut life)? {
            life.ask_to_stop()?;
        }
        life.await_end(STANDSTILL)?;
    }
    program.start("last", &[])
}

/// A checkpoint directory that cannot be written is an error of the start that names it. Root may write everywhere, so a
/// file is in its place then.
fn read_only_directory(_: &mut Arena, program: &mut Program, feed: &mut Feed) -> Result<Life> {
    let above = program.home.join("read-only");
    fs::create_dir_all(&above)?;
    fs::set_permissions(&above, fs::Permissions::from_mode(0o555))?;
    if fs::write(above.join("probe"), "").is_ok() {
        fs::remove_dir_all(&above)?;
        fs::write(&above, "")?;
    }
    let dir = above.join("checkpoints");
    let mut refused = program.clone();
    refused.settings.push(("spark.streaming.checkpoint.directory", dir.to_string_lossy().into_owned()));
    let mut life = refused.start("refused", &[])?;
    if life.await_end(STANDSTILL)?.success() {
        return Err("it runs without a checkpoint directory".into());
    }
    has_said(&life, &[&dir.to_string_lossy()])?;
    let life = program.start("last", &[])?;
    offer(feed, 5)?;
    Ok(life)
}

/// As long as the first process runs, another one on its directory is refused, and the first does not notice.
fn second_process(_: &mut Arena, program: &mut Program, feed: &mut Feed) -> Result<Life> {
    let life = program.start("first", &[])?;
    hear_batches(&life, 1)?;
    let mut other = program.start("refused", &[])?;
    offer(feed, 5)?;
    if other.await_end(STANDSTILL)?.success() {
        return Err("a second process works with the directory".into());
    }
    has_said(&other, &["is in use by process"])?;
    hear_batches(&life, 5)?;
    Ok(life)
}

/// A task panics every third time: each life ends with an error, and the next goes on.
fn panics(_: &mut Arena, program: &mut Program, feed: &mut Feed) -> Result<Life> {
    let sound = program.settings.clone();
    program.settings.push(("app.panicEvery", "3".to_owned()));
    for number in 0..6 {
        let mut life = program.start(&format!("panic-{number}"), &[])?;
        offer(feed, 2)?;
        if life.await_end(STANDSTILL)?.success() {
            return Err("a life with a failed batch ended well".into());
        }
        has_said(&life, &["it is the turn of this task to panic"])?;
    }
    program.settings = sound;
    program.start("last", &[])
}

/// Between two lives the clock of the machine is set back by an hour: batches go on at once.
fn clock_set_back_at_restart(_: &mut Arena, program: &mut Program, feed: &mut Feed) -> Result<Life> {
    let (mut life, clock) = start_with_clock(program, feed)?;
    offer(feed, 10)?;
    // A file that nobody has read by then bears a time of the future, and is read when that has come.
    await_all(program, feed, &mut life)?;
    let last = hear_batches(&life, 5)?;
    life.kill()?;
    feed.set_clock(&clock, -3_600_000)?;
    let life = program.start("second", &[])?;
    offer(feed, 10)?;
    let next = hear_batches(&life, 10)?;
    if !(last..last + 60_000).contains(&next) {
        return Err(format!("after batch {last} and a clock that was set back came batch {next}").into());
    }
    Ok(life)
}

/// The clock of the machine jumps back and forth while the program runs, and across kills.
fn clock_jumps(_: &mut Arena, program: &mut Program, feed: &mut Feed) -> Result<Life> {
    let (mut life, clock) = start_with_clock(program, feed)?;
    for (number, offset) in [5_000, -5_000, 3_000, -60_000, 0].into_iter().enumerate() {
        offer(feed, 4)?;
        await_all(program, feed, &mut life)?;
        feed.set_clock(&clock, offset)?;
        offer(feed, 4)?;
        hear_batches(&life, 5)?;
        if number % 2 == 1 {
            life.kill()?;
            life = program.start(&format!("after-{number}"), &[])?;
        }
    }
    Ok(life)
}

/// Starts the program with a clock that can be set.
fn start_with_clock(program: &mut Program, feed: &mut Feed) -> Result<(Life, PathBuf)> {
    let file = program.home.join("clock");
    feed.set_clock(&file, 0)?;
    program.settings.push(("app.clock", file.to_string_lossy().into_owned()));
    let life = program.start("first", &[])?;
    hear_batches(&life, 1)?;
    Ok((life, file))
}

/// Another process locks the SQLite database for ten seconds.
fn sqlite_locked(_: &mut Arena, program: &mut Program, feed: &mut Feed) -> Result<Life> {
    let life = program.start("first", &[])?;
    hear_batches(&life, 1)?;
    offer(feed, 5)?;
    let sqlite = Sqlite::open(&program.output())?.ok_or("there is no SQLite database")?;
    sqlite.connection().execute_batch("BEGIN EXCLUSIVE")?;
    let end = wait::now() + OUTAGE;
    while wait::now() < end {
        offer(feed, 2)?;
    }
    sqlite.connection().execute_batch("ROLLBACK")?;
    hear_batches(&life, 10)?;
    has_said(&life, &["the sink is unavailable", "the sink is available again"])?;
    Ok(life)
}

/// PostgreSQL is stopped for ten seconds; once more it crashes.
fn postgres_down(arena: &mut Arena, program: &mut Program, feed: &mut Feed) -> Result<Life> {
    let life = program.start("first", &[])?;
    hear_batches(&life, 1)?;
    let Some(server) = &mut arena.postgres else { return Ok(life) };
    offer(feed, 5)?;
    server.stop()?;
    let end = wait::now() + OUTAGE;
    while wait::now() < end {
        offer(feed, 2)?;
    }
    server.resume()?;
    hear_batches(&life, 10)?;
    has_said(&life, &["the sink is unavailable", "the sink is available again"])?;
    server.kill();
    offer(feed, 5)?;
    server.resume()?;
    hear_batches(&life, 10)?;
    Ok(life)
}
