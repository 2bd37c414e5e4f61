// SPDX-License-Identifier: Apache-2.0
//! The threads on which requests run, and how other threads wait for them.

use std::{future::Future, io, sync::LazyLock, sync::mpsc::sync_channel};

use tokio::runtime::{Builder, Runtime};

/// One for the process: requests wait more than they work.
static RUNTIME: LazyLock<io::Result<Runtime>> = LazyLock::new(|| {
    Builder::new_multi_thread().worker_threads(2).thread_name("dstreams-objects").enable_all().build()
});

/// Waits for the end of `work`. May be called on any thread, also on one of another runtime.
pub(crate) fn wait<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> io::Result<T> {
    let runtime =
        RUNTIME.as_ref().map_err(|cause| io::Error::other(format!("no threads for requests: {cause}")))?;
    let (sender, receiver) = sync_channel(1);
    runtime.spawn(async move {
        let _ = sender.send(work.await);
    });
    receiver.recv().map_err(|_| io::Error::other("a request has panicked"))
}

/// Lets `work` be done without waiting for it.
pub(crate) fn detach(work: impl Future<Output = ()> + Send + 'static) {
    if let Ok(runtime) = RUNTIME.as_ref() {
        runtime.spawn(work);
    }
}
