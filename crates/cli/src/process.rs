// SPDX-License-Identifier: Apache-2.0
//! Signals to other processes.

use std::io;

use rustix::{
    io::Errno,
    process::{Pid, Signal, kill_process, test_kill_process},
};

/// Sends a signal to a process; one that has ended already is no error.
pub(crate) fn signal(id: u32, signal: Signal) -> io::Result<()> {
    match kill_process(pid(id)?, signal) {
        Err(Errno::SRCH) => Ok(()),
        sent => Ok(sent?),
    }
}

/// Whether there is a process of this number.
pub(crate) fn is_alive(id: u32) -> io::Result<bool> {
    match test_kill_process(pid(id)?) {
        Err(Errno::SRCH) => Ok(false),
        Ok(()) | Err(Errno::PERM) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

fn pid(id: u32) -> io::Result<Pid> {
    let id = i32::try_from(id).ok().and_then(Pid::from_raw);
    id.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "this is no number of a process"))
}
