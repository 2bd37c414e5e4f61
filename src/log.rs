// SPDX-License-Identifier: Apache-2.0
//! The log of a program: on standard error, or as the keys under `dstreams.log` say, for programs that have no `tracing`
//! subscriber of their own.

pub use dstreams_logging::{Level, Limits, LogError, Roller, start, subscriber, to_stderr};
