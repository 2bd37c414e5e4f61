// SPDX-License-Identifier: Apache-2.0
//! Partitioned, lazy, lineage-based datasets.
