// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask kafka`: a real broker to try things with, and the one that `cargo xtask test` gives to all tests.

use std::path::Path;

use clap::{Args, Subcommand};
use dstreams_test_servers::{KAFKA_VARIABLE, Kafka, KafkaDaemon, StartError};

use crate::Result;

/// Options of `cargo xtask kafka`.
#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Start a broker and say where it is; topics are created when they are first used.
    Start {
        /// The port that clients connect to; a free one if not said otherwise
        #[arg(long)]
        port: Option<u16>,
    },
    /// Stop it, and remove all that is in its topics.
    Stop,
    /// Say whether it runs, and where.
    Status,
}

/// Does what the options say with the broker of this workspace.
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let daemon = KafkaDaemon::at(&root.join("target/kafka"));
    match options.action {
        Action::Start { port } => println!("{}", daemon.start(port)?),
        Action::Stop => {
            daemon.stop()?;
            println!("stopped");
        }
        Action::Status => println!("{}", daemon.status()),
    }
    Ok(())
}

/// A broker for all tests of a run, and the variable by which they find it. Where there can be none, each test says so
/// for itself. It ends with the value.
pub(crate) fn for_tests() -> Result<Option<(Kafka, (&'static str, String))>> {
    match Kafka::start() {
        Ok(kafka) => {
            let variable = (KAFKA_VARIABLE, kafka.address());
            Ok(Some((kafka, variable)))
        }
        Err(error @ StartError::NotInstalled(_)) => {
            println!("{error}");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}
