//! The picture that launchers show: the bars of a distribution, the likeliest in another colour.

use std::fmt::Write as _;

use crate::error::{Error, Result};

/// The side of the picture, in its own units.
const SIDE: u32 = 32;

/// Each bar's top and length; the longest is the likeliest token.
const BARS: [(u32, u32); 4] = [(4, 26), (11, 15), (18, 9), (25, 5)];
const LEFT: u32 = 3;
const THICKNESS: u32 = 4;

const LIKELIEST: [u8; 3] = [0xE0, 0x7A, 0x2C];
const OTHERS: [u8; 3] = [0x2B, 0x6C, 0xB0];

fn colour(bar: usize) -> [u8; 3] {
    if bar == 0 { LIKELIEST } else { OTHERS }
}

pub fn svg() -> String {
    let mut text = format!("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {SIDE} {SIDE}\">\n");
    for (index, (top, length)) in BARS.iter().enumerate() {
        let [red, green, blue] = colour(index);
        let _ = writeln!(
            text,
            "<rect x=\"{LEFT}\" y=\"{top}\" width=\"{length}\" height=\"{THICKNESS}\" fill=\"#{red:02x}{green:02x}{blue:02x}\"/>"
        );
    }
    text + "</svg>\n"
}

/// A PNG with a transparent ground, `scale` × 32 pixels wide.
pub fn png(scale: u32) -> Result<Vec<u8>> {
    let side = SIDE * scale;
    let mut pixels = Vec::with_capacity((side * side * 4) as usize);
    for y in 0..SIDE * scale {
        for x in 0..SIDE * scale {
            let (x, y) = (x / scale, y / scale);
            let covers = |(top, length): &(u32, u32)| {
                (LEFT..LEFT + length).contains(&x) && (*top..top + THICKNESS).contains(&y)
            };
            match BARS.iter().position(covers) {
                Some(bar) => pixels.extend(colour(bar).into_iter().chain([0xFF])),
                None => pixels.extend([0; 4]),
            }
        }
    }
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, side, side);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&pixels));
    written.map_err(|error| Error::io("draw", "the logo")(error.into()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_has_the_size_that_its_name_promises() {
        let bytes = png(2).unwrap();
        let reader = png::Decoder::new(bytes.as_slice()).read_info().unwrap();
        assert_eq!((reader.info().width, reader.info().height), (64, 64));
        assert_eq!(svg().matches("<rect").count(), BARS.len());
    }
}
