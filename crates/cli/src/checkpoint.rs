// SPDX-License-Identifier: Apache-2.0
//! `dstreams checkpoint`: what a checkpoint directory holds, and what a changed program would make of it.

use std::{ffi::OsString, process::Command};

use clap::{Args, Subcommand};
use dstreams::{Config, Error, Result, streaming::CheckpointContents};

/// Options of `dstreams checkpoint`.
#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Say what a checkpoint directory holds; it may be in use.
    Show {
        /// The checkpoint directory, or its URL on an object store
        #[arg(value_name = "DIR")]
        directory: String,
        /// A configuration key, such as dstreams.objectStore.endpoint
        #[arg(long, value_name = "KEY=VALUE")]
        conf: Vec<String>,
    },
    /// Say what a program would keep, migrate, drop or begin anew, without starting it.
    Diff {
        /// The checkpoint directory, or its URL on an object store
        #[arg(value_name = "DIR")]
        directory: String,
        /// The program, which must be built on `dstreams::run`, and its arguments
        #[arg(value_name = "PROGRAM", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        program: Vec<OsString>,
    },
}

/// Does what is asked.
pub(crate) fn run(options: &Options) -> Result<()> {
    match &options.action {
        Action::Show { directory, conf } => show(directory, conf),
        Action::Diff { directory, program } => diff(directory, program),
    }
}

fn show(directory: &str, settings: &[String]) -> Result<()> {
    #[cfg(feature = "object-store")]
    dstreams::objects::register();
    let mut config = Config::default();
    config.load_environment(std::env::vars_os())?;
    settings.iter().try_for_each(|setting| config.set_argument(setting))?;
    print!("{}", CheckpointContents::read_with(directory, &config)?);
    Ok(())
}

/// Runs the program with the two settings that make it explain itself and end.
fn diff(directory: &str, program: &[OsString]) -> Result<()> {
    let [program, arguments @ ..] = program else { return Ok(()) };
    let name = program.display();
    let status = Command::new(program)
        .args(arguments)
        .env("DSTREAMS_RECOVERY_MODE", "explain")
        .env("SPARK_STREAMING_CHECKPOINT_DIRECTORY", directory)
        .status()
        .map_err(|cause| Error::user(format!("cannot run {name}: {cause}")))?;
    if status.success() {
        Ok(())
    } else {
        Err(Error::user(format!("{name} ended with {status} before it could say what it would do")))
    }
}
