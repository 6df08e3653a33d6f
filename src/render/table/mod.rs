//! What are rows and columns in a terminal, in Markdown, in HTML, in CSV and in JSON?
//!
//! ```
//! use tokenscope::render::{Cell, Column, Table, TextStyle};
//!
//! let table = Table::new([Column::left("token"), Column::right("probability")])
//!     .title("Next token")
//!     .row(["·programming".into(), Cell::Probability(0.1576)]);
//! assert!(table.text(&TextStyle::plain(80)).contains("15.76 %"));
//! assert_eq!(table.csv(), "token,probability\r\n·programming,0.1576\r\n");
//! ```

mod export;
mod terminal;

pub(super) use terminal::wrapped;

/// Rows of typed cells; how they are written is decided by each medium.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    pub title: Option<String>,
    pub columns: Vec<Column>,
    /// Each row has one cell for each column.
    pub rows: Vec<Vec<Cell>>,
    /// A remark below the table.
    pub note: Option<String>,
}

/// A column without a name is decoration: CSV and JSON leave it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub align: Align,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Text(String),
    Integer(i64),
    /// Any quantity; a column of them shares its number of decimals.
    Number(f64),
    /// 0..=1, written in percent for readers and as it is for programs.
    Probability(f64),
    /// The length of a bar, as a share (0..=1) of the column's width.
    Bar(f64),
    Empty,
}

impl Table {
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        Table { columns: columns.into_iter().collect(), ..Table::default() }
    }

    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    pub fn row<C: Into<Cell>>(mut self, cells: impl IntoIterator<Item = C>) -> Self {
        self.push(cells);
        self
    }

    pub fn rows<R, C>(mut self, rows: impl IntoIterator<Item = R>) -> Self
    where
        R: IntoIterator<Item = C>,
        C: Into<Cell>,
    {
        rows.into_iter().for_each(|cells| self.push(cells));
        self
    }

    /// Adds a row; missing cells are empty, cells beyond the last column are dropped.
    pub fn push<C: Into<Cell>>(&mut self, cells: impl IntoIterator<Item = C>) {
        let mut row: Vec<Cell> = cells.into_iter().map(Into::into).collect();
        row.resize(self.columns.len(), Cell::Empty);
        self.rows.push(row);
    }

    /// The same with its first `count` rows alone.
    pub fn first(&self, count: usize) -> Table {
        let rows = self.rows[..count.min(self.rows.len())].to_vec();
        Table { title: self.title.clone(), columns: self.columns.clone(), rows, note: self.note.clone() }
    }

    /// The cells of one column, from the top.
    fn column(&self, index: usize) -> impl Iterator<Item = &Cell> {
        self.rows.iter().filter_map(move |row| row.get(index))
    }
}

impl Column {
    /// For text and bars.
    pub fn left(name: impl Into<String>) -> Self {
        Column { name: name.into(), align: Align::Left }
    }

    /// For quantities, so that their points stand below each other.
    pub fn right(name: impl Into<String>) -> Self {
        Column { name: name.into(), align: Align::Right }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Cell::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Cell::Text(text)
    }
}

impl From<i64> for Cell {
    fn from(integer: i64) -> Self {
        Cell::Integer(integer)
    }
}

impl From<u32> for Cell {
    fn from(integer: u32) -> Self {
        Cell::Integer(integer.into())
    }
}

impl From<usize> for Cell {
    fn from(integer: usize) -> Self {
        Cell::Integer(i64::try_from(integer).unwrap_or(i64::MAX))
    }
}

impl From<f64> for Cell {
    fn from(number: f64) -> Self {
        Cell::Number(number)
    }
}

impl<C: Into<Cell>> From<Option<C>> for Cell {
    fn from(cell: Option<C>) -> Self {
        cell.map_or(Cell::Empty, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_one_cell_for_each_column() {
        let table = Table::new([Column::right("a"), Column::right("b")])
            .row([1usize])
            .rows([[Cell::from(1.5), Cell::from("x"), Cell::Empty]])
            .row([Some(3u32), None]);
        assert_eq!(
            table.rows,
            [
                vec![Cell::Integer(1), Cell::Empty],
                vec![Cell::Number(1.5), Cell::Text("x".into())],
                vec![Cell::Integer(3), Cell::Empty],
            ]
        );
    }
}
