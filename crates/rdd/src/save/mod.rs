// SPDX-License-Identifier: Apache-2.0
//! Saving a dataset as a directory of files, one per partition: as lines of text, or as encoded records.

mod commit;
pub(crate) mod text_record;

use std::{any::type_name, fs::File, io::Write, path::Path};

use crate::{
    chunk::{BoxChunks, for_each_slice},
    codec::{CodecError, Compression, FrameWriter},
    error::{Result, TaskError},
    rdd::Rdd,
    record::{Data, Wire},
    scheduler::task::TaskContext,
};
use commit::OutputDirectory;
use text_record::TextRecord;

/// How much text is collected before it is written.
const BLOCK: usize = 64 << 10;

/// The settings of an output directory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SaveOptions {
    /// Whether an existing directory is an output to replace, and no error. Files of other names stay in it.
    pub overwrite: bool,
}

impl<T: Data + TextRecord> Rdd<T> {
    /// Writes the records as lines of text to `part-00000` and so on in the directory `path`, one file per
    /// partition, and an empty file `_SUCCESS` when all are complete.
    ///
    /// The directory must not exist, otherwise this is [`OutputExists`](crate::Error::OutputExists). If the job fails no directory is
    /// left. Read it again with [`text_file`](crate::RddContext::text_file).
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// # let directory = tempfile::tempdir().expect("a temporary directory");
    /// # let path = directory.path().join("counts");
    /// sc.parallelize_in([("to", 2), ("be", 2)], 2).save_as_text_file(&path)?;
    /// assert_eq!(std::fs::read_to_string(path.join("part-00001")).unwrap_or_default(), "(be,2)\n");
    /// assert_eq!(sc.text_file(&path)?.collect()?, ["(to,2)", "(be,2)"]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn save_as_text_file(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_as_text_file_with(path, SaveOptions::default())
    }

    /// As [`save_as_text_file`](Self::save_as_text_file), with settings.
    ///
    /// ```
    /// # use dstreams_rdd::{Error, SaveOptions};
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// # let directory = tempfile::tempdir().expect("a temporary directory");
    /// # let path = directory.path().join("numbers");
    /// let numbers = sc.parallelize([1, 2, 3]);
    /// numbers.save_as_text_file(&path)?;
    /// assert!(matches!(numbers.save_as_text_file(&path), Err(Error::OutputExists(_))));
    /// numbers.save_as_text_file_with(&path, SaveOptions { overwrite: true })?;
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn save_as_text_file_with(&self, path: impl AsRef<Path>, options: SaveOptions) -> Result<()> {
        self.save(path.as_ref(), options, |mut chunks, mut file, path, task| {
            let failed = |cause| TaskError::io("write", path, cause);
            let mut lines = String::with_capacity(BLOCK + BLOCK / 4);
            for_each_slice(&mut *chunks, |records| {
                for record in records {
                    record.write_text(&mut lines);
                    lines.push('\n');
                    if lines.len() >= BLOCK {
                        file.write_all(lines.as_bytes()).map_err(failed)?;
                        lines.clear();
                    }
                }
                task.add_records(records.len() as u64);
                Ok(())
            })?;
            file.write_all(lines.as_bytes()).map_err(failed)
        })
    }
}

impl<T: Wire> Rdd<T> {
    /// Writes the records as they are encoded for the way between tasks, to be read again with
    /// [`object_file`](crate::RddContext::object_file) as the same type. Files and errors are those of
    /// [`save_as_text_file`](Rdd::save_as_text_file).
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// # let directory = tempfile::tempdir().expect("a temporary directory");
    /// # let path = directory.path().join("counts");
    /// sc.parallelize([(1, 0.5), (2, 1.5)]).save_as_object_file(&path)?;
    /// assert_eq!(sc.object_file::<(i32, f64)>(&path)?.values().collect()?, [0.5, 1.5]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn save_as_object_file(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_as_object_file_with(path, SaveOptions::default())
    }

    /// As [`save_as_object_file`](Self::save_as_object_file), with settings.
    ///
    /// ```
    /// # use dstreams_rdd::SaveOptions;
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// # let directory = tempfile::tempdir().expect("a temporary directory");
    /// let (path, overwrite) = (directory.path(), SaveOptions { overwrite: true });
    /// sc.parallelize([1, 2, 3]).save_as_object_file_with(path, overwrite)?;
    /// assert_eq!(sc.object_file::<i32>(path)?.count()?, 3);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn save_as_object_file_with(&self, path: impl AsRef<Path>, options: SaveOptions) -> Result<()> {
        let compressed = self.context().options().compress;
        let compression = if compressed { Compression::Lz4 } else { Compression::None };
        self.save(path.as_ref(), options, move |mut chunks, file, path, task| {
            let failed = |cause| TaskError::frames("write", path, cause);
            let file = write_type_name::<T>(file).map_err(failed)?;
            let mut writer = FrameWriter::new(file, compression).map_err(failed)?;
            for_each_slice(&mut *chunks, |records| {
                writer.append(records).map_err(failed)?;
                task.add_records(records.len() as u64);
                Ok(())
            })?;
            writer.finish().map_err(failed)?;
            Ok(())
        })
    }
}

/// The name of the type precedes the records, for people and for the error when they are read as another type.
fn write_type_name<T>(file: File) -> Result<File, CodecError> {
    let mut writer = FrameWriter::new(file, Compression::None)?;
    writer.append([type_name::<T>()])?;
    Ok(writer.finish()?.0)
}

impl<T: Data> Rdd<T> {
    /// Writes each partition to a file by `write`, which gets its records, the file and its path.
    fn save(
        &self,
        path: &Path,
        options: SaveOptions,
        write: impl Fn(BoxChunks<T>, File, &Path, &TaskContext) -> Result<(), TaskError> + Send + Sync + 'static,
    ) -> Result<()> {
        let output = OutputDirectory::create(path, options.overwrite)?;
        let attempt_path = output.attempt_paths();
        let files = self.run_all(move |chunks, task| {
            let path = attempt_path(task.id());
            let file = File::create(&path).map_err(|cause| TaskError::io("create", &path, cause))?;
            write(chunks, file, &path, task)?;
            Ok(path)
        })?;
        output.commit(&files)
    }
}
