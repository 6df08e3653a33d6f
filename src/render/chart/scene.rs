//! How do rectangles and text become a PNG or an SVG? plotters' backends draw them.

use std::iter::{Once, once};

use plotters::coord::Shift;
use plotters::element::{Circle, Drawable, PathElement, PointCollection, Rectangle};
use plotters::prelude::{BitMapBackend, DrawingArea, DrawingBackend, IntoDrawingArea, SVGBackend};
use plotters::style::{Color as _, RGBColor};
use plotters_backend::text_anchor::HPos;
use plotters_backend::{BackendCoord, DrawingErrorKind};

use super::font::{ASCENT, Face, Lettering};
use crate::error::{Error, Result};

/// Calm, and far enough from white and from each other for every kind of sight.
pub mod palette {
    pub use crate::render::colours::Colour;
    pub const BACKGROUND: Colour = (255, 255, 255);
    pub const INK: Colour = (31, 41, 51);
    pub const MUTED: Colour = (91, 103, 115);
    pub const GRID: Colour = (228, 232, 237);
    pub const AXIS: Colour = (154, 165, 177);
    pub const BAR: Colour = (76, 120, 168);
    pub const HIGHLIGHT: Colour = (217, 111, 30);
}

use palette::Colour;

/// A picture in logical pixels, drawn in the order of its items.
#[derive(Debug)]
pub struct Scene {
    pub width: f64,
    pub height: f64,
    pub items: Vec<Item>,
}

/// Rows from the top, three bytes for each pixel.
#[derive(Debug)]
pub struct Pixels {
    pub width: u32,
    pub height: u32,
    pub rgb: Vec<u8>,
}

#[derive(Debug)]
pub enum Item {
    Rectangle {
        left: f64,
        top: f64,
        width: f64,
        height: f64,
        colour: Colour,
    },
    Dot {
        centre: (f64, f64),
        radius: f64,
        colour: Colour,
    },
    Line {
        from: (f64, f64),
        to: (f64, f64),
        colour: Colour,
    },
    Text(Text),
    /// Text that reads upwards: `x` is its baseline, and `baseline` is where its anchor stands.
    Turned(Text),
}

/// One line of text; `x` is where its anchor stands.
#[derive(Debug)]
pub struct Text {
    pub content: String,
    pub face: Face,
    /// Pixels to the em.
    pub size: f64,
    pub colour: Colour,
    pub x: f64,
    pub baseline: f64,
    pub anchor: Anchor,
}

#[derive(Debug, Clone, Copy)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

impl Scene {
    pub const LEAST_SCALE: f64 = 0.5;
    pub const MOST_SCALE: f64 = 8.0;

    pub fn png(&self, scale: f64) -> Result<Vec<u8>> {
        let Pixels { width, height, rgb } = self.pixels(scale)?;
        encode(width, height, &rgb).map_err(drawing_error)
    }

    /// The picture, `scale` pixels for each logical one.
    pub fn pixels(&self, scale: f64) -> Result<Pixels> {
        let (least, most) = (Self::LEAST_SCALE, Self::MOST_SCALE);
        if !(least..=most).contains(&scale) {
            return Err(Error::ChartScale { scale, least, most });
        }
        let (width, height) = self.size(scale);
        let mut rgb = vec![0; width as usize * height as usize * 3];
        let area = BitMapBackend::with_buffer(&mut rgb, (width, height)).into_drawing_area();
        self.draw(&area, scale)?;
        drop(area);
        Ok(Pixels { width, height, rgb })
    }

    pub fn svg(&self) -> Result<String> {
        let mut svg = String::new();
        let area = SVGBackend::with_string(&mut svg, self.size(1.0)).into_drawing_area();
        self.draw(&area, 1.0)?;
        drop(area);
        Ok(svg)
    }

    fn size(&self, scale: f64) -> (u32, u32) {
        ((self.width * scale).round() as u32, (self.height * scale).round() as u32)
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>, scale: f64) -> Result<()> {
        area.fill(&rgb(palette::BACKGROUND)).map_err(drawing_error)?;
        for item in &self.items {
            match item {
                Item::Rectangle { left, top, width, height, colour } => {
                    let corners = [(*left, *top), (left + width, top + height)];
                    let corners = corners.map(|(x, y)| (round(x * scale), round(y * scale)));
                    area.draw(&Rectangle::new(corners, rgb(*colour).filled()))
                }
                Item::Dot { centre: (x, y), radius, colour } => {
                    let centre = (round(x * scale), round(y * scale));
                    area.draw(&Circle::new(centre, radius * scale, rgb(*colour).filled()))
                }
                Item::Line { from, to, colour } => {
                    let ends = [*from, *to].map(|(x, y)| (round(x * scale), round(y * scale)));
                    let stroke = rgb(*colour).stroke_width(round(scale).max(1) as u32);
                    area.draw(&PathElement::new(ends, stroke))
                }
                Item::Text(text) => area.draw(&Writing { text, scale, turned: false }),
                Item::Turned(text) => area.draw(&Writing { text, scale, turned: true }),
            }
            .map_err(drawing_error)?;
        }
        area.present().map_err(drawing_error)
    }
}

/// Text as an element of plotters.
struct Writing<'a> {
    text: &'a Text,
    scale: f64,
    turned: bool,
}

impl<'a> PointCollection<'a, (i32, i32)> for &'a Writing<'a> {
    type Point = (i32, i32);
    type IntoIter = Once<(i32, i32)>;

    fn point_iter(self) -> Self::IntoIter {
        let Text { x, baseline, size, .. } = self.text;
        let ascent = ASCENT * size;
        let (x, y) = if self.turned { (x - ascent, *baseline) } else { (*x, baseline - ascent) };
        once((round(x * self.scale), round(y * self.scale)))
    }
}

impl<B: DrawingBackend> Drawable<B> for Writing<'_> {
    fn draw<I: Iterator<Item = BackendCoord>>(
        &self,
        positions: I,
        backend: &mut B,
        _: (u32, u32),
    ) -> Result<(), DrawingErrorKind<B::ErrorType>> {
        let Text { content, face, size, colour, anchor, .. } = self.text;
        let anchor = match anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        let lettering =
            Lettering { face: *face, size: size * self.scale, colour: *colour, anchor, turned: self.turned };
        for position in positions {
            backend.draw_text(content, &lettering, position)?;
        }
        Ok(())
    }
}

/// Flat colours repeat as they are: half the size of the fast setting, in a fiftieth of a second.
fn encode(width: u32, height: u32, pixels: &[u8]) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Default);
    encoder.set_filter(png::FilterType::NoFilter);
    encoder.write_header()?.write_image_data(pixels)?;
    Ok(bytes)
}

fn round(pixels: f64) -> i32 {
    pixels.round() as i32
}

fn rgb((red, green, blue): Colour) -> RGBColor {
    RGBColor(red, green, blue)
}

fn drawing_error(error: impl std::fmt::Display) -> Error {
    Error::Drawing { reason: error.to_string() }
}
