// SPDX-License-Identifier: Apache-2.0
//! Every fault point in turn: the program crashes there, or the step fails, and the next start has to make it good.

use std::{
    collections::BTreeMap,
    fs,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use super::{
    Arena, STANDSTILL, await_all, clear,
    feed::Feed,
    finish,
    program::{Life, Program, Said},
    wait,
};
use crate::Result;

/// Long enough for a machine that is busy with other runs.
const INTERVAL: Duration = Duration::from_millis(150);

/// What each source offers to a life, once it has started: so many times so many events.
const PORTIONS: u64 = 4;
const PORTION: u64 = 10;

/// What the logs of the first two lives are called.
const LIVES: [&str; 2] = ["first", "second"];

/// How many runs there are at a time.
const AT_ONCE: usize = 3;

/// What happens at which pass of which point, in a life of the program.
struct Plan {
    point: String,
    pass: u64,
    fault: &'static str,
}

impl std::fmt::Display for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}={}", self.point, self.pass, self.fault)
    }
}

/// Lives on one directory, each with its fault, one after the other. The first of all ends like the others.
type Run = Vec<Plan>;

/// How many lives with a fault follow each other before the outputs are compared.
const LIVES_PER_RUN: usize = 6;

/// How often each life of a run without faults passes each point.
type Passes = BTreeMap<String, [u64; 2]>;

/// Learns which points are passed, and has each of them crash and fail.
pub(super) fn run(arena: &Arena, prefix: &str, keep: bool) -> Result<()> {
    let began = wait::now();
    let mut passes = learn(arena)?;
    // Those of files are the same without an object store.
    let is_of_objects = |point: &str| [".put", ".part", ".finish"].iter().any(|step| point.ends_with(step));
    passes.retain(|point, _| point.starts_with(prefix) && (arena.s3.is_none() || is_of_objects(point)));
    let runs = plan(&passes);
    let lives: usize = runs.iter().map(Vec::len).sum();
    println!("fault points: {} points, {lives} faults in {} runs", passes.len(), runs.len());
    let next = AtomicUsize::new(0);
    let (failed, missed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|threads| {
        for _ in 0..AT_ONCE {
            threads.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(run) = runs.get(number) else { return };
                    match one(arena, number, run, keep) {
                        Ok(new) => missed.lock().unwrap_or_else(PoisonError::into_inner).extend(new),
                        Err(error) => {
                            failed.fetch_add(1, Ordering::Relaxed);
                            let faults: Vec<_> = run.iter().map(ToString::to_string).collect();
                            println!("after {}: {error}", faults.join(", "));
                        }
                    }
                }
            });
        }
    });
    let missed = missed.into_inner().unwrap_or_else(PoisonError::into_inner);
    if !missed.is_empty() {
        println!("not reached in their life, which was good: {}", missed.join(", "));
    }
    let failed = failed.into_inner();
    println!("fault points: {lives} faults, {failed} runs failed, {:.0?}", began.elapsed());
    if failed == 0 { Ok(()) } else { Err(format!("{failed} runs with faults failed").into()) }
}

/// A crash at the first pass of each point in a new directory; then, in directories that have been worked with, a crash at
/// the first pass and each fault in the middle.
fn plan(passes: &Passes) -> Vec<Run> {
    let (mut runs, mut later) = (Vec::new(), Vec::new());
    for (point, [first, second]) in passes {
        let plan = |pass, fault| Plan { point: point.clone(), pass, fault };
        if *first > 0 {
            runs.push(vec![plan(1, "crash")]);
        }
        // Lives differ a little: a pass in the middle is reached in almost all of them.
        let middle = second.div_ceil(2);
        later.extend((*second > 0).then(|| plan(1, "crash")));
        later.extend((middle > 1).then(|| plan(middle, "crash")));
        later.extend(["full", "error"].map(|fault| plan(middle.max(1), fault)));
    }
    while !later.is_empty() {
        let rest = later.split_off(LIVES_PER_RUN.min(later.len()));
        runs.push(std::mem::replace(&mut later, rest));
    }
    runs
}

/// How often a run without faults passes each point.
fn learn(arena: &Arena) -> Result<Passes> {
    let (program, mut feed) = prepared(arena, "points-trace")?;
    let mut passes = Passes::new();
    for (number, name) in LIVES.into_iter().enumerate() {
        let trace = program.home.join(name);
        let mut life = program.start(name, &[("DSTREAMS_FAULT_TRACE", &*trace.to_string_lossy())])?;
        feed_started(&mut feed, &life)?;
        if number == 0 {
            await_all(&program, &feed, &mut life)?;
            life.kill()?;
        } else {
            let verdict = finish(&program, &feed, life)?;
            if !verdict.is_good() {
                return Err(format!("without any fault: {verdict}").into());
            }
        }
        for point in fs::read_to_string(&trace)?.lines() {
            passes.entry(point.to_owned()).or_default()[number] += 1;
        }
    }
    for (point, [first, second]) in &passes {
        println!("{point}: {first} + {second} passes");
    }
    clear(&program, true, false)?;
    Ok(passes)
}

fn prepared(arena: &Arena, name: &str) -> Result<(Program, Feed)> {
    let (mut program, feed) = arena.program(name, INTERVAL)?;
    let set = [
        ("app.checkpointEvery", "1"),
        // Each record of a log is in a file of its own soon, and goes as soon as it can.
        ("spark.streaming.driver.writeAheadLog.rollingIntervalSecs", "1ms"),
        ("spark.streaming.receiver.writeAheadLog.rollingIntervalSecs", "1ms"),
        ("spark.streaming.fileStream.minRememberDuration", "300ms"),
    ];
    program.settings.extend(set.map(|(key, value)| (key, value.to_owned())));
    Ok((program, feed))
}

/// Offers events to a life little by little, unless it ends before it has begun: then files would be too old when the
/// next one begins.
fn feed_started(feed: &mut Feed, life: &Life) -> Result<()> {
    let end = wait::now() + Duration::from_secs(30);
    loop {
        match life.hear(end) {
            Ok(Some((_, Said::Started))) => break,
            Ok(Some(_)) => {}
            // A life that says nothing in this time is waited for elsewhere, and not for ever.
            Ok(None) | Err(_) => return Ok(()),
        }
    }
    for _ in 0..PORTIONS {
        feed.offer(PORTION)?;
        wait::pause(INTERVAL);
    }
    Ok(())
}

/// One run, and a last life without a fault; returns the faults that did not come to pass.
fn one(arena: &Arena, number: usize, run: &Run, keep: bool) -> Result<Vec<String>> {
    let (program, mut feed) = prepared(arena, &format!("faults-{number}"))?;
    let outcome = fail_and_compare(&program, &mut feed, run);
    clear(&program, outcome.is_ok(), keep)?;
    outcome
}

fn fail_and_compare(program: &Program, feed: &mut Feed, run: &Run) -> Result<Vec<String>> {
    let mut missed = Vec::new();
    for (number, plan) in run.iter().enumerate() {
        let trace = program.home.join(format!("trace-{number}"));
        let environment =
            [("DSTREAMS_FAULTS", &*plan.to_string()), ("DSTREAMS_FAULT_TRACE", &*trace.to_string_lossy())];
        let mut life = program.start(&format!("{number}-{plan}"), &environment)?;
        feed_started(feed, &life)?;
        if await_all(program, feed, &mut life)? {
            life.ask_to_stop()?;
        }
        // Whether it calls this a success does not matter: the outputs do.
        life.await_end(STANDSTILL)?;
        let traced = fs::read_to_string(&trace).unwrap_or_default();
        let passes = traced.lines().filter(|point| *point == plan.point).count();
        if (passes as u64) < plan.pass {
            missed.push(plan.to_string());
        }
    }
    let life = program.start("last", &[])?;
    feed_started(feed, &life)?;
    let verdict = finish(program, feed, life)?;
    if verdict.is_good() { Ok(missed) } else { Err(verdict.to_string().into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_point_crashes_and_fails() {
        let passes = Passes::from([("a.sync".to_owned(), [3, 5]), ("b.truncate".to_owned(), [0, 1])]);
        let runs = plan(&passes);
        let all: Vec<String> = runs.iter().flatten().map(ToString::to_string).collect();
        let a = ["a.sync@1=crash", "a.sync@1=crash", "a.sync@3=crash", "a.sync@3=full", "a.sync@3=error"];
        let b = ["b.truncate@1=crash", "b.truncate@1=full", "b.truncate@1=error"];
        assert_eq!(all, [&a[..], &b].concat());
        assert_eq!(runs[0].len(), 1, "the first is in a directory of its own");
    }
}
