//! How do many heat maps of the same pairs compare? Small ones in rows and columns, without labels of their own.

use super::font::Face;
use super::heading::{self, HALF_DIGIT, MARGIN, WIDTH, heading, start};
use super::heat_map::{Growth, Legend};
use super::scene::{Anchor, Item, Scene, Text, palette};
use crate::error::{Error, Result};
use crate::render::colours::VIRIDIS;
use crate::render::label::one_line;

/// One small square for each row and column; its values are 0 to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Panels {
    pub title: String,
    pub subtitle: Option<String>,
    pub rows: Vec<String>,
    pub columns: Vec<String>,
    /// [row][column] → [y][x], lower triangles: what lies right of the diagonal is not drawn.
    pub panels: Vec<Vec<Vec<Vec<f32>>>>,
    pub unit: String,
}

const MOST: usize = 64;
/// More pixels than this along a side cannot be told apart; several values then share one, the largest counts.
const FINEST: usize = 40;
const GAP: f64 = 6.0;
const LABEL_SIZE: f64 = 11.5;

impl Panels {
    pub(super) fn scene(&self) -> Result<Scene> {
        let (rows, columns) = (self.rows.len(), self.columns.len());
        if !(1..=MOST).contains(&rows) || !(1..=MOST).contains(&columns) {
            return Err(Error::HeatMapSize { title: self.title.clone(), rows, columns, limit: MOST });
        }
        let labels = self.rows.iter().map(|text| Face::Sans.width(text, LABEL_SIZE)).fold(0.0, f64::max);
        let left = MARGIN + labels + 10.0;
        let names = self.columns.iter().map(|text| Face::Sans.width(text, LABEL_SIZE)).fold(40.0, f64::max);
        let side = ((WIDTH - left - MARGIN - 132.0) / columns as f64 - GAP)
            .floor()
            .clamp(names.ceil().min(110.0), 110.0);
        let top = heading::below(self.subtitle.as_deref()) + 32.0;
        let (x, y) = (
            |column: usize| left + column as f64 * (side + GAP),
            |row: usize| top + row as f64 * (side + GAP),
        );
        let legend =
            Legend { left: x(columns) + 22.0, top, height: (y(rows) - top - GAP).clamp(110.0, 240.0) };
        let width = (legend.left + 104.0 + MARGIN).max(WIDTH);
        let height = y(rows).max(top + legend.height) + MARGIN;

        let mut items: Vec<Item> = heading(&self.title, self.subtitle.as_deref(), width).collect();
        let text = |content: &str, x, baseline, anchor| {
            let text =
                start(one_line(content).into_owned(), Face::Sans, LABEL_SIZE, palette::MUTED, x, baseline);
            Item::Text(Text { anchor, ..text })
        };
        for (column, label) in self.columns.iter().enumerate() {
            items.push(text(label, x(column) + side / 2.0, top - 9.0, Anchor::Middle));
        }
        for (row, (label, panels)) in self.rows.iter().zip(&self.panels).enumerate() {
            let middle = y(row) + side / 2.0 + HALF_DIGIT * LABEL_SIZE;
            items.push(text(label, left - 10.0, middle, Anchor::End));
            for (column, values) in panels.iter().enumerate() {
                items.extend(panel(values, x(column), y(row), side));
            }
        }
        items.extend(legend.items(&self.unit, (0.0, 1.0), Growth::Root));
        Ok(Scene { width, height, items })
    }
}

/// One lower triangle; neighbours of the same colour become one rectangle.
fn panel(values: &[Vec<f32>], left: f64, top: f64, side: f64) -> Vec<Item> {
    let count = values.len().clamp(1, FINEST);
    let at = |index: usize| index * values.len() / count;
    // The last index of a cell's span, its first included.
    let span = |index: usize| at(index)..at(index + 1).max(at(index) + 1).min(values.len());
    let pixel = side / count as f64;
    let mut items = vec![Item::Rectangle { left, top, width: side, height: side, colour: palette::GRID }];
    for row in 0..count {
        let share = |column: usize| {
            let cells = span(row).flat_map(|y| span(column).map(move |x| values[y][x]));
            // 64 colours are enough here, and leave neighbours that can be joined.
            let largest = f64::from(cells.fold(0.0, f32::max));
            (Growth::Root.share(largest, (0.0, 1.0)) * 63.0).round() as u32
        };
        let mut column = 0;
        while column <= row {
            let level = share(column);
            let mut end = column + 1;
            while end <= row && share(end) == level {
                end += 1;
            }
            items.push(Item::Rectangle {
                left: left + column as f64 * pixel,
                top: top + row as f64 * pixel,
                width: (end - column) as f64 * pixel,
                height: pixel,
                colour: VIRIDIS.at(f64::from(level) / 63.0),
            });
            column = end;
        }
    }
    items
}

impl From<Panels> for super::Chart {
    fn from(panels: Panels) -> Self {
        super::Chart::Panels(panels)
    }
}
