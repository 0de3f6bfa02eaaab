//! Columns of text, aligned by what a terminal shows.

use unicode_width::UnicodeWidthStr as _;

use crate::model::text::printable;

/// How wide columns are that rows are added to over time.
#[derive(Debug, Default)]
pub(super) struct Widths {
    columns: Vec<usize>,
    is_headed: bool,
}

fn line(row: &[String], widths: &Widths, out: &mut String) {
    for (index, cell) in row.iter().enumerate() {
        out.push_str(cell);
        if index + 1 < row.len() {
            let width = widths.columns.get(index).copied().unwrap_or_default();
            out.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.width()) + 3));
        }
    }
    out.push('\n');
}

/// Rows under a heading.
#[derive(Debug)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table with these columns.
    pub(super) fn new(columns: &[&str]) -> Self {
        Self { rows: vec![columns.iter().map(|&column| column.to_owned()).collect()] }
    }

    /// Adds a row; text that would act on a terminal is escaped, nothing at all is a dash.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cell = |cell: String| if cell.is_empty() { "-".to_owned() } else { printable(&cell).into_owned() };
        self.rows.push(cells.into_iter().map(cell).collect());
    }

    /// The text; nothing but the heading is nothing.
    pub(super) fn render(&self) -> String {
        if self.rows.len() < 2 {
            return String::new();
        }
        let mut widths = Widths::default();
        self.widen(&mut widths);
        let mut out = String::new();
        for row in &self.rows {
            line(row, &widths, &mut out);
        }
        out
    }

    /// Makes room for every row.
    pub(super) fn widen(&self, widths: &mut Widths) {
        for row in &self.rows {
            for (index, cell) in row.iter().enumerate() {
                match widths.columns.get_mut(index) {
                    Some(width) => *width = (*width).max(cell.width()),
                    None => widths.columns.push(cell.width()),
                }
            }
        }
    }

    /// The rows as they go on below what was written in these columns, with a word behind; the heading comes once.
    pub(super) fn continued(&self, widths: &mut Widths, word: &str) -> String {
        self.widen(widths);
        let mut out = String::new();
        for row in self.rows.iter().skip(usize::from(widths.is_headed)) {
            line(row, widths, &mut out);
        }
        widths.is_headed |= !out.is_empty();
        if !word.is_empty() {
            out.truncate(out.trim_end().len());
            out.push_str("   ");
            out.push_str(word);
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_over_wide_and_hostile_text() {
        let mut table = Table::new(&["NAME", "STATUS"]);
        table.row(["宽度".to_owned(), "ok".to_owned()]);
        table.row(["a\u{1b}[2J".to_owned(), String::new()]);
        assert_eq!(table.render(), "NAME         STATUS\n宽度         ok\na\\u{1b}[2J   -\n");
        assert_eq!(Table::new(&["NAME"]).render(), "");
    }

    #[test]
    fn rows_that_come_later_stand_in_the_same_columns() {
        let of = |name: &str| {
            let mut table = Table::new(&["NAME", "STATUS"]);
            table.row([name.to_owned(), "ok".to_owned()]);
            table
        };
        let mut widths = Widths::default();
        assert_eq!(of("hello").continued(&mut widths, ""), "NAME    STATUS\nhello   ok\n");
        assert_eq!(of("a").continued(&mut widths, "(removed)"), "a       ok   (removed)\n");
        assert_eq!(of("longer").continued(&mut widths, ""), "longer   ok\n");
    }
}
