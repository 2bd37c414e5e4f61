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
    Arena, await_all, clear,
    compare::compare,
    feed::Feed,
    finish,
    program::{Life, Program, Said},
    wait,
};
use crate::Result;

const INTERVAL: Duration = Duration::from_millis(50);

/// What each source offers to a life, once it has started: so many times so many events.
const PORTIONS: u64 = 8;
const PORTION: u64 = 5;

/// What the logs of the first two lives are called.
const LIVES: [&str; 2] = ["first", "second"];

/// How many runs there are at a time.
const AT_ONCE: usize = 6;

/// One run: what happens at which pass of which point, in the first or second life of the program.
struct Plan {
    life: usize,
    point: String,
    pass: u64,
    fault: &'static str,
}

impl std::fmt::Display for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}={}", self.point, self.pass, self.fault)?;
        if self.life == 0 { Ok(()) } else { write!(f, " in the second life") }
    }
}

/// How often each life of a run without faults passes each point.
type Passes = BTreeMap<String, [u64; 2]>;

/// Learns which points a run passes, and has each of them crash and fail.
pub(super) fn run(arena: &Arena, prefix: &str, keep: bool) -> Result<()> {
    let began = wait::now();
    let mut passes = learn(arena)?;
    passes.retain(|point, _| point.starts_with(prefix));
    let plans: Vec<Plan> = passes.iter().flat_map(|(point, passes)| plans(point, *passes)).collect();
    println!("fault points: {} points, {} runs", passes.len(), plans.len());
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    let missed = Mutex::new(Vec::new());
    thread::scope(|threads| {
        for _ in 0..AT_ONCE {
            threads.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(plan) = plans.get(number) else { return };
                    let (text, list) = match one(arena, number, plan, keep) {
                        Ok(true) => continue,
                        Ok(false) => (plan.to_string(), &missed),
                        Err(error) => {
                            let text = format!("{plan}: {error}");
                            println!("{text}");
                            (text, &failed)
                        }
                    };
                    list.lock().unwrap_or_else(PoisonError::into_inner).push(text);
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    let missed = missed.into_inner().unwrap_or_else(PoisonError::into_inner);
    if !missed.is_empty() {
        println!("not reached in their run, which was good: {}", missed.join(", "));
    }
    println!("fault points: {} runs, {} failed, {:.0?}", plans.len(), failed.len(), began.elapsed());
    if failed.is_empty() { Ok(()) } else { Err(format!("{} runs at fault points failed", failed.len()).into()) }
}

/// The runs for a point: a crash at the first pass of each life, and in the middle of one each fault.
fn plans(point: &str, passes: [u64; 2]) -> Vec<Plan> {
    let plan = |life, pass, fault| Plan { life, point: point.to_owned(), pass, fault };
    let lives: Vec<usize> = (0..2).filter(|life| passes[*life] > 0).collect();
    let mut plans: Vec<Plan> = lives.iter().map(|life| plan(*life, 1, "crash")).collect();
    if let Some(&life) = lives.first() {
        // Runs differ a little: one in the middle is reached in all of them.
        let middle = passes[life].div_ceil(2);
        if middle > 1 {
            plans.push(plan(life, middle, "crash"));
        }
        plans.extend(["full", "error"].map(|fault| plan(life, middle, fault)));
    }
    plans
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
        ("app.checkpointEvery", "2"),
        // Each record of a log is in a file of its own soon, and goes as soon as it can.
        ("spark.streaming.driver.writeAheadLog.rollingIntervalSecs", "1ms"),
        ("spark.streaming.receiver.writeAheadLog.rollingIntervalSecs", "1ms"),
        ("spark.streaming.fileStream.minRememberDuration", "200ms"),
    ];
    program.settings = set.map(|(key, value)| (key, value.to_owned())).to_vec();
    Ok((program, feed))
}

/// Offers events to a life little by little, unless it ends before it has begun.
fn feed_started(feed: &mut Feed, life: &Life) -> Result<()> {
    // A life that says nothing in this time is waited for elsewhere, and not for ever.
    let end = wait::now() + Duration::from_secs(10);
    while life.hear(end).is_ok_and(|heard| heard.is_some_and(|(_, said)| said != Said::Started)) {}
    for _ in 0..PORTIONS {
        feed.offer(PORTION)?;
        wait::pause(INTERVAL);
    }
    Ok(())
}

/// One run with a fault and one without; true when the fault came to pass.
fn one(arena: &Arena, number: usize, plan: &Plan, keep: bool) -> Result<bool> {
    let (program, mut feed) = prepared(arena, &format!("point-{number}"))?;
    let outcome = fail_and_compare(&program, &mut feed, plan);
    clear(&program, outcome.is_ok(), keep)?;
    outcome
}

fn fail_and_compare(program: &Program, feed: &mut Feed, plan: &Plan) -> Result<bool> {
    if plan.life == 1 {
        let mut life = program.start(LIVES[0], &[])?;
        feed_started(feed, &life)?;
        life.kill()?;
    }
    let trace = program.home.join("trace");
    let fault = format!("{}@{}={}", plan.point, plan.pass, plan.fault);
    let environment =
        [("DSTREAMS_FAULTS", &*fault), ("DSTREAMS_FAULT_TRACE", &*trace.to_string_lossy())];
    let mut life = program.start("faulty", &environment)?;
    feed_started(feed, &life)?;
    let drained = await_all(program, feed, &mut life)?;
    if drained {
        life.ask_to_stop()?;
    }
    let status = life.await_end(Duration::from_secs(30))?;
    if drained && status.success() {
        let verdict = compare(program, feed)?;
        if !verdict.is_good() {
            return Err(format!("before the restart: {verdict}").into());
        }
    }
    let life = program.start("last", &[])?;
    feed_started(feed, &life)?;
    let verdict = finish(program, feed, life)?;
    if !verdict.is_good() {
        return Err(verdict.to_string().into());
    }
    let traced = fs::read_to_string(&trace).unwrap_or_default();
    let passes = traced.lines().filter(|point| *point == plan.point).count();
    Ok(passes as u64 >= plan.pass)
}
