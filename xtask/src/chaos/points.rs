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

use super::{Arena, await_all, clear, compare::compare, feed::Feed, finish, program::Program, wait};
use crate::Result;

const INTERVAL: Duration = Duration::from_millis(50);

/// Events of each source before the first start, in so many portions, and before the second one.
const FIRST: u64 = 60;
const PORTIONS: u64 = 3;
const SECOND: u64 = 20;

/// How many runs there are at a time.
const AT_ONCE: usize = 3;

/// One run: what happens at which pass of which point.
#[derive(Clone)]
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

/// Learns which points a run passes, and has each of them crash and fail.
pub(super) fn run(arena: &Arena, prefix: &str, keep: bool) -> Result<()> {
    let began = wait::now();
    let passes = passes(arena)?;
    let plans: Vec<Plan> = passes
        .iter()
        .filter(|(point, _)| point.starts_with(prefix))
        .flat_map(|(point, &passes)| {
            let middle = passes.div_ceil(2);
            let mut plans = vec![(1, "crash"), (middle, "crash"), (middle, "full"), (middle, "error")];
            plans.dedup();
            plans.into_iter().map(|(pass, fault)| Plan { point: point.clone(), pass, fault })
        })
        .collect();
    println!("fault points: {} points, {} runs", passes.len(), plans.len());
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    let missed = Mutex::new(Vec::new());
    thread::scope(|threads| {
        for _ in 0..AT_ONCE {
            threads.spawn(|| {
                while let Some(plan) = plans.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (text, list) = match one(arena, plan, keep) {
                        Ok(true) => continue,
                        Ok(false) => (plan.to_string(), &missed),
                        Err(error) => (format!("{plan}: {error}"), &failed),
                    };
                    list.lock().unwrap_or_else(PoisonError::into_inner).push(text);
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    let missed = missed.into_inner().unwrap_or_else(PoisonError::into_inner);
    if !missed.is_empty() {
        println!("not reached in their run: {}", missed.join(", "));
    }
    for text in &failed {
        println!("{text}");
    }
    println!("fault points: {} runs, {} failed, {:.0?}", plans.len(), failed.len(), began.elapsed());
    if failed.is_empty() { Ok(()) } else { Err(format!("{} runs at fault points failed", failed.len()).into()) }
}

/// How often a run without faults passes each point.
fn passes(arena: &Arena) -> Result<BTreeMap<String, u64>> {
    let (program, mut feed) = prepared(arena, "points-trace")?;
    let trace = program.home.join("trace");
    let traced = [("DSTREAMS_FAULT_TRACE", &*trace.to_string_lossy())];
    for life in ["first", "second"] {
        let life = program.start(life, &traced)?;
        let verdict = finish(&program, &feed, life)?;
        if !verdict.is_good() {
            return Err(format!("without any fault: {verdict}").into());
        }
        feed.offer(SECOND)?;
    }
    let mut passes = BTreeMap::new();
    for point in fs::read_to_string(&trace)?.lines() {
        *passes.entry(point.to_owned()).or_default() += 1;
    }
    clear(&program, true, false)?;
    Ok(passes)
}

fn prepared(arena: &Arena, name: &str) -> Result<(Program, Feed)> {
    let (mut program, mut feed) = arena.program(name, INTERVAL)?;
    program.settings = vec![
        ("app.checkpointEvery", "4".to_owned()),
        ("app.block", "10".to_owned()),
        ("spark.streaming.driver.writeAheadLog.rollingIntervalSecs", "1ms".to_owned()),
        ("spark.streaming.receiver.writeAheadLog.rollingIntervalSecs", "1ms".to_owned()),
    ];
    for _ in 0..PORTIONS {
        feed.offer(FIRST / PORTIONS)?;
    }
    Ok((program, feed))
}

/// One run with a fault and one without; true when the fault came to pass.
fn one(arena: &Arena, plan: &Plan, keep: bool) -> Result<bool> {
    let (program, mut feed) = prepared(arena, &format!("point-{plan}"))?;
    let outcome = fail_and_compare(&program, &mut feed, plan);
    clear(&program, outcome.is_ok(), keep)?;
    outcome
}

fn fail_and_compare(program: &Program, feed: &mut Feed, plan: &Plan) -> Result<bool> {
    let mut life = program.start("first", &[("DSTREAMS_FAULTS", &plan.to_string())])?;
    let drained = await_all(program, feed, &mut life)?;
    if drained {
        life.ask_to_stop()?;
    }
    let status = life.await_end(Duration::from_secs(30))?;
    let happened = fs::read_to_string(&life.log)?.contains("fault") || !status.success();
    if drained && status.success() {
        let verdict = compare(program, feed)?;
        if !verdict.is_good() {
            return Err(format!("before the restart: {verdict}").into());
        }
    }
    feed.offer(SECOND)?;
    let life = program.start("second", &[])?;
    let verdict = finish(program, feed, life)?;
    if verdict.is_good() { Ok(happened) } else { Err(verdict.to_string().into()) }
}
