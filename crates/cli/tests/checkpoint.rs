// SPDX-License-Identifier: Apache-2.0
//! `dstreams checkpoint` on what a program has left, as a user would call it.

use std::process::{Command, Output};

use dstreams::{Config, streaming::StopOptions};

fn dstreams(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dstreams")).args(arguments).output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs a program that has a state until its first batch is complete.
fn leave_a_state(dir: &str, settings: &[(&str, String)]) {
    let input = tempfile::tempdir().expect("a directory");
    let mut config = Config::default();
    config.set("dstreams.batch.interval", "20ms").expect("a known key");
    config.set("spark.app.name", "lines").expect("a known key");
    for (key, value) in settings {
        config.set(key, value).expect("a known key");
    }
    let (done, is_done) = std::sync::mpsc::channel();
    let ssc = dstreams::get_or_create(dir, config, |ssc| {
        let lines = ssc.text_file_stream(input.path()).map(|line| (line, 1_u64));
        let counts = lines.update_state_by_key(|new, n| Some(n.unwrap_or(0) + new.len() as u64));
        counts.named("counts").for_each_rdd(move |_, _| {
            let _ = done.send(());
            Ok(())
        });
        Ok(())
    })
    .expect("the graph is right");
    ssc.start().expect("it starts");
    is_done.recv().expect("a batch comes");
    ssc.stop_with(StopOptions::graceful()).expect("it stops");
}

#[test]
fn show_says_what_is_there() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().to_str().expect("a path that is text");
    leave_a_state(path, &[]);
    let shown = dstreams(&["checkpoint", "show", path]);
    assert!(shown.status.success(), "{}", text(&shown.stderr));
    let shown = text(&shown.stdout);
    assert!(shown.contains("application  \"lines\""), "{shown}");
    assert!(shown.contains("state        counts (update_state_by_key, in memory): string to u64"), "{shown}");
}

#[test]
fn show_refuses_what_is_no_checkpoint_directory() {
    let dir = tempfile::tempdir().expect("a directory");
    let refused = dstreams(&["checkpoint", "show", dir.path().to_str().expect("a path that is text")]);
    assert!(!refused.status.success());
    assert!(text(&refused.stderr).contains("it is not a checkpoint directory"), "{}", text(&refused.stderr));
}

#[cfg(feature = "object-store")]
#[test]
fn show_reads_from_an_object_store() {
    use dstreams_test_servers::S3;
    let Some(server) = S3::start_or_skip("checkpoint show on S3") else { return };
    let url = server.url("lines");
    leave_a_state(&url, &server.settings());
    let mut arguments = vec!["checkpoint".to_owned(), "show".to_owned(), url];
    for (key, value) in server.settings() {
        arguments.extend(["--conf".to_owned(), format!("{key}={value}")]);
    }
    let shown = dstreams(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(shown.status.success(), "{}", text(&shown.stderr));
    let shown = text(&shown.stdout);
    assert!(shown.contains("state        counts (update_state_by_key, in memory)"), "{shown}");
    assert!(shown.contains("bytes        batches: "), "{shown}");
}

#[cfg(not(feature = "object-store"))]
#[test]
fn a_url_names_the_feature_that_it_needs() {
    let refused = dstreams(&["checkpoint", "show", "s3://bucket/lines"]);
    assert!(!refused.status.success());
    assert!(text(&refused.stderr).contains("feature `object-store`"), "{}", text(&refused.stderr));
}
