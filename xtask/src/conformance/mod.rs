// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask conformance DIR`: runs the tables of cases in a directory against the engine.

mod compare;
mod functions;
mod lineage;
mod ops;
mod pages;
mod received;
mod report;
mod restart;
mod states;
mod table;
mod units;
mod value;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::Duration,
};

use clap::Args;
use serde::Deserialize;
use serde_json::Value as Json;

use self::{report::Report, restart::Restart, table::Table, units::Units};
use crate::Result;

/// How long a case may take in real time; its clock is a manual one, so it takes longer only when it hangs.
const STUCK_AFTER: Duration = Duration::from_secs(60);

/// Options of `cargo xtask conformance`.
#[derive(Args)]
pub(crate) struct Options {
    /// The directory whose *.json files hold the cases
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// Runs the cases of the directory asked for.
pub(crate) fn run(options: &Options) -> Result<()> {
    run_all(&[&options.directory])
}

/// Runs the project's own copy of the cases and the cases it adds to them.
pub(crate) fn check(root: &Path) -> Result<()> {
    run_all(&[&root.join("conformance/cases"), &root.join("conformance/extra")])
}

fn run_all(directories: &[&Path]) -> Result<()> {
    let mut files = Vec::new();
    for directory in directories {
        files.extend(case_files(directory)?);
    }
    let mut report = Report::new(io::stdout().lock());
    for file in files {
        let told = |error: &dyn std::error::Error| format!("{}: {error}", file.display());
        let text = fs::read_to_string(&file).map_err(|error| told(&error))?;
        let suite: Suite = serde_json::from_str(&text).map_err(|error| told(&error))?;
        for case in suite.cases {
            run_case(case, &mut report)?;
        }
    }
    match report.finish()? {
        0 => Ok(()),
        failed => Err(format!("{failed} cases of the conformance tables failed").into()),
    }
}

/// The case files of a directory in the order of their names.
fn case_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let told = |error| format!("cannot read {}: {error}", directory.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(told)? {
        let path = entry.map_err(told)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[derive(Deserialize)]
struct Suite {
    cases: Vec<Json>,
}

fn run_case(case: Json, report: &mut Report<impl io::Write>) -> io::Result<()> {
    let field = |name: &str| case.get(name).and_then(Json::as_str).unwrap_or("(none)").to_owned();
    let (id, kind) = (field("id"), field("kind"));
    let run = match kind.as_str() {
        "dstream_table" => parsed(case, Table::run),
        "restart_table" => parsed(case, Restart::run),
        "unit_table" => parsed(case, Units::run),
        _ => {
            report.not_run(&kind);
            return Ok(());
        }
    };
    report.case(&id, watched(run))
}

type Work = Box<dyn FnOnce() -> std::result::Result<(), String> + Send>;

fn parsed<C: for<'a> Deserialize<'a> + 'static>(
    case: Json,
    run: fn(C) -> std::result::Result<(), String>,
) -> Work {
    Box::new(move || {
        let case =
            serde_json::from_value(case).map_err(|error| format!("the case is unreadable: {error}"))?;
        run(case)
    })
}

/// Runs a case on a thread of its own, so that one that panics or hangs is a failure like others.
fn watched(case: Work) -> std::result::Result<(), String> {
    let (sender, receiver) = channel();
    // Nobody listens any more to a case that took too long.
    thread::spawn(move || drop(sender.send(case())));
    receiver.recv_timeout(STUCK_AFTER).unwrap_or_else(|error| {
        Err(match error {
            RecvTimeoutError::Timeout => format!("did not end within {} s", STUCK_AFTER.as_secs()),
            RecvTimeoutError::Disconnected => "panicked".to_owned(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(case: &str) -> String {
        let mut text = Vec::new();
        let mut report = Report::new(&mut text);
        run_case(serde_json::from_str(case).expect("it is JSON"), &mut report)
            .expect("memory takes any text");
        report.finish().expect("memory takes any text");
        String::from_utf8_lossy(&text).into_owned()
    }

    #[test]
    fn a_case_that_holds_passes_and_one_that_does_not_tells_why() {
        let case = |result| {
            let input = r#"{"in":{"type":"scalar","batches":[[1,2]]}}"#;
            let expect = format!(r#"{{"out":{{"times_ms":[1000],"batches":[[{result}]]}}}}"#);
            format!(
                r#"{{"id":"a/b","kind":"dstream_table","batch_ms":1000,"batches":1,"inputs":{input},
                    "ops":[{{"op":"reduce","fn":"plus"}}],"compare":"ordered","expect":{expect}}}"#
            )
        };
        assert_eq!(told(&case(3)), "ok a/b\n1 passed, 0 failed\n");
        assert_eq!(told(&case(4)), "FAILED a/b: batch 1000 ms: expected [4], got [3]\n0 passed, 1 failed\n");
    }

    #[test]
    fn what_is_unknown_or_unreadable_fails() {
        let unknown = r#"{"id":"a","kind":"dstream_table","batches":1,"inputs":{"in":{"batches":[]}},
            "ops":[{"op":"fold"}],"expect":{}}"#;
        assert!(told(unknown).starts_with("FAILED a: unknown operator: fold\n"));
        assert!(told(r#"{"id":"a","kind":"unit_table"}"#).starts_with("FAILED a: the case is unreadable"));
    }

    #[test]
    fn other_kinds_are_counted_and_not_run() {
        assert_eq!(told(r#"{"id":"a","kind":"prose"}"#), "not run: 1 prose\n0 passed, 0 failed\n");
    }

    #[test]
    fn a_panic_is_a_failure() {
        let panics: Work = Box::new(|| std::panic::resume_unwind(Box::new("broken")));
        assert_eq!(watched(panics), Err("panicked".to_owned()));
    }
}
