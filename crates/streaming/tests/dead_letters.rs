// SPDX-License-Identifier: Apache-2.0
//! Dead letters: each stored once, and their way back into a stream.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{collections::BTreeSet, fs, path::Path};

use dstreams_streaming::{
    Config, DeadLetter, DeadLetters, FileStreamOptions, LetterFilter, ReplayTarget, Result, TextLines, Time,
    testing::TestContext, time::seconds,
};
use dstreams_wal::fault::{self, Fault};

/// Parses lines, keeps the bad ones in `letters`, and returns the good ones.
fn run(batches: &[Vec<&'static str>], letters: &Path) -> Result<Vec<Vec<u8>>> {
    let mut config = Config::default();
    config.set("dstreams.sink.retryTimeout", "0")?;
    let test = TestContext::with(config, seconds(1))?;
    let results = test.input(batches.to_vec()).try_parse(|line| line.parse::<u8>()).named("numbers");
    let good = test.collect(&results.dead_letter_named("bad", DeadLetters::sink(letters)));
    test.run(batches.len())?;
    Ok(good.batches())
}

fn read(letters: &Path, filter: &LetterFilter) -> Vec<DeadLetter> {
    let mut found = Vec::new();
    DeadLetters::new(letters).visit(filter, |letter| found.push(letter)).unwrap();
    found
}

fn batches() -> [Vec<&'static str>; 2] {
    [vec!["1", "x", "", "4"], vec!["300", "6"]]
}

/// What is in the files that a file stream would read.
fn visible(directory: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if !path.file_name().unwrap().to_str().unwrap().starts_with('.') {
            lines.extend(fs::read_to_string(&path).unwrap().lines().map(str::to_owned));
        }
    }
    lines
}

#[test]
fn good_records_go_on_and_bad_ones_are_kept_once_with_their_origin() {
    let dir = tempfile::tempdir().unwrap();
    for _run in 0..2 {
        assert_eq!(run(&batches(), dir.path()).unwrap(), [vec![1, 4], vec![6]]);
        let letters = read(dir.path(), &LetterFilter::default());
        let places: Vec<_> =
            letters.iter().map(|letter| (&*letter.raw, letter.partition, letter.position)).collect();
        assert_eq!(places, [(&b"x"[..], 0, 1), (b"", 1, 0), (b"300", 0, 0)]);
        let last = &letters[2];
        assert_eq!((&*last.application, last.batch_time), ("test", Time::from_millis(2_000)));
        assert_eq!(last.error, "number too large to fit in target type");
        assert!(last.stream.contains("numbers"), "{}", last.stream);
    }
}

#[test]
fn filters_choose_by_batch_and_error() {
    let dir = tempfile::tempdir().unwrap();
    run(&batches(), dir.path()).unwrap();
    let raw = |filter| -> Vec<String> {
        read(dir.path(), &filter).iter().map(|letter| letter.text().into_owned()).collect()
    };
    let (one, two) = (Time::from_millis(1_000), Time::from_millis(2_000));
    assert_eq!(raw(LetterFilter::default().since(two)), ["300"]);
    assert_eq!(raw(LetterFilter::default().until(one)), ["x", ""]);
    assert_eq!(raw(LetterFilter::default().error("empty string")), [""]);
    assert_eq!(raw(LetterFilter::default().since(two).error("empty")), [""; 0]);
}

#[test]
fn a_replay_goes_through_a_file_stream_and_is_not_repeated() {
    let (letters, monitored) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    run(&batches(), letters.path()).unwrap();
    let dead = DeadLetters::new(letters.path());
    let target = ReplayTarget { directory: monitored.path(), again: false };
    let large = dead.replay(&LetterFilter::default().error("too large"), &target).unwrap();
    assert_eq!((large.sent, large.before), (1, 0));
    let rest = dead.replay(&LetterFilter::default(), &target).unwrap();
    assert_eq!((rest.sent, rest.before), (2, 1));
    let nothing = dead.replay(&LetterFilter::default(), &target).unwrap();
    assert_eq!((nothing.sent, nothing.before, nothing.file), (0, 3, None));

    // The program has learnt larger numbers.
    let test = TestContext::new().unwrap();
    let options = FileStreamOptions::default().new_files_only(false);
    let lines = test.context().file_stream_with(monitored.path(), options, TextLines::default());
    let results = lines.try_parse(|line| line.parse::<u16>());
    let again = tempfile::tempdir().unwrap();
    let good = test.collect(&results.dead_letter(DeadLetters::sink(again.path())));
    for file in [large.file.unwrap(), rest.file.unwrap()] {
        let second = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
        fs::File::options().write(true).open(file).unwrap().set_modified(second).unwrap();
    }
    test.run(1).unwrap();
    assert_eq!(good.batches(), [[300]]);
    let raw: BTreeSet<Vec<u8>> =
        read(again.path(), &LetterFilter::default()).into_iter().map(|letter| letter.raw).collect();
    assert_eq!(raw, [b"x".to_vec(), Vec::new()].into());

    let everything = dead.replay(&LetterFilter::default(), &ReplayTarget { again: true, ..target }).unwrap();
    assert_eq!((everything.sent, everything.before), (3, 0));
}

#[test]
fn a_record_of_several_lines_is_not_replayed_as_several_records() {
    let (letters, monitored) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    run(&[vec!["a\nb"]], letters.path()).unwrap();
    let target = ReplayTarget { directory: monitored.path(), again: false };
    let replayed = DeadLetters::new(letters.path()).replay(&LetterFilter::default(), &target).unwrap();
    assert_eq!((replayed.sent, replayed.not_lines), (0, 1));
    assert_eq!(visible(monitored.path()), [""; 0]);
}

#[test]
fn a_replay_that_fails_at_any_step_is_finished_by_the_next_one() {
    let steps =
        ["create", "write", "sync", "rename", "sync_dir", "publish"].map(|step| format!("replay.{step}"));
    let notes = ["create", "write", "sync", "rename"].map(|step| format!("replay_note.{step}"));
    for point in steps.iter().chain(&notes) {
        for nth in 1..=2 {
            let dir = tempfile::tempdir().unwrap();
            let (letters, monitored) = (dir.path().join("letters"), dir.path().join("monitored"));
            run(&batches(), &letters).unwrap();
            let target = ReplayTarget { directory: &monitored, again: false };
            let dead = DeadLetters::new(&letters);
            let armed = fault::arm(dir.path(), point, nth, Fault::Error);
            let first = dead.replay(&LetterFilter::default(), &target);
            drop(armed);
            assert!(first.is_err() || nth > 1, "{point}");
            dead.replay(&LetterFilter::default(), &target).unwrap();
            let mut sent = visible(&monitored);
            sent.sort();
            assert_eq!(sent, ["", "300", "x"], "{point} {nth}");
        }
    }
}

#[test]
fn letters_are_kept_once_whatever_fails() {
    for point in ["files.write", "files.rename", "manifest.write", "manifest.rename", "manifest.sync_dir"] {
        for nth in 1..=4 {
            let dir = tempfile::tempdir().unwrap();
            let armed = fault::arm(dir.path(), point, nth, Fault::DiskFull);
            let _may_fail = run(&batches(), dir.path());
            drop(armed);
            run(&batches(), dir.path()).unwrap();
            assert_eq!(read(dir.path(), &LetterFilter::default()).len(), 3, "{point} {nth}");
        }
    }
}
