//! What stands above every picture: its title and a second line.

use super::font::Face;
use super::scene::{Anchor, Item, Text, palette};
use crate::render::label::{Keep, one_line, shortened};

// Logical pixels.
pub const WIDTH: f64 = 800.0;
pub const MARGIN: f64 = 32.0;
/// Half the height of a digit, in ems: from a row's middle down to the baseline.
pub const HALF_DIGIT: f64 = 0.364;
const TITLE_SIZE: f64 = 19.0;
const SUBTITLE_SIZE: f64 = 14.0;

/// Title and subtitle of a picture of this width.
pub fn heading(title: &str, subtitle: Option<&str>, width: f64) -> impl Iterator<Item = Item> {
    let room = width - 2.0 * MARGIN;
    let title = shortened(&one_line(title), Keep::Start, room, |text| Face::Bold.width(text, TITLE_SIZE));
    let title = start(title, Face::Bold, TITLE_SIZE, palette::INK, MARGIN, 43.0);
    let subtitle = subtitle.map(|subtitle| {
        let measure = |text: &str| Face::Sans.width(text, SUBTITLE_SIZE);
        let subtitle = shortened(&one_line(subtitle), Keep::End, room, measure);
        start(subtitle, Face::Sans, SUBTITLE_SIZE, palette::MUTED, MARGIN, 66.0)
    });
    [title].into_iter().chain(subtitle).map(Item::Text)
}

/// Where a heading ends.
pub fn below(subtitle: Option<&str>) -> f64 {
    if subtitle.is_some() { 80.0 } else { 60.0 }
}

/// Text that begins at a point.
pub fn start(content: String, face: Face, size: f64, colour: palette::Colour, x: f64, baseline: f64) -> Text {
    Text { content, face, size, colour, x, baseline, anchor: Anchor::Start }
}
