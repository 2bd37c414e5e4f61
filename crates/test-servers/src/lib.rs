// SPDX-License-Identifier: Apache-2.0
//! Real servers for tests: private ones, in a directory of their own, without a port, gone with the test.
#![forbid(unsafe_code)]

mod chromium;
mod postgres;

pub use chromium::{BrowserError, Chromium};
pub use postgres::{Postgres, StartError};
