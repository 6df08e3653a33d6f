//! How much of something is there for each pair? A grid of coloured cells.

use super::axis::round_steps;
use super::font::Face;
use super::heading::{self, HALF_DIGIT, MARGIN, WIDTH, heading, start};
use super::scene::{Anchor, Item, Scene, Text, palette};
use crate::error::{Error, Result};
use crate::render::colours::{Colour, Scale, ink_on};
use crate::render::label::{Keep, one_line, shortened};

/// A value, and perhaps a word, for each row and column.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HeatMap {
    pub title: String,
    pub subtitle: Option<String>,
    /// What the rows and the columns are: `token`, `looks at`.
    pub row_name: String,
    pub column_name: String,
    pub rows: Vec<String>,
    pub columns: Vec<String>,
    /// [row][column]; nothing where a pair has no value.
    pub values: Vec<Vec<Option<f64>>>,
    /// What is written into the cells, [row][column]; no rows if they stay blank.
    pub words: Vec<Vec<String>>,
    /// What the colours measure.
    pub unit: String,
    /// The values with the first and the last colour.
    pub range: (f64, f64),
    pub growth: Growth,
}

/// How colours follow values between the ends of their range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Growth {
    #[default]
    Even,
    /// By the square root, of shares from 0 to 1: a hundredth can be told from nothing.
    Root,
}

/// Beyond this the cells are smaller than what a screen shows.
const MOST: usize = 512;

// Logical pixels.
const LABEL_SIZE: f64 = 12.0;
const LABEL_ROOM: f64 = 150.0;
const NAME_SIZE: f64 = 12.5;
const WORD_SIZE: f64 = 11.0;
const WORD_WIDTH: f64 = 70.0;
const GAP: f64 = 8.0;
/// From one label to the next, so that they do not touch.
const PITCH: f64 = 13.5;
const LEGEND_ROOM: f64 = 104.0;

impl HeatMap {
    /// The colour of a value.
    pub(super) fn colour(&self, value: f64) -> Colour {
        let (scale, range) = Scale::of(self.range);
        scale.at(self.growth.share(value, range))
    }

    pub(super) fn scene(&self) -> Result<Scene> {
        self.check()?;
        let grid = Grid::of(self);
        let legend =
            Legend { left: grid.right() + 28.0, top: grid.top, height: grid.height().clamp(110.0, 260.0) };
        let width = (legend.left + LEGEND_ROOM + MARGIN).max(WIDTH);
        let height = grid.bottom().max(legend.top + legend.height) + MARGIN;
        let mut items: Vec<Item> = heading(&self.title, self.subtitle.as_deref(), width).collect();
        items.extend(self.cells(&grid));
        items.extend(grid.labels(self));
        items.extend(legend.items(&self.unit, self.range, self.growth));
        Ok(Scene { width, height, items })
    }

    fn check(&self) -> Result<()> {
        let (rows, columns, title) = (self.rows.len(), self.columns.len(), || self.title.clone());
        if !(1..=MOST).contains(&rows) || !(1..=MOST).contains(&columns) {
            return Err(Error::HeatMapSize { title: title(), rows, columns, limit: MOST });
        }
        let ends = [self.range.0, self.range.1];
        match self.values.iter().flatten().flatten().chain(&ends).find(|value| !value.is_finite()) {
            Some(value) => Err(Error::ChartNotFinite { title: title(), value: *value }),
            None => Ok(()),
        }
    }

    fn cells(&self, grid: &Grid) -> Vec<Item> {
        let mut items = Vec::new();
        // A line between cells helps the eye where they are large, and hides them where they are small.
        let line = if grid.cell.1 >= 16.0 { 1.0 } else { 0.0 };
        for (row, values) in self.values.iter().enumerate() {
            for (column, value) in values.iter().enumerate() {
                let Some(value) = value else { continue };
                let colour = self.colour(*value);
                let (left, top) = (grid.x(column), grid.y(row));
                let (width, height) = (grid.cell.0 - line, grid.cell.1 - line);
                items.push(Item::Rectangle { left, top, width, height, colour });
                if let Some(word) = self.words.get(row).and_then(|words| words.get(column)) {
                    let room = width - 6.0;
                    let word = shortened(word, Keep::Start, room, |text| Face::Mono.width(text, WORD_SIZE));
                    let baseline = top + height / 2.0 + HALF_DIGIT * WORD_SIZE;
                    let text =
                        start(word, Face::Mono, WORD_SIZE, ink_on(colour), left + width / 2.0, baseline);
                    items.push(Item::Text(Text { anchor: Anchor::Middle, ..text }));
                }
            }
        }
        items
    }
}

/// Where the cells lie.
struct Grid {
    left: f64,
    top: f64,
    /// Width and height of a cell.
    cell: (f64, f64),
    rows: usize,
    columns: usize,
    /// Whether the columns' labels read upwards, being wider than their cells.
    turned: bool,
}

impl Grid {
    fn of(map: &HeatMap) -> Grid {
        let (rows, columns) = (map.rows.len(), map.columns.len());
        let widest = |labels: &[String]| {
            let widths = labels.iter().map(|text| Face::Mono.width(&label(text), LABEL_SIZE));
            widths.fold(0.0, f64::max)
        };
        let name = Face::Sans.width(&map.row_name, NAME_SIZE);
        let left = MARGIN + widest(&map.rows).max(name) + GAP;
        let room = WIDTH - MARGIN - left - LEGEND_ROOM - 28.0;
        let cell = if map.words.is_empty() {
            // Labels of up to 60 tokens must fit side by side; larger maps become wider and name only some.
            let side = |count: usize| {
                let least = if count <= 60 { PITCH } else { 4.0 };
                (room / count as f64).clamp(least, 44.0).floor().max(least)
            };
            (side(columns), side(rows))
        } else {
            ((room / columns as f64).floor().clamp(WORD_WIDTH, 110.0), 22.0)
        };
        let turned = widest(&map.columns) + 4.0 > cell.0;
        let label_height = if turned { widest(&map.columns) } else { LABEL_SIZE };
        let top = heading::below(map.subtitle.as_deref()) + 24.0 + label_height + GAP;
        Grid { left, top, cell, rows, columns, turned }
    }

    fn x(&self, column: usize) -> f64 {
        self.left + column as f64 * self.cell.0
    }

    fn y(&self, row: usize) -> f64 {
        self.top + row as f64 * self.cell.1
    }

    fn right(&self) -> f64 {
        self.x(self.columns)
    }

    fn bottom(&self) -> f64 {
        self.y(self.rows)
    }

    fn height(&self) -> f64 {
        self.bottom() - self.top
    }

    fn labels(&self, map: &HeatMap) -> Vec<Item> {
        let mut items = Vec::new();
        let every = |pitch: f64| (PITCH / pitch).ceil().max(1.0) as usize;
        let half = HALF_DIGIT * LABEL_SIZE;
        for (row, text) in map.rows.iter().enumerate().step_by(every(self.cell.1)) {
            let middle = self.y(row) + self.cell.1 / 2.0;
            let text =
                start(label(text), Face::Mono, LABEL_SIZE, palette::INK, self.left - GAP, middle + half);
            items.push(Item::Text(Text { anchor: Anchor::End, ..text }));
        }
        for (column, text) in map.columns.iter().enumerate().step_by(every(self.cell.0)) {
            let middle = self.x(column) + self.cell.0 / 2.0;
            let at = if self.turned { middle + half } else { middle };
            let text = start(label(text), Face::Mono, LABEL_SIZE, palette::INK, at, self.top - GAP);
            items.push(match self.turned {
                true => Item::Turned(text),
                false => Item::Text(Text { anchor: Anchor::Middle, ..text }),
            });
        }
        let muted = |content: &str, x, baseline, anchor| {
            let text =
                start(one_line(content).into_owned(), Face::Sans, NAME_SIZE, palette::MUTED, x, baseline);
            Item::Text(Text { anchor, ..text })
        };
        let above = heading::below(map.subtitle.as_deref()) + 16.0;
        items.push(muted(&map.column_name, self.left, above, Anchor::Start));
        items.push(muted(&map.row_name, self.left - GAP, self.top - GAP, Anchor::End));
        items
    }
}

/// A bar of all colours with its values.
pub(super) struct Legend {
    pub left: f64,
    pub top: f64,
    pub height: f64,
}

impl Legend {
    pub fn items(&self, unit: &str, range: (f64, f64), growth: Growth) -> Vec<Item> {
        let (scale, (low, high)) = Scale::of(range);
        const STEPS: usize = 52;
        const THICK: f64 = 14.0;
        let mut items = Vec::new();
        let y = |share: f64| self.top + self.height * (1.0 - share);
        for step in 0..STEPS {
            let (from, to) = (step as f64 / STEPS as f64, (step + 1) as f64 / STEPS as f64);
            let colour = scale.at((from + to) / 2.0);
            items.push(Item::Rectangle {
                left: self.left,
                top: y(to),
                width: THICK,
                height: y(from) - y(to),
                colour,
            });
        }
        for (value, text) in growth.steps(low, high) {
            let share = growth.share(value, (low, high));
            let x = self.left + THICK;
            items.push(Item::Rectangle {
                left: x,
                top: y(share),
                width: 4.0,
                height: 1.0,
                colour: palette::AXIS,
            });
            let baseline = y(share) + HALF_DIGIT * LABEL_SIZE;
            items.push(Item::Text(start(text, Face::Sans, LABEL_SIZE, palette::MUTED, x + 8.0, baseline)));
        }
        let measure = |text: &str| Face::Sans.width(text, NAME_SIZE);
        let lines = in_lines(unit, LEGEND_ROOM, measure);
        let count = lines.len();
        for (line, text) in lines.into_iter().enumerate() {
            let baseline = self.top - 10.0 - 15.0 * (count - 1 - line) as f64;
            items.push(Item::Text(start(text, Face::Sans, NAME_SIZE, palette::MUTED, self.left, baseline)));
        }
        items
    }
}

impl Growth {
    /// A value's place in a range, 0 to 1.
    pub(super) fn share(self, value: f64, (low, high): (f64, f64)) -> f64 {
        let share = if high > low { (value - low) / (high - low) } else { 0.0 };
        match self {
            Growth::Even => share,
            Growth::Root => share.max(0.0).sqrt(),
        }
    }

    /// What stands beside a legend: about five values of a range.
    fn steps(self, low: f64, high: f64) -> Vec<(f64, String)> {
        match self {
            Growth::Even => round_steps(low, high, 5),
            Growth::Root => [0.0, 0.05, 0.2, 0.5, 1.0]
                .map(|share| (low + share * (high - low), format!("{share}")))
                .into(),
        }
    }
}

/// A text in lines no wider than `room`, broken between words.
fn in_lines(text: &str, room: f64, measure: impl Fn(&str) -> f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if measure(&format!("{line} {word}")) <= room => *line = format!("{line} {word}"),
            _ => lines.push(shortened(word, Keep::Start, room, &measure)),
        }
    }
    lines
}

fn label(text: &str) -> String {
    shortened(&one_line(text), Keep::Ends, LABEL_ROOM, |text| Face::Mono.width(text, LABEL_SIZE))
}

impl From<HeatMap> for super::Chart {
    fn from(map: HeatMap) -> Self {
        super::Chart::HeatMap(Box::new(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(count: usize) -> HeatMap {
        let label = |index: usize| format!("token{index}");
        let row = |row: usize| (0..count).map(|column| (column <= row).then_some(0.5)).collect();
        HeatMap {
            title: "Map".into(),
            rows: (0..count).map(label).collect(),
            columns: (0..count).map(label).collect(),
            values: (0..count).map(row).collect(),
            unit: "weight".into(),
            range: (0.0, 1.0),
            ..HeatMap::default()
        }
    }

    fn texts(map: &HeatMap) -> Vec<(f64, f64, bool)> {
        let item = |item: Item| match item {
            Item::Text(text) if text.content.starts_with("token") => Some((text.x, text.baseline, false)),
            Item::Turned(text) => Some((text.x, text.baseline, true)),
            _ => None,
        };
        map.scene().unwrap().items.into_iter().filter_map(item).collect()
    }

    #[test]
    fn up_to_sixty_tokens_each_label_is_drawn_and_none_touches_the_next() {
        for count in [1, 3, 25, 60] {
            let texts = texts(&map(count));
            assert_eq!(texts.len(), 2 * count);
            let (columns, rows): (Vec<_>, Vec<_>) = texts.into_iter().partition(|(_, _, turned)| *turned);
            let apart = |places: Vec<f64>| places.windows(2).all(|pair| (pair[1] - pair[0]) >= LABEL_SIZE);
            assert!(apart(rows.iter().filter(|_| columns.len() == count).map(|(_, y, _)| *y).collect()));
            assert!(apart(columns.iter().map(|(x, _, _)| *x).collect()));
        }
        assert!(texts(&map(200)).len() < 200);
    }

    #[test]
    fn few_columns_are_wide_however_many_rows_there_are() {
        let cells = |rows: usize, columns: usize| {
            let map = HeatMap { columns: map(columns).columns, ..map(rows) };
            Grid::of(&map).cell
        };
        let (width, height) = cells(60, 6);
        assert!(width == 44.0 && height == PITCH, "{width} × {height}");
        let (width, height) = cells(6, 60);
        assert!(width == PITCH && height == 44.0, "{width} × {height}");
        let (width, height) = cells(20, 20);
        assert_eq!(width, height);
    }

    #[test]
    fn a_cell_has_the_colour_of_its_value_and_what_is_missing_has_none() {
        let colour = map(3).colour(0.5);
        let scene = map(3).scene().unwrap();
        let cells = scene
            .items
            .iter()
            .filter(|item| matches!(item, Item::Rectangle { colour: c, .. } if *c == colour));
        assert_eq!(cells.count(), 6);
    }

    #[test]
    fn nonsense_is_refused() {
        let error = |map: HeatMap| map.scene().unwrap_err().to_string();
        assert_eq!(error(map(0)), "the heat map `Map` is 0 × 0 cells, but must be 1 to 512 each way");
        let mut broken = map(2);
        broken.values[1][0] = Some(f64::NAN);
        assert_eq!(error(broken), "a value of the chart `Map` is NaN, but must be finite");
    }
}
