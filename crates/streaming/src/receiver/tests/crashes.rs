// SPDX-License-Identifier: Apache-2.0
//! Processes that end in the middle of a step: whatever they acknowledged before is restored.

use std::{
    env,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use dstreams_wal::fault::FAULTS;
use tempfile::tempdir;

use super::{Run, at};

/// Set for the process that is to crash: where its log is.
const DIR: &str = "DSTREAMS_TEST_LOG_OF_A_CRASH";

/// Texts that a process stores before it ends by itself, which it does not come to.
const TEXTS: usize = 40;

#[test]
fn what_was_acknowledged_before_a_crash_is_restored() {
    if let Some(dir) = env::var_os(DIR) {
        store_and_acknowledge(Path::new(&dir));
        return;
    }
    // Each step, at the first segment and at a later one; a block is one write and one fsync, a segment one of each, too.
    for fault in [
        "create@1",
        "write@1",
        "write@2",
        "sync@1",
        "sync@2",
        "rename@1",
        "sync_dir@1",
        "create@2",
        "write@20",
        "write@21",
        "sync@20",
        "sync@21",
        "rename@2",
        "rename@3",
        "sync_dir@3",
        "remove@1",
        "remove@2",
    ] {
        // INVARIANT 20
        let dir = tempdir().unwrap();
        let acknowledged = crash_at(dir.path(), fault);
        let run = Run::restored(dir.path(), &[]);
        let restored = run.read(&run.plan(1));
        // The one that was being stored may be there, although nobody was told.
        let cleaned = acknowledged.len().min(restored.first().map_or(0, |first| first.parse().unwrap()));
        let left = &acknowledged[cleaned..];
        assert_eq!(&restored[..left.len()], left, "{fault}");
        assert!(restored.len() <= left.len() + 1, "{fault}: {restored:?}");
        assert!(cleaned == 0 || fault.starts_with("remove"), "{fault}: {restored:?}");
    }
}

/// What a process has acknowledged that crashes at a step of its log.
fn crash_at(dir: &Path, fault: &str) -> Vec<String> {
    let child = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "--nocapture",
            "receiver::tests::crashes::what_was_acknowledged_before_a_crash_is_restored",
        ])
        .env(DIR, dir)
        .env(FAULTS, format!("received.{fault}=crash"))
        .stderr(Stdio::null())
        .output()
        .unwrap();
    assert!(!child.status.success(), "{fault} is never passed");
    let output = String::from_utf8(child.stdout).unwrap();
    output.lines().filter_map(|line| line.strip_prefix("stored ")).map(str::to_owned).collect()
}

/// Stores texts, one every 100 ms, and cleans what a batch has had, so that a crash may find any state.
fn store_and_acknowledge(dir: &Path) {
    let run = Run::logged(dir);
    for text in 0..TEXTS {
        let time = 100 * i64::try_from(text).unwrap();
        run.store(time, &[&text.to_string()]);
        let mut out = std::io::stdout();
        writeln!(out, "\nstored {text}").unwrap();
        out.flush().unwrap();
        if text == TEXTS - 1 {
            run.plan(1);
            run.blocks.clean(at(1));
        }
    }
}
