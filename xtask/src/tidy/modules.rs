// SPDX-License-Identifier: Apache-2.0
//! The rule for layers inside a crate: a module does not use one that stands above it.

use std::collections::BTreeMap;

use super::{
    Violation,
    lexer::is_name,
    tree::{File, Tree},
};

/// What the ground of `streaming` must not know.
const ENGINE: &[&str] = &["batch", "context", "dstream", "graph", "operator", "output", "receiver", "source"];

/// Source folder of a crate, a module of it, and the modules of the same crate which that may not use.
const FORBIDDEN: &[(&str, &str, &[&str])] = &[
    ("crates/streaming/src/", "clock", ENGINE),
    ("crates/streaming/src/", "config", ENGINE),
    ("crates/streaming/src/", "error", ENGINE),
    ("crates/streaming/src/", "event", ENGINE),
    ("crates/streaming/src/", "rate", ENGINE),
    ("crates/streaming/src/", "time", ENGINE),
    ("crates/streaming/src/", "timer", ENGINE),
];

/// Modules use what stands below them. Unit tests may use anything.
pub(super) fn layer(tree: &Tree) -> Vec<Violation> {
    tree.rust().flat_map(|file| layer_of(tree, file)).collect()
}

fn layer_of(tree: &Tree, file: &File) -> Vec<Violation> {
    let row = FORBIDDEN.iter().find(|(source, module, _)| {
        let inside = file.path.strip_prefix(source).and_then(|path| path.strip_prefix(module));
        inside.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    });
    let Some((source, module, forbidden)) = row else { return Vec::new() };
    let exports = tree.file(&format!("{source}lib.rs")).map(exports).unwrap_or_default();
    let upward =
        crate_paths(file).into_iter().filter(|(line, _)| !file.is_test(*line)).filter_map(|(line, name)| {
            let used = exports.get(&name).unwrap_or(&name);
            forbidden.contains(&used.as_str()).then(|| {
                let advice = format!(
                    "`{module}` stands below `{used}`; turn the arrow round or move what it needs down"
                );
                Violation::new(&file.path, line, "module-layer", advice)
            })
        });
    upward.collect()
}

/// The line and the first name of each path that starts at `crate`, groups in braces included.
fn crate_paths(file: &File) -> Vec<(usize, String)> {
    let code: String = file.code().flat_map(|(_, line)| [line, "\n"]).collect();
    let mut paths = Vec::new();
    for (at, start) in code.match_indices("crate::") {
        if code[..at].chars().next_back().is_some_and(is_name) {
            continue;
        }
        let first = at + start.len();
        let offsets = if code[first..].starts_with('{') { group(&code, first) } else { vec![first] };
        for offset in offsets {
            let line = code[..offset].matches('\n').count() + 1;
            paths.push((line, name_at(&code, offset)));
        }
    }
    paths
}

/// Where the members of the group in braces at `open` start.
fn group(code: &str, open: usize) -> Vec<usize> {
    let mut depth = 0;
    let mut expects_member = false;
    let mut members = Vec::new();
    for (offset, char) in code[open..].char_indices() {
        match char {
            '{' => (depth, expects_member) = (depth + 1, depth == 0),
            '}' if depth == 1 => break,
            '}' => depth -= 1,
            ',' => expects_member = depth == 1,
            _ if expects_member && is_name(char) => {
                members.push(open + offset);
                expects_member = false;
            }
            _ => {}
        }
    }
    members
}

fn name_at(code: &str, offset: usize) -> String {
    code[offset..].chars().take_while(|&char| is_name(char)).collect()
}

/// Which module each name comes from that a `lib.rs` exports with `pub use module::…`.
fn exports(lib: &File) -> BTreeMap<String, String> {
    let code: String = lib.code().flat_map(|(_, line)| [line, "\n"]).collect();
    let mut names = BTreeMap::new();
    for statement in code.split(';').filter_map(|text| text.split_once("pub use ").map(|(_, path)| path)) {
        let path = statement.trim().trim_start_matches("crate::");
        let module = name_at(path, 0);
        let parts = path.split(|char| !is_name(char)).filter(|part| !part.is_empty());
        names.extend(parts.filter(|part| *part != module).map(|part| (part.to_owned(), module.clone())));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    const TIME: &str = "crates/streaming/src/time.rs";

    #[test]
    fn using_what_stands_below_is_clean() {
        let text = "use crate::{error::Error, clock};\nuse dstreams_rdd::graph;\n// crate::graph\n";
        assert_eq!(found(layer, &[(TIME, text)]), Vec::<String>::new());
        assert_eq!(
            found(layer, &[("crates/streaming/src/context.rs", "use crate::graph;")]),
            Vec::<String>::new()
        );
    }

    #[test]
    fn using_what_stands_above_is_found() {
        let text =
            "use crate::graph::Graph;\nuse crate::{\n    error::{Error, batch},\n    batch::Batch,\n};\n";
        assert_eq!(found(layer, &[(TIME, text)]), [format!("{TIME}:1"), format!("{TIME}:4")]);
        let folder = "crates/streaming/src/event/bus.rs";
        assert_eq!(found(layer, &[(folder, "fn f(_: &crate::context::A) {}")]), [format!("{folder}:1")]);
    }

    #[test]
    fn a_name_exported_by_the_crate_counts_as_its_module() {
        let lib = "mod dstream;\npub use dstream::{DStream, Other as Another};\npub use error::Error;\n";
        let files =
            [(TIME, "use crate::Error;\nuse crate::DStream;\n"), ("crates/streaming/src/lib.rs", lib)];
        assert_eq!(found(layer, &files), [format!("{TIME}:2")]);
    }

    #[test]
    fn unit_tests_may_use_anything() {
        let text = "#[cfg(test)]\nmod tests {\n    use crate::graph::Graph;\n}\n";
        assert_eq!(found(layer, &[(TIME, text)]), Vec::<String>::new());
    }
}
