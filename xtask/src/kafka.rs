// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask kafka`: a real broker to try things with, and the one that `cargo xtask test` gives to all tests.

use std::{io, path::Path};

use clap::{Args, Subcommand};
use dstreams::{
    RddContext,
    kafka::{Admin, Params, Sender, create_rdd},
};
use dstreams_test_servers::{KAFKA_VARIABLE, Kafka, KafkaDaemon, KafkaStatus, StartError};

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
    /// Send each line of the standard input to a topic.
    Send {
        /// The topic; one that is not there is created
        topic: String,
        /// How many partitions it then has
        #[arg(long, default_value_t = 4)]
        partitions: i32,
    },
    /// Show the values that are in a topic now, those that are text.
    Read {
        /// The topic
        topic: String,
    },
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
        Action::Send { ref topic, partitions } => {
            let sent = send(&address(&daemon)?, topic, partitions)?;
            println!("sent {sent} records to {topic}");
        }
        Action::Read { ref topic } => read(&address(&daemon)?, topic)?,
    }
    Ok(())
}

fn address(daemon: &KafkaDaemon) -> Result<Params> {
    match daemon.status() {
        KafkaStatus::Running { address, .. } => Ok(Params::new(address)),
        KafkaStatus::Stopped => Err("the broker does not run: cargo xtask kafka start".into()),
    }
}

fn send(params: &Params, topic: &str, partitions: i32) -> Result<usize> {
    Admin::new(params)?.create_topic(topic, partitions, &[])?;
    let (mut sender, mut sent) = (Sender::new(params)?, 0);
    for line in io::stdin().lines() {
        let line = line?;
        sender.send(topic, |record| {
            record.value(line);
        })?;
        sent += 1;
    }
    sender.flush()?;
    Ok(sent)
}

fn read(params: &Params, topic: &str) -> Result<()> {
    let ranges = Admin::new(params)?.ranges(topic)?;
    let context = RddContext::local(1)?;
    let values =
        create_rdd(&context, params, &ranges)?.map(|record| record.value_text().map(|text| text.to_string()));
    for value in values.collect()? {
        println!("{}", value.unwrap_or_else(|error| format!("({error})")));
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
