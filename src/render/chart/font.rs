//! Which glyph draws a character, how wide is it, and where do its pixels go?
//!
//! plotters' own `ab_glyph` text drops each glyph's side bearing and snaps it to whole pixels,
//! which sets letters unevenly; this draws the same outlines where the font puts them.

use std::borrow::Cow;
use std::sync::OnceLock;

use ab_glyph::{Font, FontRef, Glyph, GlyphId, PxScale, ScaleFont, point};
use plotters_backend::{
    BackendColor, BackendCoord, BackendTextStyle, FontFamily, FontStyle, FontTransform, text_anchor,
};

use super::system_fonts;
use crate::render::label::escape;

/// A typeface of the chart. DejaVu is embedded (Bitstream Vera licence).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    Sans,
    Bold,
    Mono,
}

/// The part of an em from the top of a line to the baseline that plotters' SVG backend assumes.
pub const ASCENT: f64 = 0.76;

struct Fonts {
    sans: FontRef<'static>,
    bold: FontRef<'static>,
    mono: FontRef<'static>,
}

fn fonts() -> &'static Fonts {
    static FONTS: OnceLock<Fonts> = OnceLock::new();
    FONTS.get_or_init(|| {
        let parse = |bytes| FontRef::try_from_slice(bytes).expect("the embedded fonts are fonts");
        Fonts {
            sans: parse(dejavu::sans::regular()),
            bold: parse(dejavu::sans::bold()),
            mono: parse(dejavu::sans_mono::regular()),
        }
    })
}

impl Face {
    fn font(self) -> &'static FontRef<'static> {
        match self {
            Face::Sans => &fonts().sans,
            Face::Bold => &fonts().bold,
            Face::Mono => &fonts().mono,
        }
    }

    /// What a page without DejaVu falls back to.
    fn family(self) -> &'static str {
        match self {
            Face::Sans | Face::Bold => "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif",
            Face::Mono => "DejaVu Sans Mono, Menlo, Consolas, monospace",
        }
    }

    /// The glyph of a character: from this face, else from the sans one, else from a font of the machine.
    fn glyph(self, character: char) -> Option<(&'static FontRef<'static>, GlyphId)> {
        self.embedded(character).or_else(|| system_fonts::glyph(character))
    }

    fn embedded(self, character: char) -> Option<(&'static FontRef<'static>, GlyphId)> {
        [self.font(), &fonts().sans]
            .into_iter()
            .map(|font| (font, font.glyph_id(character)))
            .find(|(_, id)| id.0 != 0)
    }

    /// `text` with characters that no font can draw written as `\u4e2d`.
    pub fn drawable(self, text: &str) -> Cow<'_, str> {
        escaped(text, |character| self.glyph(character).is_some())
    }

    /// The width of `text` as it is drawn, `size` pixels to the em.
    pub fn width(self, text: &str, size: f64) -> f64 {
        self.set(&self.drawable(text), size, |_, _| {})
    }

    /// Sets the glyphs one after another from the origin of the baseline; returns the advance.
    fn set(self, text: &str, size: f64, mut each: impl FnMut(&FontRef<'static>, Glyph)) -> f64 {
        let mut x = 0.0;
        let mut previous: Option<GlyphId> = None;
        for (font, id) in text.chars().filter_map(|character| self.glyph(character)) {
            let scale = pixels(font, size);
            let scaled = font.as_scaled(scale);
            x += previous.map_or(0.0, |previous| scaled.kern(previous, id));
            each(font, id.with_scale_and_position(scale, point(x, 0.0)));
            x += scaled.h_advance(id);
            previous = Some(id);
        }
        f64::from(x)
    }
}

fn escaped(text: &str, can_be_drawn: impl Fn(char) -> bool) -> Cow<'_, str> {
    if text.chars().all(&can_be_drawn) {
        return text.into();
    }
    let written = |character| match can_be_drawn(character) {
        true => character.to_string(),
        false => escape(character),
    };
    text.chars().map(written).collect::<String>().into()
}

/// `ab_glyph` scales by a font's height, designers by its em.
fn pixels(font: &FontRef<'static>, size: f64) -> PxScale {
    let em = font.units_per_em().unwrap_or(2048.0);
    PxScale::from(size as f32 * font.height_unscaled() / em)
}

/// A face at a size and in a colour, as plotters asks for it. Its position is the top of the
/// line, [`ASCENT`] above the baseline.
pub struct Lettering {
    pub face: Face,
    pub size: f64,
    pub colour: (u8, u8, u8),
    pub anchor: text_anchor::HPos,
    /// Read upwards, its lines from left to right.
    pub turned: bool,
}

impl BackendTextStyle for Lettering {
    type FontError = std::convert::Infallible;

    fn color(&self) -> BackendColor {
        BackendColor { alpha: 1.0, rgb: self.colour }
    }

    /// plotters' SVG backend divides this by 1.24 to reach the em.
    fn size(&self) -> f64 {
        self.size * 1.24
    }

    fn style(&self) -> FontStyle {
        match self.face {
            Face::Bold => FontStyle::Bold,
            Face::Sans | Face::Mono => FontStyle::Normal,
        }
    }

    fn anchor(&self) -> text_anchor::Pos {
        text_anchor::Pos::new(self.anchor, text_anchor::VPos::Top)
    }

    fn transform(&self) -> FontTransform {
        if self.turned { FontTransform::Rotate270 } else { FontTransform::None }
    }

    fn family(&self) -> FontFamily<'_> {
        FontFamily::Name(self.face.family())
    }

    fn layout_box(&self, text: &str) -> Result<((i32, i32), (i32, i32)), Self::FontError> {
        let width = self.face.width(text, self.size).round() as i32;
        Ok(((0, 0), (width, self.size.round() as i32)))
    }

    fn draw<E, D: FnMut(i32, i32, BackendColor) -> Result<(), E>>(
        &self,
        text: &str,
        (left, top): BackendCoord,
        mut draw: D,
    ) -> Result<Result<(), E>, Self::FontError> {
        let baseline = top + (ASCENT * self.size).round() as i32;
        let mut result = Ok(());
        self.face.set(&self.face.drawable(text), self.size, |font, glyph| {
            let Some(outline) = font.outline_glyph(glyph) else { return };
            let corner = outline.px_bounds().min;
            outline.draw(|x, y, coverage| {
                if coverage > 0.0 && result.is_ok() {
                    let x = left + corner.x as i32 + x as i32;
                    let y = baseline + corner.y as i32 + y as i32;
                    let alpha = f64::from(coverage).min(1.0);
                    result = draw(x, y, BackendColor { alpha, rgb: self.colour });
                }
            });
        });
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_without_a_glyph_are_named() {
        let embedded = |text| escaped(text, |character| Face::Mono.embedded(character).is_some());
        assert_eq!(embedded("·programming↵Ġ"), "·programming↵Ġ");
        assert_eq!(embedded("中文"), r"\u4e2d\u6587");
        assert_eq!(embedded("a🦀"), r"a\U0001f980");
    }

    #[test]
    fn a_face_borrows_from_the_sans_face_what_it_lacks() {
        assert_eq!(fonts().mono.glyph_id('😀').0, 0);
        assert_eq!(Face::Mono.drawable("😀"), "😀");
    }

    #[test]
    fn widths_grow_with_the_text_and_the_size() {
        let width = Face::Mono.width("mmmm", 10.0);
        assert!((width - Face::Mono.width("iiii", 10.0)).abs() < 1e-3);
        assert!((Face::Mono.width("mmmm", 20.0) - 2.0 * width).abs() < 1e-3);
        assert!((width - 4.0 * 6.02).abs() < 0.1, "{width}");
    }
}
