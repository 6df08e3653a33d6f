//! What pushes up, and what pushes down? Bars to both sides of zero.

use super::axis::round_steps;
use super::font::Face;
use super::heading::{HALF_DIGIT, MARGIN, WIDTH, below, heading, start};
use super::scene::{Anchor, Item, Scene, Text, palette};
use crate::error::{Error, Result};
use crate::render::label::{Keep, one_line, shortened};
use crate::render::number::{decimals, number};

/// One bar for each label, in the order given: to the right if it is above zero, to the left below.
#[derive(Debug, Clone, PartialEq)]
pub struct SignedBars {
    pub title: String,
    pub subtitle: Option<String>,
    /// What the bars measure: `logit`.
    pub axis: String,
    pub bars: Vec<(String, f64)>,
}

const MOST_BARS: usize = 200;
const LABEL_SIZE: f64 = 13.5;
const LABEL_ROOM: f64 = 220.0;
const VALUE_SIZE: f64 = 12.5;
const VALUE_ROOM: f64 = 62.0;
const PITCH: f64 = 24.0;

impl SignedBars {
    /// The least and the largest value, zero included.
    pub(super) fn range(&self) -> (f64, f64) {
        self.bars
            .iter()
            .fold((0.0, 0.0), |(low, high), (_, value)| (f64::min(low, *value), f64::max(high, *value)))
    }

    /// The values as they are written beside the bars.
    pub(super) fn written(&self) -> Vec<String> {
        let decimals = decimals(self.bars.iter().map(|(_, value)| *value)).min(3);
        let sign = |value: f64| if value > 0.0 { "+" } else { "" };
        self.bars.iter().map(|(_, value)| format!("{}{}", sign(*value), number(*value, decimals))).collect()
    }

    pub(super) fn scene(&self) -> Result<Scene> {
        self.check()?;
        let label = |text: &str| {
            shortened(&one_line(text), Keep::Ends, LABEL_ROOM, |text| Face::Mono.width(text, LABEL_SIZE))
        };
        let widest =
            self.bars.iter().map(|(text, _)| Face::Mono.width(&label(text), LABEL_SIZE)).fold(0.0, f64::max);
        let (low, high) = match self.range() {
            (low, high) if low == high => (0.0, 1.0),
            range => range,
        };
        // Numbers stand outside the bars, on the left too if a bar goes there.
        let left = MARGIN + widest + 12.0 + if low < 0.0 { VALUE_ROOM } else { 0.0 };
        let right = WIDTH - MARGIN - VALUE_ROOM;
        let x = |value: f64| left + (right - left) * (value - low) / (high - low);
        let top = below(self.subtitle.as_deref());
        let bottom = top + PITCH * self.bars.len() as f64;
        let line = |value: f64, colour| Item::Rectangle {
            left: x(value),
            top,
            width: 1.0,
            height: bottom - top,
            colour,
        };
        let text = |content: String, size, colour, x, baseline, anchor| {
            Item::Text(Text { anchor, ..start(content, Face::Sans, size, colour, x, baseline) })
        };

        let mut items: Vec<Item> = heading(&self.title, self.subtitle.as_deref(), WIDTH).collect();
        let ticks = round_steps(low, high, 6);
        items.extend(ticks.iter().map(|(value, _)| line(*value, palette::GRID)));
        for (row, ((name, value), written)) in self.bars.iter().zip(self.written()).enumerate() {
            let middle = top + PITCH * (row as f64 + 0.5);
            let thickness = PITCH * 0.64;
            let (from, to) = (x(value.min(0.0)), x(value.max(0.0)));
            let colour = if *value < 0.0 { palette::HIGHLIGHT } else { palette::BAR };
            let written_width = Face::Sans.width(&written, VALUE_SIZE) + 10.0;
            let behind = if *value < 0.0 { from - written_width - 1.0 } else { to + 1.0 };
            let bar_top = middle - thickness / 2.0;
            // Lines of the grid stop short of a number.
            items.push(Item::Rectangle {
                left: behind,
                top: bar_top,
                width: written_width,
                height: thickness,
                colour: palette::BACKGROUND,
            });
            items.push(Item::Rectangle {
                left: from,
                top: bar_top,
                width: to - from,
                height: thickness,
                colour,
            });
            let baseline = middle + HALF_DIGIT * LABEL_SIZE;
            let name = start(label(name), Face::Mono, LABEL_SIZE, palette::INK, MARGIN + widest, baseline);
            items.push(Item::Text(Text { anchor: Anchor::End, ..name }));
            let (at, anchor) =
                if *value < 0.0 { (from - 6.0, Anchor::End) } else { (to + 6.0, Anchor::Start) };
            items.push(text(written, VALUE_SIZE, palette::INK, at, middle + HALF_DIGIT * VALUE_SIZE, anchor));
        }
        items.push(line(0.0, palette::AXIS));
        for (value, written) in ticks {
            items.push(text(written, 12.0, palette::MUTED, x(value), bottom + 20.0, Anchor::Middle));
        }
        let middle = (left + right) / 2.0;
        items.push(text(self.axis.clone(), 12.5, palette::MUTED, middle, bottom + 43.0, Anchor::Middle));
        Ok(Scene { width: WIDTH, height: bottom + 64.0, items })
    }

    fn check(&self) -> Result<()> {
        let (title, count) = (self.title.clone(), self.bars.len());
        if count == 0 {
            return Err(Error::ChartEmpty { title });
        }
        if count > MOST_BARS {
            return Err(Error::ChartCrowded { title, count, limit: MOST_BARS });
        }
        match self.bars.iter().find(|(_, value)| !value.is_finite()) {
            Some((_, value)) => Err(Error::ChartNotFinite { title, value: *value }),
            None => Ok(()),
        }
    }
}

impl From<SignedBars> for super::Chart {
    fn from(bars: SignedBars) -> Self {
        super::Chart::Signed(bars)
    }
}
