// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask chaos --kafka`: records from Kafka to Kafka and PostgreSQL, while the program and the broker are killed,
//! partitions are added, and transactions aborted.

mod feeder;
mod outcome;

use std::{path::Path, time::Duration};

use dstreams::kafka::{Admin, Params};
use dstreams_test_servers::Kafka;

use super::{
    Arena, Options,
    dice::Dice,
    program::{self, Life, Program, Said},
    wait,
};
use crate::Result;
use feeder::{Feeder, NEW_PARTITIONS, PARTITIONS};

/// How much there is to do.
pub(super) struct Plan {
    pub(super) records: u64,
    /// How often the program is killed.
    pub(super) kills: u32,
    /// How often the broker is killed.
    pub(super) broker_kills: u32,
    pub(super) seed: u64,
    pub(super) interval: Duration,
    pub(super) keep: bool,
}

impl Plan {
    /// What the command line asks for.
    pub(super) fn new(records: u64, options: &Options) -> Self {
        Self {
            records,
            kills: options.kills.unwrap_or(8),
            broker_kills: 2,
            seed: options.seed,
            interval: Duration::from_millis(options.interval.unwrap_or(1_000)),
            keep: options.keep,
        }
    }

    /// One of less than a minute.
    pub(super) fn short() -> Self {
        let interval = Duration::from_millis(500);
        Self { records: 10_000, kills: 2, broker_kills: 1, seed: 1, interval, keep: false }
    }
}

/// How long all of it may take, however slow the machine is.
const LIMIT: Duration = Duration::from_secs(600);

/// Runs the plan; says in one line where there is no broker.
pub(super) fn run(root: &Path, plan: &Plan) -> Result<()> {
    let Some(mut kafka) = super::or_without("Kafka", Kafka::start())? else { return Ok(()) };
    let arena = Arena::open(root, Some(&program::build(root, "chaos-kafka")?))?;
    let (mut program, _unused) = arena.program("kafka", plan.interval)?;
    let address = kafka.address();
    program.settings.push(("app.kafka", address.clone()));
    program.settings.push(("dstreams.kafka.metadataInterval", "500ms".to_owned()));
    program.settings.push(("dstreams.kafka.maxRecordsPerBatch", "5000".to_owned()));
    let admin = Admin::new(&Params::new(&address).group("chaos"))?;
    admin.create_topic("in", PARTITIONS, &[])?;
    admin.create_topic("out", 3, &[])?;

    let feeder = Feeder::start(&address, plan.records, plan.seed);
    let began = wait::now();
    let mut lives = 0;
    let mut life = start(&program, &mut lives)?;
    let mut dice = Dice::new(plan.seed);
    let mut added = false;
    let (mut kills, mut broker_kills, mut crashes) = (0, 0, 0);
    while kills < plan.kills || broker_kills < plan.broker_kills || !added {
        wait::pause(dice.millis(500, 2_500));
        if !added && feeder.sent() >= plan.records / 3 {
            admin.add_partitions("in", NEW_PARTITIONS)?;
            feeder.partitions_were_added();
            added = true;
        }
        if broker_kills < plan.broker_kills && (kills >= plan.kills || dice.below(4) == 0) {
            kafka.kill();
            broker_kills += 1;
            // Now and then it is away for longer than a batch.
            wait::pause(dice.millis(0, 1_500));
            kafka.resume()?;
        } else if kills < plan.kills {
            life.kill()?;
            kills += 1;
            if kills % 2 == 1 {
                crash(&program, &mut lives, &mut dice)?;
                crashes += 1;
            }
            life = start(&program, &mut lives)?;
        }
        if let Some(status) = life.ended()? {
            return Err(
                format!("the program has ended by itself with {status}:\n{}", life.last_words()).into()
            );
        }
        if began.elapsed() > LIMIT {
            return Err(format!("not within {LIMIT:?}: {} records are sent", feeder.sent()).into());
        }
    }
    let expected = feeder.finish()?;
    wait::until("that all records are read", LIMIT, || {
        if let Some(status) = life.ended()? {
            return Err(format!("the program has ended with {status}:\n{}", life.last_words()).into());
        }
        Ok((admin.lag("in")? == 0).then_some(()))
    })?;
    life.ask_to_stop()?;
    let status = life.await_end(Duration::from_secs(90))?;
    if !status.success() {
        return Err(format!("the program ended with {status}:\n{}", life.last_words()).into());
    }
    let outcome = outcome::compare(&address, &admin, program.postgres.as_deref(), &expected)?;
    println!(
        "kafka: {} records of {} keys, {} aborted; program killed {kills} times and crashed {crashes} times in a transaction, broker {broker_kills} times, {PARTITIONS} to {NEW_PARTITIONS} partitions, {:.1} s: {outcome}",
        expected.records(),
        expected.counts.len(),
        expected.aborted,
        began.elapsed().as_secs_f64(),
    );
    super::clear(&program, outcome.is_good(), plan.keep)?;
    if outcome.is_good() { Ok(()) } else { Err("records were lost, doubled or put out of order".into()) }
}

/// The steps of a transaction at which the program can crash.
const STEPS: [&str; 5] = ["begin", "write", "identity", "commit", "committed"];

/// Starts the program, and waits until it has crashed at one of the steps of one of its first transactions.
fn crash(program: &Program, lives: &mut u32, dice: &mut Dice) -> Result<()> {
    *lives += 1;
    let step = STEPS[usize::try_from(dice.below(STEPS.len() as u64))?];
    let fault = format!("kafka.{step}@{}=crash", 1 + dice.below(12));
    let mut life = program.start(&format!("life-{lives}-{step}"), &[("DSTREAMS_FAULTS", &fault)])?;
    life.await_end(Duration::from_secs(120)).map(drop)
}

/// Starts the program, and waits until it says so.
fn start(program: &Program, lives: &mut u32) -> Result<Life> {
    *lives += 1;
    let life = program.start(&format!("life-{lives}"), &[])?;
    let end = wait::now() + Duration::from_secs(60);
    match life.hear(end)? {
        Some((_, Said::Started | Said::Batch(_))) => Ok(life),
        None => Err(format!("it has not started; its log is {}", life.log.display()).into()),
    }
}
