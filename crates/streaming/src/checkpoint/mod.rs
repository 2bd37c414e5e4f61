// SPDX-License-Identifier: Apache-2.0
//! Checkpoints: what outlives the process, and how it is found again.

pub(crate) mod durable;
