// SPDX-License-Identifier: Apache-2.0
//! The `dstreams` command.

mod checkpoint;
mod dead_letters;
mod demo;
mod history;
mod process;
mod stop;
mod supervise;
mod top;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Discretized streams: micro-batches of datasets, without a JVM.
#[derive(Parser)]
#[command(name = "dstreams", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Say more on standard error: -v for information, -vv for details.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

#[derive(Subcommand)]
enum Command {
    /// Watch a live stream: count words (generated text, a socket, a watched directory), or `demo retail`.
    Demo(Box<demo::Options>),
    /// Look into a checkpoint directory, or compare it with a program.
    Checkpoint(checkpoint::Options),
    /// Look at records that a program could not use, or send them once more.
    #[command(subcommand)]
    DeadLetters(dead_letters::Command),
    /// Look at the pages of an application that has ended, from its event log.
    History(history::Options),
    /// Have an application process what it has received, and stop.
    Stop(stop::Options),
    /// Run an application, and start it again when it fails.
    Supervise(supervise::Options),
    /// Watch an application in this terminal: what its streaming page shows.
    Top(top::Options),
}

impl Command {
    /// What is worth a line on standard error when nothing is said about it.
    fn quiet_level(&self) -> dstreams::log::Level {
        match self {
            Self::Demo(options) => options.quiet_level(),
            Self::Checkpoint(_)
            | Self::DeadLetters(_)
            | Self::History(_)
            | Self::Stop(_)
            | Self::Supervise(_)
            | Self::Top(_) => dstreams::log::Level::WARN,
        }
    }
}

/// A length of time as an argument.
fn length(text: &str) -> Result<dstreams::Duration, String> {
    text.parse().map_err(|error: dstreams::time::ParseDurationError| error.to_string())
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    dstreams::log::to_stderr(match arguments.verbose {
        0 => arguments.command.quiet_level(),
        1 => dstreams::log::Level::INFO,
        _ => dstreams::log::Level::DEBUG,
    });
    let result = match arguments.command {
        Command::Demo(options) => demo::run(&options),
        Command::Checkpoint(options) => checkpoint::run(&options).map_err(Into::into),
        Command::DeadLetters(command) => dead_letters::run(command),
        Command::History(options) => history::run(&options),
        Command::Stop(options) => stop::run(&options),
        Command::Supervise(options) => match supervise::run(&options) {
            Ok(code) => return code,
            Err(error) => Err(error),
        },
        Command::Top(options) => top::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dstreams: {error}");
            ExitCode::FAILURE
        }
    }
}
