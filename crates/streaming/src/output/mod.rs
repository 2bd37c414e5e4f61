// SPDX-License-Identifier: Apache-2.0
//! Output operations: what makes a stream run. Each gives one job per batch, in the order in which they were defined.

mod for_each;
mod for_each_with;
mod pool;
mod print;
mod save;

pub use for_each_with::PartitionRecords;
pub use pool::{ConnectionPool, PoolError, PooledConnection};

use std::{panic::Location, sync::Arc};

use dstreams_rdd::{Data, Rdd, panic_text};

use crate::{
    dstream::{DStream, endpoint::Output, node::short},
    error::{Error, Result},
    time::Time,
};

impl<T: Data> DStream<T> {
    /// Registers an output; every kind of output ends here.
    pub(crate) fn output(
        &self,
        kind: &str,
        location: &Location<'_>,
        work: impl Fn(Rdd<T>, Time) -> Result<()> + Send + Sync + 'static,
    ) {
        let work = Arc::new(work);
        let stream = self.clone();
        self.scope().add_output(Output {
            name: format!("{kind} at {}", short(location)),
            description: format!("{kind} at {location} of {}", self.meta()),
            stream: self.any_node(),
            make_job: Arc::new(move |time, batches| {
                let Some(rdd) = stream.rdd_at(time, batches)? else { return Ok(None) };
                let work = Arc::clone(&work);
                Ok(Some(Box::new(move || guarded(|| work(rdd, time)))))
            }),
        });
    }
}

/// Turns a panic of user code on the driver into an error.
pub(crate) fn guarded<R>(f: impl FnOnce() -> Result<R>) -> Result<R> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(f))
        .unwrap_or_else(|panic| Err(Error::user(format!("panicked: {}", panic_text(&*panic)))))
}
