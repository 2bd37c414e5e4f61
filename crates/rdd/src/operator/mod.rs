// SPDX-License-Identifier: Apache-2.0
//! The operations that make one dataset from others, by kind.

mod cartesian;
mod coalesce;
mod narrow;
mod sample;
mod union;
mod zip;
