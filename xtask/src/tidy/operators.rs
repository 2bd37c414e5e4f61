// SPDX-License-Identifier: Apache-2.0
//! The rule that each public method of a stream or a dataset shows how to use it.

use super::{
    Violation,
    lexer::{depth_change, end_of_block},
    tree::{File, Tree},
};

/// The types whose methods are the operators.
const OPERATED: &[&str] = &["DStream", "Rdd"];

/// Methods that tell what a handle is and do nothing with its records.
const ACCESSORS: &[&str] = &["context", "id", "lineage", "name", "partitioner"];

/// An operator's documentation holds an example that the tests run.
pub(super) fn example(tree: &Tree) -> Vec<Violation> {
    tree.rust().filter(|file| file.path.starts_with("crates/")).flat_map(examples_lacking).collect()
}

fn examples_lacking(file: &File) -> Vec<Violation> {
    let code: Vec<&str> = file.code().map(|(_, line)| line).collect();
    let comments: Vec<&str> = file.comments().map(|(_, line)| line).collect();
    let mut violations = Vec::new();
    for start in (0..code.len()).filter(|&start| code[start].starts_with("impl")) {
        let Some(open) = (start..code.len()).find(|&line| code[line].contains('{')) else { break };
        if !implements_operators(&code[start..=open].join(" ")) || file.is_test(start + 1) {
            continue;
        }
        let mut depth = 0;
        for line in open..=end_of_block(&code, open) {
            if let Some(name) =
                public_method(code[line]).filter(|name| depth == 1 && !ACCESSORS.contains(name))
                && !has_example(&doc_above(&code, &comments, line))
            {
                let advice = format!("show `{name}` at work in a code block of its doc comment");
                violations.push(Violation::new(&file.path, line + 1, "operator-example", advice));
            }
            depth += depth_change(code[line]);
        }
    }
    violations
}

/// Whether the header `impl<…> Type<…> where … {` is an inherent one of an operated type.
fn implements_operators(header: &str) -> bool {
    let rest = after_generics(header.trim_start_matches("impl")).trim_start();
    let subject = rest.split(" where ").next().unwrap_or(rest);
    let path = subject.split(['<', '{', ' ']).next().unwrap_or(subject);
    let is_trait = subject.contains(" for ");
    !is_trait && OPERATED.contains(&path.rsplit("::").next().unwrap_or(path))
}

/// What follows the list of generics that `text` may start with.
fn after_generics(text: &str) -> &str {
    if !text.starts_with('<') {
        return text;
    }
    let mut depth = 0;
    let mut before = ' ';
    for (at, char) in text.char_indices() {
        match char {
            '<' => depth += 1,
            // The arrow of `Fn(T) -> U` closes nothing.
            '>' if before != '-' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[at + 1..];
        }
        before = char;
    }
    ""
}

fn public_method(line: &str) -> Option<&str> {
    let (qualifiers, rest) = line.trim_start().strip_prefix("pub ")?.split_once("fn ")?;
    let is_method = qualifiers.split_whitespace().all(|word| ["const", "async", "unsafe"].contains(&word));
    let end = rest.find(['(', '<'])?;
    is_method.then_some(&rest[..end])
}

/// The doc comment that stands above the item on this line, attributes between them passed over.
fn doc_above<'a>(code: &[&str], comments: &[&'a str], item: usize) -> Vec<&'a str> {
    let belongs = |line: &usize| {
        let code = code[*line].trim();
        let is_blank = code.is_empty() && comments[*line].trim().is_empty();
        !is_blank && !code.ends_with(['{', '}', ';'])
    };
    let above =
        (0..item).rev().take_while(belongs).filter_map(|line| comments[line].trim().strip_prefix("///"));
    let mut doc: Vec<_> = above.collect();
    doc.reverse();
    doc
}

/// Whether the doc comment holds a code block that is compiled.
fn has_example(doc: &[&str]) -> bool {
    let fences: Vec<_> = doc.iter().filter_map(|line| line.trim().strip_prefix("```")).collect();
    let mut opening = fences.iter().step_by(2);
    opening.any(|info| {
        let compiled = ["", "rust", "no_run", "should_panic", "compile_fail"];
        info.split(',').all(|word| compiled.contains(&word.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    const PATH: &str = "crates/rdd/src/operator/narrow.rs";

    #[test]
    fn an_operator_with_an_example_is_clean() {
        let text = "impl<T: Data, F: Fn(T) -> bool> crate::Rdd<T>\nwhere\n    T: Data,\n{\n    /// Maps.\n    ///\n    /// \
                    ```\n    /// f();\n    /// ```\n    #[must_use]\n    pub fn map(&self) -> Self {\n        \
                    inner()\n    }\n\n    fn private(&self) {}\n\n    pub(crate) fn inner(&self) {}\n}\n";
        assert_eq!(found(example, &[(PATH, text)]), Vec::<String>::new());
    }

    #[test]
    fn an_operator_without_an_example_is_found() {
        let bare = "impl<T> DStream<T> {\n    /// Maps.\n    pub fn map<U>(&self) {}\n\n    pub const fn keep(&self) {}\n}\n";
        assert_eq!(found(example, &[(PATH, bare)]), [format!("{PATH}:3"), format!("{PATH}:5")]);
        let prose =
            "impl Rdd<u8> {\n    /// ```text\n    /// a -> b\n    /// ```\n    pub fn sum(&self) {}\n}\n";
        assert_eq!(found(example, &[(PATH, prose)]), [format!("{PATH}:5")]);
    }

    #[test]
    fn an_example_belongs_to_one_method() {
        let text = "impl<T> Rdd<T> {\n    /// ```\n    /// a();\n    /// ```\n    pub fn a(&self) {}\n    pub fn b(&self) {}\n}\n";
        assert_eq!(found(example, &[(PATH, text)]), [format!("{PATH}:6")]);
    }

    #[test]
    fn accessors_are_not_operators() {
        let text = "impl<T> Rdd<T> {\n    pub fn id(&self) {}\n    pub fn identity(&self) {}\n}\n";
        assert_eq!(found(example, &[(PATH, text)]), [format!("{PATH}:3")]);
    }

    #[test]
    fn traits_other_types_and_programs_have_none() {
        let text = "impl<T> Clone for Rdd<T> {\n    pub fn f(&self) {}\n}\nimpl Other {\n    pub fn g(&self) {}\n}\n";
        assert_eq!(found(example, &[(PATH, text)]), Vec::<String>::new());
        assert_eq!(
            found(example, &[("examples/a.rs", "impl Rdd {\n    pub fn f() {}\n}\n")]),
            Vec::<String>::new()
        );
    }
}
