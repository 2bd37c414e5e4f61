// SPDX-License-Identifier: Apache-2.0
//! Why a server is not there, and what a test does then.

use std::{
    env, fmt, io,
    process::{Command, Stdio},
};

/// Why there is no server.
#[derive(Debug)]
pub enum StartError {
    /// What it takes is not on this machine; says what.
    NotInstalled(String),
    /// It is, but the server does not start.
    Failed(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInstalled(what) => f.write_str(what),
            Self::Failed(error) => write!(f, "the server does not start: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

/// A server for a test; none where it takes something that is not installed, which is said in one line. With `CI` set
/// that is a failure.
///
/// # Panics
///
/// When the server does not start, and when there is none with `CI` set.
pub fn or_skip<T>(test: &str, started: Result<T, StartError>) -> Option<T> {
    match started {
        Ok(server) => Some(server),
        Err(StartError::NotInstalled(what)) if env::var_os("CI").is_none() => {
            eprintln!("{test} was not run: {what}");
            None
        }
        Err(error) => panic!("{test}: {error}"),
    }
}

/// Whether a program is in the path; if it is not, the Debian package that has it is named.
pub(crate) fn find_in_path(program: &str, package: &str) -> Result<(), StartError> {
    let path = env::var_os("PATH").unwrap_or_default();
    if env::split_paths(&path).any(|directory| directory.join(program).is_file()) {
        return Ok(());
    }
    Err(StartError::NotInstalled(format!("{program} is not installed (Debian package {package})")))
}

/// Runs a command to its end.
pub(crate) fn complete(command: &mut Command) -> io::Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let program = command.get_program().to_string_lossy().into_owned();
    Err(io::Error::other(format!(
        "{program} ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&said)
    )))
}
