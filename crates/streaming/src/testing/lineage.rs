// SPDX-License-Identifier: Apache-2.0
//! `lineage`: what the engine has settled for a stream and those it is made from.

use std::sync::Arc;

use dstreams_rdd::Data;

use crate::{
    dstream::{DStream, node::AnyNode},
    time::{Duration, Time},
};

/// One stream as the engine sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamReport {
    /// The operator that made it.
    pub operator: &'static str,
    /// The name given to it.
    pub name: Option<String>,
    /// The time between two datasets.
    pub slide: Duration,
    /// How long its datasets are remembered; known from the start of the context on.
    pub remember: Duration,
    /// The time between two checkpoints, if it is checkpointed.
    pub checkpoint: Option<Duration>,
    /// Whether its datasets are kept at a storage level.
    pub is_kept: bool,
    /// The batch times whose datasets are remembered now.
    pub remembered: Vec<Time>,
}

/// The streams from `stream` to its source; where streams are combined, along the first of them.
///
/// ```
/// use dstreams_streaming::{testing::{TestContext, lineage}, time::seconds};
/// let test = TestContext::new()?;
/// let numbers = test.input(vec![vec![1]]).map(|n| n + 1).cache();
/// test.context().remember(seconds(3))?;
/// test.collect(&numbers);
/// test.run(2)?;
/// let streams = lineage(&numbers);
/// assert_eq!((streams[0].operator, streams[0].is_kept, streams[0].remember), ("map", true, seconds(3)));
/// assert_eq!(streams[1].remembered.len(), 2);
/// # Ok::<(), dstreams_streaming::Error>(())
/// ```
pub fn lineage<T: Data>(stream: &DStream<T>) -> Vec<StreamReport> {
    let mut streams = Vec::new();
    let mut next = Some(stream.any_node());
    while let Some(node) = next {
        streams.push(report(&*node));
        next = node.meta().parents().first().map(Arc::clone);
    }
    streams
}

fn report(node: &dyn AnyNode) -> StreamReport {
    let meta = node.meta();
    StreamReport {
        operator: meta.operator(),
        name: meta.name().map(str::to_owned),
        slide: meta.slide(),
        remember: meta.remember(),
        checkpoint: meta.checkpoint_interval(),
        is_kept: node.is_kept(),
        remembered: node.remembered(),
    }
}
