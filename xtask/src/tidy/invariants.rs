// SPDX-License-Identifier: Apache-2.0
//! Rules for INVARIANTS.md: each is held by a test that cites it, and only those in the list are cited.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Violation,
    tree::{File, Tree},
};

const LIST: &str = "INVARIANTS.md";

/// A cited invariant is in the list.
pub(super) fn unknown(tree: &Tree) -> Vec<Violation> {
    let listed = listed(tree);
    let lost = cited(tree).filter(|(_, _, number)| !listed.contains_key(number));
    lost.map(|(file, line, number)| {
        let advice = format!("{LIST} has no number {number}; cite the one that is meant");
        Violation::new(&file.path, line, "invariant-unknown", advice)
    })
    .collect()
}

/// An invariant in the list is cited by a test.
pub(super) fn uncited(tree: &Tree) -> Vec<Violation> {
    let tested: BTreeSet<_> =
        cited(tree).filter(|(file, line, _)| file.is_test(*line)).map(|(_, _, number)| number).collect();
    let loose = listed(tree).into_iter().filter(|(number, _)| !tested.contains(number));
    loose
        .map(|(number, line)| {
            let advice = format!("write `// INVARIANT {number}` above the test that would fail without it");
            Violation::new(LIST, line, "invariant-uncited", advice)
        })
        .collect()
}

/// Number and line of each item of the list.
fn listed(tree: &Tree) -> BTreeMap<u32, usize> {
    let item = |(line, text): (usize, &str)| Some((text.split_once(". ")?.0.parse().ok()?, line));
    tree.file(LIST).map(|file| file.lines().filter_map(item).collect()).unwrap_or_default()
}

/// Place and number of each citation in a comment: the word, in the singular or plural, then numbers.
fn cited(tree: &Tree) -> impl Iterator<Item = (&File, usize, u32)> {
    tree.rust().flat_map(|file| {
        let citations = file.comments().flat_map(|(line, text)| {
            numbers(text).into_iter().map(move |number| (line, number)).collect::<Vec<_>>()
        });
        citations.map(move |(line, number)| (file, line, number))
    })
}

fn numbers(comment: &str) -> Vec<u32> {
    let citations = comment.split("INVARIANT").skip(1);
    let lists = citations.map(|rest| rest.strip_prefix('S').unwrap_or(rest));
    let words = lists.flat_map(|rest| {
        let words = rest.split([' ', ',']).filter(|word| !word.is_empty() && *word != "and");
        words.map_while(|word| word.trim_end_matches(['.', ':', ';', ')', '`']).parse().ok())
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    const TWO: &str = "# Invariants\n\n1. One.\n2. Two,\n   with 3. in its text.\n";

    #[test]
    fn citing_what_is_listed_is_clean() {
        let files = [(LIST, TWO), ("tests/a.rs", "// INVARIANTS 1 and 2: held.\n#[test]\nfn t() {}\n")];
        assert_eq!(found(unknown, &files), Vec::<String>::new());
        assert_eq!(found(uncited, &files), Vec::<String>::new());
    }

    #[test]
    fn citing_what_is_not_listed_is_found() {
        let files = [(LIST, TWO), ("src/a.rs", "//! Holds INVARIANT 3.\nfn f() { g(\"INVARIANT 9\"); }\n")];
        assert_eq!(found(unknown, &files), ["src/a.rs:1"]);
    }

    #[test]
    fn an_invariant_needs_a_test_and_not_just_a_mention() {
        let unit =
            "// INVARIANT 1\nfn f() {}\n#[cfg(test)]\nmod tests {\n    // INVARIANT 2.\n    fn t() {}\n}\n";
        assert_eq!(found(uncited, &[(LIST, TWO), ("src/a.rs", unit)]), ["INVARIANTS.md:3"]);
    }
}
