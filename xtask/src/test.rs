// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask test`: every check a change must pass, as named steps with their times.

use std::{
    fmt::Write as _,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use clap::{Args, builder::PossibleValuesParser};

use crate::{Result, bench, chaos, conformance, kafka, tidy};

/// The steps in their order: the cheap ones that fail most often come first.
const STEPS: &[Step] = &[
    Step { name: "fmt", action: Action::Cargo(&["fmt", "--all", "--check"]) },
    Step { name: "tidy", action: Action::Task(tidy::run) },
    Step {
        name: "clippy",
        action: Action::Cargo(&[
            "clippy",
            "--workspace",
            "--all-features",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]),
    },
    Step { name: "tests", action: Action::Task(tests) },
    Step { name: "doc-tests", action: Action::Cargo(&["test", "--workspace", "--all-features", "--doc"]) },
    Step { name: "conformance", action: Action::Task(conformance::check) },
    Step { name: "chaos", action: Action::Task(chaos::check) },
    Step { name: "bench", action: Action::Task(bench::check) },
    Step { name: "docs", action: Action::Task(docs) },
    Step {
        name: "licences",
        action: Action::CargoTool("deny", &["deny", "check", "licenses", "bans", "sources"]),
    },
];

/// Options of `cargo xtask test`.
#[derive(Args)]
pub(crate) struct Options {
    /// Run this step only
    #[arg(long, value_name = "STEP", value_parser = PossibleValuesParser::new(STEPS.iter().map(|step| step.name)))]
    only: Option<String>,
}

/// Runs the steps, stops at the first failure and prints what each took.
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let chosen = STEPS.iter().filter(|step| options.only.as_deref().is_none_or(|only| only == step.name));
    let mut report = Vec::new();
    for step in chosen {
        println!("── {}", step.name);
        let (outcome, took) = timed(|| step.action.run(root));
        let failed = outcome.is_err();
        report.push(Line { step: step.name, took, outcome: outcome.map_err(|error| error.to_string()) });
        if failed {
            break;
        }
    }
    print!("{}", summary(&report));
    match report.last() {
        Some(Line { step, outcome: Err(error), .. }) => {
            Err(format!("step `{step}` failed: {error}; repeat it with `cargo xtask test --only {step}`")
                .into())
        }
        _ => Ok(()),
    }
}

/// One named check.
struct Step {
    name: &'static str,
    action: Action,
}

/// How a step is done.
enum Action {
    /// `cargo` with these arguments.
    Cargo(&'static [&'static str]),
    /// As `Cargo`, passed over where the named cargo subcommand is not installed.
    CargoTool(&'static str, &'static [&'static str]),
    /// A task of this program.
    Task(fn(&Path) -> Result<()>),
}

/// How a step ended when it did not fail.
#[derive(Debug, PartialEq)]
enum Done {
    Passed,
    Skipped(String),
}

impl Action {
    fn run(&self, root: &Path) -> Result<Done> {
        match self {
            Self::CargoTool(tool, _) if !is_installed(root, tool) => {
                return Ok(Done::Skipped(format!("cargo-{tool} is not installed")));
            }
            Self::Cargo(arguments) | Self::CargoTool(_, arguments) => complete(&mut cargo(root, arguments))?,
            Self::Task(task) => task(root)?,
        }
        Ok(Done::Passed)
    }
}

/// Runs all tests but those of the documentation, with one Kafka broker for all of them: it takes seconds to start.
fn tests(root: &Path) -> Result<()> {
    let broker = kafka::for_tests()?;
    let arguments = ["test", "--workspace", "--all-features", "--lib", "--bins", "--tests", "--examples"];
    let mut command = cargo(root, &arguments);
    complete(command.envs(broker.iter().map(|(_, variable)| variable.clone())))
}

/// Builds the pages of the libraries; the `dstreams` program would overwrite those of the library of that name.
fn docs(root: &Path) -> Result<()> {
    let mut command = cargo(root, &["doc", "--workspace", "--all-features", "--no-deps", "--lib"]);
    complete(command.env("RUSTDOCFLAGS", "-D warnings"))
}

fn cargo(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    for argument in arguments {
        match *argument {
            ALL_FEATURES => command.args(all_features(root)),
            other => command.arg(other),
        };
    }
    command.current_dir(root);
    command
}

const ALL_FEATURES: &str = "--all-features";

/// The only feature that needs a library which few machines have; without it the others are built.
const KERBEROS: &str = "kafka-gssapi";

/// All features that can be built here.
fn all_features(root: &Path) -> Vec<String> {
    if Path::new("/usr/include/sasl/sasl.h").exists() {
        return vec![ALL_FEATURES.to_owned()];
    }
    println!("without the feature {KERBEROS}: libsasl2's headers are not installed (Debian: libsasl2-dev)");
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).unwrap_or_default();
    let mut features: Vec<String> = features(&manifest).map(|name| format!("dstreams/{name}")).collect();
    // Of the command, which has features of its own.
    features.push("dstreams-cli/kafka".to_owned());
    vec!["--features".to_owned(), features.join(",")]
}

/// The features of a manifest, without that one.
fn features(manifest: &str) -> impl Iterator<Item = &str> {
    let section = manifest.lines().skip_while(|line| *line != "[features]").skip(1);
    let lines = section.take_while(|line| !line.starts_with('['));
    lines
        .filter_map(|line| Some(line.split_once(" = ")?.0))
        .filter(|name| *name != KERBEROS && !name.starts_with('#'))
}

/// Runs the command to its end; what it prints goes to the terminal.
fn complete(command: &mut Command) -> Result<()> {
    let status = command.status().map_err(|error| format!("cannot start cargo: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("cargo ended with {status}").into()) }
}

fn is_installed(root: &Path, tool: &str) -> bool {
    let mut command = cargo(root, &[tool, "--version"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the time a step takes is shown to a person and decides nothing"
)]
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let value = work();
    (value, start.elapsed())
}

/// One line of the summary.
struct Line {
    step: &'static str,
    took: Duration,
    outcome: std::result::Result<Done, String>,
}

fn summary(report: &[Line]) -> String {
    let mut text = String::from("\n");
    for Line { step, took, outcome } in report {
        let outcome = match outcome {
            Ok(Done::Passed) => "passed".to_owned(),
            Ok(Done::Skipped(reason)) => format!("skipped: {reason}"),
            Err(_) => "FAILED".to_owned(),
        };
        writeln!(text, "{step:<11} {:>6.1} s  {outcome}", took.as_secs_f64())
            .expect("a string takes any text");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn step_names_are_distinct_so_that_only_picks_one() {
        let mut names: Vec<_> = STEPS.iter().map(|step| step.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), STEPS.len());
    }

    #[test]
    fn a_tool_that_is_not_installed_is_skipped_with_the_reason() {
        let action = Action::CargoTool("no-such-subcommand-here", &["no-such-subcommand-here"]);
        let done = action.run(Path::new(".")).expect("a missing tool is no failure");
        assert_eq!(done, Done::Skipped("cargo-no-such-subcommand-here is not installed".to_owned()));
    }

    #[test]
    fn the_features_of_a_manifest_are_found() {
        let manifest = "[package]\nname = \"a\"\n[features]\n# Words.\nkafka = [\"dep:k\"]\nkafka-gssapi = [\"kafka\"]\nsqlite = []\n\n[dependencies]\nb = \"1\"\n";
        assert_eq!(features(manifest).collect::<Vec<_>>(), ["kafka", "sqlite"]);
    }

    #[test]
    fn the_summary_names_each_step_with_its_time_and_outcome() {
        let line = |step, seconds, outcome| Line { step, took: Duration::from_secs(seconds), outcome };
        let text = summary(&[
            line("fmt", 1, Ok(Done::Passed)),
            line("licences", 0, Ok(Done::Skipped("no tool".to_owned()))),
            line("tests", 75, Err("exit status: 101".to_owned())),
        ]);
        assert_eq!(
            text,
            "\nfmt            1.0 s  passed\nlicences       0.0 s  skipped: no tool\ntests         75.0 s  FAILED\n"
        );
    }
}
