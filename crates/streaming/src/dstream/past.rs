// SPDX-License-Identifier: Apache-2.0
//! Streams that are made from their own past: how they reach it, and how it is kept from growing without end.

use std::sync::{Arc, OnceLock, Weak};

use dstreams_rdd::{Data, Rdd, Wire};

use super::{
    DStream, NewStream,
    dataset_state::DatasetState,
    node::{Keep, Node, StreamNode},
    scope::Scope,
};
use crate::{
    error::Result,
    input::Batches,
    time::{Duration, Time, seconds},
};

/// The earlier datasets of a stream, as its own node reaches them.
pub(crate) struct Past<T> {
    own: Arc<OnceLock<Weak<Node<T>>>>,
}

impl<T: Data> Past<T> {
    /// The dataset of the batch before the one at `time`, and when that was. After batches that were left out it is
    /// further back than one slide.
    pub(crate) fn before(&self, time: Time, batches: &Batches) -> Result<Option<(Time, Rdd<T>)>> {
        let Some(own) = self.own.get().and_then(Weak::upgrade) else { return Ok(None) };
        let Some(before) = batches.latest_before(time, |before| own.meta().is_on_grid(before)) else {
            return Ok(own.latest_before(time));
        };
        Ok(own.rdd_at(before, batches)?.map(|rdd| (before, rdd)))
    }

    /// The dataset of the stream itself at `time`, made from those before it when it is not remembered; where that batch
    /// never was, the latest dataset before it that is remembered.
    pub(crate) fn latest_at(&self, time: Time, batches: &Batches) -> Result<Option<Rdd<T>>> {
        let Some(own) = self.own.get().and_then(Weak::upgrade) else { return Ok(None) };
        Ok(own.rdd_at(time, batches)?.or_else(|| own.latest_before(time).map(|(_, rdd)| rdd)))
    }
}

impl<T: Data> DStream<T> {
    /// A new stream that can reach its own past.
    #[track_caller]
    pub(crate) fn with_past<N: StreamNode<T> + 'static>(
        scope: &Arc<Scope>,
        new: NewStream,
        kind: impl FnOnce(Past<T>) -> N,
    ) -> Self {
        let own = Arc::new(OnceLock::new());
        let kind = kind(Past { own: Arc::clone(&own) });
        let stream = Self::new(scope, new, kind);
        let _first = own.set(Arc::downgrade(&stream.node));
        stream.meta().look_back();
        stream
    }
}

impl<K: Wire, S: Wire> DStream<(K, S)> {
    /// A new stream whose datasets are made from earlier ones of its own, so that their lineage would reach back to the
    /// first batch. Each dataset is kept in memory, or on disk where memory is short, and forgets what it was made
    /// from: it is all that the next one needs. Where the program asks for another storage level, datasets that are
    /// not kept are made again, and the lineage is cut at checkpoints only.
    #[track_caller]
    pub(crate) fn from_past<N: StreamNode<(K, S)> + 'static>(
        scope: &Arc<Scope>,
        new: NewStream,
        kind: impl FnOnce(Past<(K, S)>) -> N,
    ) -> Self {
        let checkpoint = Some(default_checkpoint_interval(new.slide));
        let stream = Self::with_past(scope, NewStream { checkpoint, ..new }, kind);
        stream.cut_at_checkpoints();
        stream.node.keep_by_default(&(Arc::new(cut) as Keep<(K, S)>));
        match DatasetState::new(&stream.node, scope.rdd_context()) {
            Ok(state) => scope.add_state(Arc::new(state)),
            Err(error) => scope.reject(error),
        }
        stream
    }
}

impl<T: Wire> DStream<T> {
    /// Makes the stream forget, at every checkpoint interval, what its dataset was computed from.
    pub(super) fn cut_at_checkpoints(&self) {
        self.node.cut_with(cut);
    }
}

fn cut<T: Wire>(rdd: &Rdd<T>) {
    let _kept = rdd.local_checkpoint();
}

/// Ten seconds, or the first multiple of the slide after that.
fn default_checkpoint_interval(slide: Duration) -> Duration {
    let (least, slide_ms) = (seconds(10).as_millis(), slide.as_millis().max(1));
    slide * ((least + slide_ms - 1) / slide_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_are_ten_seconds_apart_or_a_little_more() {
        for (slide, interval) in
            [(1000, 10_000), (3000, 12_000), (500, 10_000), (20_000, 20_000), (10_000, 10_000)]
        {
            let slide = Duration::from_millis(slide);
            assert_eq!(default_checkpoint_interval(slide), Duration::from_millis(interval));
        }
    }
}
