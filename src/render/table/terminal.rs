//! A table for the terminal: aligned, coloured with restraint, never wider than asked if it can.

use tabled::builder::Builder;
use tabled::settings::object::{Columns, Object, Rows, Segment};
use tabled::settings::style::BorderColor;
use tabled::settings::width::Wrap;
use tabled::settings::{Alignment, Color, Modify, Style};
use unicode_width::UnicodeWidthStr;

use super::{Align, Cell, Table};
use crate::render::blocks::blocks;
use crate::render::label::{Keep, one_line, shortened};
use crate::render::number::{decimals, number, percents};
use crate::render::text::{BAR, BOLD, DIM, TextStyle};

/// The width of a whole bar where there is room for it.
const BAR_WIDTH: usize = 24;
const LEAST_BAR: usize = 6;

impl Table {
    /// Where there is little room bars shrink first, then long text is wrapped, then bars go, then
    /// names of columns and long words are shortened.
    pub fn text(&self, style: &TextStyle) -> String {
        let layout = Layout::of(self, style.width);
        let mut lines = Vec::new();
        lines.extend(self.title.as_ref().map(|title| style.paint(BOLD, &wrapped(title, style.width))));
        if !self.columns.is_empty() {
            lines.push(layout.grid(self, style));
        }
        lines.extend(self.note.as_ref().map(|note| style.paint(DIM, &wrapped(note, style.width))));
        lines.join("\n")
    }
}

/// The columns that are shown, what they contain once bars have their length, and how wide each is.
#[derive(Default)]
struct Layout {
    columns: Vec<usize>,
    words: Vec<Vec<String>>,
    widths: Vec<usize>,
}

/// How narrow columns may become.
#[derive(Clone, Copy)]
enum Least {
    /// As wide as their names and contents.
    Names,
    /// Columns of text this wide, others as wide as their names and contents.
    Text(usize),
    /// Columns of text as wide as the second number, others as their contents and the first.
    Content(usize, usize),
}

impl Layout {
    /// The widest layout that fits, or the narrowest there is.
    fn of(table: &Table, width: usize) -> Layout {
        let all: Vec<usize> = (0..table.columns.len()).collect();
        let bare: Vec<usize> = all.iter().copied().filter(|&index| !is_bar(table, index)).collect();
        let bars = (LEAST_BAR..=BAR_WIDTH).rev().map(|bar| (bar, Least::Names, &all));
        let tight = [(LEAST_BAR, Least::Text(16), &all)];
        let without_bars =
            [Least::Text(16), Least::Content(5, 8), Least::Content(1, 4)].map(|least| (0, least, &bare));
        let candidates = bars.chain(tight).chain(without_bars);
        let mut layout = Layout::default();
        for (bar, least, columns) in candidates {
            layout = Layout::with_bars(table, bar, columns.clone());
            // Each column has a space on both sides and a line before it; one line ends the row.
            let room = width.saturating_sub(3 * layout.columns.len() + 1);
            layout.shrink(table, room, least);
            if layout.total() <= room {
                break;
            }
        }
        layout
    }

    fn with_bars(table: &Table, bar: usize, columns: Vec<usize>) -> Layout {
        let words = columns.iter().map(|&index| column_words(table, index, bar)).collect();
        let mut layout = Layout { columns, words, widths: Vec::new() };
        let names = layout.columns.iter().map(|&index| one_line(&table.columns[index].name).width());
        layout.widths = names.enumerate().map(|(place, name)| name.max(layout.content(place))).collect();
        layout
    }

    /// The width of the widest cell of a column, its name apart.
    fn content(&self, index: usize) -> usize {
        self.words[index].iter().map(|words| words.width()).max().unwrap_or(0).max(1)
    }

    fn total(&self) -> usize {
        self.widths.iter().sum()
    }

    /// Narrows the widest column that is above its least width until all fit or none is.
    fn shrink(&mut self, table: &Table, room: usize, least: Least) {
        let names = self.widths.clone();
        let least = |place: usize| match (least, is_text(table, self.columns[place])) {
            (Least::Text(text), true) | (Least::Content(_, text), true) => text,
            (Least::Content(name, _), false) => self.content(place).max(name),
            (Least::Names | Least::Text(_), _) => names[place],
        };
        let least: Vec<usize> = (0..names.len()).map(least).collect();
        while self.total() > room {
            let narrowable = (0..least.len()).filter(|&place| self.widths[place] > least[place]);
            match narrowable.max_by_key(|&place| self.widths[place]) {
                Some(place) => self.widths[place] -= 1,
                None => return,
            }
        }
    }

    fn grid(&self, table: &Table, style: &TextStyle) -> String {
        let columns: Vec<_> = self.columns.iter().map(|&index| &table.columns[index]).collect();
        let mut builder = Builder::default();
        builder.push_record(
            columns.iter().zip(&self.widths).map(|(column, &width)| fitted(&column.name, Keep::Start, width)),
        );
        for row in 0..table.rows.len() {
            builder.push_record(
                self.words
                    .iter()
                    .zip(&self.widths)
                    .map(|(words, &width)| fitted(&words[row], Keep::Ends, width)),
            );
        }
        let mut grid = builder.build();
        grid.with(Style::rounded());
        for (place, column) in columns.iter().enumerate() {
            if column.align == Align::Right {
                grid.with(Modify::new(Columns::one(place)).with(Alignment::right()));
            }
        }
        if style.colour {
            grid.with(Modify::new(Segment::all()).with(BorderColor::filled(colour(DIM))));
            grid.with(Modify::new(Rows::first()).with(colour(BOLD)));
            for place in (0..columns.len()).filter(|&place| is_bar(table, self.columns[place])) {
                grid.with(Modify::new(Columns::one(place).not(Rows::first())).with(colour(BAR)));
            }
        }
        grid.to_string()
    }
}

/// The written cells of a column; numbers are padded so that their points are below each other.
fn column_words(table: &Table, index: usize, bar: usize) -> Vec<String> {
    table.column(index).map(column_writer(table, index, bar)).collect()
}

/// How the cells of a column are written, from the top, so that they agree.
pub(super) fn column_writer(table: &Table, index: usize, bar: usize) -> impl FnMut(&Cell) -> String + use<> {
    let shared = decimals(table.column(index).filter_map(|cell| match cell {
        Cell::Number(number) => Some(*number),
        _ => None,
    }));
    let probabilities: Vec<_> = table
        .column(index)
        .filter_map(|cell| match cell {
            Cell::Probability(probability) => Some(*probability),
            _ => None,
        })
        .collect();
    let mut percents = percents(&probabilities).into_iter();
    move |cell: &Cell| match cell {
        Cell::Text(text) => one_line(text).into_owned(),
        Cell::Integer(integer) => integer.to_string(),
        Cell::Number(value) => number(*value, shared),
        Cell::Probability(_) => percents.next().unwrap_or_default(),
        Cell::Bar(share) => blocks(*share, bar),
        Cell::Empty => String::new(),
    }
}

/// `text` wrapped between words; a word that is wider than all of `width` is shortened.
fn fitted(text: &str, keep: Keep, width: usize) -> String {
    let columns = |text: &str| text.width() as f64;
    let words: Vec<_> =
        one_line(text).split(' ').map(|word| shortened(word, keep, width as f64, columns)).collect();
    wrapped(&words.join(" "), width)
}

/// `text` in lines of at most `width` columns.
pub(in crate::render) fn wrapped(text: &str, width: usize) -> String {
    let text = one_line(text);
    if text.width() <= width {
        return text.into_owned();
    }
    let lines = Wrap::wrap(&text, width.max(2), true);
    lines.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

fn colour(code: &str) -> Color {
    Color::new(format!("\u{1b}[{code}m"), "\u{1b}[0m")
}

fn is_text(table: &Table, index: usize) -> bool {
    table.column(index).any(|cell| matches!(cell, Cell::Text(_)))
}

fn is_bar(table: &Table, index: usize) -> bool {
    table.column(index).any(|cell| matches!(cell, Cell::Bar(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Column;

    fn tokens() -> Table {
        let rows = [
            ("·programming", 15496, 0.1576, 2.666),
            ("·learning", 4673, 0.1484, 2.752),
            ("中", 40792, 0.0312, 5.002),
            ("🙂", 50001, 0.000_012, 16.35),
            ("↵", 198, 1e-9, 29.9),
        ];
        Table::new([
            Column::right("rank"),
            Column::left("token"),
            Column::right("id"),
            Column::right("probability"),
            Column::left(""),
            Column::right("surprisal"),
        ])
        .title("After “I love machine”")
        .note("5 of 50257 tokens")
        .rows(rows.iter().enumerate().map(|(rank, &(token, id, probability, bits))| {
            [
                (rank + 1).into(),
                token.into(),
                Cell::Integer(id),
                Cell::Probability(probability),
                Cell::Bar(probability / 0.1576),
                bits.into(),
            ]
        }))
    }

    #[test]
    fn a_table_at_three_widths() {
        insta::assert_snapshot!(tokens().text(&TextStyle::plain(120)), @"
        After “I love machine”
        ╭──────┬──────────────┬───────┬─────────────┬──────────────────────────┬───────────╮
        │ rank │ token        │    id │ probability │                          │ surprisal │
        ├──────┼──────────────┼───────┼─────────────┼──────────────────────────┼───────────┤
        │    1 │ ·programming │ 15496 │   15.76   % │ ████████████████████████ │      2.67 │
        │    2 │ ·learning    │  4673 │   14.84   % │ ██████████████████████▋  │      2.75 │
        │    3 │ 中           │ 40792 │    3.12   % │ ████▊                    │      5.00 │
        │    4 │ 🙂           │ 50001 │    0.0012 % │ ▏                        │     16.35 │
        │    5 │ ↵            │   198 │   <0.0001 % │ ▏                        │     29.90 │
        ╰──────┴──────────────┴───────┴─────────────┴──────────────────────────┴───────────╯
        5 of 50257 tokens
        ");
        insta::assert_snapshot!(tokens().text(&TextStyle::plain(80)), @"
        After “I love machine”
        ╭──────┬──────────────┬───────┬─────────────┬──────────────────────┬───────────╮
        │ rank │ token        │    id │ probability │                      │ surprisal │
        ├──────┼──────────────┼───────┼─────────────┼──────────────────────┼───────────┤
        │    1 │ ·programming │ 15496 │   15.76   % │ ████████████████████ │      2.67 │
        │    2 │ ·learning    │  4673 │   14.84   % │ ██████████████████▉  │      2.75 │
        │    3 │ 中           │ 40792 │    3.12   % │ ████                 │      5.00 │
        │    4 │ 🙂           │ 50001 │    0.0012 % │ ▏                    │     16.35 │
        │    5 │ ↵            │   198 │   <0.0001 % │ ▏                    │     29.90 │
        ╰──────┴──────────────┴───────┴─────────────┴──────────────────────┴───────────╯
        5 of 50257 tokens
        ");
        insta::assert_snapshot!(tokens().text(&TextStyle::plain(40)), @"
        After “I love machine”
        ╭───┬──────┬───────┬───────────┬───────╮
        │ … │ tok… │    id │ probabil… │ surp… │
        ├───┼──────┼───────┼───────────┼───────┤
        │ 1 │ ·p…g │ 15496 │ 15.76   % │  2.67 │
        │ 2 │ ·l…g │  4673 │ 14.84   % │  2.75 │
        │ 3 │ 中   │ 40792 │  3.12   % │  5.00 │
        │ 4 │ 🙂   │ 50001 │  0.0012 % │ 16.35 │
        │ 5 │ ↵    │   198 │ <0.0001 % │ 29.90 │
        ╰───┴──────┴───────┴───────────┴───────╯
        5 of 50257 tokens
        ");
    }

    #[test]
    fn every_line_of_the_grid_is_as_wide_as_the_others_and_fits() {
        for width in [60, 66, 72, 80, 120] {
            let text = tokens().text(&TextStyle::plain(width));
            let grid: Vec<usize> = text.lines().skip(1).map(|line| line.width()).collect();
            let grid = &grid[..grid.len() - 1];
            assert!(grid.iter().all(|&line| line == grid[0]) && grid[0] <= width, "{text}");
        }
    }

    #[test]
    fn colour_is_used_with_restraint() {
        let table = Table::new([Column::left("token"), Column::left("")]).row(["a".into(), Cell::Bar(1.0)]);
        assert!(!table.text(&TextStyle::plain(80)).contains('\u{1b}'));
        insta::assert_snapshot!(table.text(&TextStyle::coloured(80)).replace('\u{1b}', "␛"), @"
        ␛[2m╭───────┬──────────────────────────╮␛[0m
        ␛[2m│␛[0m ␛[1mtoken␛[0m ␛[2m│␛[0m ␛[1m␛[0m                         ␛[2m│␛[0m
        ␛[2m├───────┼──────────────────────────┤␛[0m
        ␛[2m│␛[0m a     ␛[2m│␛[0m ␛[34m████████████████████████␛[0m ␛[2m│␛[0m
        ␛[2m╰───────┴──────────────────────────╯␛[0m
        ");
    }

    #[test]
    fn long_text_is_wrapped_between_words() {
        let table = Table::new([Column::left("head"), Column::left("what it seems to do")])
            .row(["5.1", "looks back to the token that followed the last occurrence of this one"]);
        insta::assert_snapshot!(table.text(&TextStyle::plain(40)), @"
        ╭──────┬──────────────────────────────╮
        │ head │ what it seems to do          │
        ├──────┼──────────────────────────────┤
        │ 5.1  │ looks back to the token that │
        │      │ followed the last occurrence │
        │      │ of this one                  │
        ╰──────┴──────────────────────────────╯
        ");
    }

    #[test]
    fn text_cannot_break_the_grid() {
        let table = Table::new([Column::left("token")]).row(["a\nb\u{1b}[2J"]);
        assert!(table.text(&TextStyle::plain(80)).contains(r"│ a↵b\x1B[2J │"));
        assert_eq!(Table::default().text(&TextStyle::plain(80)), "");
    }
}
