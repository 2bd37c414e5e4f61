// SPDX-License-Identifier: Apache-2.0
//! The dstreams command.

fn main() {}
