// SPDX-License-Identifier: Apache-2.0
//! Rules for single lines of Rust: printing, sleeping, skipped tests, unfinished work.

use super::{
    Violation,
    lexer::has_word,
    tree::{File, Tree},
};

/// Files of libraries whose purpose is to print.
const PRINTERS: &[&str] = &["crates/streaming/src/output/print.rs", "crates/test-servers/src/start.rs"];

/// Crates that are programs: they print as they please.
const PROGRAMS: &[&str] = &["crates/cli/"];

const PRINTING: &[&str] = &["print!", "println!", "eprint!", "eprintln!", "dbg!"];

/// Libraries speak through errors, events and `tracing`, never straight to the terminal.
pub(super) fn print(tree: &Tree) -> Vec<Violation> {
    let is_library = |file: &&File| {
        let is_program = PROGRAMS.iter().any(|program| file.path.starts_with(program));
        file.path.starts_with("crates/") && file.path.contains("/src/") && !is_program
    };
    let silent = tree.rust().filter(is_library).filter(|file| !PRINTERS.contains(&file.path.as_str()));
    let advice = "return an error, post an event or use `tracing`; a file made to print goes into the table of this rule";
    lines_with(silent, PRINTING)
        .map(|(file, line)| Violation::new(&file.path, line, "print", advice))
        .collect()
}

/// A test waits for what it wants to see, or moves the manual clock.
pub(super) fn sleep(tree: &Tree) -> Vec<Violation> {
    let sleeps = lines_with(tree.rust(), &["thread::sleep", "time::sleep"]);
    let advice = "move the manual clock, or wait on the channel or condition that the test is about";
    sleeps
        .filter(|(file, line)| file.is_test(*line))
        .map(|(file, line)| Violation::new(&file.path, line, "test-sleep", advice))
        .collect()
}

/// Every test that exists runs.
pub(super) fn ignored(tree: &Tree) -> Vec<Violation> {
    let is_skipped_example = |line: &str| line.contains("```ignore") || line.contains("```rust,ignore");
    let attributes = tree.rust().flat_map(|file| {
        let lines = file.code().filter(|(_, line)| line.contains("#[ignore"));
        lines.map(move |(line, _)| (file, line))
    });
    let examples = tree.rust().flat_map(|file| {
        let lines = file.comments().filter(move |(_, line)| is_skipped_example(line));
        lines.map(move |(line, _)| (file, line))
    });
    let advice = "make the test run everywhere, or delete it";
    attributes
        .chain(examples)
        .map(|(file, line)| Violation::new(&file.path, line, "ignored-test", advice))
        .collect()
}

/// What is committed is finished.
pub(super) fn unfinished(tree: &Tree) -> Vec<Violation> {
    let macros = lines_with(tree.rust(), &["todo!", "unimplemented!"]);
    let marks = tree.rust().flat_map(|file| {
        let marked = |line: &str| ["TODO", "FIXME", "XXX"].iter().any(|mark| has_word(line, mark));
        file.comments().filter(move |(_, line)| marked(line)).map(move |(line, _)| (file, line))
    });
    let advice = "finish it, or describe it as an issue and take the mark out";
    macros.chain(marks).map(|(file, line)| Violation::new(&file.path, line, "unfinished", advice)).collect()
}

/// The places whose code holds one of the words.
fn lines_with<'a>(
    files: impl Iterator<Item = &'a File>,
    words: &'static [&'static str],
) -> impl Iterator<Item = (&'a File, usize)> {
    files.flat_map(move |file| {
        let lines = file.code().filter(|(_, line)| words.iter().any(|word| has_word(line, word)));
        lines.map(move |(line, _)| (file, line))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    #[test]
    fn print_is_for_programs_and_printers() {
        let prints = "fn f() {\n    println!(\"x\");\n}\n";
        let quiet = "/// println!(\"in an example\");\nfn f() { write!(w, \"println!\"); sprintln!(); }\n";
        let files = [
            ("crates/rdd/src/a.rs", prints),
            ("crates/rdd/src/b.rs", quiet),
            ("crates/cli/src/main.rs", prints),
            ("crates/streaming/src/output/print.rs", prints),
            ("examples/a.rs", prints),
        ];
        assert_eq!(found(print, &files), ["crates/rdd/src/a.rs:2"]);
    }

    #[test]
    fn sleep_is_found_in_tests_only() {
        let source = "fn f() { thread::sleep(d); }\n#[cfg(test)]\nmod tests {\n    fn t() { std::thread::sleep(d); }\n}\n";
        let files =
            [("src/a.rs", source), ("tests/b.rs", "fn t() { tokio::time::sleep(d); }"), ("tests/c.rs", "")];
        assert_eq!(found(sleep, &files), ["src/a.rs:4", "tests/b.rs:1"]);
    }

    #[test]
    fn ignored_tests_and_examples_are_found() {
        let files = [
            ("a.rs", "#[test]\n#[ignore = \"slow\"]\nfn t() {}\n"),
            ("b.rs", "/// ```ignore\n/// f();\n/// ```\nfn f() {}\n"),
            ("c.rs", "/// ```no_run\n/// f();\n/// ```\n#[test]\nfn t() { f(\"#[ignore]\"); }\n"),
        ];
        assert_eq!(found(ignored, &files), ["a.rs:2", "b.rs:1"]);
    }

    #[test]
    fn unfinished_work_is_found() {
        let files = [
            ("a.rs", "fn f() {\n    todo!()\n}\n"),
            ("b.rs", "// FIXME: later\nfn f() {}\n"),
            ("c.rs", "/// Marks a TODOS list.\nfn f() { g(\"TODO\"); }\n"),
        ];
        assert_eq!(found(unfinished, &files), ["a.rs:2", "b.rs:1"]);
    }
}
