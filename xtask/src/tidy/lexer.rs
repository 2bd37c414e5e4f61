// SPDX-License-Identifier: Apache-2.0
//! As much of Rust's lexical grammar as rules need: what is code, what is a comment, what is a unit test.

/// Splits Rust into its code and its comments. Both have the lines and columns of `text`; what belongs to the
/// other, and what strings and characters hold, is blank.
pub(super) fn split(text: &str) -> (String, String) {
    let chars: Vec<char> = text.chars().collect();
    let mut views = Views::default();
    let mut at = 0;
    while at < chars.len() {
        let (kind, length) = token(&chars, at);
        for (offset, &char) in chars[at..at + length].iter().enumerate() {
            let delimits = offset == 0 || offset + 1 == length;
            views.push(
                char,
                kind == Kind::Code || (kind == Kind::Literal && delimits),
                kind == Kind::Comment,
            );
        }
        at += length;
    }
    (views.code, views.comments)
}

/// For each line of code whether it lies in a module under `#[cfg(test)]`.
pub(super) fn unit_test_lines(code: &str) -> Vec<bool> {
    let lines: Vec<&str> = code.lines().collect();
    let mut marks = vec![false; lines.len()];
    let mut line = 0;
    while line < lines.len() {
        let is_start = lines[line].trim_start().starts_with("#[cfg(test)]");
        let module = (line + 1..lines.len()).find(|&next| !is_blank_or_attribute(lines[next]));
        match module.filter(|&module| is_start && opens_module(lines[module])) {
            Some(module) => {
                let end = end_of_block(&lines, module);
                marks[line..=end].fill(true);
                line = end + 1;
            }
            None => line += 1,
        }
    }
    marks
}

/// The last line of the block that opens on line `start` (both indices from 0).
pub(super) fn end_of_block(lines: &[&str], start: usize) -> usize {
    let mut depth = 0;
    for (index, line) in lines.iter().enumerate().skip(start) {
        depth += depth_change(line);
        if depth <= 0 && line.contains('}') {
            return index;
        }
    }
    lines.len() - 1
}

/// How many more braces the line opens than it closes.
pub(super) fn depth_change(line: &str) -> i32 {
    line.chars().fold(0, |depth, char| match char {
        '{' => depth + 1,
        '}' => depth - 1,
        _ => depth,
    })
}

/// Whether `line` holds `word` and no part of a longer name: `println!` is not found in `eprintln!`.
pub(super) fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let ends_in_name = word.chars().next_back().is_some_and(is_name);
        let is_longer = before.is_some_and(is_name) || (ends_in_name && after.is_some_and(is_name));
        !is_longer
    })
}

fn is_blank_or_attribute(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

fn opens_module(line: &str) -> bool {
    let line = line.trim();
    let line = line.strip_prefix("pub ").or_else(|| line.strip_prefix("pub(crate) ")).unwrap_or(line);
    line.starts_with("mod ") && line.contains('{')
}

pub(super) fn is_name(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

#[derive(Default)]
struct Views {
    code: String,
    comments: String,
}

impl Views {
    fn push(&mut self, char: char, is_code: bool, is_comment: bool) {
        let blank = if char == '\n' { '\n' } else { ' ' };
        self.code.push(if is_code { char } else { blank });
        self.comments.push(if is_comment { char } else { blank });
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Code,
    Comment,
    Literal,
}

/// The kind and the length in characters of what starts at `at`.
fn token(chars: &[char], at: usize) -> (Kind, usize) {
    let rest = &chars[at..];
    let before = at.checked_sub(1).map(|index| chars[index]);
    match rest {
        ['/', '/', ..] => (Kind::Comment, rest.iter().position(|&c| c == '\n').unwrap_or(rest.len())),
        ['/', '*', ..] => (Kind::Comment, block_comment(rest)),
        ['"', ..] => (Kind::Literal, quoted(rest, '"')),
        ['\'', '\\', ..] => (Kind::Literal, quoted(rest, '\'')),
        ['\'', _, '\'', ..] => (Kind::Literal, 3),
        ['b' | 'c' | 'r', ..] if !before.is_some_and(is_name) => match raw_string(rest) {
            Some(length) => (Kind::Literal, length),
            None => (Kind::Code, 1),
        },
        _ => (Kind::Code, 1),
    }
}

fn block_comment(rest: &[char]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        match &rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            char if char == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of the raw string that starts here, if one does; `r#name` is none.
fn raw_string(rest: &[char]) -> Option<usize> {
    let prefix = usize::from(matches!(rest, ['b' | 'c', 'r', ..]));
    if rest[prefix] != 'r' {
        return None;
    }
    let hashes = rest[prefix + 1..].iter().take_while(|&&c| c == '#').count();
    let open = prefix + 1 + hashes;
    if rest.get(open) != Some(&'"') {
        return None;
    }
    let closes =
        |at: &usize| rest[*at] == '"' && rest[at + 1..].iter().take_while(|&&c| c == '#').count() >= hashes;
    Some((open + 1..rest.len()).find(closes).map_or(rest.len(), |at| at + 1 + hashes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_comments_keep_their_columns() {
        let (code, comments) = split("let a = 1; // one\n/* two\n /* in */ */ let b;\n");
        assert_eq!(code, "let a = 1;       \n      \n             let b;\n");
        assert_eq!(comments, "           // one\n/* two\n /* in */ */       \n");
    }

    #[test]
    fn what_literals_hold_is_neither_code_nor_comment() {
        let samples = [r#"f("// x")"#, r##"f(r#"// "x" "#)"##, r#"f(b"\"//")"#, "f('\"', '\\'', b'/')"];
        for sample in samples {
            let (code, comments) = split(sample);
            assert!(!code.contains("//") && !code.contains('x'), "{sample}: {code}");
            assert!(code.ends_with(')'), "{sample}: {code}");
            assert_eq!(comments.trim(), "", "{sample}");
        }
    }

    #[test]
    fn lifetimes_and_raw_names_are_code() {
        let sample = "fn f<'a>(r#type: &'a str, b: &'static str) {}";
        assert_eq!(split(sample).0, sample);
    }

    #[test]
    fn unit_tests_end_where_their_module_does() {
        let code = "fn f() {}\n#[cfg(test)]\n#[allow(x)]\nmod tests {\n    fn t() {\n    }\n}\nfn g() {}\n";
        let marks = unit_test_lines(code);
        assert_eq!(marks, [false, true, true, true, true, true, true, false]);
        assert_eq!(unit_test_lines("#[cfg(test)]\nmod tests;\nfn g() {}\n"), [false; 3]);
    }

    #[test]
    fn words_are_whole() {
        assert!(has_word("    println!(x)", "println!"));
        assert!(!has_word("    eprintln!(x)", "println!"));
        assert!(!has_word("sleepy(1)", "sleep"));
    }
}
