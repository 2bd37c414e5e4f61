// SPDX-License-Identifier: Apache-2.0
//! `Prepared<V>`: a value that the driver computes once, before the first tasks that need it run.

use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use crate::{
    error::{Error, Result},
    lineage::{Dependency, Prepare},
};

type Work<V> = Box<dyn Fn() -> Result<V> + Send>;

/// What an operator must know before its tasks can run, such as the lengths of the partitions before each one.
///
/// The operator puts a [`dependency`](Self::dependency) on it into its lineage and reads the [value](Self::get) in
/// its tasks. Nothing is computed until a job needs the operator; a failure is not kept, so that the next job tries
/// again.
pub(crate) struct Prepared<V> {
    value: OnceLock<V>,
    /// Locked while it runs, so that two jobs do not both do it; dropped when done, with all that it holds.
    work: Mutex<Option<Work<V>>>,
}

impl<V: Send + Sync + 'static> Prepared<V> {
    pub(crate) fn new(work: impl Fn() -> Result<V> + Send + 'static) -> Arc<Self> {
        Arc::new(Self { value: OnceLock::new(), work: Mutex::new(Some(Box::new(work))) })
    }

    /// Makes the scheduler compute the value before the tasks of a dataset.
    pub(crate) fn dependency(self: &Arc<Self>) -> Dependency {
        Dependency::Prepared(Arc::clone(self) as Arc<dyn Prepare>)
    }

    /// The value; for use inside the tasks of a dataset with this dependency.
    pub(crate) fn get(&self) -> &V {
        self.value.get().expect("the scheduler prepares a dataset before it runs its tasks")
    }
}

impl<V: Send + Sync + 'static> Prepare for Prepared<V> {
    fn prepare(&self) -> Result<()> {
        let mut work = self.work.lock();
        if let Some(compute) = &*work {
            let value = compute()?;
            self.value.get_or_init(|| value);
            *work = None;
        }
        Ok(())
    }
}

/// Makes every job that needs a dataset fail with [`Error::InvalidArgument`]. Operators stay infallible and chain;
/// the mistake comes to light at the first action.
pub(crate) fn refused(message: String) -> Dependency {
    Prepared::<()>::new(move || Err(Error::InvalidArgument(message.clone()))).dependency()
}
