//! A shaded text as a picture: lines of words on backgrounds.

use super::font::Face;
use super::heading::{HALF_DIGIT, MARGIN, WIDTH, below, heading, start};
use super::scene::{Item, Scene, palette};
use crate::error::{Error, Result};
use crate::render::colours::{PAPER, ink_on};
use crate::render::shaded::ShadedText;

const SIZE: f64 = 15.0;
const LINE: f64 = 27.0;
const BOX: f64 = 22.0;
const LEGEND: f64 = 240.0;

impl ShadedText {
    pub(super) fn scene(&self) -> Result<Scene> {
        if let Some(value) =
            self.pieces.iter().filter_map(|piece| piece.value).find(|value| !value.is_finite())
        {
            return Err(Error::ChartNotFinite { title: self.title.clone(), value });
        }
        let mut items: Vec<Item> = heading(&self.title, None, WIDTH).collect();
        let (mut x, mut top) = (MARGIN, below(None) + 4.0);
        for piece in &self.pieces {
            let text = piece.written();
            let width = Face::Mono.width(&text, SIZE);
            if x > MARGIN && x + width > WIDTH - MARGIN {
                (x, top) = (MARGIN, top + LINE);
            }
            let colour = piece.value.map_or(palette::BACKGROUND, |value| PAPER.at(self.share(value)));
            items.push(Item::Rectangle { left: x, top, width: width - 1.0, height: BOX, colour });
            let baseline = top + BOX / 2.0 + HALF_DIGIT * SIZE;
            // An SVG leaves out spaces at the ends, and all but one of several.
            let word = text.trim_matches(' ');
            let before = &text[..text.len() - text.trim_start_matches(' ').len()];
            let (word, at) = (word.replace(' ', "\u{a0}"), x + Face::Mono.width(before, SIZE));
            items.push(Item::Text(start(word, Face::Mono, SIZE, ink_on(colour), at, baseline)));
            x += width;
            if piece.ends_line() {
                (x, top) = (MARGIN, top + LINE);
            }
        }
        top += LINE + 14.0;
        if self.unit.is_empty() {
            return Ok(Scene { width: WIDTH, height: top + 4.0, items });
        }
        items.extend(self.legend(top));
        Ok(Scene { width: WIDTH, height: top + 58.0, items })
    }

    fn legend(&self, top: f64) -> Vec<Item> {
        const STEPS: u32 = 48;
        let width = LEGEND / f64::from(STEPS);
        let cell = |step: u32| Item::Rectangle {
            left: MARGIN + f64::from(step) * width,
            top,
            width,
            height: 12.0,
            colour: PAPER.at(f64::from(step) / f64::from(STEPS - 1)),
        };
        let mut items: Vec<Item> = (0..STEPS).map(cell).collect();
        for (value, text) in super::axis::round_steps(0.0, self.most, 4) {
            let x = MARGIN + LEGEND * self.share(value);
            let text = start(text, Face::Sans, 12.0, palette::MUTED, x, top + 28.0);
            let anchor = super::scene::Anchor::Middle;
            items.push(Item::Text(super::scene::Text { anchor, ..text }));
        }
        let x = MARGIN + LEGEND + 18.0;
        items.push(Item::Text(start(self.unit.clone(), Face::Sans, 12.5, palette::MUTED, x, top + 11.0)));
        items
    }
}

impl From<ShadedText> for super::Chart {
    fn from(shaded: ShadedText) -> Self {
        super::Chart::ShadedText(shaded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::shaded::Piece;

    #[test]
    fn words_stand_behind_their_spaces_without_having_them() {
        let piece = |label: &str| Piece { label: label.into(), value: Some(1.0), detail: String::new() };
        let pieces = vec![piece("a"), piece("·b"), piece("⇥if··x")];
        let text = ShadedText { title: "Text".into(), unit: "bits".into(), most: 2.0, pieces };
        let items = text.scene().unwrap().items;
        let words: Vec<(&str, f64)> = items
            .iter()
            .filter_map(|item| match item {
                Item::Text(text) if text.face == Face::Mono => Some((text.content.as_str(), text.x)),
                _ => None,
            })
            .collect();
        let letter = Face::Mono.width("a", SIZE);
        let place = |columns: f64| MARGIN + columns * letter;
        for ((word, x), (expected, at)) in
            words.iter().zip([("a", place(0.0)), ("b", place(2.0)), ("if\u{a0}\u{a0}x", place(7.0))])
        {
            assert!(*word == expected && (x - at).abs() < 1e-3, "{words:?}");
        }
        assert_eq!(words.len(), 3);
    }
}
