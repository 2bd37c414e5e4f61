// SPDX-License-Identifier: Apache-2.0
//! The project's own tasks: `cargo xtask test` is the test command, `cargo xtask tidy` checks the tree.

mod bench;
mod chaos;
mod conformance;
mod kafka;
mod soak;
mod test;
mod tidy;

use std::{
    error::Error,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

/// What a task returns; its error is a sentence for the person at the terminal.
type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The project's own tasks.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run every check a change must pass, in order, and stop at the first failure.
    Test(test::Options),
    /// Kill a program at random moments, or at every step of its durability, and compare its outputs with the truth.
    Chaos(chaos::Options),
    /// Measure the engine against loops written by hand and other engines, and write `docs/benchmarks.md`.
    Bench(bench::Options),
    /// Run tables of cases against the engine: a line for each, then how many passed and failed.
    Conformance(conformance::Options),
    /// Run a program for a long time, and fail when its memory, files, threads or disk grow.
    Soak(soak::Options),
    /// Start, stop or look for an Apache Kafka of this workspace.
    Kafka(kafka::Options),
    /// Check headers, layers, names, examples, invariants and links of the tree.
    Tidy,
}

fn main() -> ExitCode {
    let root = workspace_root();
    let outcome = match Cli::parse().task {
        Task::Test(options) => test::run(&root, &options),
        Task::Chaos(options) => chaos::run(&root, &options),
        Task::Bench(options) => bench::run(&root, &options),
        Task::Conformance(options) => conformance::run(&options),
        Task::Soak(options) => soak::run(&root, &options),
        Task::Kafka(options) => kafka::run(&root, &options),
        Task::Tidy => tidy::run(&root),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The directory of the workspace's `Cargo.toml`, wherever the command was started.
fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("xtask is a directory of the workspace").to_path_buf()
}
