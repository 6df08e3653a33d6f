//! The bar chart for a terminal.

use unicode_width::UnicodeWidthStr;

use super::BarChart;
use crate::render::blocks::blocks;
use crate::render::label::{Keep, one_line, shortened};
use crate::render::number::percents;
use crate::render::table::wrapped;
use crate::render::text::{BAR, BOLD, DIM, HIGHLIGHT, TextStyle};

/// Bars longer than this are no easier to compare.
const LONGEST_BAR: usize = 50;

impl BarChart {
    /// The chart in block characters; a highlighted bar is marked by `◂` too.
    pub fn text(&self, style: &TextStyle) -> String {
        let largest = self.largest();
        let cells = |text: &str| text.width() as f64;
        let room = (style.width / 3).clamp(8, 32) as f64;
        let labels: Vec<_> =
            self.bars.iter().map(|bar| shortened(&one_line(&bar.label), Keep::Ends, room, cells)).collect();
        let values = percents(&self.bars.iter().map(|bar| bar.value).collect::<Vec<_>>());
        let widest = |texts: &[String]| texts.iter().map(|text| text.width()).max().unwrap_or(0);
        let (label_width, value_width) = (widest(&labels), widest(&values));
        let bar_width = style.width.saturating_sub(label_width + value_width + 6).clamp(4, LONGEST_BAR);

        let mut lines = vec![style.paint(BOLD, &wrapped(&self.title, style.width))];
        lines.extend(self.subtitle.as_ref().map(|subtitle| {
            let subtitle = shortened(&one_line(subtitle), Keep::End, style.width as f64, cells);
            style.paint(DIM, &subtitle)
        }));
        for ((bar, label), value) in self.bars.iter().zip(&labels).zip(&values) {
            let padding = " ".repeat(label_width - label.width());
            let share = if largest > 0.0 { bar.value / largest } else { 0.0 };
            let drawn = blocks(share, bar_width);
            let rest = " ".repeat(bar_width - drawn.width());
            let drawn = style.paint(if bar.highlighted { HIGHLIGHT } else { BAR }, &drawn);
            let mark = if bar.highlighted { " ◂" } else { "" };
            lines.push(format!("{padding}{label}  {drawn}{rest}  {value:>value_width$}{mark}"));
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::super::bars::tests::tokens;
    use super::*;

    #[test]
    fn the_terminal_shows_the_same_bars() {
        insta::assert_snapshot!(tokens().text(&TextStyle::plain(60)), @"
        The likeliest next tokens
        I love machine
        ·programming  ███████████████████████████████████  15.76 % ◂
           ·learning  █████████████████████████████████    14.84 %
                   ↵  █████████████████▌                    7.88 %
                  中  ████████▊                             3.94 %
             <a & b>  ████▍                                 1.97 %
        ");
        let coloured = tokens().text(&TextStyle::coloured(60));
        assert!(coloured.contains("\u{1b}[38;5;166m█") && coloured.contains("\u{1b}[34m█"));
        assert_eq!(BarChart::new("Nothing").text(&TextStyle::plain(60)), "Nothing");
    }
}
