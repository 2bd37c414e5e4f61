// SPDX-License-Identifier: Apache-2.0
//! Datasets from files: lines of text, encoded records, records of a fixed length.

mod binary_records;
mod custom;
mod files;
mod object_file;
mod text_file;

pub(crate) use custom::SourceChunks;
pub use files::ByteRange;
