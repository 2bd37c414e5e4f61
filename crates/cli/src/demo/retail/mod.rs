// SPDX-License-Identifier: Apache-2.0
//! `dstreams demo retail`: sales of retail stores, exactly once into the tables of a database, with a proof at the end.

mod chaos;
mod generator;
mod master;
mod message;
mod pipeline;
mod proof;
mod source;
mod tables;
mod view;
mod watch;

use std::{
    error::Error,
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
};

use dstreams::{
    Duration, StopOptions, StreamingContext, Watched, get_or_create, log::Level, streaming::config::keys,
};
use tempfile::TempDir;

use self::{
    master::MasterData,
    pipeline::Parts,
    source::Pace,
    tables::Database,
    view::View,
    watch::{Event, Watcher},
};
use super::{show::write, watch_signals, watched_at};

/// By what sinks and the checkpoint know the demo.
const APPLICATION: &str = "dstreams-demo-retail";

/// Where `--rate max` begins.
const FIRST_RATE: u64 = 50_000;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Sales per second, or `max` for as many as this machine can take.
    #[arg(long, default_value = "250000")]
    rate: Rate,
    /// Length of a batch, such as 500ms or 2s.
    #[arg(long, default_value = "1s")]
    interval: String,
    /// Where to run, such as `local[2]`.
    #[arg(long, default_value = "local[*]")]
    master: String,
    /// Stop after this many batches; otherwise at Ctrl-C.
    #[arg(long)]
    batches: Option<u64>,
    /// Where checkpoint and database are kept; another run with the same directory goes on. A temporary directory, which
    /// is removed at the end, if not given. A sale takes about 55 bytes.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Fill the tables of this PostgreSQL database, such as `postgres://user@host/shop`, instead of SQLite.
    #[arg(long, value_name = "URL", requires = "dir")]
    postgres: Option<String>,
    /// From which all messages are made.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Kill the process that does the work every few seconds, at random moments, and start it again.
    #[arg(long)]
    chaos: bool,
    /// Stop after this many kills.
    #[arg(long, requires = "chaos")]
    kills: Option<u64>,
    /// Any setting, as `key=value`; can be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    conf: Vec<String>,
    /// Work for another process: write batches as JSON, and stop when standard input ends.
    #[arg(long, hide = true, requires = "dir", conflicts_with = "chaos")]
    worker: bool,
}

#[derive(Debug, Clone, Copy)]
enum Rate {
    SalesPerSecond(u64),
    Max,
}

impl std::str::FromStr for Rate {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(rate) if rate > 0 => Ok(Self::SalesPerSecond(rate)),
            _ if text == "max" => Ok(Self::Max),
            _ => Err("expected a number of sales per second above zero, or `max`"),
        }
    }
}

impl Options {
    /// A worker that was killed leaves what is repaired by the next one: nothing to warn of.
    pub(crate) fn quiet_level(&self) -> Level {
        if self.worker { Level::ERROR } else { Level::WARN }
    }
}

/// What the options come to.
struct Plan<'a> {
    options: &'a Options,
    interval: Duration,
    dir: PathBuf,
    database: Database,
    /// Removed when the demo has ended.
    _temporary: Option<TempDir>,
}

pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let plan = Plan::new(options)?;
    if options.worker {
        return plan.work();
    }
    write(&plan.announcement());
    let mut view = View::new(plan.interval);
    let outcome = if options.chaos { chaos::supervise(&plan, &mut view) } else { plan.run(&mut view) };
    write(&view.summary());
    // What failed says more than that something is missing.
    outcome?;
    plan.prove()
}

impl<'a> Plan<'a> {
    fn new(options: &'a Options) -> Result<Self, Box<dyn Error>> {
        // An interval that makes no sense is refused before anything is written.
        let config = super::config(
            &[(keys::BATCH_INTERVAL.name(), &options.interval)],
            &options.conf,
            &options.master,
            APPLICATION,
        )?;
        let interval = config.get(&keys::BATCH_INTERVAL);
        let (dir, temporary) = if let Some(dir) = &options.dir {
            (dir.clone(), None)
        } else {
            let temporary = tempfile::Builder::new().prefix("dstreams-retail-").tempdir()?;
            (temporary.path().to_owned(), Some(temporary))
        };
        fs::create_dir_all(&dir).map_err(|error| format!("cannot make {}: {error}", dir.display()))?;
        let database = match &options.postgres {
            Some(url) => Database::Postgres(url.clone()),
            None => Database::Sqlite(dir.join("retail.db")),
        };
        let plan = Self { options, interval, dir, database, _temporary: temporary };
        plan.check_database()?;
        Ok(plan)
    }

    /// A database may only hold what the checkpoint knows of.
    fn check_database(&self) -> Result<(), Box<dyn Error>> {
        if self.checkpoint().exists() {
            return Ok(());
        }
        let Database::Postgres(_) = &self.database else { return Ok(()) };
        let mut tables = self.database.open()?;
        match tables.batches() {
            Ok(batches) if !batches.is_empty() => Err(format!(
                "the database has the sales of a demo that {} knows nothing of: give the --dir of that demo, or drop the tables sales, store_revenue, customers and dstreams_commits",
                self.dir.display()
            )
            .into()),
            // Without the table nothing has ever been written.
            _ => Ok(()),
        }
    }

    fn checkpoint(&self) -> PathBuf {
        self.dir.join("checkpoint")
    }

    fn dead_letters(&self) -> PathBuf {
        self.dir.join("dead-letters")
    }

    fn announcement(&self) -> String {
        let database = match &self.database {
            Database::Sqlite(path) => path.display().to_string(),
            Database::Postgres(_) => "PostgreSQL".to_owned(),
        };
        let goes_on = if self.checkpoint().exists() { ", going on" } else { "" };
        format!("Sales into {database}, a batch every {}{goes_on}. Ctrl-C to stop.\n\n", self.interval)
    }

    /// Runs the stream in this process until it is to end.
    fn run(&self, view: &mut View) -> Result<(), Box<dyn Error>> {
        let (sender, events) = mpsc::channel();
        let signals = sender.clone();
        watch_signals(move || signals.send(Event::Interrupted).is_ok())?;
        let (ssc, _pages) = self.start(sender)?;
        while let Ok(event) = events.recv() {
            match event {
                Event::Started(_) => {}
                Event::Batch(row) => {
                    view.show(&row);
                    if self.options.batches.is_some_and(|wanted| view.batches() >= wanted) {
                        break;
                    }
                }
                Event::Interrupted | Event::Ended => break,
            }
        }
        ssc.stop_with(StopOptions::graceful())?;
        let outcome = ssc.await_termination();
        // The batches that were completed while it stopped.
        for event in events.try_iter() {
            if let Event::Batch(row) = event {
                view.show(&row);
            }
        }
        Ok(outcome?)
    }

    /// Runs the stream for a supervisor.
    fn work(&self) -> Result<(), Box<dyn Error>> {
        let (sender, events) = mpsc::channel();
        // Ctrl-C is for the supervisor, which then closes standard input; so does its death.
        let closed = sender.clone();
        thread::Builder::new().name("supervisor".to_owned()).spawn(move || {
            let _ended = io::stdin().read_to_end(&mut Vec::new());
            let _ = closed.send(Event::Interrupted);
        })?;
        let (ssc, pages) = self.start(sender)?;
        let tell = |event: &Event| -> Result<(), serde_json::Error> {
            write(&(serde_json::to_string(event)? + "\n"));
            Ok(())
        };
        tell(&Event::Started(pages.port()))?;
        while let Ok(event @ (Event::Started(_) | Event::Batch(_))) = events.recv() {
            tell(&event)?;
        }
        ssc.stop_with(StopOptions::graceful())?;
        let outcome = ssc.await_termination();
        events
            .try_iter()
            .filter(|event| matches!(event, Event::Batch(_)))
            .try_for_each(|event| tell(&event))?;
        Ok(outcome?)
    }

    /// Builds the pipeline and starts it, from the beginning or where the directory says.
    fn start(&self, events: mpsc::Sender<Event>) -> Result<(StreamingContext, Watched), Box<dyn Error>> {
        let options = self.options;
        let own = [
            (keys::BATCH_INTERVAL.name(), options.interval.as_str()),
            // The queue waits. Batches that nobody has planned are not made up for, so that the demo goes on at its rate.
            (keys::MISSED_BATCHES.name(), "skip"),
            // Batches that wait at the end are done, however long it takes; a second Ctrl-C does not wait.
            (keys::GRACEFUL_STOP_TIMEOUT.name(), "1h"),
        ];
        let config = super::config(&own, &options.conf, &options.master, APPLICATION)?;
        let (rate, adapts) = match options.rate {
            Rate::SalesPerSecond(rate) => (rate, false),
            Rate::Max => (FIRST_RATE, true),
        };
        let pace = Pace::new(rate, self.interval);
        let watcher = Watcher::new(self.interval, events.clone(), adapts.then(|| pace.clone()));
        let master_data = self.dir.join("master.db");
        master::create(&master_data)?;
        let parts = Parts {
            seed: options.seed,
            pace,
            master: MasterData::new(&master_data),
            database: self.database.clone(),
            dead_letters: self.dead_letters(),
            watcher: watcher.clone(),
        };
        let checkpoint = self.checkpoint();
        let ssc = get_or_create(text(&checkpoint)?, config, |ssc| {
            pipeline::build(ssc, &parts);
            Ok(())
        })?;
        ssc.add_listener(watcher);
        let pages = Watched::of(&ssc)?;
        if !options.worker {
            write(&watched_at(&pages));
        }
        ssc.start()?;
        let failed = ssc.clone();
        thread::spawn(move || {
            if failed.await_termination().is_err() {
                // Nobody listens any more when the demo has ended for another reason.
                let _ = events.send(Event::Ended);
            }
        });
        Ok((ssc, pages))
    }

    /// Compares what is in the tables with what should be.
    fn prove(&self) -> Result<(), Box<dyn Error>> {
        let Ok(mut tables) = self.database.open() else { return Err("nothing has been stored".into()) };
        let proof = proof::prove(&mut *tables, &self.dead_letters(), self.options.seed, self.interval)?;
        write(&format!("\n{proof}"));
        if proof.is_right() { Ok(()) } else { Err("the tables are not what they should be".into()) }
    }
}

/// Checkpoint directories are settings, which are text.
fn text(path: &Path) -> Result<&str, String> {
    path.to_str().ok_or_else(|| format!("{} is not text", path.display()))
}
