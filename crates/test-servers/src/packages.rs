// SPDX-License-Identifier: Apache-2.0
//! Packages of Python and npm for servers that are written in these languages, installed once for all tests below the
//! target directory.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::start::{StartError, find_in_path};

/// The directory with these packages of Python, which is `python/[name]` below the target directory.
pub(crate) fn python(name: &str, packages: &[&str]) -> Result<PathBuf, StartError> {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]);
    install("python", name, pip.args(packages).arg("--target"))
}

/// The directory `node_modules` with these packages of npm, which is below `node/[name]` in the target directory.
pub(crate) fn node(name: &str, packages: &[&str]) -> Result<PathBuf, StartError> {
    find_in_path("node", "nodejs")?;
    find_in_path("npm", "npm")?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--loglevel=error", "--no-audit", "--no-fund", "--no-update-notifier"]);
    // Without a network that is soon said. No program of a package runs here.
    npm.args(["--fetch-retries=1", "--ignore-scripts", "--omit=optional"]);
    Ok(install("node", name, npm.args(packages).arg("--prefix"))?.join("node_modules"))
}

/// Has a command install packages into the directory `[language]/[name]`, which it takes as its last argument.
fn install(language: &str, name: &str, command: &mut Command) -> Result<PathBuf, StartError> {
    let target = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"));
    let parent = target.join(language);
    let installed = parent.join(name);
    if installed.exists() {
        return Ok(installed);
    }
    let not_installed = |why: &str| {
        StartError::NotInstalled(format!("packages of {language} ({name}) cannot be installed: {why}"))
    };
    fs::create_dir_all(&parent)?;
    // Several tests may do this at the same time; the first that has all gives it its name.
    let own = tempfile::Builder::new().prefix(name).tempdir_in(&parent)?;
    let output = command.arg(own.path()).stdin(Stdio::null()).output();
    let output = output.map_err(|cause| {
        not_installed(&format!("{} cannot be run: {cause}", command.get_program().to_string_lossy()))
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(not_installed(said.lines().last().unwrap_or("nothing is said of it")));
    }
    let own = own.keep();
    if fs::rename(&own, &installed).is_err() {
        fs::remove_dir_all(&own)?;
    }
    Ok(installed)
}
