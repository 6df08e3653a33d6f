//! A picture as sixels, which many terminals draw: six rows of pixels at a time, one colour after the other.
//!
//! The format is DEC's (VT330/VT340 programmer reference manual, volume 2, chapter 14).

use std::collections::HashMap;
use std::fmt::Write as _;

use super::scene::Pixels;
use crate::render::colours::Colour;

/// As many as a terminal is sure to have.
const COLOURS: usize = 256;

/// The escape sequence that draws a picture where the cursor is.
pub fn sixel(pixels: &Pixels) -> String {
    let (palette, indices) = quantized(&pixels.rgb);
    // Pixels are square, and those that no colour covers keep what is behind them.
    let mut text = format!("\x1bP0;1;0q\"1;1;{};{}", pixels.width, pixels.height);
    for (index, (red, green, blue)) in palette.iter().enumerate() {
        let percent = |part: &u8| (u32::from(*part) * 100 + 127) / 255;
        let _ = write!(text, "#{index};2;{};{};{}", percent(red), percent(green), percent(blue));
    }
    let width = pixels.width as usize;
    for band in indices.chunks(width * 6) {
        let mut used = [false; COLOURS];
        band.iter().for_each(|index| used[usize::from(*index)] = true);
        for colour in (0..palette.len()).filter(|colour| used[*colour]) {
            let _ = write!(text, "#{colour}");
            let bits = |x: usize| {
                let rows = band.iter().skip(x).step_by(width);
                rows.enumerate()
                    .map(|(row, index)| u8::from(usize::from(*index) == colour) << row)
                    .sum::<u8>()
            };
            repeated(&mut text, (0..width).map(bits));
            // The next colour is drawn over the same rows.
            text.push('$');
        }
        text.push('-');
    }
    text + "\x1b\\"
}

/// Sixels, with those that come several times in a row counted.
fn repeated(text: &mut String, sixels: impl Iterator<Item = u8>) {
    let mut sixels = sixels.peekable();
    while let Some(sixel) = sixels.next() {
        let mut count = 1;
        while sixels.next_if_eq(&sixel).is_some() {
            count += 1;
        }
        let character = char::from(b'?' + sixel);
        match count {
            1..4 => (0..count).for_each(|_| text.push(character)),
            count => {
                let _ = write!(text, "!{count}{character}");
            }
        }
    }
}

/// The colours of a picture, at most [`COLOURS`], and which of them each pixel has. A picture with more keeps the most
/// frequent; its others become the nearest of those.
fn quantized(rgb: &[u8]) -> (Vec<Colour>, Vec<u8>) {
    let pixels = || rgb.chunks_exact(3).map(|pixel| (pixel[0], pixel[1], pixel[2]));
    let mut counts: HashMap<Colour, usize> = HashMap::new();
    pixels().for_each(|colour| *counts.entry(colour).or_default() += 1);
    let mut frequent: Vec<(Colour, usize)> = counts.into_iter().collect();
    frequent.sort_unstable_by_key(|(colour, count)| (std::cmp::Reverse(*count), *colour));
    let palette: Vec<Colour> = frequent.iter().take(COLOURS).map(|(colour, _)| *colour).collect();
    let distance = |one: &Colour, other: &Colour| {
        let part = |one: u8, other: u8| (i32::from(one) - i32::from(other)).pow(2);
        part(one.0, other.0) + part(one.1, other.1) + part(one.2, other.2)
    };
    let nearest = |colour: &Colour| {
        let found = palette.iter().enumerate().min_by_key(|(_, known)| distance(known, colour));
        found.map_or(0, |(index, _)| index as u8)
    };
    let indices: HashMap<Colour, u8> =
        frequent.iter().map(|(colour, _)| (*colour, nearest(colour))).collect();
    let indices = pixels().map(|colour| indices[&colour]).collect();
    (palette, indices)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws the sixels again, as a terminal does.
    fn drawn(text: &str) -> Vec<(usize, usize, Colour)> {
        let (mut palette, mut points) = (HashMap::new(), Vec::new());
        let (mut x, mut band, mut colour, mut count) = (0, 0, 0, 1);
        let body = text.split_once('q').unwrap().1.trim_end_matches("\x1b\\");
        let body = &body[body.find('#').unwrap()..];
        let mut rest = body.chars().peekable();
        let number = |rest: &mut std::iter::Peekable<std::str::Chars>| {
            let mut number = 0;
            while let Some(digit) = rest.peek().and_then(|c| c.to_digit(10)) {
                number = number * 10 + digit as usize;
                rest.next();
            }
            number
        };
        while let Some(c) = rest.next() {
            match c {
                '#' => {
                    colour = number(&mut rest);
                    if rest.next_if_eq(&';').is_some() {
                        let parts: Vec<usize> = (0..4)
                            .map(|_| {
                                let part = number(&mut rest);
                                rest.next_if_eq(&';');
                                part
                            })
                            .collect();
                        palette.insert(colour, parts[1..].iter().map(|part| *part as u8).collect::<Vec<_>>());
                    }
                }
                '!' => count = number(&mut rest),
                '$' => x = 0,
                '-' => (x, band) = (0, band + 1),
                c => {
                    let bits = c as u8 - b'?';
                    for _ in 0..std::mem::replace(&mut count, 1) {
                        let rows = (0..6).filter(|row| bits >> row & 1 == 1);
                        let colour = &palette[&colour];
                        points.extend(rows.map(|row| (x, band * 6 + row, (colour[0], colour[1], colour[2]))));
                        x += 1;
                    }
                }
            }
        }
        points
    }

    #[test]
    fn sixels_draw_the_picture_they_were_made_of() {
        let (width, height) = (13, 8);
        let colour =
            |x: u32, y: u32| if (x / 5 + y / 3).is_multiple_of(2) { (255, 0, 0) } else { (0, 51, 255) };
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let rgb = places.clone().flat_map(|(x, y)| <[u8; 3]>::from(colour(x, y))).collect();
        let mut points = drawn(&sixel(&Pixels { width, height, rgb }));
        points.sort_unstable_by_key(|(x, y, _)| (*y, *x));
        let in_percent = |(red, green, blue): Colour| {
            let percent = |part: u8| (u32::from(part) * 100 / 255) as u8;
            (percent(red), percent(green), percent(blue))
        };
        let expected: Vec<_> =
            places.map(|(x, y)| (x as usize, y as usize, in_percent(colour(x, y)))).collect();
        assert_eq!(points, expected);
    }

    #[test]
    fn a_picture_of_many_colours_keeps_the_most_frequent() {
        let mut rgb: Vec<u8> = (0..300_u32).flat_map(|n| [(n % 256) as u8, (n / 256) as u8, 7]).collect();
        rgb.extend([9, 9, 9].repeat(5));
        let (palette, indices) = quantized(&rgb);
        assert_eq!((palette.len(), indices.len(), palette[0]), (256, 305, (9, 9, 9)));
    }
}
