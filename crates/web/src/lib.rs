// SPDX-License-Identifier: Apache-2.0
//! The web UI of an application: pages, a REST interface, live updates. The only crate with HTTP in it.
//!
//! Pages are made on the server, charts included; a small script fetches a page again when a batch has changed, and
//! shows values under the pointer. Everything is in the binary.
#![forbid(unsafe_code)]

mod access;
mod chart;
mod error;
mod live;
mod metrics;
mod page;
mod query;
mod rest;
mod server;
mod ui;

pub use error::{Error, Result};
pub use ui::WebUi;
