// SPDX-License-Identifier: Apache-2.0
//! Rules for a Rust file as a whole: its first lines, its length, its name.

use super::{Violation, tree::Tree};

const SPDX: &str = "// SPDX-License-Identifier: Apache-2.0";

/// The most lines a file may have, tests included.
const LONGEST: usize = 600;

/// Names that say nothing of what lives in a file.
const EMPTY_NAMES: &[&str] = &["util", "utils", "common", "helper", "helpers", "misc", "manager"];

/// A file opens with its licence.
pub(super) fn spdx(tree: &Tree) -> Vec<Violation> {
    let lacks = tree.rust().filter(|file| file.text.lines().next() != Some(SPDX));
    lacks.map(|file| Violation::new(&file.path, 1, "spdx", format!("make the first line `{SPDX}`"))).collect()
}

/// After its licence a file says what lives in it.
pub(super) fn module_doc(tree: &Tree) -> Vec<Violation> {
    let says = |text: &str| {
        let mut rest = text.lines().skip_while(|line| line.starts_with("// ") || line.trim().is_empty());
        rest.next().is_some_and(|line| line.strip_prefix("//!").is_some_and(|doc| !doc.trim().is_empty()))
    };
    let lacks = tree.rust().filter(|file| !says(&file.text));
    let advice = "say in one to three `//!` lines after the licence what lives in this file";
    lacks.map(|file| Violation::new(&file.path, 2, "module-doc", advice)).collect()
}

/// A file is one thing.
pub(super) fn length(tree: &Tree) -> Vec<Violation> {
    let long =
        tree.rust().map(|file| (file, file.text.lines().count())).filter(|(_, lines)| *lines > LONGEST);
    long.map(|(file, lines)| {
        let advice =
            format!("{lines} lines; find the second thing in it and move that out (limit {LONGEST})");
        Violation::new(&file.path, LONGEST + 1, "file-length", advice)
    })
    .collect()
}

/// Files and folders of Rust are named for what they hold.
pub(super) fn name(tree: &Tree) -> Vec<Violation> {
    let empty = |path: &str| {
        let parts = path.trim_end_matches(".rs").split('/');
        parts.rev().find(|part| EMPTY_NAMES.contains(&part.to_lowercase().as_str())).map(str::to_owned)
    };
    let named = tree.rust().filter_map(|file| Some((file, empty(&file.path)?)));
    named
        .map(|(file, part)| {
            let advice =
                format!("`{part}` says nothing; name it for what it holds, or move that to where it belongs");
            Violation::new(&file.path, 1, "file-name", advice)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    #[test]
    fn spdx_is_the_first_line() {
        let clean = format!("{SPDX}\n//! A.\n");
        let late = format!("//! A.\n{SPDX}\n");
        assert_eq!(
            found(spdx, &[("a.rs", &clean), ("b.rs", &late), ("c.rs", ""), ("d.md", "")]),
            ["b.rs:1", "c.rs:1"]
        );
    }

    #[test]
    fn module_doc_comes_before_anything_else() {
        let clean = format!("{SPDX}\n\n//! What lives here.\n\nuse a::B;\n");
        let none = format!("{SPDX}\nuse a::B;\n");
        let empty = format!("{SPDX}\n//!\nuse a::B;\n");
        let files = [("a.rs", clean.as_str()), ("b.rs", &none), ("c.rs", &empty)];
        assert_eq!(found(module_doc, &files), ["b.rs:2", "c.rs:2"]);
    }

    #[test]
    fn length_is_limited() {
        let files =
            [("a.rs", &*"\n".repeat(600)), ("b.rs", &"\n".repeat(601)), ("c.json", &"\n".repeat(601))];
        assert_eq!(found(length, &files), ["b.rs:601"]);
    }

    #[test]
    fn name_says_something() {
        let paths =
            ["src/utils.rs", "tests/common/mod.rs", "src/commons.rs", "docs/misc.md", "src/record.rs"];
        let files = paths.map(|path| (path, ""));
        assert_eq!(found(name, &files), ["src/utils.rs:1", "tests/common/mod.rs:1"]);
    }
}
