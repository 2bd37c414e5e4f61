// SPDX-License-Identifier: Apache-2.0
//! Lines of text of which parts stand out.

/// How a part of a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Strong,
    Dim,
    Good,
    Warning,
    Bad,
}

/// A line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Line(Vec<(String, Style)>);

impl Line {
    pub(super) fn of(text: impl Into<String>, style: Style) -> Self {
        Self::default().and(text, style)
    }

    /// Adds a part. What would move the cursor becomes blanks: names and errors come from elsewhere.
    pub(super) fn and(mut self, text: impl Into<String>, style: Style) -> Self {
        let text: String =
            text.into().chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
        self.0.push((text, style));
        self
    }

    /// Its parts as far as they fit into so many columns; what does not is shown as `…`.
    pub(super) fn clipped(&self, columns: usize) -> Vec<(String, Style)> {
        let mut left = columns;
        let mut parts = Vec::new();
        for (at, (text, style)) in self.0.iter().enumerate() {
            let length = text.chars().count();
            let is_last = self.0[at + 1..].iter().all(|(text, _)| text.is_empty());
            if length < left || (length == left && is_last) {
                parts.push((text.clone(), *style));
                left -= length;
                continue;
            }
            if left > 0 {
                parts.push((clipped(text, left.min(length.saturating_add(1)), length >= left), *style));
            }
            break;
        }
        parts
    }
}

/// The start of a text and, where something is missing, `…`, in so many columns.
fn clipped(text: &str, columns: usize, is_cut: bool) -> String {
    let mut text: String = text.chars().take(columns.saturating_sub(usize::from(is_cut))).collect();
    if is_cut {
        text.push('…');
    }
    text
}

/// A text in at most so many columns.
pub(super) fn shortened(text: &str, columns: usize) -> String {
    clipped(text, columns, text.chars().count() > columns)
}

/// Lines without what stands out.
pub(super) fn plain(lines: &[Line]) -> String {
    let mut plain = String::new();
    for line in lines {
        let text: String = line.0.iter().map(|(text, _)| text.as_str()).collect();
        plain.push_str(text.trim_end());
        plain.push('\n');
    }
    plain
}

/// A bar for each of the last values, the highest that of the greatest.
pub(super) fn bars(values: &[f64], columns: usize) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let shown = &values[values.len().saturating_sub(columns)..];
    let most = shown.iter().copied().fold(0.0, f64::max);
    let bar = |value: &f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 0 and 7")]
        let height = (value / most * 7.0).round().clamp(0.0, 7.0) as usize;
        if most > 0.0 { BARS[height] } else { BARS[0] }
    };
    shown.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &Line, columns: usize) -> String {
        line.clipped(columns).into_iter().map(|(text, _)| text).collect()
    }

    #[test]
    fn a_line_is_as_wide_as_there_is_room() {
        let line = Line::of("abc", Style::Plain).and("def", Style::Bad);
        let at = |columns| shown(&line, columns);
        assert_eq!([at(9), at(6), at(5), at(3), at(1), at(0)], ["abcdef", "abcdef", "abcd…", "ab…", "…", ""]);
    }

    #[test]
    fn what_comes_from_elsewhere_does_not_move_the_cursor() {
        assert_eq!(shown(&Line::of("a\x1b[2Jb\nc", Style::Plain), 80), "a [2Jb c");
    }

    #[test]
    fn bars_show_the_last_values() {
        assert_eq!(bars(&[9.0, 0.0, 3.5, 7.0], 3), "▁▅█");
        assert_eq!(bars(&[0.0, 0.0], 3), "▁▁");
        assert_eq!(bars(&[], 3), "");
    }
}
