// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask chaos`: kills a program again and again, and proves from its outputs that nothing is lost and nothing is
//! there twice.

mod cases;
mod compare;
mod dice;
mod feed;
mod kafka;
mod kills;
mod points;
mod program;
mod results;
mod wait;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use dstreams_test_servers::{Postgres, S3, StartError};

use self::{
    compare::{Verdict, compare},
    feed::Feed,
    program::{Life, Program, Said},
    results::Sqlite,
};
use crate::Result;

/// Options of `cargo xtask chaos`.
#[derive(Args)]
pub(crate) struct Options {
    /// Kill the program this often
    #[arg(long, value_name = "N")]
    kills: Option<u32>,
    /// Decides when it is killed
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Have the program crash and fail at every fault point in turn
    #[arg(long)]
    fault_points: bool,
    /// With --fault-points: only points that begin with this
    #[arg(long, value_name = "PLACE.STEP", requires = "fault_points", default_value = "")]
    point: String,
    /// Run the cases: full disk, set clock, panics, sinks that are down, and others
    #[arg(long)]
    cases: bool,
    /// With --cases: only those whose name begins with this
    #[arg(long, value_name = "NAME", requires = "cases", default_value = "")]
    case: String,
    /// Have so many records go from Kafka to Kafka and PostgreSQL while the program and the broker are killed
    #[arg(long, value_name = "RECORDS", num_args = 0..=1, require_equals = true, default_missing_value = "100000")]
    kafka: Option<u64>,
    /// Length of a batch in milliseconds
    #[arg(long, value_name = "MS")]
    interval: Option<u64>,
    /// Where it keeps its states while it runs: memory or disk
    #[arg(long, value_name = "STORE", default_value = "memory")]
    store: String,
    /// Where it keeps its checkpoints: local, or s3 for a private S3 server
    #[arg(long, value_name = "PLACE", value_parser = ["local", "s3"], default_value = "local")]
    checkpoint: String,
    /// The program under test, where it is built already
    #[arg(long, value_name = "PATH")]
    program: Option<PathBuf>,
    /// Keep what was written, also when all is well
    #[arg(long)]
    keep: bool,
}

/// Where runs are kept.
const HOME: &str = "target/chaos";

/// Does what the options say: ten kills if they say nothing.
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    if let Some(records) = options.kafka {
        return kafka::run(root, &kafka::Plan::new(records, options));
    }
    let mut arena = Arena::open(root, options.program.as_deref())?;
    arena.store.clone_from(&options.store);
    if options.checkpoint == "s3" {
        arena.s3 = Some(S3::start()?);
    }
    if options.fault_points {
        points::run(&arena, &options.point, options.keep)?;
    }
    if options.cases {
        cases::run(&mut arena, &options.case, options.keep)?;
    }
    if options.kills.is_some() || !(options.fault_points || options.cases) {
        kills::run(&arena, options)?;
    }
    Ok(())
}

/// The step of `cargo xtask test`: ten kills, the fault points, the cases, and a short run with Kafka.
pub(crate) fn check(root: &Path) -> Result<()> {
    let mut arena = Arena::open(root, None)?;
    let options = Options {
        kills: Some(10),
        seed: 1,
        fault_points: false,
        point: String::new(),
        cases: false,
        case: String::new(),
        kafka: None,
        interval: None,
        store: "memory".to_owned(),
        checkpoint: "local".to_owned(),
        program: None,
        keep: false,
    };
    kills::run(&arena, &options)?;
    points::run(&arena, "", false)?;
    // All but this is the same with states on disk.
    "disk".clone_into(&mut arena.store);
    points::run(&arena, "state_db", false)?;
    "memory".clone_into(&mut arena.store);
    cases::run(&mut arena, "", false)?;
    kafka::run(root, &kafka::Plan::short())?;
    arena.s3 = or_without("checkpoints on S3", S3::start())?;
    if arena.s3.is_none() {
        return Ok(());
    }
    kills::run(&arena, &Options { kills: Some(3), ..options })
}

/// A server; none where it is not installed, which is said in one line. With `CI` set that is a failure.
fn or_without<T>(what: &str, started: std::result::Result<T, StartError>) -> Result<Option<T>> {
    match started {
        Ok(server) => Ok(Some(server)),
        Err(StartError::NotInstalled(why)) if std::env::var_os("CI").is_none() => {
            println!("without {what}: {why}");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// What all runs share: the program, a place, a server.
struct Arena {
    program: PathBuf,
    home: PathBuf,
    /// Where the programs keep their states.
    store: String,
    postgres: Option<Postgres>,
    /// Where the programs keep their checkpoints, if not in files.
    s3: Option<S3>,
}

impl Arena {
    fn open(root: &Path, program: Option<&Path>) -> Result<Self> {
        let program =
            program.map_or_else(|| program::build(root, "chaos-pipeline"), |built| Ok(built.to_owned()))?;
        // Two runs at the same time do not meet.
        let home = root.join(HOME).join(std::process::id().to_string());
        let postgres = or_without("PostgreSQL", Postgres::start())?;
        Ok(Self { program, home, store: "memory".to_owned(), postgres, s3: None })
    }

    /// A program with a new directory, and with a schema of its own on the server.
    fn program(&self, name: &str, interval: Duration) -> Result<(Program, Feed)> {
        let home = self.home.join(name);
        if home.exists() {
            fs::remove_dir_all(&home)?;
        }
        fs::create_dir_all(&home)?;
        let postgres = self.postgres.as_ref().map(|server| schema(server, name)).transpose()?;
        let path = self.program.clone();
        let mut settings = vec![("dstreams.state.store", self.store.clone())];
        let mut checkpoints = home.join("checkpoints").to_string_lossy().into_owned();
        if let Some(server) = &self.s3 {
            checkpoints = server.url(name);
            settings.extend(server.settings());
        }
        let program = Program { path, home, interval, checkpoints, postgres, settings };
        let feed = Feed::new(&program.input())?;
        Ok((program, feed))
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // What is kept stays.
        let _ = fs::remove_dir(&self.home);
    }
}

/// Makes a schema, and gives the address under which it is the one that is meant.
fn schema(server: &Postgres, name: &str) -> Result<String> {
    use dstreams::postgres::postgres::{Client, NoTls};
    let url = server.url("postgres");
    let schema: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let mut client = Client::connect(&url, NoTls)?;
    client
        .batch_execute(&format!("DROP SCHEMA IF EXISTS \"{schema}\" CASCADE; CREATE SCHEMA \"{schema}\""))?;
    Ok(format!("{url} options='-c search_path={schema}'"))
}

/// How long may pass without a new event in the sinks.
const STANDSTILL: Duration = Duration::from_secs(30);

/// Waits until all events that were offered have been put out, or the program has ended by itself; true for the former.
fn await_all(program: &Program, feed: &Feed, life: &mut Life) -> Result<bool> {
    let (mut sqlite, mut seen, mut since) = (None, 0, wait::now());
    loop {
        if sqlite.is_none() {
            sqlite = Sqlite::open(&program.output())?;
        }
        let count = sqlite.as_ref().map_or(Ok(0), Sqlite::count)?;
        if count >= feed.total() {
            return Ok(true);
        }
        if life.ended()?.is_some() {
            return Ok(false);
        }
        if count > seen {
            (seen, since) = (count, wait::now());
        }
        if since.elapsed() > STANDSTILL {
            let log = life.log.display();
            let total = feed.total();
            return Err(format!(
                "nothing has happened for {STANDSTILL:?} after {count} of {total} events; the log is {log}"
            )
            .into());
        }
        wait::pause(Duration::from_millis(10));
    }
}

/// Lets a life process everything and stop by itself, and compares.
fn finish(program: &Program, feed: &Feed, mut life: Life) -> Result<Verdict> {
    if !await_all(program, feed, &mut life)? {
        return Err(format!("the program has ended by itself; its last words:\n{}", life.last_words()).into());
    }
    // It has ears for signals a little after it has started.
    let end = wait::now() + STANDSTILL;
    while matches!(life.hear(end)?, Some((_, Said::Started))) {}
    life.ask_to_stop()?;
    let status = life.await_end(2 * STANDSTILL)?;
    if !status.success() {
        return Err(format!("the program ended with {status}; its last words:\n{}", life.last_words()).into());
    }
    compare(program, feed)
}

/// Removes what a run has written, or says where it is.
fn clear(program: &Program, is_good: bool, keep: bool) -> Result<()> {
    if is_good && !keep {
        fs::remove_dir_all(&program.home)?;
    } else {
        println!("what was written is in {}", program.home.display());
    }
    Ok(())
}
