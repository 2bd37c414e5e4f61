// SPDX-License-Identifier: Apache-2.0
//! What is told of a context as a whole: its graph, its stop, and what it leaves behind.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{
    input::{InputInfo, StreamId},
    time::{Duration, Time},
};

/// What a context runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraphInfo {
    /// `spark.app.name`; empty for an application without a name.
    pub application: String,
    /// The batch interval.
    pub interval: Duration,
    /// The checkpoint directory, if there is one.
    pub checkpoint_dir: Option<String>,
    /// The input streams by their numbers.
    pub inputs: Vec<InputStreamInfo>,
    /// The streams that outputs are made from, parents before children.
    pub operators: Vec<OperatorInfo>,
    /// The outputs in the order of the program.
    pub outputs: Vec<OutputInfo>,
}

/// An input stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputStreamInfo {
    /// Its number.
    pub stream_id: StreamId,
    /// What pages call it, such as `Socket stream [0]`.
    pub name: String,
    /// Whether a receiver feeds it; otherwise batches take from the source directly.
    pub is_receiver: bool,
}

/// A stream of the graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorInfo {
    /// Its number.
    pub id: usize,
    /// The operation that makes it, such as `map`.
    pub operator: String,
    /// The name that the program gave to it.
    pub name: Option<String>,
    /// Where in the program it is made, such as `main.rs:12`.
    pub location: String,
    /// The time between two of its datasets.
    pub slide: Duration,
    /// The streams that it is made from.
    pub parents: Vec<usize>,
    /// The name under which checkpoints and [`StateInfo`](super::StateInfo) know its states, if it has any.
    pub state: Option<String>,
}

/// An output of the graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputInfo {
    /// What its sink knows it by: the name that it was given, or its kind and number.
    pub id: String,
    /// Its kind and where it stands in the program; that of
    /// [`OutputOperationInfo`](super::OutputOperationInfo).
    pub name: String,
    /// The stream that is put out.
    pub operator: usize,
}

/// A context that begins to stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopInfo {
    /// When.
    pub time: Time,
    /// Whether what has been received is processed first.
    pub graceful: bool,
    /// Who asked for it, such as `signal 15`.
    pub reason: String,
}

/// What a context leaves behind that has stopped. Shown as some lines of text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShutdownReport {
    /// When it had stopped.
    pub time: Time,
    /// How long the stop took.
    pub duration: Duration,
    /// Whether what had been received was to be processed first.
    pub graceful: bool,
    /// Whether it was: nothing received waits, and no batch does.
    pub finished: bool,
    /// Who asked for the stop.
    pub reason: String,
    /// The last batch that is complete; nothing if there is none.
    pub last_batch: Option<Time>,
    /// How many batches this process has completed.
    pub completed_batches: u64,
    /// Batches that were planned and are not complete: the next start processes them where there is a checkpoint
    /// directory.
    pub pending: Vec<Time>,
    /// For each input stream, what the last complete batch that has anything of it took.
    pub positions: BTreeMap<StreamId, StreamPosition>,
    /// The last error of the context, if there was one.
    pub error: Option<String>,
}

/// How far an input stream has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamPosition {
    /// What pages call the stream.
    pub name: String,
    /// The batch.
    pub batch_time: Time,
    /// What the batch took of the stream.
    pub input: InputInfo,
}

impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match (self.graceful, self.finished) {
            (true, true) => "everything received has been processed",
            (true, false) => "the time for it was too short: not everything received has been processed",
            (false, _) => "at once: what was not complete is left to the next start",
        };
        writeln!(f, "stopped after {} ({}); {how}", self.duration, self.reason)?;
        match self.last_batch {
            Some(time) => writeln!(f, "last complete batch: {time}, of {} batches", self.completed_batches)?,
            None => writeln!(f, "no batch is complete")?,
        }
        if !self.pending.is_empty() {
            writeln!(f, "batches not complete: {}", self.pending.len())?;
        }
        for StreamPosition { name, batch_time, input } in self.positions.values() {
            write!(f, "{name}: {} records in the batch {batch_time}", input.records)?;
            let is_told = |key: &str, value: &str| InputInfo::is_position(key) && !value.is_empty();
            for (key, value) in input.metadata.iter().filter(|(key, value)| is_told(key, value)) {
                write!(f, "; {key} {}", value.replace('\n', ", "))?;
            }
            writeln!(f)?;
        }
        if let Some(error) = &self.error {
            writeln!(f, "last error: {error}")?;
        }
        Ok(())
    }
}
