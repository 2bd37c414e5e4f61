// SPDX-License-Identifier: Apache-2.0
//! Rules for what people read first: links lead somewhere, and each example program is introduced.

use super::{
    Violation,
    lexer::has_word,
    tree::{File, Tree},
};

/// A relative link in Markdown names a file or folder of the tree.
pub(super) fn links(tree: &Tree) -> Vec<Violation> {
    let broken = |file: &File| {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        let targets = targets(file).into_iter();
        let lost =
            targets.filter(|(_, target)| !resolve(&folder, target).is_some_and(|path| exists(tree, &path)));
        lost.map(|(line, target)| {
            Violation::new(
                &file.path,
                line,
                "link",
                format!("`{target}` leads nowhere; mend or drop the link"),
            )
        })
        .collect::<Vec<_>>()
    };
    tree.files.iter().filter(|file| file.is("md")).flat_map(broken).collect()
}

/// An example program is mentioned in the README or in docs/.
pub(super) fn examples(tree: &Tree) -> Vec<Violation> {
    let is_page =
        |file: &&File| file.path == "README.md" || (file.path.starts_with("docs/") && file.is("md"));
    let is_mentioned = |name: &str| tree.files.iter().filter(is_page).any(|file| has_word(&file.text, name));
    let programs = tree.rust().filter_map(|file| Some((file, example_name(&file.path)?)));
    programs
        .filter(|(_, name)| !is_mentioned(name))
        .map(|(file, name)| {
            let advice = format!("say in README.md or docs/ what `{name}` shows");
            Violation::new(&file.path, 1, "example-mentioned", advice)
        })
        .collect()
}

/// The name of the program that a file `examples/NAME.rs` or `examples/NAME/main.rs` holds.
fn example_name(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("examples/")?;
    let name = inside.strip_suffix("/main.rs").or_else(|| inside.strip_suffix(".rs"))?;
    (!name.contains('/')).then_some(name)
}

/// Line and target of each relative link outside code.
fn targets(file: &File) -> Vec<(usize, String)> {
    let mut in_code = false;
    let mut found = Vec::new();
    for (number, line) in file.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code {
            let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
            let relative =
                inline_links(&prose).chain(reference_link(&prose)).filter(|target| is_relative(target));
            found.extend(relative.map(|target| (number, target.to_owned())));
        }
    }
    found
}

fn inline_links(prose: &str) -> impl Iterator<Item = &str> {
    prose.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next())
}

/// The target of a line `[name]: target`.
fn reference_link(prose: &str) -> Option<&str> {
    let (_, target) = prose.strip_prefix('[')?.split_once("]: ")?;
    target.split_whitespace().next()
}

fn is_relative(target: &str) -> bool {
    !target.starts_with('#') && !target.contains("://") && !target.starts_with("mailto:")
}

/// The path from the root of what `target` means in `folder`; none when it leaves the tree.
fn resolve(folder: &str, target: &str) -> Option<String> {
    let path = target.split('#').next().unwrap_or(target);
    let (start, path) = path.strip_prefix('/').map_or((folder, path), |from_root| ("", from_root));
    let mut parts: Vec<&str> = start.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Whether `path` is a file or a folder of the tree; the empty path is its root.
fn exists(tree: &Tree, path: &str) -> bool {
    let folder = format!("{path}/");
    path.is_empty() || tree.files.iter().any(|file| file.path == path || file.path.starts_with(&folder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    #[test]
    fn links_that_lead_to_files_folders_or_elsewhere_are_clean() {
        let text = "[a](adr/README.md) [b](../INVARIANTS.md#x) [c](https://a.b/c) [d](#here) [e](/docs/adr \"t\")\n\
                    `[f](none.md)`\n```\n[g](none.md)\n```\n[h]: adr/\n[i](..)\n";
        let files = [("docs/a.md", text), ("docs/adr/README.md", ""), ("INVARIANTS.md", "")];
        assert_eq!(found(links, &files), Vec::<String>::new());
    }

    #[test]
    fn links_that_lead_nowhere_are_found() {
        let text = "[a](b.md)\n[c](../../outside.md)\n[d]: none.md\n";
        assert_eq!(found(links, &[("docs/a.md", text)]), ["docs/a.md:1", "docs/a.md:2", "docs/a.md:3"]);
    }

    #[test]
    fn each_example_is_introduced() {
        let files = [
            ("README.md", "Run `cargo run --example word_count`."),
            ("docs/state.md", "See examples/sessions/main.rs."),
            ("examples/word_count.rs", ""),
            ("examples/sessions/main.rs", ""),
            ("examples/word.rs", ""),
        ];
        assert_eq!(found(examples, &files), ["examples/word.rs:1"]);
    }
}
