// SPDX-License-Identifier: Apache-2.0
//! Output operations: what makes a stream run. Each gives one job per batch, in the order in which they were defined.

mod dead_letter;
mod for_each;
mod for_each_with;
mod handle;
mod identity;
mod partition;
mod pool;
mod positions;
mod print;
mod save;
mod sink;

pub use dead_letter::{
    DeadLetter, DeadLetters, DecodeError, Format, LetterFilter, Payload, Rejected, Rejection, ReplayError,
    ReplayTarget, Replayed,
};
pub use handle::OutputHandle;
pub use identity::{BatchIdentity, PartitionIdentity};
pub use partition::PartitionRecords;
pub use pool::{ConnectionPool, PoolError, PooledConnection};
pub use sink::{
    Begin, Committed, CommittedBatch, CommittedFile, CommittedPositions, FileSink, FileTransaction, History,
    Sink, SinkError, SinkTransaction, committed_files, read_committed,
};

use std::{panic::Location, sync::Arc};

use dstreams_rdd::{Data, Rdd, panic_text};

use self::identity::OutputBatch;
use crate::{
    config::keys,
    dstream::{DStream, endpoint::Output, node::short},
    error::{Error, Result},
    input::Batch,
    time::Time,
};

/// What an application is called in identities when it has no name.
const UNNAMED: &str = "unnamed";

impl<T: Data> DStream<T> {
    /// Registers an output that needs no more than the time of the batch.
    pub(crate) fn output(
        &self,
        kind: &'static str,
        location: &Location<'_>,
        work: impl Fn(Rdd<T>, Time) -> Result<()> + Send + Sync + 'static,
    ) {
        let _named_by_position =
            self.output_of_batches(kind, location, move |rdd, batch| work(rdd, batch.time()));
    }

    /// Registers an output; every kind of output ends here.
    pub(crate) fn output_of_batches(
        &self,
        kind: &'static str,
        location: &Location<'_>,
        work: impl Fn(Rdd<T>, &OutputBatch) -> Result<()> + Send + Sync + 'static,
    ) -> OutputHandle {
        let work = Arc::new(work);
        let stream = self.clone();
        let id = self.scope().next_output(kind);
        let name = self.scope().config().get(&keys::APP_NAME);
        let application: Arc<str> = name.as_deref().unwrap_or(UNNAMED).into();
        let handle = OutputHandle::new(self.scope(), &id);
        self.scope().add_output(Output {
            id: Arc::clone(&id),
            name: format!("{kind} at {}", short(location)),
            description: format!("{kind} at {location} of {}", self.meta()),
            stream: self.any_node(),
            make_job: Arc::new(move |time, batches| {
                let Some(rdd) = stream.rdd_at(time, batches)? else { return Ok(None) };
                let positions = batches.get(time).map_or_else(|| Arc::new(Batch::empty(time)), Arc::clone);
                let (application, output) = (Arc::clone(&application), id.get().into());
                let identity = BatchIdentity { application, output, batch_time: time };
                let (work, batch) = (Arc::clone(&work), OutputBatch { identity, positions });
                Ok(Some(Box::new(move || guarded(|| work(rdd, &batch)))))
            }),
        });
        handle
    }
}

/// Turns a panic of user code on the driver into an error.
pub(crate) fn guarded<R>(f: impl FnOnce() -> Result<R>) -> Result<R> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(f))
        .unwrap_or_else(|panic| Err(Error::user(format!("panicked: {}", panic_text(&*panic)))))
}
