// SPDX-License-Identifier: Apache-2.0
//! A table of text: columns as wide as what they hold, the first one giving way.

use super::text::{Line, Style, shortened};

/// A cell.
pub(super) type Cell = (String, Style);

/// Rows under names. The first column stands left, the others right, but for the last where that is text.
pub(super) struct Table {
    heads: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
    ends_with_text: bool,
}

/// What is between two columns.
const GAP: usize = 2;
/// What the first column keeps when there is little room.
const LEAST: usize = 8;

impl Table {
    pub(super) fn new(heads: &[&'static str]) -> Self {
        Self { heads: heads.to_vec(), rows: Vec::new(), ends_with_text: false }
    }

    /// As [`new`](Self::new), the last column being text that takes the room that is left.
    pub(super) fn with_text(heads: &[&'static str]) -> Self {
        Self { ends_with_text: true, ..Self::new(heads) }
    }

    pub(super) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// The lines of the table in so many columns, not more than `rows` of them beside the names.
    pub(super) fn lines(mut self, columns: usize, rows: usize) -> Vec<Line> {
        let hidden = self.rows.len().saturating_sub(rows);
        let hidden = if hidden > 0 { hidden + 1 } else { 0 };
        self.rows.truncate(self.rows.len() - hidden.min(self.rows.len()));
        let sized = self.heads.len() - usize::from(self.ends_with_text);
        let mut widths: Vec<usize> = (0..sized).map(|column| self.width(column)).collect();
        let others: usize = widths.iter().skip(1).map(|width| width + GAP).sum();
        if let Some(first) = widths.first_mut() {
            *first = (*first).min(columns.saturating_sub(others)).max(LEAST.min(*first));
        }
        let heads = self.heads.iter().map(|head| ((*head).to_owned(), Style::Dim)).collect();
        let mut lines = vec![line(heads, &widths)];
        lines.extend(self.rows.into_iter().map(|cells| line(cells, &widths)));
        if hidden > 0 {
            lines.push(Line::of(format!("… and {hidden} more"), Style::Dim));
        }
        lines
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|(text, _)| text.chars().count()).max().unwrap_or(0);
        widest.max(self.heads[column].chars().count())
    }
}

fn line(cells: Vec<Cell>, widths: &[usize]) -> Line {
    let mut line = Line::default();
    for (column, (text, style)) in cells.into_iter().enumerate() {
        line = match widths.get(column) {
            Some(width) if column == 0 => line.and(format!("{:<width$}", shortened(&text, *width)), style),
            Some(width) => {
                let width = GAP + width;
                line.and(format!("{text:>width$}"), style)
            }
            None => line.and("  ", Style::Plain).and(text, style),
        };
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::text::plain;

    fn table(rows: &[[&str; 3]]) -> Table {
        let mut table = Table::with_text(&["name", "count", "why"]);
        for row in rows {
            table.row(row.iter().map(|text| ((*text).to_owned(), Style::Plain)).collect());
        }
        table
    }

    #[test]
    fn numbers_stand_right_and_long_names_give_way() {
        let lines = table(&[["a long name", "5", "x"], ["b", "1,000", "because"]]).lines(17, 9);
        assert_eq!(
            plain(&lines),
            "name        count  why\na long na…      5  x\nb           1,000  because\n"
        );
    }

    #[test]
    fn rows_without_room_are_counted() {
        let rows = [["a", "1", ""], ["b", "2", ""], ["c", "3", ""]];
        assert_eq!(plain(&table(&rows).lines(80, 2)), "name  count  why\na         1\n… and 2 more\n");
        assert_eq!(table(&rows).lines(80, 3).len(), 4);
    }
}
