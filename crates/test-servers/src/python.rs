// SPDX-License-Identifier: Apache-2.0
//! Packages of Python for servers that are written in it, installed once for all tests below the target directory.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::start::StartError;

/// The directory with these packages, which is `python/[name]` below the target directory.
pub(crate) fn install(name: &str, packages: &[&str]) -> Result<PathBuf, StartError> {
    let target = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"));
    let parent = target.join("python");
    let installed = parent.join(name);
    if installed.exists() {
        return Ok(installed);
    }
    fs::create_dir_all(&parent)?;
    // Several tests may do this at the same time; the first that has all gives it its name.
    let own = tempfile::Builder::new().prefix(name).tempdir_in(&parent)?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--target"]);
    let output = pip.arg(own.path()).args(packages).stdin(Stdio::null()).output();
    let output = output.map_err(|cause| not_installed(name, &format!("python3 cannot be run: {cause}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(not_installed(name, said.lines().last().unwrap_or("pip says nothing")));
    }
    let own = own.keep();
    if fs::rename(&own, &installed).is_err() {
        fs::remove_dir_all(&own)?;
    }
    Ok(installed)
}

fn not_installed(name: &str, why: &str) -> StartError {
    StartError::NotInstalled(format!("Python packages ({name}) cannot be installed: {why}"))
}
