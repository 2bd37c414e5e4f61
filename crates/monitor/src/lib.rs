// SPDX-License-Identifier: Apache-2.0
//! What an application has done, collected from its events and nothing else: a bounded store, the views that pages and
//! REST show, a verdict in words, and the log from which an application that has ended is shown again.
#![forbid(unsafe_code)]

mod error;
mod event;
pub mod format;
pub mod history;
mod metrics;
mod monitor;
mod reporter;
mod store;
pub mod verdict;
pub mod view;

pub use error::{Error, Result};
pub use event::{Application, EngineStep, Event, OperatorRun, Setting, TaskRun};
pub use monitor::{Change, Monitor};
pub use reporter::Reporter;
pub use store::{
    BatchRecord, DeadLetterCount, JobRecord, Limits, Phase, Series, Spread, StageRecord, Store, Told, Totals,
};
