//! Columns of text, aligned by what a terminal shows.

use unicode_width::UnicodeWidthStr as _;

use crate::model::text::printable;

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
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max().unwrap_or(0)
            })
            .collect();
        let mut out = String::new();
        for row in &self.rows {
            for (index, cell) in row.iter().enumerate() {
                out.push_str(cell);
                if index + 1 < row.len() {
                    out.extend(std::iter::repeat_n(' ', widths[index] - cell.width() + 3));
                }
            }
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
}
