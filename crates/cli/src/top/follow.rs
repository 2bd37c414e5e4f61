// SPDX-License-Identifier: Apache-2.0
//! Looks at an application again whenever it tells of a change, and now and then when it does not.

use std::{
    io::{self, BufRead as _, BufReader},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread,
};

use dstreams::{
    Duration,
    streaming::clock::{Clock as _, StopFlag, SystemClock},
    time::{milliseconds, seconds},
};

use super::client::{Client, Seen};

/// What was seen, or why nothing was.
type Looked = Result<Seen, String>;

/// How long to wait between two looks, so that watching costs the application little.
const AT_LEAST: Duration = milliseconds(400);
/// How long to wait for a change before looking anyhow: ages grow without one.
const AT_MOST: Duration = seconds(2);
/// How long to wait before asking again where nobody answers.
const AGAIN: Duration = seconds(1);

/// Looks until nobody receives any more.
pub(super) fn follow(client: Client) -> io::Result<Receiver<Looked>> {
    let (change, changes) = sync_channel(1);
    let (tell, told) = sync_channel(1);
    let listener = client.clone();
    // Neither is waited for at the end: each may be waiting for an answer.
    thread::Builder::new().name("changes".to_owned()).spawn(move || listen(&listener, &change))?;
    thread::Builder::new().name("looks".to_owned()).spawn(move || look(&client, &changes, &tell))?;
    Ok(told)
}

fn listen(client: &Client, change: &SyncSender<()>) {
    loop {
        if let Ok(events) = client.events() {
            let lines = BufReader::new(events).lines().map_while(Result::ok);
            for _event in lines.filter(|line| line.starts_with("event:")) {
                // It is full when a change is waiting already.
                let _told = change.try_send(());
            }
        }
        let _time_has_passed = SystemClock.sleep(AGAIN, &StopFlag::new());
    }
}

fn look(client: &Client, changes: &Receiver<()>, tell: &SyncSender<Looked>) {
    loop {
        let _time_has_passed = SystemClock.sleep(AT_LEAST, &StopFlag::new());
        match changes.recv_timeout(AT_MOST.to_std()) {
            Ok(()) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if tell.send(client.look()).is_err() {
            return;
        }
    }
}
