// SPDX-License-Identifier: Apache-2.0
//! Discretized streams.

pub mod clock;
pub mod config;
pub mod rate;
pub mod time;
pub mod timer;
