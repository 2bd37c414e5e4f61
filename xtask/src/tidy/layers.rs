// SPDX-License-Identifier: Apache-2.0
//! Rules for manifests: which crate may be built with which, and that each takes the workspace's lints.

use super::{
    Violation,
    tree::{Package, Tree},
};

/// What a crate of the workspace may depend on within it.
enum May {
    Only(&'static [&'static str]),
    AllBut(&'static [&'static str]),
}

/// The layers: cli ► facade ► web ► monitor ► { metrics, streaming }, and facade ► connectors ► streaming ► { rdd, wal };
/// connectors and metrics ► https.
/// A crate without a row is a connector.
const LAYERS: &[(&str, May)] = &[
    ("dstreams-rdd", May::Only(&[])),
    ("dstreams-wal", May::Only(&[])),
    ("dstreams-streaming", May::Only(&["dstreams-rdd", "dstreams-wal"])),
    ("dstreams-logging", May::Only(&["dstreams-streaming"])),
    ("dstreams-https", May::Only(&["dstreams-test-servers"])),
    ("dstreams-metrics", May::Only(&["dstreams-https", "dstreams-test-servers"])),
    ("dstreams-monitor", May::Only(&["dstreams-metrics", "dstreams-streaming", "dstreams-rdd"])),
    (
        "dstreams-web",
        May::Only(&[
            "dstreams-metrics",
            "dstreams-monitor",
            "dstreams-streaming",
            "dstreams-rdd",
            "dstreams-test-servers",
        ]),
    ),
    ("dstreams", May::AllBut(&["dstreams-bench", "dstreams-cli", "xtask"])),
    ("dstreams-bench", May::Only(&["dstreams", "dstreams-bench-kit"])),
    ("dstreams-bench-kit", May::Only(&[])),
    ("dstreams-cli", May::Only(&["dstreams", "dstreams-test-servers"])),
    ("dstreams-test-servers", May::Only(&[])),
    ("xtask", May::Only(&["dstreams", "dstreams-test-servers"])),
];

const CONNECTOR: May = May::Only(&[
    "dstreams-streaming",
    "dstreams-rdd",
    "dstreams-wal",
    "dstreams-https",
    "dstreams-test-servers",
]);

/// Outside crates, by the start of their name, that only these crates of ours may use.
const CONFINED: &[(&str, &[&str])] = &[
    ("axum", &["dstreams-web"]),
    ("hyper", &["dstreams-web"]),
    ("datafusion", &["dstreams-sql", "dstreams-cluster"]),
    ("ballista", &["dstreams-cluster"]),
    // The benchmarks have a loop over it to compare with.
    ("rdkafka", &["dstreams-kafka", "dstreams-bench"]),
    ("rustls", &["dstreams-https"]),
    ("rusqlite", &["dstreams-sqlite"]),
    ("postgres", &["dstreams-postgres"]),
    ("tokio-postgres", &["dstreams-postgres"]),
    ("object_store", &["dstreams-objects"]),
];

/// Dependencies between our crates point down.
pub(super) fn crates(tree: &Tree) -> Vec<Violation> {
    let is_ours = |name: &str| tree.packages.iter().any(|package| package.name == name);
    each_dependency(tree)
        .filter(|(package, dependency)| is_ours(dependency) && !may_use(&package.name, dependency))
        .map(|(package, dependency)| {
            let advice =
                format!("`{}` may not depend on `{dependency}`: arrows point down the layers", package.name);
            Violation::new(&package.manifest, line_of(tree, package, dependency), "layer", advice)
        })
        .collect()
}

/// A heavy outside crate stays behind the one crate of ours that wraps it.
pub(super) fn confined(tree: &Tree) -> Vec<Violation> {
    let owners = |dependency: &str| {
        let row = CONFINED.iter().find(|(prefix, _)| dependency.starts_with(prefix));
        row.map(|(_, owners)| *owners)
    };
    each_dependency(tree)
        .filter_map(|(package, dependency)| Some((package, dependency, owners(dependency)?)))
        .filter(|(package, _, owners)| !owners.contains(&package.name.as_str()))
        .map(|(package, dependency, owners)| {
            let advice = format!("only {} may depend on `{dependency}`", owners.join(" and "));
            Violation::new(&package.manifest, line_of(tree, package, dependency), "confined", advice)
        })
        .collect()
}

/// A crate is checked by the lints of the workspace.
pub(super) fn lints(tree: &Tree) -> Vec<Violation> {
    let manifests = tree.files.iter().filter(|file| file.path.ends_with("Cargo.toml"));
    let lacks = manifests.filter(|file| file.text.contains("[package]") && !inherits_lints(&file.text));
    let advice = "add `[lints]` with `workspace = true`";
    lacks.map(|file| Violation::new(&file.path, 1, "lints", advice)).collect()
}

fn inherits_lints(manifest: &str) -> bool {
    let mut section = manifest.lines().skip_while(|line| line.trim() != "[lints]").skip(1);
    section.next().is_some_and(|line| line.trim() == "workspace = true")
}

fn may_use(package: &str, dependency: &str) -> bool {
    let row = LAYERS.iter().find(|(name, _)| *name == package);
    match row.map_or(&CONNECTOR, |(_, may)| may) {
        May::Only(allowed) => allowed.contains(&dependency),
        May::AllBut(forbidden) => !forbidden.contains(&dependency),
    }
}

fn each_dependency(tree: &Tree) -> impl Iterator<Item = (&Package, &str)> {
    tree.packages
        .iter()
        .flat_map(|package| package.dependencies.iter().map(move |name| (package, name.as_str())))
}

/// The line of the manifest that asks for the dependency.
fn line_of(tree: &Tree, package: &Package, dependency: &str) -> usize {
    let asks = |line: &str| {
        let rest = line.strip_prefix(dependency);
        rest.is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
    };
    let manifest = tree.file(&package.manifest);
    manifest.and_then(|file| file.lines().find(|(_, line)| asks(line))).map_or(1, |(number, _)| number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    fn tree(packages: &[(&str, &[&str])]) -> Tree {
        let package = |(name, dependencies): &(&str, &[&str])| Package {
            name: (*name).to_owned(),
            manifest: format!("{name}/Cargo.toml"),
            dependencies: dependencies.iter().map(|&name| name.to_owned()).collect(),
        };
        Tree { packages: packages.iter().map(package).collect(), ..Tree::of(&[]) }
    }

    fn broken_by(rule: fn(&Tree) -> Vec<Violation>, tree: &Tree) -> Vec<String> {
        rule(tree).into_iter().map(|violation| violation.path).collect()
    }

    #[test]
    fn arrows_down_the_layers_are_clean() {
        let down = tree(&[
            ("dstreams-rdd", &["serde"]),
            ("dstreams-wal", &[]),
            ("dstreams-streaming", &["dstreams-rdd", "dstreams-wal"]),
            ("dstreams-kafka", &["dstreams-streaming", "dstreams-rdd", "rdkafka"]),
            ("dstreams-formats", &["dstreams-streaming", "dstreams-https"]),
            ("dstreams-https", &["rustls-native-certs"]),
            ("dstreams", &["dstreams-rdd", "dstreams-streaming", "dstreams-kafka"]),
            ("dstreams-cli", &["dstreams", "clap"]),
            ("xtask", &["dstreams"]),
        ]);
        assert_eq!(broken_by(crates, &down), Vec::<String>::new());
        assert_eq!(broken_by(confined, &down), Vec::<String>::new());
    }

    #[test]
    fn arrows_up_or_sideways_are_found() {
        let up = tree(&[
            ("dstreams-rdd", &["dstreams-streaming"]),
            ("dstreams-wal", &["dstreams-rdd"]),
            ("dstreams-streaming", &["dstreams-kafka"]),
            ("dstreams-kafka", &["dstreams-sql"]),
            ("dstreams-sql", &[]),
            ("dstreams", &["dstreams-cli"]),
            ("dstreams-cli", &["dstreams-rdd"]),
        ]);
        let each = ["rdd", "wal", "streaming", "kafka"].map(|name| format!("dstreams-{name}/Cargo.toml"));
        let above = ["dstreams/Cargo.toml".to_owned(), "dstreams-cli/Cargo.toml".to_owned()];
        assert_eq!(broken_by(crates, &up), [&each[..], &above].concat());
    }

    #[test]
    fn outside_crates_stay_where_they_are_wrapped() {
        let leaked =
            tree(&[("dstreams-streaming", &["rdkafka"]), ("dstreams-sql", &["datafusion-expr", "axum"])]);
        assert_eq!(
            broken_by(confined, &leaked),
            ["dstreams-streaming/Cargo.toml", "dstreams-sql/Cargo.toml"]
        );
    }

    #[test]
    fn the_line_is_that_of_the_dependency() {
        let mut tree = tree(&[("dstreams-rdd", &["dstreams"]), ("dstreams", &[])]);
        let manifest = "[dependencies]\ndstreams-extra = \"1\"\ndstreams.workspace = true\n";
        tree.files = Tree::of(&[("dstreams-rdd/Cargo.toml", manifest)]).files;
        assert_eq!(crates(&tree)[0].line, 3);
    }

    #[test]
    fn lints_are_inherited() {
        let with = "[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n";
        let without = "[package]\nname = \"b\"\n\n[lints.rust]\nmissing_docs = \"warn\"\n";
        let files = [("a/Cargo.toml", with), ("b/Cargo.toml", without), ("c/Cargo.toml", "[workspace]\n")];
        assert_eq!(found(lints, &files), ["b/Cargo.toml:1"]);
    }
}
