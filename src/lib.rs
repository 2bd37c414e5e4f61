// SPDX-License-Identifier: Apache-2.0
//! dstreams: discretized streams in Rust.

pub use dstreams_rdd as rdd;
pub use dstreams_streaming as streaming;
