// SPDX-License-Identifier: Apache-2.0
//! `dstreams top` as text, of an application that runs in the test, and what it says where there is none.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    process::{Command, Output, Stdio},
    sync::mpsc,
    thread,
};

use dstreams::{
    Config,
    streaming::{State, StateSpec, testing::TestContext},
    time::seconds,
    web::WebUi,
};

fn top(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dstreams"));
    command.arg("top").args(arguments).stdin(Stdio::null()).env("TZ", "UTC").output().unwrap()
}

fn said(output: Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// A shop that has sold something in three batches, with a state.
fn shop(settings: &[(&str, &str)]) -> (TestContext, WebUi) {
    let mut config = Config::new();
    for (key, value) in [("spark.ui.port", "0"), ("spark.app.name", "shop")].iter().chain(settings) {
        config.set(key, value).unwrap();
    }
    let test = TestContext::with(config, seconds(1)).unwrap().with_checkpoint_dir().unwrap();
    let ui = WebUi::start(test.context()).unwrap().unwrap();
    let sales = (1..=3).map(|batch| (0..batch * 1000).map(|n| (n % 10, n)).collect()).collect();
    let sales = test.input::<(i64, i64)>(sales).named("sales");
    let spec = StateSpec::function(|_: &i64, price: Option<i64>, sum: &mut State<'_, i64>| {
        let new = sum.get().copied().unwrap_or(0) + price.unwrap_or(0);
        sum.update(new);
        new
    });
    sales.map_with_state(spec).for_each_rdd(|rdd, _| Ok(rdd.count().map(drop)?));
    (test, ui)
}

/// Runs three batches, and waits until the pages know all of them.
fn sell(test: &TestContext, ui: &WebUi) {
    let (change, changed) = mpsc::channel();
    let change = std::sync::Mutex::new(change);
    ui.monitor().subscribe(move |_| {
        let _ = change.lock().unwrap().send(());
    });
    test.run(3).unwrap();
    let last = |store: &dstreams::monitor::Store| store.last_completed().map(|batch| batch.time());
    let is_known = |store: &dstreams::monitor::Store| {
        store.totals().completed_batches == 3
            && store.states().values().any(|state| Some(state.last.batch_time) == last(store))
    };
    while !ui.monitor().read(is_known) {
        changed.recv().unwrap();
    }
}

#[test]
fn an_application_is_shown_as_text() {
    let (test, ui) = shop(&[]);
    sell(&test, &ui);
    let output = top(&["--once", &ui.url()]);
    assert!(output.status.success(), "{output:?}");
    let shown = String::from_utf8(output.stdout).unwrap();
    let line = |start: &str| shown.lines().find(|line| line.starts_with(start)).unwrap_or_default();
    assert_eq!(line("shop"), "shop (local-0)", "{shown}");
    assert_eq!(
        line("Batches of"),
        "Batches of 1 second for 3 seconds: 3 completed, 0 active, 6,000 records",
        "{shown}"
    );
    assert_eq!(line("Keeps up"), "Keeps up: 0 % busy.", "{shown}");
    let words = |start: &str| line(start).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(words("Input rate"), "Input rate 3,000/s 2,000/s 3,000/s 3,000/s ▃▆█", "{shown}");
    assert_eq!(words("Scripted"), "Scripted stream [0] - 3,000/s 2,000/s - - -", "{shown}");
    assert!(line("map_with_state").contains("  10  "), "{shown}");
    assert!(line("Memory").contains(" of 256 MiB)"), "{shown}");
    assert_eq!(words("00:00:03"), "00:00:03 3,000 0 ms 0 ms 0 ms 1/1", "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 100 && line == line.trim_end()), "{shown}");
    // It is no terminal, so the same is printed without being asked for; the address may be that of a page.
    let page = format!("{}/streaming/", ui.url().replace("http://", ""));
    assert_eq!(String::from_utf8(top(&[&page]).stdout).unwrap(), shown);
}

#[test]
fn a_token_is_asked_for_and_taken() {
    let (test, ui) = shop(&[("dstreams.ui.token", "secret")]);
    sell(&test, &ui);
    let said_without = said(top(&[&ui.url()]));
    assert!(
        said_without.contains("needs a token: give it with --token or in DSTREAMS_UI_TOKEN"),
        "{said_without}"
    );
    assert!(said(top(&[&ui.url(), "--token", "wrong"])).contains("does not accept this token"));
    let output = top(&[&ui.url(), "--token", "secret"]);
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("shop ("));
}

#[test]
fn an_address_without_an_application_is_said() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let other = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // The listener is gone before the answer is.
        drop(listener);
        let _request = stream.read(&mut [0; 4096]).unwrap();
        stream
            .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .unwrap();
    });
    let text = said(top(&[&address]));
    assert!(text.contains("is not the UI of a dstreams application: it answers 404"), "{text}");
    other.join().unwrap();
    let text = said(top(&[&address]));
    assert!(text.contains(&format!("nobody answers at http://{address}")), "{text}");
}

#[test]
fn a_terminal_is_drawn_on_and_given_back() {
    let (test, ui) = shop(&[]);
    sell(&test, &ui);
    for (keys, name) in [("q", "the key"), ("\x03", "Ctrl-C")] {
        // It makes a terminal, of which it shows here what is written there.
        let top = format!("stty cols 80 rows 24; exec {} top {}", env!("CARGO_BIN_EXE_dstreams"), ui.url());
        let mut script = Command::new("script");
        script.args(["--quiet", "--flush", "--return", "--command", &top, "/dev/null"]).env("TERM", "xterm");
        let mut script = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut input, mut output) = (script.stdin.take().unwrap(), script.stdout.take().unwrap());
        let (mut shown, mut part) = (String::new(), [0; 4096]);
        while !shown.contains("q ends") {
            let length = output.read(&mut part).unwrap();
            assert_ne!(length, 0, "it has ended: {shown}");
            shown.push_str(&String::from_utf8_lossy(&part[..length]));
        }
        assert!(shown.contains("\x1b[?1049h") && shown.contains("Keeps up: 0 % busy."), "{shown:?}");
        input.write_all(keys.as_bytes()).unwrap();
        let mut rest = Vec::new();
        output.read_to_end(&mut rest).unwrap();
        let rest = String::from_utf8_lossy(&rest);
        assert!(rest.contains("\x1b[?25h") && rest.contains("\x1b[?1049l"), "{name}: {rest:?}");
        assert!(script.wait().unwrap().success(), "{name}");
    }
}
