// SPDX-License-Identifier: Apache-2.0
//! `checkpoint`: writing a dataset to files that take the place of its lineage, after the next job that uses it.

use std::{
    collections::HashMap,
    fs::{self, File},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;

use crate::{
    chunk::{BoxChunks, Chunks, for_each_slice},
    codec::{Compression, FrameReader, FrameWriter},
    context::RddContext,
    error::{Error, Result, TaskError},
    lineage::{Dependency, Lineage, Marked, RddId},
    rdd::{Rdd, WeakRdd},
    record::{Data, Wire},
    scheduler::task::TaskContext,
};

impl<T: Wire> Rdd<T> {
    /// Marks the dataset to be written to the checkpoint directory after the next action that uses it, directly or
    /// through datasets made from it. From then on it is read from there, and what it was computed from is forgotten.
    ///
    /// Writing is a job of its own: [persist](Rdd::persist) the dataset, or it is computed twice. When writing fails,
    /// so does the action, and the next one tries again. The files stay when the program ends.
    ///
    /// [`Error::InvalidArgument`] without a [directory](RddContext::set_checkpoint_dir).
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// # let directory = tempfile::tempdir().expect("a temporary directory");
    /// # let directory = directory.path();
    /// sc.set_checkpoint_dir(directory)?;
    /// let squares = sc.parallelize(1..=3).map(|n| n * n).cache();
    /// squares.checkpoint()?;
    /// assert_eq!(squares.count()?, 3);
    /// assert!(squares.is_checkpointed() && squares.lineage().dependencies().is_empty());
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn checkpoint(&self) -> Result<()> {
        let Some(directory) = self.context().checkpoints().directory.lock().clone() else {
            let text = "Checkpoint directory has not been set in the RddContext";
            return Err(Error::InvalidArgument(text.to_owned()));
        };
        if !self.is_checkpointed() && !self.lineage().is_marked() {
            let directory = directory.join(format!("rdd-{}", self.id().0));
            self.lineage().mark(Mark::boxed(self, move |rdd| write(rdd, &directory)));
        }
        Ok(())
    }
}

impl<T: Data> Rdd<T> {
    /// Whether a checkpoint has taken the place of its lineage.
    ///
    /// ```
    /// # let sc = dstreams_rdd::RddContext::local(2)?;
    /// let rdd = sc.parallelize(1..=3).local_checkpoint();
    /// assert!(!rdd.is_checkpointed());
    /// rdd.count()?;
    /// assert!(rdd.is_checkpointed());
    /// # Ok::<(), dstreams_rdd::Error>(())
    /// ```
    pub fn is_checkpointed(&self) -> bool {
        self.lineage().is_checkpointed()
    }
}

impl RddContext {
    /// Sets where [checkpoints](Rdd::checkpoint) go: into a new directory in `path`, which is made if need be.
    pub fn set_checkpoint_dir(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let new = fs::create_dir_all(path)
            .and_then(|()| tempfile::Builder::new().prefix("").rand_bytes(32).tempdir_in(path))
            .map_err(|cause| Error::io("create a checkpoint directory in", path, cause))?;
        *self.checkpoints().directory.lock() = Some(new.keep());
        Ok(())
    }
}

/// What a context knows of checkpoints.
#[derive(Default)]
pub(crate) struct Checkpoints {
    directory: Mutex<Option<PathBuf>>,
    /// How many datasets are marked. Jobs look for them only if there are any.
    marked: Arc<AtomicUsize>,
}

impl Checkpoints {
    /// Does what the marks of `target` and of everything below it ask for.
    pub(crate) fn after_job(&self, target: &Arc<Lineage>) -> Result<()> {
        if self.marked.load(Ordering::Acquire) == 0 {
            return Ok(());
        }
        for lineage in marked_lineages(target) {
            // Another job may be doing it.
            let Some(mark) = lineage.take_mark() else { continue };
            if let Err(error) = mark.after_job() {
                lineage.mark(mark);
                return Err(error);
            }
        }
        Ok(())
    }
}

/// The marked ones of `target` and its ancestors, ancestors first, so that the others need not compute them again.
fn marked_lineages(target: &Arc<Lineage>) -> Vec<Arc<Lineage>> {
    let mut found: HashMap<RddId, Arc<Lineage>> = HashMap::new();
    let mut pending = vec![Arc::clone(target)];
    while let Some(lineage) = pending.pop() {
        if found.insert(lineage.id(), Arc::clone(&lineage)).is_some() {
            continue;
        }
        for dependency in lineage.dependencies() {
            match dependency {
                Dependency::Narrow(parent) => pending.push(parent),
                Dependency::Shuffle(stage) => pending.push(Arc::clone(stage.parent())),
                Dependency::Prepared(_) => {}
            }
        }
    }
    let mut marked: Vec<_> = found.into_values().filter(|lineage| lineage.is_marked()).collect();
    // A dataset is made after those that it is made from.
    marked.sort_unstable_by_key(|lineage| lineage.id());
    marked
}

/// Something to be done with a dataset after a job, unless it is gone by then.
pub(super) struct Mark<T, F> {
    rdd: WeakRdd<T>,
    work: F,
    /// Counts this mark among those of the context.
    marked: Arc<AtomicUsize>,
}

impl<T: Data, F: Fn(&Rdd<T>) -> Result<()> + Send + Sync + 'static> Mark<T, F> {
    pub(super) fn boxed(rdd: &Rdd<T>, work: F) -> Box<dyn Marked> {
        let marked = Arc::clone(&rdd.context().checkpoints().marked);
        marked.fetch_add(1, Ordering::AcqRel);
        Box::new(Self { rdd: rdd.downgrade(), work, marked })
    }
}

impl<T: Data, F: Fn(&Rdd<T>) -> Result<()> + Send + Sync> Marked for Mark<T, F> {
    fn after_job(&self) -> Result<()> {
        self.rdd.upgrade().map_or(Ok(()), |rdd| (self.work)(&rdd))
    }
}

impl<T, F> Drop for Mark<T, F> {
    fn drop(&mut self) {
        self.marked.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Writes all partitions and puts the files in the place of the lineage.
fn write<T: Wire>(rdd: &Rdd<T>, directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).map_err(|cause| Error::io("create", directory, cause))?;
    let compression = rdd.context().options().compression();
    let partitions: Vec<usize> = (0..rdd.num_partitions()).collect();
    let target = directory.to_owned();
    rdd.run_only(&partitions, move |chunks, task| write_part(&target, chunks, compression, task))?;
    // The names of the files have to last, too.
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(|cause| Error::io("sync", directory, cause))?;
    let directory = directory.to_owned();
    rdd.cut_lineage(Arc::new(move |partition: usize, task: &TaskContext, _: usize| {
        let path = part(&directory, partition);
        let file = File::open(&path).map_err(|cause| TaskError::io("open checkpoint", &path, cause))?;
        let reader =
            FrameReader::new(file).map_err(|cause| TaskError::frames("read checkpoint", &path, cause))?;
        Ok(Box::new(CheckpointChunks { reader, path, task: task.clone() }) as BoxChunks<T>)
    }));
    Ok(())
}

fn part(directory: &Path, partition: usize) -> PathBuf {
    directory.join(format!("part-{partition:05}"))
}

/// Writes a partition under a temporary name, so that its own name always stands for a complete file.
fn write_part<T: Wire>(
    directory: &Path,
    mut chunks: BoxChunks<T>,
    compression: Compression,
    task: &TaskContext,
) -> Result<(), TaskError> {
    let path = part(directory, task.partition());
    let failed = |cause| TaskError::frames("write checkpoint", &path, cause);
    let file = tempfile::Builder::new()
        .prefix(".part-")
        .tempfile_in(directory)
        .map_err(|cause| TaskError::io("create checkpoint in", directory, cause))?;
    let mut writer = FrameWriter::new(file, compression).map_err(failed)?;
    for_each_slice(&mut *chunks, |records| {
        task.add_records(records.len() as u64);
        writer.append(records).map(drop).map_err(failed)
    })?;
    let (file, _bytes) = writer.finish().map_err(failed)?;
    let moved = file.as_file().sync_all().and_then(|()| Ok(file.persist(&path)?));
    moved.map(drop).map_err(|cause| TaskError::io("finish checkpoint", &path, cause))
}

struct CheckpointChunks {
    reader: FrameReader<File>,
    path: PathBuf,
    task: TaskContext,
}

impl<T: Wire> Chunks<T> for CheckpointChunks {
    fn next_chunk(&mut self, out: &mut Vec<T>) -> Result<bool, TaskError> {
        self.task.check_cancelled()?;
        let read = self.reader.read(out);
        Ok(read.map_err(|cause| TaskError::frames("read checkpoint", &self.path, cause))? > 0)
    }
}
