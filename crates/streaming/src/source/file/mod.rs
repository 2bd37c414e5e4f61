// SPDX-License-Identifier: Apache-2.0
//! File streams: the files that appear in a directory, each read in the batch in which it was modified.

mod listing;
mod problem;
mod reader;
mod selection;

use std::{ffi::OsString, fmt, path::Path, sync::Arc};

use dstreams_rdd::{Rdd, RddContext, chunk::BoxChunks, source::ByteRange};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use self::{
    listing::Listing,
    problem::Problems,
    reader::{Report, open_guarded},
    selection::Selection,
};
use super::Source;
use crate::{
    clock::Clock,
    error::{Error, Result},
    input::InputInfo,
    time::{Duration, Time},
};

pub use problem::{FileFault, FileProblem};
pub use reader::{BinaryRecords, FileContent, FileReader, TextLines};

pub(crate) use listing::Directories;

/// A file as it was when a batch took it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelectedFile {
    path: OsString,
    modified: Time,
    length: u64,
}

impl SelectedFile {
    pub(crate) fn new(path: impl Into<OsString>, modified: Time, length: u64) -> Self {
        Self { path: path.into(), modified, length }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        Path::new(&self.path)
    }

    /// When it was modified last.
    pub fn modified(&self) -> Time {
        self.modified
    }

    /// How many bytes it held: as many as the batch reads of it.
    pub fn length(&self) -> u64 {
        self.length
    }
}

/// Which files a file stream takes.
///
/// ```
/// use dstreams_streaming::FileStreamOptions;
/// let options = FileStreamOptions::default()
///     .new_files_only(false)
///     .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
///     .on_problem(|problem| eprintln!("{problem}"));
/// ```
#[derive(Clone)]
#[must_use]
pub struct FileStreamOptions {
    filter: Arc<dyn Fn(&Path) -> bool + Send + Sync>,
    new_files_only: bool,
    on_problem: Arc<dyn Fn(&FileProblem) + Send + Sync>,
}

impl Default for FileStreamOptions {
    /// New files whose names start neither with `.` nor with `_`.
    fn default() -> Self {
        Self { filter: Arc::new(is_visible), new_files_only: true, on_problem: Arc::new(|_| ()) }
    }
}

impl fmt::Debug for FileStreamOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStreamOptions")
            .field("new_files_only", &self.new_files_only)
            .finish_non_exhaustive()
    }
}

impl FileStreamOptions {
    /// Takes the files that `filter` accepts, instead of those whose names start neither with `.` nor with `_`.
    pub fn filter(self, filter: impl Fn(&Path) -> bool + Send + Sync + 'static) -> Self {
        Self { filter: Arc::new(filter), ..self }
    }

    /// Whether to leave out files that were modified before the stream was made. If not, the first batch takes those
    /// not older than `spark.streaming.fileStream.minRememberDuration`. Default: true.
    pub fn new_files_only(self, new_files_only: bool) -> Self {
        Self { new_files_only, ..self }
    }

    /// Calls `report` once for each file of a batch that could not be read as it was selected, for example to keep
    /// its name for a replay. It is called inside tasks; a panic of it is logged and changes nothing else.
    pub fn on_problem(self, report: impl Fn(&FileProblem) + Send + Sync + 'static) -> Self {
        Self { on_problem: Arc::new(report), ..self }
    }
}

/// Files that start with `.` or `_` are for the housekeeping of those who write them.
fn is_visible(path: &Path) -> bool {
    !path.file_name().is_some_and(|name| matches!(name.as_encoded_bytes().first(), Some(b'.' | b'_')))
}

/// Takes the files of directories by the time of their last modification.
pub(crate) struct FileSource<R> {
    listing: Listing,
    reader: Arc<R>,
    clock: Arc<dyn Clock>,
    interval: Duration,
    selection: Mutex<Selection>,
    problems: Arc<Problems>,
}

/// What a batch takes.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct FilePlan {
    time: Time,
    files: Vec<SelectedFile>,
    /// What was wrong with the input when the batch was planned, one line each.
    problems: Vec<String>,
    /// Files of earlier batches that could not be read, since the start.
    dead_files: u64,
}

impl<R: FileReader> FileSource<R> {
    pub(crate) fn new(
        directories: Directories,
        options: FileStreamOptions,
        reader: R,
        clock: Arc<dyn Clock>,
        interval: Duration,
        min_remember: Duration,
    ) -> Self {
        let initial_ignore = if options.new_files_only { clock.now() } else { Time::ZERO };
        Self {
            listing: Listing::new(directories, options.filter),
            reader: Arc::new(reader),
            clock,
            interval,
            selection: Mutex::new(Selection::new(initial_ignore, interval, min_remember)),
            problems: Arc::new(Problems::new(options.on_problem)),
        }
    }
}

impl<R: FileReader> Source for FileSource<R> {
    type Record = R::Record;
    type Plan = FilePlan;

    fn name(&self) -> String {
        "File stream".to_owned()
    }

    fn plan(&self, time: Time) -> Result<Option<FilePlan>> {
        let started = self.clock.now();
        let listed = self.listing.list();
        let took = self.clock.now() - started;
        let mut problems = listed.problems;
        if took > self.interval {
            tracing::warn!(%took, directories = %self.listing, "listing takes longer than the batch interval; monitor fewer files or make longer batches");
            problems.push(format!("listing took {took}, longer than the batch interval"));
        }
        let files = {
            let mut selection = self.selection.lock();
            selection.set_ahead(self.clock.ahead());
            selection.select(time, listed.files)
        };
        for file in files.iter().filter(|file| file.length == 0) {
            self.problems.report(&FileProblem::new(time, file, FileFault::Empty));
        }
        let (since_last, dead_files) = self.problems.take_for_display();
        problems.extend(since_last);
        Ok(Some(FilePlan { time, files, problems, dead_files }))
    }

    fn info(&self, plan: &FilePlan) -> InputInfo {
        let mut info = InputInfo::of_records(0);
        if !plan.files.is_empty() {
            let paths: Vec<_> = plan.files.iter().map(|file| file.path().to_string_lossy()).collect();
            let paths = paths.join("\n");
            info.metadata.insert(InputInfo::DESCRIPTION.to_owned(), paths.clone());
            info.metadata.insert(InputInfo::FILES.to_owned(), paths);
        }
        if !plan.problems.is_empty() {
            info.metadata.insert(InputInfo::PROBLEMS.to_owned(), plan.problems.join("\n"));
        }
        if plan.dead_files > 0 {
            info.metadata.insert(InputInfo::DEAD_FILES.to_owned(), plan.dead_files.to_string());
        }
        info
    }

    fn rdd(&self, context: &RddContext, plan: FilePlan) -> Result<Rdd<R::Record>> {
        let batch_time = plan.time;
        let parts: Vec<(Arc<SelectedFile>, ByteRange)> = plan
            .files
            .into_iter()
            .flat_map(|file| {
                let file = Arc::new(file);
                let parts = self.reader.parts(&file);
                parts.into_iter().map(move |part| (Arc::clone(&file), part))
            })
            .collect();
        let (reader, problems) = (Arc::clone(&self.reader), Arc::clone(&self.problems));
        Ok(context.from_chunks("file_stream", parts.len(), move |partition| {
            let (file, part) = &parts[partition];
            let report = Report { batch_time, file: Arc::clone(file), problems: Arc::clone(&problems) };
            Ok(Box::new(open_guarded(&*reader, part, report)) as BoxChunks<R::Record>)
        }))
    }

    fn give_back(&self, plan: FilePlan) {
        self.selection.lock().give_back(&plan.files);
    }

    fn min_remember(&self) -> Duration {
        self.selection.lock().window()
    }

    fn forget(&self, time: Time) {
        self.problems.forget(time);
    }

    fn memory(&self) -> Vec<u8> {
        self.selection.lock().initial_ignore().as_millis().to_le_bytes().to_vec()
    }

    fn restore(&self, memory: &[u8], plans: Vec<(Time, FilePlan)>) -> Result<()> {
        let since = memory.try_into().map_err(|_| {
            Error::source(format!("{} bytes are no time from which on files are taken", memory.len()))
        })?;
        let since = Time::from_millis(i64::from_le_bytes(since));
        self.selection.lock().restore(since, plans.iter().map(|(time, plan)| (*time, &*plan.files)));
        Ok(())
    }
}
