// SPDX-License-Identifier: Apache-2.0
//! The harness itself, on a small scale: a few kills, and a fault in the middle of recovery.

use std::process::Command;

fn chaos(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["chaos", "--program", env!("CARGO_BIN_EXE_chaos-pipeline")])
        .args(arguments)
        .output()
        .expect("it can be started");
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

// INVARIANT 21
#[test]
fn nothing_is_lost_and_nothing_is_there_twice_after_kills() {
    let (is_good, said) = chaos(&["--kills", "3", "--seed", "42"]);
    assert!(is_good && said.contains(" 0 lost, 0 duplicated"), "{said}");
}

// INVARIANTS 21, 22
#[test]
fn a_log_that_cannot_be_written_costs_nothing_but_a_restart() {
    let (is_good, said) = chaos(&["--fault-points", "--point", "batches.write"]);
    assert!(is_good, "{said}");
}
