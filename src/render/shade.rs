//! How does a text look whose pieces are more or less likely?

use super::html;
use super::number::percent;
use super::text::TextStyle;

/// A text in pieces, each with a share (0..=1) that its background shows, or none.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Shaded {
    pub pieces: Vec<(String, Option<f64>)>,
}

/// Backgrounds from unlikely to likely, in the 256 colours of a terminal, and how likely each begins to be.
const SHADES: [(f64, &str); 5] = [(0.5, "157"), (0.2, "193"), (0.05, "229"), (0.01, "223"), (0.0, "217")];

impl Shaded {
    /// For a terminal: black on a shade, where there is colour; otherwise the text alone.
    pub fn text(&self, style: &TextStyle) -> String {
        let piece = |(text, share): &(String, Option<f64>)| match share {
            Some(share) => {
                let (_, shade) = SHADES.iter().find(|(from, _)| share >= from).unwrap_or(&SHADES[4]);
                let code = format!("30;48;5;{shade}");
                // A background must not run to the end of the line.
                let lines: Vec<String> = text.split('\n').map(|line| style.paint(&code, line)).collect();
                lines.join("\n")
            }
            None => text.clone(),
        };
        self.pieces.iter().map(piece).collect()
    }

    /// For a page: a span for each piece, with its probability as the title.
    pub fn html(&self) -> String {
        let piece = |(text, share): &(String, Option<f64>)| match share {
            Some(share) => {
                // From red for what is unlikely to green for what is likely, on the scale of what is seen.
                let hue = (120.0 * share.sqrt()).round();
                format!(
                    "<span title=\"{}\" style=\"background:hsl({hue} 75% 82%);color:#111\">{}</span>",
                    percent(*share),
                    html::escape(text)
                )
            }
            None => html::escape(text),
        };
        let pieces: String = self.pieces.iter().map(piece).collect();
        format!("<div style=\"white-space:pre-wrap;font-family:monospace\">{pieces}</div>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likelier_pieces_have_another_background() {
        let shaded = Shaded {
            pieces: vec![("Once".into(), None), (" <b>".into(), Some(0.9)), ("\nx".into(), Some(0.001))],
        };
        assert_eq!(shaded.text(&TextStyle::plain(80)), "Once <b>\nx");
        let coloured = shaded.text(&TextStyle::coloured(80));
        assert_eq!(coloured, "Once\u{1b}[30;48;5;157m <b>\u{1b}[0m\n\u{1b}[30;48;5;217mx\u{1b}[0m");
        let html = shaded.html();
        assert!(html.contains("title=\"90.00 %\"") && html.contains("&lt;b&gt;</span>"), "{html}");
    }
}
