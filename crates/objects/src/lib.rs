// SPDX-License-Identifier: Apache-2.0
//! Checkpoints, logs and marker files on object stores: `s3://`, `gs://`, `az://`.
//!
//! After [`register`] a URL of these schemes can stand wherever a checkpoint directory can, and
//! [`location`](dstreams_streaming::storage::location) opens it for other uses, such as a marker file that is waited for.
//! The options of a store, its credentials among them, come from its usual environment variables, such as
//! `AWS_ACCESS_KEY_ID`, and over those from configuration keys: `dstreams.objectStore.endpoint` and whatever else the
//! store has, in the spelling of the crate `object_store` or with capitals for its underscores.
//!
//! ```
//! use std::io::Write as _;
//! use dstreams_streaming::{Config, storage::location};
//!
//! dstreams_objects::register();
//! // A store in memory, for tests. `s3://bucket/orders/stop` is used in the same way.
//! let marker = location("memory://tests/orders/stop", &Config::default())?;
//! assert!(!marker.exists()?);
//! marker.create("marker")?.commit()?;
//! assert!(marker.exists()?);
//! marker.remove("marker")?;
//! assert!(!marker.exists()?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod build;
mod error;
mod runtime;
mod source;
mod store;
mod upload;

/// Has URLs of object stores be opened by this crate. A second call changes nothing.
pub fn register() {
    dstreams_streaming::storage::register(build::SCHEMES, build::open);
}
