// SPDX-License-Identifier: Apache-2.0
//! The table of keys as documentation and as help text.

use std::fmt::Write as _;

use super::ignored::IGNORED;
use super::key::Entry;
use super::planned::{self, PLANNED};
use super::table::{RENAMED, SECTIONS, Section};

const INTRODUCTION: &str = "\
# Configuration

<!-- Rendered from the table of keys in crates/streaming/src/config/table.rs. Change it there, then run
     UPDATE_DOCS=1 cargo test -p dstreams-streaming --test configuration_docs -->

Keys are Spark's own where Spark has one, so that a properties file carries over; the others begin with
`dstreams.`. Later layers win over earlier ones:

1. the defaults below;
2. a properties file, in the Java form (`key=value`) or that of `spark-defaults.conf` (`key value`);
3. environment variables: the key in upper case with `_` for `.`, so `SPARK_STREAMING_BLOCKINTERVAL` for
   `spark.streaming.blockInterval`;
4. the command line: `--conf key=value`;
5. the program itself: `config.set(key, value)`.

A value is checked when it is set. An unknown key is an error that names the nearest known one. Keys under
`app.` belong to the program: any name, any text, read with `config.text(key)`. Values of keys that contain
`password`, `passphrase`, `secret`, `token`, `credential`, `access.key`, `access_key`, `accessKey`, `jaas`,
`key.pem` or `keystore.key`, and of keys under `dstreams.objectStore.` that contain `key`, are masked wherever
settings are shown.

Keys under `dstreams.objectStore.` are options of the [object store](checkpoints.md#on-an-object-store) that
the checkpoint directory is on: `dstreams.objectStore.endpoint`, `dstreams.objectStore.accessKeyId`.

Times take the suffixes `us`, `ms`, `s`, `m` or `min`, `h`, `d`; sizes take `k`, `m`, `g`, `t`, `p`, in powers
of 1024.
";

/// The reference of all keys in Markdown.
pub fn markdown() -> String {
    let mut page = INTRODUCTION.to_owned();
    for section in SECTIONS.iter().filter(|section| effective(section).next().is_some()) {
        let _ = writeln!(
            page,
            "\n## {}\n\n| Key | Default | Value | Meaning |\n|---|---|---|---|",
            section.title
        );
        for entry in effective(section) {
            let default = match entry.default_text() {
                Some(text) => format!("`{text}`"),
                None => entry.default_shown().to_owned(),
            };
            push_row(
                &mut page,
                &[&format!("`{}`", entry.name()), &default, &entry.expected(), entry.meaning()],
            );
        }
    }
    page += "\n## Old names\n\nAccepted with a warning.\n\n| Key | Now |\n|---|---|\n";
    for (old, current) in RENAMED {
        push_row(&mut page, &[&format!("`{old}`"), &format!("`{current}`")]);
    }
    page += "\n## Keys of features to come\n\nChecked, and accepted with a warning. Each stands for itself and for all keys \
             below it.\n\n| Key | What this version does not have |\n|---|---|\n";
    for (key, feature) in PLANNED {
        push_row(&mut page, &[&format!("`{key}`"), feature]);
    }
    page += "\n## Keys of Spark without a meaning here\n\nAccepted with one warning that gives the reason. Each stands \
             for itself and for all keys below it that are\nnot listed above.\n\n| Key | Reason |\n|---|---|\n";
    for (key, reason) in IGNORED {
        push_row(&mut page, &[&format!("`{key}`"), reason]);
    }
    page
}

/// The keys of a section that do something in this version.
fn effective(section: &Section) -> impl Iterator<Item = &'static dyn Entry> {
    section.entries.iter().copied().filter(|entry| planned::feature(entry.name()).is_none())
}

fn push_row(page: &mut String, cells: &[&str]) {
    for cell in cells {
        *page += "| ";
        *page += &cell.replace('|', "\\|");
        *page += " ";
    }
    *page += "|\n";
}

/// All keys as plain text for a terminal, in lines of at most `width` columns where words allow it.
pub fn help(width: usize) -> String {
    let mut text = String::new();
    for section in SECTIONS.iter().filter(|section| effective(section).next().is_some()) {
        let _ = writeln!(text, "{}{}:", if text.is_empty() { "" } else { "\n" }, section.title);
        for entry in effective(section) {
            let _ = writeln!(text, "  {}", entry.name());
            let words = format!("{} [default: {}]", entry.meaning(), entry.default_shown());
            push_wrapped(&mut text, &words, width);
        }
    }
    text
}

/// Appends words in indented lines.
fn push_wrapped(text: &mut String, words: &str, width: usize) {
    const INDENT: &str = "        ";
    let mut column = 0;
    for word in words.split(' ') {
        let length = word.chars().count();
        if column > 0 && column + 1 + length <= width {
            *text += " ";
            column += 1 + length;
        } else {
            *text += if column > 0 { "\n" } else { "" };
            *text += INDENT;
            column = INDENT.len() + length;
        }
        *text += word;
    }
    *text += "\n";
}
