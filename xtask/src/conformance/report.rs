// SPDX-License-Identifier: Apache-2.0
//! What a run of cases tells: a line per case, then what was not run, then the count.

use std::{collections::BTreeMap, io};

/// Counts outcomes and writes a line for each.
pub(super) struct Report<W> {
    out: W,
    passed: usize,
    failed: usize,
    not_run: BTreeMap<String, usize>,
}

impl<W: io::Write> Report<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, passed: 0, failed: 0, not_run: BTreeMap::new() }
    }

    /// A case that was run.
    pub(super) fn case(&mut self, id: &str, outcome: Result<(), String>) -> io::Result<()> {
        match outcome {
            Ok(()) => {
                self.passed += 1;
                writeln!(self.out, "ok {id}")
            }
            Err(why) => {
                self.failed += 1;
                // One line per case, whatever the text of an error.
                writeln!(self.out, "FAILED {id}: {}", why.replace('\n', "\\n"))
            }
        }
    }

    /// A case of a kind that is not run.
    pub(super) fn not_run(&mut self, kind: &str) {
        *self.not_run.entry(kind.to_owned()).or_default() += 1;
    }

    /// Writes the summary. Returns how many cases failed.
    pub(super) fn finish(mut self) -> io::Result<usize> {
        if !self.not_run.is_empty() {
            let kinds: Vec<_> = self.not_run.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
            writeln!(self.out, "not run: {}", kinds.join(", "))?;
        }
        writeln!(self.out, "{} passed, {} failed", self.passed, self.failed)?;
        Ok(self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_per_case_and_the_count_at_the_end() {
        let mut text = Vec::new();
        let mut report = Report::new(&mut text);
        report.case("A/one", Ok(())).expect("memory takes any text");
        report.case("A/two", Err("expected 1,\ngot 2".to_owned())).expect("memory takes any text");
        report.not_run("prose");
        report.not_run("prose");
        report.not_run("script");
        assert_eq!(report.finish().expect("memory takes any text"), 1);
        let expected =
            "ok A/one\nFAILED A/two: expected 1,\\ngot 2\nnot run: 2 prose, 1 script\n1 passed, 1 failed\n";
        assert_eq!(String::from_utf8_lossy(&text), expected);
    }
}
