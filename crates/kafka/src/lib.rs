// SPDX-License-Identifier: Apache-2.0
//! Apache Kafka as a source of discretized streams.
