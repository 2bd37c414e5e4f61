// SPDX-License-Identifier: Apache-2.0
//! `dstreams dead-letters` as a user sees it.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{fs, path::Path, process::Command};

use dstreams::streaming::{DeadLetters, testing::TestContext};

fn write_letters(directory: &Path) {
    let test = TestContext::new().unwrap();
    let batches = vec![vec!["1", "x y", "4"], vec!["300", "6"]];
    let results =
        test.input_with(batches.into_iter().map(Some).collect(), 1).try_parse(|line| line.parse::<u8>());
    test.collect(&results.dead_letter(DeadLetters::sink(directory)));
    test.run(2).unwrap();
}

/// What the command prints, and whether it succeeds.
fn dead_letters(arguments: &[&str]) -> (String, bool) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_dstreams")).arg("dead-letters").args(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8(text).unwrap(), output.status.success())
}

#[test]
fn letters_are_listed_with_their_place_error_and_record() {
    let dir = tempfile::tempdir().unwrap();
    write_letters(dir.path());
    let path = dir.path().to_str().unwrap();
    let expected = "1970-01-01T00:00:01Z  0:1  invalid digit found in string  x y
1970-01-01T00:00:02Z  0:0  number too large to fit in target type  300
dead letters: 2
";
    assert_eq!(dead_letters(&["list", path]), (expected.to_owned(), true));
    let (since, _) = dead_letters(&["list", path, "--since", "1970-01-01T00:00:02Z"]);
    assert!(since.contains("300") && since.ends_with("dead letters: 1\n"), "{since}");
    let (wrong, success) = dead_letters(&["list", path, "--since", "yesterday"]);
    assert!(!success && wrong.contains("write it as 2026-01-31T12:00:00Z"), "{wrong}");
}

#[test]
fn records_are_replayed_once_unless_asked_for_again() {
    let dir = tempfile::tempdir().unwrap();
    let (letters, monitored) = (dir.path().join("letters"), dir.path().join("monitored"));
    write_letters(&letters);
    let (letters, to) = (letters.to_str().unwrap(), monitored.to_str().unwrap());
    let (said, success) = dead_letters(&["replay", letters, "--to", to, "--error", "too large"]);
    assert!(success && said.starts_with("1 records in "), "{said}");
    let file = said.trim().strip_prefix("1 records in ").unwrap();
    assert_eq!(fs::read_to_string(file).unwrap(), "300\n");
    let (said, _) = dead_letters(&["replay", letters, "--to", to, "--until", "2000"]);
    assert!(said.starts_with("1 records in ") && said.contains("1 were replayed before; --again"), "{said}");
    assert_eq!(dead_letters(&["replay", letters, "--to", "-"]), ("x y\n300\n".to_owned(), true));
    let (said, _) = dead_letters(&["replay", letters, "--to", to, "--again"]);
    assert!(said.starts_with("2 records in "), "{said}");
}

#[test]
fn a_directory_of_something_else_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (said, success) = dead_letters(&["list", dir.path().to_str().unwrap()]);
    assert!(!success && said.ends_with("is no directory of dead letters\n"), "{said}");
}
