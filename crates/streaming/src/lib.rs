// SPDX-License-Identifier: Apache-2.0
//! Discretized streams: a stream is a sequence of small batches, each batch a dataset.
#![deny(unsafe_code)]

mod batch;
mod checkpoint;
pub mod clock;
pub mod config;
mod context;
mod dstream;
mod error;
pub mod event;
mod graph;
mod input;
mod local_path;
mod operator;
mod output;
pub mod rate;
pub mod receiver;
mod source;
mod state;
pub mod storage;
pub mod testing;
pub mod time;
pub mod timer;

pub use checkpoint::{CheckpointContents, Fate, RecoveryReport, RecoveryRow, StateContents};
pub use config::Config;
pub use context::{StopOptions, StreamingContext, get_or_create, run, run_with};
pub use dstream::{DStream, scope::StreamingContextState};
pub use dstreams_rdd::{
    Accumulator, ArcPartitioner, BoxError, Broadcast, Data, HashPartitioner, Key, PairOptions, Partitioner,
    PartitionerId, Partitioning, Rdd, RddContext, StorageLevel, Text, Wire, key_hash,
};
pub use dstreams_wal::Location;
pub use error::{CheckpointError, Error, Result};
pub use event::StreamingListener;
pub use input::{Batch, BatchInput, InputInfo, StreamId};
pub use operator::{KeyUpdates, MapWithStateStream, ReducedWindowOptions, StateOptions, StateSpec};
pub use output::{
    BatchIdentity, Begin, Committed, CommittedBatch, CommittedFile, CommittedPositions, ConnectionPool,
    DeadLetter, DeadLetters, DecodeError, FileSink, FileTransaction, Format, History, LetterFilter,
    OutputHandle, PartitionIdentity, PartitionRecords, Payload, PoolError, PooledConnection, Rejected,
    Rejection, ReplayError, ReplayTarget, Replayed, Sink, SinkError, SinkTransaction, committed_files,
    read_committed,
};
pub use source::{
    BinaryRecords, FileContent, FileFault, FileProblem, FileReader, FileStreamOptions, QueueTake, RddQueue,
    SelectedFile, Source, SourceContext, TextLines,
};
pub use state::{State, StateError};
pub use time::{Duration, Time};
