//! Which continuations part where? A tree that grows to the right: each branch with its value.

use unicode_width::UnicodeWidthStr;

use super::font::Face;
use super::scene::{Anchor, Item, Scene, Text, palette};
use crate::error::{Error, Result};
use crate::render::label::{Keep, one_line, shortened};
use crate::render::text::{BOLD, DIM, HIGHLIGHT, TextStyle};

/// Branches that grow from a text.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TreeChart {
    pub title: String,
    /// What the branches grow from.
    pub root: String,
    pub twigs: Vec<Twig>,
}

/// A branch with what grows from it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Twig {
    pub label: String,
    /// What is written behind it: `12.50 %`.
    pub value: String,
    /// How thick it is drawn, 0..=1.
    pub weight: f64,
    pub highlighted: bool,
    pub twigs: Vec<Twig>,
}

/// Beyond this a picture is a poster.
const MOST_ROWS: usize = 200;

// Logical pixels.
const MARGIN: f64 = 32.0;
const TOP: f64 = 88.0;
const PITCH: f64 = 30.0;
const LABEL_SIZE: f64 = 14.0;
const VALUE_SIZE: f64 = 12.0;
const GAP: f64 = 34.0;
const LEAST_WIDTH: f64 = 800.0;

impl TreeChart {
    /// One line a branch, joined by lines; a highlighted one is marked by `◂` too.
    pub fn text(&self, style: &TextStyle) -> String {
        let cells = |text: &str| text.width() as f64;
        let root = shortened(&one_line(&self.root), Keep::End, style.width as f64, cells);
        let mut lines = vec![style.paint(BOLD, &self.title), root];
        lines_of(&self.twigs, "", style, &mut lines);
        lines.join("\n")
    }

    pub(super) fn scene(&self) -> Result<Scene> {
        let title = self.title.clone();
        let rows: usize = self.twigs.iter().map(Twig::rows).sum();
        match rows {
            0 => return Err(Error::ChartEmpty { title }),
            count if count > MOST_ROWS => return Err(Error::ChartCrowded { title, count, limit: MOST_ROWS }),
            _ => {}
        }
        let widths = column_widths(&self.twigs);
        let width = (2.0 * MARGIN + widths.iter().map(|width| width + GAP).sum::<f64>()).max(LEAST_WIDTH);
        let room = width - 2.0 * MARGIN;
        let root =
            shortened(&one_line(&self.root), Keep::End, room, |text| Face::Sans.width(text, LABEL_SIZE));
        let mut items = vec![
            text(one_line(&self.title).into_owned(), Face::Bold, 19.0, palette::INK, MARGIN, 43.0),
            text(root, Face::Sans, LABEL_SIZE, palette::MUTED, MARGIN, 66.0),
        ];
        draw(&self.twigs, MARGIN, TOP, &widths, &mut items);
        Ok(Scene { width, height: TOP + PITCH * rows as f64 + MARGIN, items })
    }
}

impl Twig {
    /// How many lines it takes: one for each end.
    fn rows(&self) -> usize {
        self.twigs.iter().map(Twig::rows).sum::<usize>().max(1)
    }

    fn width(&self) -> f64 {
        Face::Mono.width(&self.label, LABEL_SIZE) + 8.0 + Face::Sans.width(&self.value, VALUE_SIZE)
    }
}

fn lines_of(twigs: &[Twig], indent: &str, style: &TextStyle, lines: &mut Vec<String>) {
    for (index, twig) in twigs.iter().enumerate() {
        let is_last = index + 1 == twigs.len();
        let (joint, below) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        let label = if twig.highlighted { style.paint(HIGHLIGHT, &twig.label) } else { twig.label.clone() };
        let mark = if twig.highlighted { " ◂" } else { "" };
        lines.push(format!("{indent}{joint}{label}  {}{mark}", style.paint(DIM, &twig.value)));
        lines_of(&twig.twigs, &format!("{indent}{below}"), style, lines);
    }
}

/// The widest branch at each depth.
fn column_widths(twigs: &[Twig]) -> Vec<f64> {
    let mut widths = Vec::new();
    let mut level: Vec<&Twig> = twigs.iter().collect();
    while !level.is_empty() {
        widths.push(level.iter().map(|twig| twig.width()).fold(0.0, f64::max));
        level = level.into_iter().flat_map(|twig| &twig.twigs).collect();
    }
    widths
}

/// Draws branches from the left edge on, the first at the top; returns the middles of their rows.
fn draw(twigs: &[Twig], left: f64, top: f64, widths: &[f64], items: &mut Vec<Item>) -> Vec<f64> {
    let mut middles = Vec::new();
    let mut y = top;
    for twig in twigs {
        let height = PITCH * twig.rows() as f64;
        let right = left + widths[0] + GAP;
        let children = draw(&twig.twigs, right, y, &widths[1..], items);
        let middle = y + PITCH / 2.0;
        let colour = if twig.highlighted { palette::HIGHLIGHT } else { palette::BAR };
        let thickness = 1.0 + 7.0 * twig.weight.clamp(0.0, 1.0).sqrt();
        let line = |left: f64, top: f64, width: f64, height: f64, colour| Item::Rectangle {
            left,
            top,
            width,
            height,
            colour,
        };
        items.push(line(left, middle + 9.0, twig.width(), thickness, colour));
        if let (Some(first), Some(last)) = (children.first(), children.last()) {
            let joint = right - GAP / 2.0;
            items.push(line(
                left + twig.width(),
                middle + 9.0,
                joint - left - twig.width(),
                1.0,
                palette::AXIS,
            ));
            items.push(line(joint, first + 9.0, 1.0, last - first + 1.0, palette::AXIS));
            for child in &children {
                items.push(line(joint, child + 9.0, right - joint, 1.0, palette::AXIS));
            }
        }
        let baseline = middle + 5.0;
        items.push(text(twig.label.clone(), Face::Mono, LABEL_SIZE, palette::INK, left, baseline));
        let behind = left + Face::Mono.width(&twig.label, LABEL_SIZE) + 8.0;
        items.push(text(twig.value.clone(), Face::Sans, VALUE_SIZE, palette::MUTED, behind, baseline));
        middles.push(middle);
        y += height;
    }
    middles
}

fn text(content: String, face: Face, size: f64, colour: palette::Colour, x: f64, baseline: f64) -> Item {
    Item::Text(Text { content, face, size, colour, x, baseline, anchor: Anchor::Start })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn twig(label: &str, value: &str, twigs: Vec<Twig>) -> Twig {
        Twig { label: label.into(), value: value.into(), weight: 0.5, highlighted: label == "·a", twigs }
    }

    fn tree() -> TreeChart {
        let twigs = vec![
            twig("·a", "60.00 %", vec![twig("·b", "30.00 %", vec![]), twig("·c", "20.00 %", vec![])]),
            twig("·d", "10.00 %", vec![]),
        ];
        TreeChart { title: "Likely continuations".into(), root: "Once upon".into(), twigs }
    }

    #[test]
    fn a_terminal_shows_what_grows_from_what() {
        insta::assert_snapshot!(tree().text(&TextStyle::plain(60)), @r"
        Likely continuations
        Once upon
        ├─ ·a  60.00 % ◂
        │  ├─ ·b  30.00 %
        │  └─ ·c  20.00 %
        └─ ·d  10.00 %
        ");
    }

    #[test]
    fn a_picture_has_every_branch_within_its_frame() {
        let scene = tree().scene().unwrap();
        for item in &scene.items {
            if let Item::Rectangle { left, top, width, height, .. } = item {
                assert!(left + width <= scene.width && top + height <= scene.height, "{item:?}");
            }
        }
        let svg = scene.svg().unwrap();
        assert!(["·a", "·b", "·c", "·d", "60.00 %"].iter().all(|text| svg.contains(text)));
        assert!(matches!(TreeChart::default().scene(), Err(Error::ChartEmpty { .. })));
    }
}
