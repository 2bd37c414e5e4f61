// SPDX-License-Identifier: Apache-2.0
//! `dstreams dead-letters`: shows the dead letters in a directory, and sends their records once more.

use std::{
    error::Error,
    io::{self, Write as _},
    path::PathBuf,
};

use clap::{Args, Subcommand};
use dstreams::{
    Time,
    streaming::{DeadLetters, LetterFilter, ReplayTarget},
};
use jiff::Timestamp;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show the letters, one per line: batch, partition and position, the error, the record.
    List {
        /// Directory that a program writes its dead letters to.
        directory: PathBuf,
        #[command(flatten)]
        filter: Filter,
    },
    /// Write the records of the letters to a file in a directory that a program monitors. What has been replayed is noted
    /// and not sent a second time.
    Replay {
        /// Directory that a program writes its dead letters to.
        directory: PathBuf,
        /// Monitored directory, or `-` for standard output, which notes nothing.
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
        /// Send letters that have been replayed before, too.
        #[arg(long)]
        again: bool,
        #[command(flatten)]
        filter: Filter,
    },
}

#[derive(Args)]
pub(crate) struct Filter {
    /// Only batches at this time and later: `2026-01-31T12:00:00Z`, or milliseconds since 1970.
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Time>,
    /// Only batches at this time and earlier.
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Time>,
    /// Only letters whose error contains this text.
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,
}

impl From<Filter> for LetterFilter {
    fn from(asked: Filter) -> Self {
        let mut filter = Self::default();
        (filter.since, filter.until, filter.error) = (asked.since, asked.until, asked.error);
        filter
    }
}

fn time(text: &str) -> Result<Time, String> {
    if let Ok(millis) = text.parse() {
        return Ok(Time::from_millis(millis));
    }
    let time: Result<Timestamp, _> = text.parse();
    time.map(|time| Time::from_millis(time.as_millisecond()))
        .map_err(|error| format!("{error}; write it as 2026-01-31T12:00:00Z or in milliseconds since 1970"))
}

pub(crate) fn run(command: Command) -> Result<(), Box<dyn Error>> {
    match command {
        Command::List { directory, filter } => list(directory, &filter.into()),
        Command::Replay { directory, to, again, filter } => {
            let (letters, filter) = (open(directory)?, filter.into());
            if to.as_os_str() == "-" {
                return print_records(&letters, &filter);
            }
            let replayed = letters.replay(&filter, &ReplayTarget { directory: &to, again })?;
            match &replayed.file {
                Some(file) => println!("{} records in {}", replayed.sent, file.display()),
                None => println!("nothing to replay"),
            }
            if replayed.before > 0 {
                println!("{} were replayed before; --again sends them too", replayed.before);
            }
            if replayed.not_lines > 0 {
                println!(
                    "{} were passed over: they contain an end of line and would become several records",
                    replayed.not_lines
                );
            }
            Ok(())
        }
    }
}

/// A directory that is none of dead letters would look like one without any.
fn open(directory: PathBuf) -> Result<DeadLetters, Box<dyn Error>> {
    if !directory.join("_committed").is_dir() {
        return Err(format!("{} is no directory of dead letters", directory.display()).into());
    }
    Ok(DeadLetters::new(directory))
}

fn list(directory: PathBuf, filter: &LetterFilter) -> Result<(), Box<dyn Error>> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut count = 0u64;
    open(directory)?.try_visit(filter, |letter| {
        count += 1;
        let batch = Timestamp::from_millisecond(letter.batch_time.as_millis())
            .map_or_else(|_| letter.batch_time.to_string(), |time| time.to_string());
        let place = format!("{}:{}", letter.partition, letter.position);
        let (place, error) = (letter.origin.as_deref().unwrap_or(&place), &letter.error);
        writeln!(out, "{batch}  {place}  {error}  {}", letter.text().escape_debug())
    })?;
    writeln!(out, "dead letters: {count}")?;
    Ok(out.flush()?)
}

fn print_records(letters: &DeadLetters, filter: &LetterFilter) -> Result<(), Box<dyn Error>> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    letters.try_visit(filter, |letter| {
        out.write_all(&letter.raw)?;
        out.write_all(b"\n")
    })?;
    Ok(out.flush()?)
}
