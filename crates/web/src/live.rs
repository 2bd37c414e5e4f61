// SPDX-License-Identifier: Apache-2.0
//! Live updates by server-sent events: each tells that a batch has changed.

use std::convert::Infallible;

use axum::response::sse::{Event, KeepAlive, Sse};
use dstreams_monitor::{Change, Monitor};
use futures_util::stream::{Stream, unfold};
use tokio::sync::watch;

/// Where the latest change is told.
#[derive(Debug, Clone)]
pub(crate) struct Live(watch::Receiver<i64>);

impl Live {
    /// Follows a monitor.
    pub(crate) fn of(monitor: &Monitor) -> Self {
        let (told, changes) = watch::channel(0);
        monitor.subscribe(move |change| {
            if let Change::Batch(time) = change {
                told.send_replace(time.as_millis());
            }
        });
        Self(changes)
    }

    /// One event per change, with the time of the batch. Who reads slowly gets the last change only.
    pub(crate) fn events(&self) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
        let changes = self.0.clone();
        let events = unfold(changes, |mut changes| async move {
            changes.changed().await.ok()?;
            let batch = *changes.borrow_and_update();
            Some((Ok(Event::default().event("batch").data(batch.to_string())), changes))
        });
        Sse::new(events).keep_alive(KeepAlive::default())
    }
}
