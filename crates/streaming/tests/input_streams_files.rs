// SPDX-License-Identifier: Apache-2.0
//! Streams of the files in directories: which files a batch takes, and what becomes of files that cannot be read.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, BufRead, BufReader, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use dstreams_rdd::{TaskError, chunk::BoxChunks, source::ByteRange};
use dstreams_streaming::{
    Config, Error, FileContent, FileFault, FileReader, FileStreamOptions, InputInfo, SelectedFile, StreamId,
    StreamingListener, Text, TextLines,
    event::BatchInfo,
    testing::{Collected, TestContext},
    time::{Time, seconds},
};
use parking_lot::Mutex;
use tempfile::TempDir;

/// A context with a batch every two seconds whose clock stands at 12 s, and a directory to monitor.
fn context_at_12_s() -> (TestContext, TempDir) {
    let test = TestContext::with(Config::default(), seconds(2)).unwrap();
    test.clock().set(Time::from_millis(12_000));
    (test, tempfile::tempdir().unwrap())
}

/// A context with a batch every second whose clock stands at 0, and a directory to monitor.
fn context() -> (TestContext, TempDir) {
    (TestContext::new().unwrap(), tempfile::tempdir().unwrap())
}

/// Writes a file that was modified `millis` milliseconds after zero.
fn write(path: impl AsRef<Path>, content: impl AsRef<[u8]>, millis: u64) -> PathBuf {
    let path = path.as_ref();
    fs::write(path, content).unwrap();
    set_modified(path, millis);
    path.to_owned()
}

fn set_modified(path: &Path, millis: u64) {
    let file = File::options().append(true).open(path).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_millis(millis)).unwrap();
}

fn set_of(collected: &Collected<Text>) -> BTreeSet<String> {
    collected.batches().into_iter().flatten().map(|line| line.to_string()).collect()
}

fn strings<const N: usize>(lines: [&str; N]) -> BTreeSet<String> {
    lines.into_iter().map(String::from).collect()
}

/// Keeps what listeners are told of the input of each completed batch.
#[derive(Default)]
struct Inputs(Mutex<Vec<InputInfo>>);

impl StreamingListener for Inputs {
    fn on_batch_completed(&self, batch: &BatchInfo) {
        self.0.lock().extend(batch.inputs.get(&StreamId(0)).cloned());
    }
}

impl Inputs {
    fn of(test: &TestContext) -> Arc<Self> {
        let inputs = Arc::new(Self::default());
        test.context().add_listener(inputs.clone());
        inputs
    }

    /// The metadata under `key` of each batch, after the end of the last one.
    fn metadata(&self, test: &TestContext, key: &str) -> Vec<Option<String>> {
        test.stop();
        self.0.lock().iter().map(|input| input.metadata.get(key).cloned()).collect()
    }
}

/// What was wrong with files, in the order in which it was reported.
#[derive(Clone, Default)]
struct Faults(Arc<Mutex<Vec<(String, FileFault)>>>);

impl Faults {
    fn options(&self) -> FileStreamOptions {
        let faults = Arc::clone(&self.0);
        FileStreamOptions::default().on_problem(move |problem| {
            let name = problem.path.file_name().unwrap().to_string_lossy().into_owned();
            faults.lock().push((name, problem.fault.clone()));
        })
    }

    fn seen(&self) -> Vec<(String, FileFault)> {
        self.0.lock().clone()
    }
}

/// One file a batch, and one from before the stream was made.
fn file_input_stream(new_files_only: bool) -> BTreeSet<String> {
    let (test, directory) = context_at_12_s();
    write(directory.path().join("0"), "0\n", 10_000);
    let options = FileStreamOptions::default().new_files_only(new_files_only).filter(|_| true);
    let stream = test.context().file_stream_with(directory.path(), options, TextLines::default());
    let lines = test.collect(&stream);
    for i in 1..=5u64 {
        write(directory.path().join(i.to_string()), format!("{i}\n"), 11_000 + 2_000 * i);
        test.run(1).unwrap();
    }
    set_of(&lines)
}

#[test]
fn file_input_stream_new_files_only_true() {
    assert_eq!(file_input_stream(true), strings(["1", "2", "3", "4", "5"]));
}

#[test]
fn file_input_stream_new_files_only_false() {
    assert_eq!(file_input_stream(false), strings(["0", "1", "2", "3", "4", "5"]));
}

#[test]
fn file_input_stream_wildcard() {
    let (test, directory) = context_at_12_s();
    let root = directory.path();
    fs::create_dir(root.join("tmp1")).unwrap();
    fs::create_dir(root.join("tmp2")).unwrap();
    let lines = test.collect(&test.context().text_file_stream(format!("{}/*/", root.display())));
    write(root.join("outside"), "not read\n", 13_000);
    for i in 1..=10u64 {
        write(root.join("tmp1").join(i.to_string()), format!("{i}\n"), 11_000 + 2_000 * i);
        test.run(1).unwrap();
    }
    assert_eq!(set_of(&lines), strings(["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]));
}

#[test]
fn modified_files_are_correctly_detected() {
    let (test, directory) = context_at_12_s();
    let generated = directory.path().join("generated/subdir");
    let streaming = directory.path().join("streaming");
    fs::create_dir_all(&generated).unwrap();
    fs::create_dir(&streaming).unwrap();
    write(generated.join("existing"), "existing\n", 10_000);
    let lines = test.collect(&test.context().text_file_stream(streaming.join("sub*")));
    test.run(1).unwrap();
    assert_eq!(set_of(&lines), strings([]));
    write(generated.join("renamed.txt"), "renamed\n", 14_000);
    fs::rename(&generated, streaming.join("subdir")).unwrap();
    test.run(1).unwrap();
    assert_eq!(set_of(&lines), strings(["renamed"]), "the other is older than the start");
}

#[test]
fn binary_records_stream() {
    let (test, directory) = context_at_12_s();
    write(directory.path().join("old"), [9; 5], 10_000);
    let records = test.collect(&test.context().binary_records_stream(directory.path(), 1));
    for i in 0..3u8 {
        let bytes: Vec<u8> = (1..=5).map(|b| b + i).collect();
        write(directory.path().join(i.to_string()), bytes, 13_000 + 2_000 * u64::from(i));
        test.run(1).unwrap();
    }
    let expected: Vec<Vec<Vec<u8>>> = (0..3).map(|i| (1..=5).map(|b| vec![b + i]).collect()).collect();
    assert_eq!(records.batches(), expected);
}

#[test]
fn a_batch_shows_its_files_and_no_number_of_records() {
    let (test, directory) = context();
    let inputs = Inputs::of(&test);
    let lines = test.collect(&test.context().text_file_stream(directory.path()));
    let a = write(directory.path().join("a"), "1\n2\n", 500);
    let b = write(directory.path().join("b"), "3\n", 400);
    test.run(2).unwrap();
    assert_eq!(lines.batches(), [vec!["1", "2", "3"], vec![]]);
    let both = format!("{}\n{}", a.display(), b.display());
    assert_eq!(inputs.metadata(&test, InputInfo::FILES), [Some(both.clone()), None]);
    assert_eq!(inputs.metadata(&test, InputInfo::DESCRIPTION), [Some(both), None]);
    assert!(inputs.0.lock().iter().all(|input| input.records == 0));
}

#[test]
fn hidden_files_and_subdirectories_are_left_out_without_harm_to_others() {
    let (test, directory) = context();
    let lines = test.collect(&test.context().text_file_stream(directory.path()));
    fs::create_dir(directory.path().join("sub")).unwrap();
    for name in ["_SUCCESS", ".part.crc", "sub/below", "good"] {
        write(directory.path().join(name), format!("{name}\n"), 500);
    }
    test.run(1).unwrap();
    assert_eq!(lines.batches(), [["good"]]);
}

#[test]
fn a_filter_of_its_own_may_take_hidden_files() {
    let (test, directory) = context();
    let options = FileStreamOptions::default().filter(|path| path.extension().is_none());
    let lines =
        test.collect(&test.context().file_stream_with(directory.path(), options, TextLines::default()));
    for name in ["_a", "b.tmp"] {
        write(directory.path().join(name), format!("{name}\n"), 500);
    }
    test.run(1).unwrap();
    assert_eq!(lines.batches(), [["_a"]]);
}

#[test]
fn a_directory_may_be_missing_and_come_later() {
    let (test, directory) = context();
    let inputs = Inputs::of(&test);
    let incoming = directory.path().join("incoming");
    let lines = test.collect(&test.context().text_file_stream(&incoming));
    test.run(2).unwrap();
    fs::create_dir(&incoming).unwrap();
    write(incoming.join("a"), "1\n", 2_500);
    test.run(1).unwrap();
    assert_eq!(lines.batches(), [vec![], vec![], vec!["1"]]);
    let problems = inputs.metadata(&test, InputInfo::PROBLEMS);
    assert!(problems[0].as_ref().unwrap().contains("incoming"), "{problems:?}");
    assert_eq!([problems[1].is_some(), problems[2].is_some()], [true, false]);
}

#[test]
fn a_pattern_may_match_nothing_and_something_later() {
    let (test, directory) = context();
    let lines = test.collect(&test.context().text_file_stream(directory.path().join("day-*")));
    test.run(1).unwrap();
    fs::create_dir(directory.path().join("day-1")).unwrap();
    write(directory.path().join("day-1/a"), "1\n", 1_500);
    test.run(1).unwrap();
    assert_eq!(lines.batches(), [vec![], vec!["1"]]);
}

#[test]
fn a_path_of_another_file_system_makes_the_start_fail() {
    let (test, _) = context();
    let lines = test.context().text_file_stream("hdfs://namenode:8040/logs");
    lines.for_each_rdd(|_, _| Ok(()));
    assert!(matches!(test.context().start(), Err(Error::IllegalArgument(why)) if why.contains("hdfs")));
}

#[test]
fn records_without_length_make_the_start_fail() {
    let (test, directory) = context();
    test.context().binary_records_stream(directory.path(), 0).for_each_rdd(|_, _| Ok(()));
    assert!(matches!(test.context().start(), Err(Error::IllegalArgument(why)) if why.contains("length")));
}

/// What was seen of a batch with a bad file.
struct BadFileRun {
    lines: Vec<Text>,
    faults: Vec<(String, FileFault)>,
    /// The count of dead files that the batch shows, and the next one.
    dead: Vec<Option<String>>,
}

/// Runs one batch of the text files `bad` and `good`, with `meanwhile` called between their selection and their
/// reading.
fn run_with_bad_file(meanwhile: fn(&Path)) -> BadFileRun {
    let (test, directory) = context();
    let (inputs, faults) = (Inputs::of(&test), Faults::default());
    let bad = write(directory.path().join("bad"), "bad 1\nbad 2\n", 500);
    write(directory.path().join("good"), "good\n", 500);
    let lines = test.context().file_stream_with(directory.path(), faults.options(), TextLines::default());
    let once = AtomicBool::new(true);
    lines.for_each_rdd(move |_, _| {
        if once.swap(false, Ordering::Relaxed) {
            meanwhile(&bad);
        }
        Ok(())
    });
    let (collected, again) = (test.collect(&lines), test.collect(&lines));
    test.run(2).unwrap();
    assert_eq!(
        collected.batches(),
        again.batches(),
        "what is wrong is reported once, however often it is read"
    );
    assert_eq!(collected.batches()[1], Vec::<Text>::new());
    BadFileRun {
        lines: collected.batches().swap_remove(0),
        faults: faults.seen(),
        dead: inputs.metadata(&test, InputInfo::DEAD_FILES),
    }
}

#[test]
fn a_file_that_vanishes_costs_the_batch_that_file_only() {
    let BadFileRun { lines, faults, dead } = run_with_bad_file(|path| fs::remove_file(path).unwrap());
    assert_eq!(lines, ["good"]);
    assert!(matches!(&faults[..], [(name, FileFault::Unreadable(_))] if name == "bad"), "{faults:?}");
    assert_eq!(dead, [None, Some("1".to_owned())]);
}

#[test]
fn a_file_that_became_a_directory_costs_the_batch_that_file_only() {
    let BadFileRun { lines, faults, dead } = run_with_bad_file(|path| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
    });
    assert_eq!(lines, ["good"]);
    assert!(matches!(&faults[..], [(name, FileFault::Unreadable(_))] if name == "bad"), "{faults:?}");
    assert_eq!(dead, [None, Some("1".to_owned())]);
}

#[test]
fn a_file_that_became_shorter_is_dead() {
    let BadFileRun { lines, faults, dead } =
        run_with_bad_file(|path| File::options().write(true).open(path).unwrap().set_len(6).unwrap());
    assert_eq!(lines, ["good"]);
    assert_eq!(faults, [("bad".to_owned(), FileFault::Shorter { selected: 12, found: 6 })]);
    assert_eq!(dead, [None, Some("1".to_owned())]);
}

// INVARIANT 1
#[test]
fn what_is_added_to_a_file_after_its_selection_is_not_part_of_the_batch() {
    let BadFileRun { lines, faults, dead } = run_with_bad_file(|path| {
        File::options().append(true).open(path).unwrap().write_all(b"late\n").unwrap();
    });
    assert_eq!(lines, ["bad 1", "bad 2", "good"]);
    assert_eq!(faults, [("bad".to_owned(), FileFault::Longer { selected: 12, found: 17 })]);
    assert_eq!(dead, [None, None]);
}

#[test]
fn a_file_that_was_written_again_is_read_as_it_is_and_reported() {
    let BadFileRun { lines, faults, dead } = run_with_bad_file(|path| {
        write(path, "new 1\nnew 2\n", 600);
    });
    assert_eq!(lines, ["new 1", "new 2", "good"]);
    assert_eq!(faults, [("bad".to_owned(), FileFault::Rewritten)]);
    assert_eq!(dead, [None, None]);
}

#[test]
fn a_file_that_was_empty_when_selected_is_reported_with_its_batch() {
    let (test, directory) = context();
    let (inputs, faults) = (Inputs::of(&test), Faults::default());
    let stream = test.context().file_stream_with(directory.path(), faults.options(), TextLines::default());
    let lines = test.collect(&stream);
    write(directory.path().join("empty"), "", 500);
    test.run(1).unwrap();
    assert_eq!(lines.batches(), [Vec::<Text>::new()]);
    assert_eq!(faults.seen(), [("empty".to_owned(), FileFault::Empty)]);
    let problems = inputs.metadata(&test, InputInfo::PROBLEMS);
    assert!(problems[0].as_ref().unwrap().contains("empty when it was selected"), "{problems:?}");
}

#[test]
fn a_panic_of_the_callback_for_problems_changes_nothing() {
    let (test, directory) = context();
    let options = FileStreamOptions::default().on_problem(|_| panic!("on purpose"));
    let lines =
        test.collect(&test.context().file_stream_with(directory.path(), options, TextLines::default()));
    write(directory.path().join("empty"), "", 500);
    write(directory.path().join("good"), "good\n", 500);
    test.run(1).unwrap();
    assert_eq!(lines.batches(), [["good"]]);
}

// INVARIANT 4
#[test]
fn what_is_left_after_whole_binary_records_makes_the_file_dead() {
    let (test, directory) = context();
    let inputs = Inputs::of(&test);
    let records = test.collect(&test.context().binary_records_stream(directory.path(), 2));
    write(directory.path().join("a"), [1, 2, 3], 500);
    write(directory.path().join("b"), [4, 5], 500);
    test.run(2).unwrap();
    assert_eq!(records.batches(), [vec![vec![1, 2], vec![4, 5]], vec![]]);
    assert_eq!(inputs.metadata(&test, InputInfo::DEAD_FILES), [None, Some("1".to_owned())]);
    let problems = inputs.metadata(&test, InputInfo::PROBLEMS);
    assert!(problems[1].as_ref().unwrap().contains("no whole record"), "{problems:?}");
}

#[test]
fn an_error_of_a_reader_ends_its_file_and_not_the_batch() {
    let (test, directory) = context();
    let faults = Faults::default();
    let numbers = |content: FileContent| {
        Ok(BufReader::new(content).lines().map(|line| {
            line?.parse::<u32>().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
        }))
    };
    let numbers = test.collect(&test.context().file_stream_with(directory.path(), faults.options(), numbers));
    write(directory.path().join("a"), "1\nx\n3\n", 500);
    write(directory.path().join("b"), "4\n", 500);
    test.run(1).unwrap();
    assert_eq!(numbers.batches(), [[1, 4]]);
    assert_eq!(
        faults.seen(),
        [("a".to_owned(), FileFault::Unreadable("invalid digit found in string".to_owned()))]
    );
}

#[test]
fn bytes_that_are_not_utf8_are_replaced() {
    let (test, directory) = context();
    let lines = test.collect(&test.context().text_file_stream(directory.path()));
    write(directory.path().join("a"), b"to \xff be\r\nor not", 500);
    test.run(1).unwrap();
    assert_eq!(lines.batches(), [["to \u{fffd} be", "or not"]]);
}

// INVARIANT 4
#[test]
fn a_line_that_is_too_long_is_left_out_and_reported() {
    let (test, directory) = context();
    let faults = Faults::default();
    let reader = TextLines::default().max_line_bytes(5);
    let lines = test.collect(&test.context().file_stream_with(directory.path(), faults.options(), reader));
    write(directory.path().join("a"), "short\nfar too long\nend", 500);
    test.run(1).unwrap();
    assert_eq!(lines.batches(), [["short", "end"]]);
    assert!(matches!(&faults.seen()[..], [(name, FileFault::RecordSkipped(_))] if name == "a"));
}

/// Reads lines in parts of five bytes.
struct SmallParts;

impl FileReader for SmallParts {
    type Record = Text;

    fn parts(&self, file: &SelectedFile) -> Vec<ByteRange> {
        ByteRange::cut(file.path(), file.length(), 1, 5)
    }

    fn open(
        &self,
        part: &ByteRange,
        skipped: impl Fn(String) + 'static,
    ) -> Result<BoxChunks<Text>, TaskError> {
        TextLines::default().open(part, skipped)
    }
}

#[test]
fn parts_of_a_file_share_out_its_lines() {
    let (test, directory) = context();
    let stream = test.context().file_stream_with(directory.path(), FileStreamOptions::default(), SmallParts);
    let lines = test.collect(&stream);
    write(directory.path().join("a"), "one\ntwo\r\nthree and four\n\nfive", 500);
    test.run(1).unwrap();
    assert_eq!(lines.batches(), [["one", "two", "three and four", "", "five"]]);
}

#[test]
fn a_listing_that_takes_longer_than_a_batch_is_shown() {
    let (test, directory) = context();
    let inputs = Inputs::of(&test);
    let (clock, once) = (Arc::clone(test.clock()), AtomicBool::new(true));
    let slow = FileStreamOptions::default().filter(move |_| {
        if once.swap(false, Ordering::Relaxed) {
            clock.advance(seconds(2));
        }
        true
    });
    let lines = test.collect(&test.context().file_stream_with(directory.path(), slow, TextLines::default()));
    write(directory.path().join("a"), "1\n", 500);
    test.run(1).unwrap();
    let problems = inputs.metadata(&test, InputInfo::PROBLEMS);
    assert!(problems[0].as_ref().unwrap().contains("longer than the batch interval"), "{problems:?}");
    assert_eq!(lines.batches()[0], ["1"]);
}

#[cfg(unix)]
#[test]
fn a_name_need_not_be_utf8() {
    use std::os::unix::ffi::OsStrExt as _;
    let (test, directory) = context();
    let lines = test.collect(&test.context().text_file_stream(directory.path()));
    write(directory.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9")), "1\n", 500);
    test.run(1).unwrap();
    assert_eq!(lines.batches(), [["1"]]);
}
