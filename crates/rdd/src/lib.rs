// SPDX-License-Identifier: Apache-2.0
//! Partitioned, lazy, lineage-based datasets: the layer below streams, usable on its own.
#![deny(unsafe_code)]

mod accumulator;
mod action;
mod action_by_key;
mod allocator;
mod attribution;
pub mod block;
mod broadcast;
pub mod chunk;
pub mod codec;
mod context;
mod error;
pub mod event;
pub mod lineage;
mod operator;
mod partitioner;
mod persist;
mod prepared;
mod random;
mod rdd;
mod record;
mod save;
pub mod scheduler;
mod shuffle;
pub mod source;
pub mod text;

pub use accumulator::Accumulator;
pub use attribution::owned_by;
pub use broadcast::Broadcast;
pub use chunk::Records;
pub use context::{RddContext, RddOptions};
pub use error::{BoxError, Error, Result, TaskError, TaskFailure, panic_text};
pub use operator::{KeyIndex, KeyValues, PairOptions};
pub use partitioner::{
    ArcPartitioner, HashPartitioner, Partitioner, PartitionerId, RangePartitioner, key_hash,
};
pub use persist::StorageLevel;
pub use rdd::Rdd;
pub use record::{Data, Key, Wire};
pub use save::{SaveOptions, text_record::TextRecord};
pub use shuffle::partitioning::Partitioning;
pub use text::Text;
