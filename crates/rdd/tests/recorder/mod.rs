// SPDX-License-Identifier: Apache-2.0
//! A listener that keeps the events of an engine, for the tests of it.

use std::sync::{Arc, Mutex};

use dstreams_rdd::{
    RddContext,
    event::{EngineEvent, EngineListener},
};

/// All events so far.
#[derive(Default)]
pub(crate) struct Recorder(Mutex<Vec<EngineEvent>>);

impl EngineListener for Recorder {
    fn on_event(&self, event: &EngineEvent) {
        self.0.lock().unwrap().push(event.clone());
    }
}

impl Recorder {
    pub(crate) fn on(sc: &RddContext) -> Arc<Self> {
        let recorder = Arc::new(Self::default());
        sc.events().add(Arc::clone(&recorder) as _);
        recorder
    }

    /// What `pick` makes of the events, in their order.
    pub(crate) fn pick<R>(&self, pick: impl FnMut(&EngineEvent) -> Option<R>) -> Vec<R> {
        self.0.lock().unwrap().iter().filter_map(pick).collect()
    }
}
