// SPDX-License-Identifier: Apache-2.0
//! The `dstreams` command.

mod checkpoint;
mod dead_letters;
mod demo;

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
}

impl Command {
    /// What is worth a line on standard error when nothing is said about it.
    fn quiet_level(&self) -> dstreams::log::Level {
        match self {
            Self::Demo(options) => options.quiet_level(),
            Self::Checkpoint(_) | Self::DeadLetters(_) => dstreams::log::Level::WARN,
        }
    }
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
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dstreams: {error}");
            ExitCode::FAILURE
        }
    }
}
