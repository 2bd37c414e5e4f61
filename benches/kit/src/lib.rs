// SPDX-License-Identifier: Apache-2.0
//! What every side of the benchmarks shares: the arguments, the input, the measured part, checksums, the report. It
//! knows nothing of dstreams, so that peers are measured by the same code.

mod arguments;
mod outcome;
mod process;
mod report;
pub mod text;

use std::error::Error;

pub use self::{
    arguments::Arguments,
    outcome::{Keyed, Outcome, mix, of_bytes},
    process::{Memory, cpu_seconds},
    report::{Report, measure, now, timed},
};

/// What a benchmark returns; its error is a sentence for the person at the terminal.
pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;
