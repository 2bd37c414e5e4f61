// SPDX-License-Identifier: Apache-2.0
//! Spark Streaming as a peer: the jars of the Python package `pyspark`, our classes compiled against them, the machine.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::Result;

/// The last line of versions with receivers and `DStream`s as they were.
const VERSION: &str = "pyspark==3.5.*";

/// What of the virtual machine Spark uses that it does not give to everybody.
const OPENED: &[&str] = &[
    "java.lang",
    "java.lang.invoke",
    "java.lang.reflect",
    "java.io",
    "java.net",
    "java.nio",
    "java.util",
    "java.util.concurrent",
    "java.util.concurrent.atomic",
    "sun.nio.ch",
    "sun.nio.cs",
    "sun.security.action",
    "sun.util.calendar",
];

/// The heap. More does not make the workloads faster; half of it makes the largest state spend its time collecting.
const HEAP: &str = "-Xmx3g";

/// What Java has to find.
pub(super) struct Classes {
    path: String,
    /// What has been found, such as `Spark 3.5.9`.
    pub(super) version: String,
}

/// Installs Spark below `target` unless it is there, and compiles the workloads.
pub(super) fn prepare(root: &Path) -> Result<Classes> {
    let directory = root.join("target/bench");
    let jars = directory.join("pyspark/pyspark/jars");
    if !jars.is_dir() {
        install(&directory.join("pyspark"))?;
    }
    let classes = directory.join("spark");
    fs::create_dir_all(&classes)?;
    let jars_path = format!("{}/*", jars.display());
    let mut compile = Command::new("javac");
    compile.args(["-nowarn", "-Xlint:-deprecation", "-cp", &jars_path, "-d"]).arg(&classes);
    let sources = compile.args(sources(&root.join("benches/peers/spark"))?);
    let output = sources.output().map_err(|error| format!("javac: {error}"))?;
    if !output.status.success() {
        return Err(format!("javac: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let version = version(&jars).unwrap_or_else(|| "Spark".to_owned());
    Ok(Classes { path: format!("{}:{jars_path}", classes.display()), version })
}

fn install(place: &Path) -> Result<()> {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"]).arg(place).arg(VERSION);
    let output = pip.output().map_err(|error| format!("python3: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    // What is half there would be taken for the whole next time.
    let _it_may_not_be_there = fs::remove_dir_all(place);
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(format!("pip: {}", errors.lines().last().unwrap_or("it failed")).into())
}

fn sources(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "java") {
            files.push(path);
        }
    }
    Ok(files)
}

fn version(jars: &Path) -> Option<String> {
    let mut names = fs::read_dir(jars).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let name = names.find(|name| name.starts_with("spark-streaming_"))?;
    let version = name.rsplit_once('-')?.1.strip_suffix(".jar")?;
    Some(format!("Spark {version}"))
}

impl Classes {
    /// A virtual machine that runs a workload.
    pub(super) fn command(&self) -> Command {
        let mut java = Command::new("java");
        // Of the collectors this one lets the workloads run fastest.
        java.args([HEAP, "-XX:+UseParallelGC"]);
        java.args(OPENED.iter().map(|package| format!("--add-opens=java.base/{package}=ALL-UNNAMED")));
        java.args(["-cp", &self.path, "Bench"]);
        java
    }
}
