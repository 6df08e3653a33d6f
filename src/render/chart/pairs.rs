//! How likely is each of these, here and there? Two bars for each label.

use super::axis::Axis;
use super::font::Face;
use super::heading::{HALF_DIGIT, MARGIN, WIDTH, heading, start};
use super::scene::{Anchor, Item, Scene, Text, palette};
use crate::error::{Error, Result};
use crate::render::label::{Keep, one_line, shortened};
use crate::render::number::percent;

/// Two probabilities for each label, drawn in the order given.
#[derive(Debug, Clone, PartialEq)]
pub struct PairedBars {
    pub title: String,
    /// What the first and the second bar of each pair stand for.
    pub names: [String; 2],
    pub bars: Vec<(String, [f64; 2])>,
}

const MOST_PAIRS: usize = 100;
pub(super) const COLOURS: [palette::Colour; 2] = [palette::BAR, palette::HIGHLIGHT];
const LABEL_SIZE: f64 = 14.0;
const LABEL_ROOM: f64 = 232.0;
const VALUE_SIZE: f64 = 12.0;
const VALUE_ROOM: f64 = 78.0;
const NAME_SIZE: f64 = 13.0;
const PITCH: f64 = 40.0;
const THICKNESS: f64 = 14.0;
/// Where the bars begin, below the title and the names.
const TOP: f64 = 112.0;

impl PairedBars {
    pub(super) fn largest(&self) -> f64 {
        self.bars.iter().flat_map(|(_, values)| values).copied().fold(0.0, f64::max)
    }

    pub(super) fn scene(&self) -> Result<Scene> {
        self.check()?;
        let label = |text: &str| {
            shortened(&one_line(text), Keep::Ends, LABEL_ROOM, |text| Face::Mono.width(text, LABEL_SIZE))
        };
        let widths = self.bars.iter().map(|(text, _)| Face::Mono.width(&label(text), LABEL_SIZE));
        let left = MARGIN + widths.fold(0.0, f64::max) + 12.0;
        let (right, axis) = (WIDTH - MARGIN - VALUE_ROOM, Axis::of(self.largest()));
        let x = |value: f64| left + (right - left) * value / axis.end;
        let height = PITCH * self.bars.len() as f64;
        let line = |value, colour| Item::Rectangle { left: x(value), top: TOP, width: 1.0, height, colour };

        let mut items: Vec<Item> = heading(&self.title, None, WIDTH).chain(self.legend()).collect();
        items.extend(axis.ticks().skip(1).map(|(value, _)| line(value, palette::GRID)));
        for (row, (name, values)) in self.bars.iter().enumerate() {
            let middle = TOP + PITCH * (row as f64 + 0.5);
            let baseline = middle + HALF_DIGIT * LABEL_SIZE;
            let name = start(label(name), Face::Mono, LABEL_SIZE, palette::INK, left - 12.0, baseline);
            items.push(Item::Text(Text { anchor: Anchor::End, ..name }));
            for (side, (value, colour)) in values.iter().zip(COLOURS).enumerate() {
                let top = middle - THICKNESS - 1.0 + side as f64 * (THICKNESS + 2.0);
                let (end, written) = (x(*value), percent(*value));
                let width = Face::Sans.width(&written, VALUE_SIZE) + 10.0;
                // Lines of the grid stop short of a number.
                let blank = palette::BACKGROUND;
                items.push(Item::Rectangle { left: end + 1.0, top, width, height: THICKNESS, colour: blank });
                items.push(Item::Rectangle { left, top, width: end - left, height: THICKNESS, colour });
                let baseline = top + THICKNESS / 2.0 + HALF_DIGIT * VALUE_SIZE;
                items.push(Item::Text(start(
                    written,
                    Face::Sans,
                    VALUE_SIZE,
                    palette::INK,
                    end + 7.0,
                    baseline,
                )));
            }
        }
        items.push(line(0.0, palette::AXIS));
        let bottom = TOP + height;
        let below = |content: String, size, x, baseline| {
            let text = start(content, Face::Sans, size, palette::MUTED, x, baseline);
            Item::Text(Text { anchor: Anchor::Middle, ..text })
        };
        items.extend(axis.ticks().map(|(value, text)| below(text, 12.0, x(value), bottom + 20.0)));
        items.push(below("probability".to_owned(), 12.5, (left + right) / 2.0, bottom + 43.0));
        Ok(Scene { width: WIDTH, height: bottom + 64.0, items })
    }

    /// A line for each name, with its colour.
    fn legend(&self) -> impl Iterator<Item = Item> {
        let line = |(side, name): (usize, &String)| {
            let baseline = 69.0 + 21.0 * side as f64;
            let measure = |text: &str| Face::Sans.width(text, NAME_SIZE);
            let name = shortened(&one_line(name), Keep::Ends, WIDTH - 2.0 * MARGIN - 22.0, measure);
            let swatch = Item::Rectangle {
                left: MARGIN,
                top: baseline - 10.5,
                width: 12.0,
                height: 12.0,
                colour: COLOURS[side],
            };
            let name = start(name, Face::Sans, NAME_SIZE, palette::MUTED, MARGIN + 20.0, baseline);
            [swatch, Item::Text(name)]
        };
        self.names.iter().enumerate().flat_map(line).collect::<Vec<_>>().into_iter()
    }

    fn check(&self) -> Result<()> {
        let (title, count) = (self.title.clone(), self.bars.len());
        if count == 0 {
            return Err(Error::ChartEmpty { title });
        }
        if count > MOST_PAIRS {
            return Err(Error::ChartCrowded { title, count, limit: MOST_PAIRS });
        }
        let all = self.bars.iter().flat_map(|(label, values)| values.map(|value| (label, value)));
        match { all }.find(|(_, value)| !(0.0..=1.0).contains(value)) {
            Some((label, value)) => Err(Error::ChartValue { label: label.clone(), value }),
            None => Ok(()),
        }
    }
}

impl From<PairedBars> for super::Chart {
    fn from(bars: PairedBars) -> Self {
        super::Chart::Pairs(bars)
    }
}
