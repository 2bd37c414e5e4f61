// SPDX-License-Identifier: Apache-2.0
//! Metrics: the registry of a program and the sinks that report it.
