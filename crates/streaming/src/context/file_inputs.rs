// SPDX-License-Identifier: Apache-2.0
//! The methods of a context that make streams of the files in a directory.

use std::{path::Path, sync::Arc};

use dstreams_rdd::Text;

use super::StreamingContext;
use crate::{
    config::keys,
    dstream::DStream,
    error::Error,
    source::{BinaryRecords, Directories, FileReader, FileSource, FileStreamOptions, TextLines},
};

impl StreamingContext {
    /// The lines of the text files that appear in a directory, each file in the batch in whose interval it was
    /// modified last.
    ///
    /// `directory` may be a pattern of directories with `*`, `?` or `[…]`, which is evaluated in each batch. Only
    /// files directly in the directories are read, not those of subdirectories, and none whose name starts with `.`
    /// or `_`. A file must be complete when it appears: write it elsewhere and rename it into the directory. It may
    /// appear up to `spark.streaming.fileStream.minRememberDuration` after it was modified; within that time it is
    /// not read again when it is modified again.
    ///
    /// Lines end with `\n`, `\r` or `\r\n`; what is not UTF-8 becomes `U+FFFD`. A file that cannot be read does not
    /// stop the stream, but is logged, counted and shown with the batches ([`FileProblem`](crate::FileProblem)). The
    /// number of records in a batch is reported as 0, since it is not known before they are read.
    ///
    /// ```
    /// use dstreams_streaming::{clock::Clock, testing::TestContext};
    /// let test = TestContext::new()?;
    /// # let directory = tempfile::tempdir().unwrap();
    /// let lines = test.collect(&test.context().text_file_stream(directory.path()));
    /// let path = directory.path().join("a.txt");
    /// std::fs::write(&path, "to be\nor not\n").unwrap();
    /// # let second = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
    /// # std::fs::File::options().write(true).open(&path).unwrap().set_modified(second).unwrap();
    /// test.run(1)?;
    /// assert_eq!(lines.batches(), [["to be", "or not"]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn text_file_stream(&self, directory: impl AsRef<Path>) -> DStream<Text> {
        self.files("text_file_stream", directory.as_ref(), FileStreamOptions::default(), TextLines::default())
    }

    /// The records of `record_length` bytes each in the files that appear in a directory; see
    /// [`text_file_stream`](Self::text_file_stream) for the files. A length of 0 makes the start fail.
    ///
    /// ```
    /// use dstreams_streaming::testing::TestContext;
    /// let test = TestContext::new()?;
    /// # let directory = tempfile::tempdir().unwrap();
    /// let records = test.collect(&test.context().binary_records_stream(directory.path(), 2));
    /// let path = directory.path().join("records.bin");
    /// std::fs::write(&path, [1, 2, 3, 4]).unwrap();
    /// # let second = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
    /// # std::fs::File::options().write(true).open(&path).unwrap().set_modified(second).unwrap();
    /// test.run(1)?;
    /// assert_eq!(records.batches(), [[[1, 2], [3, 4]]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn binary_records_stream(
        &self,
        directory: impl AsRef<Path>,
        record_length: usize,
    ) -> DStream<Vec<u8>> {
        if record_length == 0 {
            self.scope().reject(Error::IllegalArgument("the length of a record must be positive".to_owned()));
        }
        let reader = BinaryRecords::new(record_length);
        self.files("binary_records_stream", directory.as_ref(), FileStreamOptions::default(), reader)
    }

    /// The records that `reader` makes of the files that appear in a directory and that `options` accept; see
    /// [`text_file_stream`](Self::text_file_stream) for the directory. A reader can be a closure.
    ///
    /// ```
    /// use dstreams_streaming::{FileContent, FileStreamOptions, testing::TestContext};
    /// let test = TestContext::new()?;
    /// # let directory = tempfile::tempdir().unwrap();
    /// let options = FileStreamOptions::default().new_files_only(false);
    /// let whole = test.context().file_stream_with(directory.path(), options, |content: FileContent| {
    ///     Ok([std::io::read_to_string(content)].into_iter())
    /// });
    /// let whole = test.collect(&whole);
    /// let path = directory.path().join("a.txt");
    /// std::fs::write(&path, "to be\nor not\n").unwrap();
    /// # let second = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
    /// # std::fs::File::options().write(true).open(&path).unwrap().set_modified(second).unwrap();
    /// test.run(1)?;
    /// assert_eq!(whole.batches(), [["to be\nor not\n"]]);
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[track_caller]
    pub fn file_stream_with<R: FileReader>(
        &self,
        directory: impl AsRef<Path>,
        options: FileStreamOptions,
        reader: R,
    ) -> DStream<R::Record> {
        self.files("file_stream", directory.as_ref(), options, reader)
    }

    #[track_caller]
    fn files<R: FileReader>(
        &self,
        operator: &'static str,
        directory: &Path,
        options: FileStreamOptions,
        reader: R,
    ) -> DStream<R::Record> {
        let directories = Directories::parse(directory).unwrap_or_else(|error| {
            // The start fails with this error, so that the directory is never listed.
            self.scope().reject(error);
            Directories::One(directory.to_owned())
        });
        let clock = Arc::clone(self.scope().clock());
        let min_remember = self.config().get(&keys::FILE_MIN_REMEMBER_DURATION);
        let source =
            FileSource::new(directories, options, reader, clock, self.batch_interval(), min_remember);
        self.stream(operator, |_| Arc::new(source))
    }
}
