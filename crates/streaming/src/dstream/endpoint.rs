// SPDX-License-Identifier: Apache-2.0
//! The two ends of a graph as the generator sees them: inputs that give batches their data, outputs that make jobs.

use std::sync::{Arc, OnceLock};

use dstreams_wal::Location;

use super::node::AnyNode;
use crate::{
    error::Result,
    input::{BatchInput, Batches, StreamId},
    time::Time,
};

/// An input stream without the type of its records.
pub(crate) trait AnyInput: Send + Sync {
    /// Its number.
    fn id(&self) -> StreamId;

    /// What pages call it, such as `Socket stream [0]`.
    fn name(&self) -> String;

    /// Whether a receiver feeds it.
    fn is_receiver(&self) -> bool;

    /// Fixes what it gives to the batch at `time`; nothing when it has no dataset then.
    fn plan(&self, time: Time) -> Result<Option<BatchInput>>;

    /// Takes back what it gave to a batch that never came to be.
    fn give_back(&self, input: &BatchInput);

    /// Starts to take in data.
    fn start(&self) -> Result<()>;

    /// Stops to take in data; what was received stays and can still be planned.
    fn stop(&self, graceful: bool);

    /// Whether it holds received data that no batch has taken yet.
    fn has_unplanned(&self) -> bool;

    /// Says that a batch is complete for good.
    fn completed(&self, time: Time);

    /// Says that a batch has failed.
    fn failed(&self, time: Time);

    /// Called when the context has stopped and no batch is left.
    fn close(&self);

    /// Frees what batches at and before `time` were made from.
    fn forget(&self, time: Time);

    /// Says that there are checkpoints, and where it may keep files of its own.
    fn attach(&self, dir: &Location) -> Result<()>;

    /// Whether what it gave to batches can be read again in another process.
    fn is_recoverable(&self) -> bool;

    /// What must be known after a restart although no batch says it.
    fn memory(&self) -> Vec<u8>;

    /// Continues what an earlier process began, before its start.
    fn restore(&self, memory: &[u8], inputs: &[(Time, &BatchInput)]) -> Result<()>;

    /// Removes what is stored for batches at and before `time`.
    fn clean(&self, time: Time);
}

/// The work of one output for one batch.
pub(crate) type OutputJob = Box<dyn FnOnce() -> Result<()> + Send>;

/// Makes the work of an output for a batch; none when its stream has no dataset then.
pub(crate) type MakeJob = Arc<dyn Fn(Time, &Batches) -> Result<Option<OutputJob>> + Send + Sync>;

/// An output operation.
#[derive(Clone)]
pub(crate) struct Output {
    /// What sinks and checkpoints know it by.
    pub(crate) id: Arc<OutputId>,
    /// What pages call it: its kind and where it stands in the program.
    pub(crate) name: String,
    /// The same at greater length.
    pub(crate) description: String,
    /// The stream that is put out.
    pub(crate) stream: Arc<dyn AnyNode>,
    pub(crate) make_job: MakeJob,
}

/// The stable identity of an output: the name that it was given, or its kind and its number among those of the kind.
#[derive(Debug)]
pub(crate) struct OutputId {
    kind: &'static str,
    by_position: String,
    name: OnceLock<String>,
}

impl OutputId {
    /// The id of the output of its kind with this number, from 1.
    pub(crate) fn new(kind: &'static str, number: usize) -> Self {
        Self { kind, by_position: format!("{kind}-{number}"), name: OnceLock::new() }
    }

    pub(crate) fn kind(&self) -> &'static str {
        self.kind
    }

    pub(crate) fn get(&self) -> &str {
        self.name.get().map_or(&self.by_position, String::as_str)
    }

    /// Gives the output a name; the first one stays.
    pub(crate) fn set_name(&self, name: &str) {
        let _first_stays = self.name.set(name.to_owned());
    }
}
