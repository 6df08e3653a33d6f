//! How does a text look whose pieces each have a value? As itself, shaded.

use unicode_width::UnicodeWidthStr;

use super::colours::{self, Colour, PAPER};
use super::html::escape;
use super::number::decimals;
use super::text::{BOLD, DIM, TextStyle};

/// A text in pieces, the backgrounds of which show a quantity.
#[derive(Debug, Clone, PartialEq)]
pub struct ShadedText {
    pub title: String,
    /// What the shades measure: `surprisal in bits`. Empty where they only tell neighbours apart: then there is no
    /// legend, and no value is written.
    pub unit: String,
    /// The value that gets the full shade; 0 gets none.
    pub most: f64,
    pub pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    /// As [`super::label()`] writes a token.
    pub label: String,
    pub value: Option<f64>,
    /// Said when a reader points at it in a web page.
    pub detail: String,
}

impl Piece {
    /// The text without the signs for spaces, which its background shows.
    pub(super) fn written(&self) -> String {
        self.label.replace('·', " ").replace('⇥', "    ")
    }

    /// Whether a new line begins behind it.
    pub(super) fn ends_line(&self) -> bool {
        self.label.ends_with('↵')
    }
}

/// Common texts share a scale, so that two of them can be compared.
const COMMON_BITS: f64 = 16.0;

impl ShadedText {
    /// A text whose pieces have their surprisal in bits for a value.
    pub fn of_surprisal(title: String, pieces: Vec<Piece>) -> ShadedText {
        let largest = pieces.iter().filter_map(|piece| piece.value).fold(COMMON_BITS, f64::max);
        ShadedText { title, unit: "surprisal in bits".to_owned(), most: largest, pieces }
    }

    pub(super) fn share(&self, value: f64) -> f64 {
        if self.most > 0.0 { value / self.most } else { 0.0 }
    }

    fn colour(&self, piece: &Piece) -> Option<Colour> {
        piece.value.map(|value| PAPER.at(self.share(value)))
    }

    /// Some values from none to the most, for a legend.
    fn steps(&self) -> impl Iterator<Item = f64> {
        (0..=4).map(|step| self.most * f64::from(step) / 4.0)
    }

    fn value(&self, value: f64) -> String {
        let decimals = decimals([self.most].into_iter()).min(2);
        format!("{value:.decimals$}")
    }

    /// For a terminal: on backgrounds where there is colour, else each piece above its value.
    pub fn text(&self, style: &TextStyle) -> String {
        let title = style.paint(BOLD, &self.title);
        if self.unit.is_empty() {
            let labels: Vec<&str> = self.pieces.iter().map(|piece| piece.label.as_str()).collect();
            return match style.colour {
                true => format!("{title}\n{}", self.on_backgrounds(style.width)),
                false => format!("{title}\n{}", labels.join(" ")),
            };
        }
        match style.colour {
            true => format!("{title}\n{}\n{}", self.on_backgrounds(style.width), self.swatches(style)),
            false => format!("{title}\n{}\n{}", self.above_values(style.width), self.unit),
        }
    }

    fn on_backgrounds(&self, width: usize) -> String {
        let (mut text, mut column) = (String::new(), 0);
        for piece in &self.pieces {
            let written = piece.written();
            if column > 0 && column + written.width() > width {
                text.push('\n');
                column = 0;
            }
            column += written.width();
            match self.colour(piece) {
                Some(colour) => text += &painted(&written, colour),
                None => text += &written,
            }
            if piece.ends_line() {
                text.push('\n');
                column = 0;
            }
        }
        text.trim_end_matches('\n').to_owned()
    }

    fn swatches(&self, style: &TextStyle) -> String {
        let swatch = |value: f64| painted(&format!(" {} ", self.value(value)), PAPER.at(self.share(value)));
        format!("{} {}", self.steps().map(swatch).collect::<String>(), style.paint(DIM, &self.unit))
    }

    fn above_values(&self, width: usize) -> String {
        let mut lines: Vec<String> = Vec::new();
        let (mut above, mut below) = (String::new(), String::new());
        let mut flush = |above: &mut String, below: &mut String| {
            if !above.is_empty() {
                lines.extend([above.trim_end().to_owned(), below.trim_end().to_owned()]);
                above.clear();
                below.clear();
            }
        };
        for piece in &self.pieces {
            let value = piece.value.map_or("–".to_owned(), |value| self.value(value));
            let room = piece.label.width().max(value.width()) + 1;
            if above.width() + room > width {
                flush(&mut above, &mut below);
            }
            above += &format!("{}{}", piece.label, " ".repeat(room - piece.label.width()));
            below += &format!("{}{}", value, " ".repeat(room - value.width()));
            if piece.ends_line() {
                flush(&mut above, &mut below);
            }
        }
        flush(&mut above, &mut below);
        lines.join("\n")
    }

    /// For a web page: a fragment whose pieces say their value when pointed at.
    pub fn html(&self) -> String {
        let span = |text: &str, colour: Colour, detail: &str| {
            let (background, ink) = (colours::css(colour), colours::css(colours::ink_on(colour)));
            format!(
                "<span style=\"background:{background};color:{ink}\" title=\"{}\">{}</span>",
                escape(detail),
                escape(text)
            )
        };
        let mut html = format!("<div><strong>{}</strong></div>\n", escape(&self.title));
        html += "<div style=\"white-space:pre-wrap;line-height:1.7;font-family:monospace\">";
        for piece in &self.pieces {
            html += &match self.colour(piece) {
                Some(colour) => span(&piece.written(), colour, &piece.detail),
                None => {
                    format!("<span title=\"{}\">{}</span>", escape(&piece.detail), escape(&piece.written()))
                }
            };
            if piece.ends_line() {
                html.push('\n');
            }
        }
        let swatch = |value: f64| span(&format!(" {} ", self.value(value)), PAPER.at(self.share(value)), "");
        html += "</div>\n";
        if self.unit.is_empty() {
            return html;
        }
        html += "<div style=\"white-space:pre\">";
        let swatches: String = self.steps().map(swatch).collect();
        format!("{html}{swatches} {}</div>", escape(&self.unit))
    }
}

/// Text on a background of 24-bit colour.
pub(super) fn painted(text: &str, background: Colour) -> String {
    let ((r, g, b), (red, green, blue)) = (background, colours::ink_on(background));
    format!("\u{1b}[48;2;{r};{g};{b};38;2;{red};{green};{blue}m{text}\u{1b}[0m")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shaded() -> ShadedText {
        let piece = |label: &str, value| Piece { label: label.into(), value, detail: format!("<{label}>") };
        ShadedText {
            title: "Surprisal".into(),
            unit: "bits".into(),
            most: 16.0,
            pieces: vec![
                piece("The", None),
                piece("·cat", Some(12.25)),
                piece("↵", Some(0.5)),
                piece("a", Some(3.0)),
            ],
        }
    }

    #[test]
    fn without_colour_each_piece_stands_above_its_value() {
        insta::assert_snapshot!(shaded().text(&TextStyle::plain(40)), @"
        Surprisal
        The ·cat  ↵
        –   12.25 0.50
        a
        3.00
        bits
        ");
        assert!(!shaded().text(&TextStyle::plain(8)).contains('\u{1b}'));
    }

    #[test]
    fn with_colour_the_text_is_itself() {
        let text = shaded().text(&TextStyle::coloured(40));
        assert!(text.contains("m cat\u{1b}[0m") && text.contains("\u{1b}[48;2;"));
    }

    #[test]
    fn shades_that_measure_nothing_have_no_legend() {
        let plain = ShadedText { unit: String::new(), ..shaded() };
        assert_eq!(plain.text(&TextStyle::plain(40)), "Surprisal\nThe ·cat ↵ a");
        assert_eq!(plain.html().matches("<div").count(), 2);
        assert_eq!(shaded().html().matches("<div").count(), 3);
    }

    #[test]
    fn a_web_page_says_the_value_when_pointed_at() {
        let html = shaded().html();
        assert!(html.contains("title=\"&lt;·cat&gt;\"> cat</span>") && html.contains("background:#"));
    }
}
