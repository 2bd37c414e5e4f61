// SPDX-License-Identifier: Apache-2.0
//! The text of the benchmarks: 100-byte lines of words by Zipf's law, the same in every run.

use std::time::Duration;

use dstreams::Text;

/// How many distinct words there are.
const WORDS: usize = 100_000;

/// The length of a line in bytes.
const LINE: usize = 100;

/// `count` lines of about 100 bytes; word number n is drawn about 1/n as often as the first.
pub(crate) fn lines(count: usize) -> Vec<Text> {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut lines = Vec::with_capacity(count);
    for _ in 0..count {
        let mut line = String::with_capacity(LINE + 8);
        while line.len() < LINE {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let uniform = (random >> 11) as f64 / (1u64 << 53) as f64;
            // The logarithm of the rank is uniform, which makes frequency fall with rank.
            let rank = (WORDS as f64).powf(uniform);
            line.push_str(&word(rank));
            line.push(' ');
        }
        line.truncate(LINE);
        lines.push(Text::from(line));
    }
    lines
}

/// Frequent words are short, rare ones longer, as in natural text.
fn word(rank: f64) -> String {
    format!("w{rank:0width$.0}", width = if rank < 100.0 { 2 } else { 5 })
}

/// How long `work` takes.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub(crate) fn timed(work: impl FnOnce()) -> Duration {
    let start = std::time::Instant::now();
    work();
    start.elapsed()
}
