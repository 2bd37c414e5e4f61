// SPDX-License-Identifier: Apache-2.0
//! Partitioned, lazy, lineage-based datasets.

#![deny(unsafe_code)]

pub mod block;
pub mod codec;
pub mod text;

pub use text::Text;
