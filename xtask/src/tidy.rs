// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask tidy`: the rules of the tree that no compiler checks, each a function over an in-memory tree.

mod code;
mod documents;
mod files;
mod invariants;
mod layers;
mod lexer;
mod modules;
mod operators;
mod tree;

use std::{fmt, path::Path};

use crate::Result;
use tree::Tree;

/// One check of the whole tree.
type Rule = fn(&Tree) -> Vec<Violation>;

const RULES: &[Rule] = &[
    files::spdx,
    files::module_doc,
    files::length,
    files::name,
    layers::crates,
    layers::confined,
    layers::lints,
    modules::layer,
    code::print,
    code::sleep,
    code::ignored,
    code::unfinished,
    operators::example,
    invariants::unknown,
    invariants::uncited,
    documents::links,
    documents::examples,
];

/// Prints every violation as `file:line: rule: what to do`; any violation is an error.
pub(crate) fn run(root: &Path) -> Result<()> {
    let tree = Tree::read(root)?;
    let mut violations: Vec<_> = RULES.iter().flat_map(|rule| rule(&tree)).collect();
    violations.sort();
    for violation in &violations {
        println!("{violation}");
    }
    match violations.len() {
        0 => Ok(()),
        1 => Err("1 violation".into()),
        count => Err(format!("{count} violations").into()),
    }
}

/// A place that breaks a rule, and how to mend it. Ordered by place.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Violation {
    path: String,
    /// Counted from 1.
    line: usize,
    rule: &'static str,
    advice: String,
}

impl Violation {
    fn new(path: &str, line: usize, rule: &'static str, advice: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, rule, advice: advice.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.path, self.line, self.rule, self.advice)
    }
}

/// The `path:line` of what `rule` finds in a tree of these files.
#[cfg(test)]
fn found(rule: Rule, files: &[(&str, &str)]) -> Vec<String> {
    rule(&Tree::of(files)).iter().map(|at| format!("{}:{}", at.path, at.line)).collect()
}
