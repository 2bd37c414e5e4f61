// SPDX-License-Identifier: Apache-2.0
//! `object_file`: the records that `save_as_object_file` has written.

use std::{fs::File, io::BufReader, path::Path, sync::Arc};

use super::files::input_files;
use crate::{
    chunk::{BoxChunks, Chunks},
    codec::{CodecError, FrameReader},
    context::RddContext,
    error::{Result, TaskError},
    rdd::Rdd,
    record::Wire,
    scheduler::task::TaskContext,
};

impl RddContext {
    /// The records that [`save_as_object_file`](Rdd::save_as_object_file) has written to a directory, one partition
    /// per file; also of one of its files, or of all that a pattern matches.
    ///
    /// Damaged files and records of another type fail the task. The check of the type is that of the encoding: types
    /// whose fields are encoded alike are taken for each other.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// # let directory = tempfile::tempdir().expect("a temporary directory");
    /// # let path = directory.path().join("words");
    /// sc.parallelize(["to", "be"]).map(String::from).save_as_object_file(&path)?;
    /// assert_eq!(sc.object_file::<String>(&path)?.collect()?, ["to", "be"]);
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn object_file<T: Wire>(&self, path: impl AsRef<Path>) -> Result<Rdd<T>> {
        let files: Vec<Arc<Path>> = input_files(path.as_ref())?.into_iter().map(|file| file.path).collect();
        let partitions = files.len();
        let compute = move |partition: usize, task: &TaskContext, operator: usize| {
            let path = Arc::clone(&files[partition]);
            let file = File::open(&path).map_err(|cause| TaskError::io("open", &path, cause))?;
            let (type_name, reader) = open_records(BufReader::new(file))
                .map_err(|cause| TaskError::frames("read records of", &path, cause))?;
            Ok(Box::new(ObjectChunks { reader, type_name, path, task: task.clone(), operator })
                as BoxChunks<T>)
        };
        Ok(Rdd::new(self, "object_file", partitions, None, Vec::new(), compute))
    }
}

type Reader = FrameReader<BufReader<File>>;

/// Reads the name of the type, which precedes the records.
fn open_records(mut file: BufReader<File>) -> Result<(String, Reader), CodecError> {
    let mut names: Vec<String> = Vec::new();
    let mut head = FrameReader::new(&mut file)?;
    while head.read(&mut names)? > 0 {}
    Ok((names.pop().unwrap_or_default(), FrameReader::new(file)?))
}

struct ObjectChunks {
    reader: Reader,
    /// The type that the writer had.
    type_name: String,
    path: Arc<Path>,
    task: TaskContext,
    operator: usize,
}

impl<T: Wire> Chunks<T> for ObjectChunks {
    fn next_chunk(&mut self, out: &mut Vec<T>) -> Result<bool, TaskError> {
        self.task.check_cancelled()?;
        self.task.set_operator(self.operator);
        match self.reader.read(out) {
            Ok(records) => Ok(records > 0),
            Err(CodecError::Decode { .. } | CodecError::Remainder { .. }) => {
                let text = format!(
                    "the records in {} are no {}; they were written as {}",
                    self.path.display(),
                    std::any::type_name::<T>(),
                    self.type_name,
                );
                Err(TaskError::Other(text.into()))
            }
            Err(cause) => Err(TaskError::frames("read records of", &self.path, cause)),
        }
    }
}
