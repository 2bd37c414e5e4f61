// SPDX-License-Identifier: Apache-2.0
//! `save_as_text_files` and `save_as_object_files`: each batch as a directory of files.

use std::{
    ffi::OsString,
    panic::Location,
    path::{Path, PathBuf},
};

use dstreams_rdd::{Data, SaveOptions, TextRecord, Wire};

use crate::{dstream::DStream, time::Time};

/// A batch that is run again replaces what it has written before.
const REPLACE: SaveOptions = SaveOptions { overwrite: true };

impl<T: Data + TextRecord> DStream<T> {
    /// Writes every batch as lines of text to a directory of its own, `prefix-<batch time in ms>.suffix`: one file
    /// `part-00000` and so on per partition, and `_SUCCESS` when all are complete. An empty suffix leaves out the
    /// point, an empty prefix all but the time. Empty batches are written too. An existing directory of the name is
    /// replaced, so that a batch that is run again leaves the same files.
    ///
    /// ```
    /// use dstreams_streaming::testing::TestContext;
    /// # let directory = tempfile::tempdir().unwrap();
    /// let prefix = directory.path().join("counts");
    /// let test = TestContext::new()?;
    /// test.input_with(vec![Some(vec![("to", 2), ("be", 2)])], 1).save_as_text_files(&prefix, "txt");
    /// test.run(1)?;
    /// let text = std::fs::read_to_string(directory.path().join("counts-1000.txt/part-00000")).unwrap();
    /// assert_eq!(text, "(to,2)\n(be,2)\n");
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn save_as_text_files(&self, prefix: impl AsRef<Path>, suffix: &str) {
        let path_at = batch_paths(prefix.as_ref(), suffix);
        self.output("save_as_text_files", Location::caller(), move |rdd, time| {
            Ok(rdd.save_as_text_file_with(path_at(time), REPLACE)?)
        });
    }
}

impl<T: Wire> DStream<T> {
    /// Writes every batch as encoded records, to be read again with `RddContext::object_file` as the same type. The
    /// directories are those of [`save_as_text_files`](DStream::save_as_text_files).
    ///
    /// ```
    /// use dstreams_streaming::testing::TestContext;
    /// # let directory = tempfile::tempdir().unwrap();
    /// let prefix = directory.path().join("counts");
    /// let test = TestContext::new()?;
    /// test.input(vec![vec![(1, 0.5), (2, 1.5)]]).save_as_object_files(&prefix, "");
    /// test.run(1)?;
    /// let saved = test.context().rdd_context().object_file::<(i32, f64)>(directory.path().join("counts-1000"))?;
    /// assert_eq!(saved.collect()?, [(1, 0.5), (2, 1.5)]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn save_as_object_files(&self, prefix: impl AsRef<Path>, suffix: &str) {
        let path_at = batch_paths(prefix.as_ref(), suffix);
        self.output("save_as_object_files", Location::caller(), move |rdd, time| {
            Ok(rdd.save_as_object_file_with(path_at(time), REPLACE)?)
        });
    }
}

/// The directory of each batch.
fn batch_paths(prefix: &Path, suffix: &str) -> impl Fn(Time) -> PathBuf + Send + Sync + 'static {
    let mut before = OsString::from(prefix);
    if !before.is_empty() {
        before.push("-");
    }
    let after = if suffix.is_empty() { String::new() } else { format!(".{suffix}") };
    move |time| {
        let mut path = before.clone();
        path.push(format!("{}{after}", time.as_millis()));
        path.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_have_prefix_time_and_suffix_as_far_as_given() {
        let name =
            |prefix: &str, suffix: &str| batch_paths(Path::new(prefix), suffix)(Time::from_millis(2_000));
        assert_eq!(name("out/counts", "txt"), Path::new("out/counts-2000.txt"));
        assert_eq!(name("counts", ""), Path::new("counts-2000"));
        assert_eq!(name("", "txt"), Path::new("2000.txt"));
        assert_eq!(name("", ""), Path::new("2000"));
    }
}
