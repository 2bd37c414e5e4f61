// SPDX-License-Identifier: Apache-2.0
//! The tree that rules look at: its files, with Rust split into code and comments, and its packages.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

use super::lexer;
use crate::Result;

/// Directories that hold no sources.
const SKIPPED: &[&str] = &[".git", "target"];

/// File types whose text some rule reads; of the others only the path matters.
const READ: &[&str] = &["rs", "md", "toml"];

/// The workspace in memory.
pub(super) struct Tree {
    /// Ordered by path.
    pub(super) files: Vec<File>,
    pub(super) packages: Vec<Package>,
}

impl Tree {
    /// Reads the workspace below `root`.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let mut files = Vec::new();
        collect(root, "", &mut files)?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { files, packages: packages(root)? })
    }

    pub(super) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// The files that hold Rust.
    pub(super) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is("rs"))
    }

    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(path, text)| File::new(path, (*text).to_owned())).collect();
        Self { files, packages: Vec::new() }
    }
}

/// One file. Lines are counted from 1.
pub(super) struct File {
    /// From the root of the workspace, with `/` between its parts.
    pub(super) path: String,
    pub(super) text: String,
    code: String,
    comments: String,
    unit_tests: Vec<bool>,
}

impl File {
    fn new(path: &str, text: String) -> Self {
        let (code, comments) =
            if has_extension(path, "rs") { lexer::split(&text) } else { Default::default() };
        let unit_tests = lexer::unit_test_lines(&code);
        Self { path: path.to_owned(), text, code, comments, unit_tests }
    }

    pub(super) fn is(&self, extension: &str) -> bool {
        has_extension(&self.path, extension)
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        numbered(&self.text)
    }

    /// The lines of Rust with comments, and what strings hold, blanked.
    pub(super) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        numbered(&self.code)
    }

    /// The lines of Rust with everything but comments blanked.
    pub(super) fn comments(&self) -> impl Iterator<Item = (usize, &str)> {
        numbered(&self.comments)
    }

    /// Whether the line belongs to a test: a file of tests, or a test module within a source file.
    pub(super) fn is_test(&self, line: usize) -> bool {
        let stem = self.stem();
        stem == "tests"
            || stem.ends_with("_tests")
            || self.path.split('/').rev().skip(1).any(|part| part == "tests")
            || self.unit_tests.get(line - 1).is_some_and(|test| *test)
    }

    /// The file's name without its extension.
    pub(super) fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or(&self.path);
        name.split_once('.').map_or(name, |(stem, _)| stem)
    }
}

/// A package of the workspace, as `cargo metadata` describes it.
pub(super) struct Package {
    pub(super) name: String,
    /// Path of its `Cargo.toml` from the root of the workspace.
    pub(super) manifest: String,
    /// Names of the packages it is built with; not those that only its tests use.
    pub(super) dependencies: Vec<String>,
}

fn collect(directory: &Path, prefix: &str, files: &mut Vec<File>) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            if !SKIPPED.contains(&name.as_str()) {
                collect(&entry.path(), &format!("{path}/"), files)?;
            }
            continue;
        }
        let is_read = READ.iter().any(|extension| has_extension(&name, extension));
        let text = if is_read {
            fs::read_to_string(entry.path()).map_err(|error| format!("cannot read {path}: {error}"))?
        } else {
            String::new()
        };
        files.push(File::new(&path, text));
    }
    Ok(())
}

fn packages(root: &Path) -> Result<Vec<Package>> {
    let output = Command::new("cargo")
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("cannot start cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    parse_packages(&serde_json::from_slice(&output.stdout)?)
        .ok_or_else(|| "cargo metadata has an unknown form".into())
}

fn parse_packages(metadata: &Value) -> Option<Vec<Package>> {
    let root = metadata["workspace_root"].as_str()?;
    let package = |value: &Value| {
        let manifest = value["manifest_path"].as_str()?.strip_prefix(root)?.trim_start_matches(['/', '\\']);
        let is_built_with = |dependency: &&Value| dependency["kind"].as_str() != Some("dev");
        let dependencies = value["dependencies"].as_array()?.iter().filter(is_built_with);
        Some(Package {
            name: value["name"].as_str()?.to_owned(),
            manifest: manifest.replace('\\', "/"),
            dependencies: dependencies
                .map(|it| it["name"].as_str().map(str::to_owned))
                .collect::<Option<_>>()?,
        })
    };
    metadata["packages"].as_array()?.iter().map(package).collect()
}

fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == extension)
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn packages_are_read_without_what_only_tests_use() {
        let metadata = json!({
            "workspace_root": "/w",
            "packages": [{
                "name": "dstreams-rdd",
                "manifest_path": "/w/crates/rdd/Cargo.toml",
                "dependencies": [
                    { "name": "serde", "kind": null },
                    { "name": "proptest", "kind": "dev" },
                    { "name": "cc", "kind": "build" },
                ],
            }],
        });
        let packages = parse_packages(&metadata).expect("the form of cargo metadata");
        assert_eq!(packages[0].manifest, "crates/rdd/Cargo.toml");
        assert_eq!(packages[0].dependencies, ["serde", "cc"]);
    }

    #[test]
    fn a_line_is_a_test_by_its_file_or_by_its_module() {
        let text = "fn f() {}\n#[cfg(test)]\nmod tests {\n    fn t() {}\n}\nfn g() {}\n";
        let of = |path: &str, line| File::new(path, text.to_owned()).is_test(line);
        assert!(of("crates/rdd/tests/join.rs", 1));
        assert!(of("crates/rdd/src/join/tests.rs", 1));
        assert!(!of("crates/rdd/src/join.rs", 1));
        assert!(of("crates/rdd/src/join.rs", 4));
        assert!(!of("crates/rdd/src/join.rs", 6));
    }
}
