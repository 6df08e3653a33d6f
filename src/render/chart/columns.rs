//! What becomes of the same things, stage by stage? A row for each of them, a column of bars for each stage.

use super::font::Face;
use super::heading::{HALF_DIGIT, MARGIN, WIDTH, below, heading, start};
use super::scene::{Anchor, Item, Scene, Text, palette};
use crate::error::{Error, Result};
use crate::render::label::{Keep, one_line, shortened};
use crate::render::number::percent;
use crate::render::text::{BOLD, DIM, TextStyle};
use crate::render::{Cell, Column, Table};

/// Bars in columns that share one scale.
#[derive(Debug, Clone, PartialEq)]
pub struct BarColumns {
    pub title: String,
    pub subtitle: Option<String>,
    /// What stands before each row.
    pub labels: Vec<String>,
    pub columns: Vec<BarColumn>,
}

/// One stage.
#[derive(Debug, Clone, PartialEq)]
pub struct BarColumn {
    pub name: String,
    /// What else is said of it, below its name.
    pub notes: Vec<String>,
    /// In the second colour.
    pub highlighted: bool,
    /// One share for each row, 0..=1; none where the row's thing is no longer there.
    pub values: Vec<Option<f64>>,
}

const MOST_ROWS: usize = 100;
const MOST_COLUMNS: usize = 20;

// Logical pixels.
const LABEL_SIZE: f64 = 14.0;
const LABEL_ROOM: f64 = 160.0;
const NAME_SIZE: f64 = 13.0;
const NOTE_SIZE: f64 = 12.0;
const VALUE_SIZE: f64 = 12.0;
const VALUE_ROOM: f64 = 64.0;
const NARROWEST: f64 = 128.0;
const GAP: f64 = 22.0;
const PITCH: f64 = 26.0;
const LINE: f64 = 17.0;

impl BarColumns {
    fn largest(&self) -> f64 {
        self.values().map(|(_, value)| value).fold(0.0, f64::max)
    }

    fn values(&self) -> impl Iterator<Item = (&String, f64)> {
        self.columns
            .iter()
            .flat_map(|column| self.labels.iter().zip(&column.values))
            .filter_map(|(label, value)| Some((label, (*value)?)))
    }

    pub(super) fn scene(&self) -> Result<Scene> {
        self.check()?;
        let label = |text: &str| {
            shortened(&one_line(text), Keep::Ends, LABEL_ROOM, |text| Face::Mono.width(text, LABEL_SIZE))
        };
        let labels = self.labels.iter().map(|text| Face::Mono.width(&label(text), LABEL_SIZE));
        let left = MARGIN + labels.fold(0.0, f64::max) + 14.0;
        let names = self.columns.iter().map(|column| Face::Bold.width(&column.name, NAME_SIZE));
        let count = self.columns.len() as f64;
        let fair = (WIDTH - left - MARGIN - GAP * (count - 1.0)) / count;
        let column_width = names.fold(NARROWEST, f64::max).max(fair);
        let width = left + (column_width + GAP) * count - GAP + MARGIN;
        let notes = self.columns.iter().map(|column| column.notes.len()).max().unwrap_or(0);
        let names_at = below(self.subtitle.as_deref()) + 22.0;
        let top = names_at + LINE * notes as f64 + 12.0;
        let height = PITCH * self.labels.len() as f64;
        let scale = (column_width - VALUE_ROOM) / self.largest().max(f64::MIN_POSITIVE);

        let mut items: Vec<Item> = heading(&self.title, self.subtitle.as_deref(), width).collect();
        for (row, text) in self.labels.iter().enumerate() {
            let baseline = top + PITCH * (row as f64 + 0.5) + HALF_DIGIT * LABEL_SIZE;
            let text = start(label(text), Face::Mono, LABEL_SIZE, palette::INK, left - 14.0, baseline);
            items.push(Item::Text(Text { anchor: Anchor::End, ..text }));
        }
        for (index, column) in self.columns.iter().enumerate() {
            let x = left + (column_width + GAP) * index as f64;
            let colour = if column.highlighted { palette::HIGHLIGHT } else { palette::BAR };
            let name = start(column.name.clone(), Face::Bold, NAME_SIZE, palette::INK, x, names_at);
            items.push(Item::Text(name));
            for (line, note) in column.notes.iter().enumerate() {
                let baseline = names_at + LINE * (line as f64 + 1.0);
                let note = start(note.clone(), Face::Sans, NOTE_SIZE, palette::MUTED, x, baseline);
                items.push(Item::Text(note));
            }
            for (row, value) in column.values.iter().enumerate() {
                let middle = top + PITCH * (row as f64 + 0.5);
                let thickness = PITCH * 0.62;
                let length = value.unwrap_or(0.0) * scale;
                let bar_top = middle - thickness / 2.0;
                items.push(Item::Rectangle {
                    left: x,
                    top: bar_top,
                    width: length,
                    height: thickness,
                    colour,
                });
                let (written, ink) = match value {
                    Some(value) => (percent(*value), palette::INK),
                    None => ("–".to_owned(), palette::AXIS),
                };
                let baseline = middle + HALF_DIGIT * VALUE_SIZE;
                items.push(Item::Text(start(
                    written,
                    Face::Sans,
                    VALUE_SIZE,
                    ink,
                    x + length + 6.0,
                    baseline,
                )));
            }
            items.push(Item::Rectangle { left: x, top, width: 1.0, height, colour: palette::AXIS });
        }
        Ok(Scene { width, height: top + height + MARGIN, items })
    }

    /// The numbers as a table: bars side by side do not fit a terminal.
    pub fn text(&self, style: &TextStyle) -> String {
        let columns = self.columns.iter().map(|column| Column::right(&column.name));
        let cell = |value: Option<f64>| value.map_or(Cell::from("–"), Cell::Probability);
        let row = |(index, label): (usize, &String)| {
            let values = self.columns.iter().map(|column| cell(column.values[index]));
            std::iter::once(Cell::Text(label.clone())).chain(values).collect::<Vec<_>>()
        };
        let table = Table::new(std::iter::once(Column::left("token")).chain(columns))
            .rows(self.labels.iter().enumerate().map(row));
        let notes = self.columns.iter().map(|column| format!("{}: {}", column.name, column.notes.join(", ")));
        let subtitle = self.subtitle.iter().map(|text| style.paint(DIM, text));
        let heading = [style.paint(BOLD, &self.title)].into_iter().chain(subtitle);
        let notes = crate::render::table::wrapped(&notes.collect::<Vec<_>>().join("; "), style.width);
        heading.chain([table.text(style), style.paint(DIM, &notes)]).collect::<Vec<_>>().join("\n")
    }

    fn check(&self) -> Result<()> {
        let title = self.title.clone();
        if self.labels.is_empty() || self.columns.is_empty() {
            return Err(Error::ChartEmpty { title });
        }
        for (count, limit) in [(self.labels.len(), MOST_ROWS), (self.columns.len(), MOST_COLUMNS)] {
            if count > limit {
                return Err(Error::ChartCrowded { title, count, limit });
            }
        }
        match self.values().find(|(_, value)| !(0.0..=1.0).contains(value)) {
            Some((label, value)) => Err(Error::ChartValue { label: label.clone(), value }),
            None => Ok(()),
        }
    }
}

impl From<BarColumns> for super::Chart {
    fn from(columns: BarColumns) -> Self {
        super::Chart::Columns(columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> BarColumns {
        let column = |name: &str, highlighted, values: [Option<f64>; 3]| BarColumn {
            name: name.into(),
            notes: vec!["3 tokens".into()],
            highlighted,
            values: values.into(),
        };
        BarColumns {
            title: "What each rule leaves".into(),
            subtitle: Some("after “Once”".into()),
            labels: vec!["·a".into(), "·b".into(), "·c".into()],
            columns: vec![
                column("raw", false, [Some(0.5), Some(0.25), Some(0.25)]),
                column("top_k 1", true, [Some(1.0), None, None]),
            ],
        }
    }

    #[test]
    fn bars_of_all_stages_share_a_scale_and_stay_within_the_picture() {
        let scene = columns().scene().unwrap();
        let mut widths = Vec::new();
        for item in &scene.items {
            if let Item::Rectangle { left, top, width, height, colour } = item {
                assert!(left + width <= scene.width && top + height <= scene.height, "{item:?}");
                if *colour != palette::AXIS {
                    widths.push((*colour, *width));
                }
            }
        }
        let full = widths[3].1;
        let shares: Vec<(palette::Colour, f64)> =
            widths.iter().map(|(c, width)| (*c, width / full)).collect();
        let (raw, processed) = (palette::BAR, palette::HIGHLIGHT);
        let expected =
            [(raw, 0.5), (raw, 0.25), (raw, 0.25), (processed, 1.0), (processed, 0.0), (processed, 0.0)];
        assert_eq!(shares, expected);
        let many = BarColumns { columns: vec![columns().columns[1].clone(); 12], ..columns() };
        assert!(many.scene().unwrap().width > WIDTH);
    }

    #[test]
    fn a_terminal_gets_the_numbers() {
        insta::assert_snapshot!(columns().text(&TextStyle::plain(60)));
    }
}
