//! Heat maps and bars to both sides for a terminal.

use unicode_width::UnicodeWidthStr;

use super::{Growth, HeatMap, PairedBars, Panels, SignedBars};
use crate::render::blocks::blocks;
use crate::render::colours::Scale;
use crate::render::label::{Keep, one_line, shortened};
use crate::render::number::{decimals, number, percents};
use crate::render::shaded::painted;
use crate::render::text::{BAR, BOLD, DIM, HIGHLIGHT, TextStyle};

fn cells(text: &str) -> f64 {
    text.width() as f64
}

fn short(text: &str, room: usize) -> String {
    shortened(&one_line(text), Keep::Ends, room as f64, cells)
}

fn padded(text: &str, width: usize) -> String {
    format!("{}{text}", " ".repeat(width.saturating_sub(text.width())))
}

/// A value as two columns: a colour, or one of five grades of grey; of those below zero, the second is a minus.
fn shade(value: f64, (range, growth): ((f64, f64), Growth), style: &TextStyle) -> String {
    let (scale, span) = Scale::of(range);
    if style.colour {
        return painted("  ", scale.at(growth.share(value, span)));
    }
    const GRADES: [char; 5] = ['·', '░', '▒', '▓', '█'];
    let size = if range.0 < 0.0 { value.abs() / span.1 } else { growth.share(value, span) };
    let grade = GRADES[(size.clamp(0.0, 1.0) * 4.0).round() as usize];
    let sign = if value < 0.0 && grade != GRADES[0] { '-' } else { grade };
    [grade, sign].into_iter().collect()
}

fn heading(title: &str, subtitle: Option<&str>, style: &TextStyle) -> Vec<String> {
    let title = style.paint(BOLD, &shortened(&one_line(title), Keep::Start, style.width as f64, cells));
    let subtitle = subtitle
        .map(|text| style.paint(DIM, &shortened(&one_line(text), Keep::End, style.width as f64, cells)));
    [title].into_iter().chain(subtitle).collect()
}

impl HeatMap {
    /// The map in colours or greys; columns are numbered, and their names follow where they are others than the rows'.
    pub fn text(&self, style: &TextStyle) -> String {
        let labels: Vec<String> = self.rows.iter().map(|row| short(row, 20)).collect();
        let width = labels.iter().map(|label| label.width()).max().unwrap_or(0);
        let digits = self.rows.len().max(self.columns.len()).to_string().len();
        let room = style.width.saturating_sub(width + digits + 2) / 2;
        let shown = self.columns.len().min(room.max(1));
        let mut lines = heading(&self.title, self.subtitle.as_deref(), style);
        let numbers: String = (0..shown).map(|column| format!("{:>2}", column % 100)).collect();
        lines.push(format!("{} {}", " ".repeat(width + digits + 1), numbers).trim_end().to_owned());
        let shade = |value: f64| shade(value, (self.range, self.growth), style);
        for (row, (label, values)) in labels.iter().zip(&self.values).enumerate() {
            let cell = |value: &Option<f64>| value.map_or("  ".to_owned(), shade);
            let drawn: String = values.iter().take(shown).map(cell).collect();
            lines.push(format!("{} {row:>digits$} {drawn}", padded(label, width)).trim_end().to_owned());
        }
        if shown < self.columns.len() {
            lines.push(format!("… {} more columns; `save` draws them all", self.columns.len() - shown));
        }
        let (low, high) = self.range;
        let decimals = decimals([low, high].into_iter()).min(2);
        let ends =
            format!("{} {} … {} {}", shade(low), number(low, decimals), shade(high), number(high, decimals));
        let by = if self.growth == Growth::Root { ", shaded by its square root" } else { "" };
        lines.push(format!("{ends}  {}{by}", self.unit));
        let is_numbered = self.columns.iter().enumerate().all(|(index, column)| *column == index.to_string());
        if is_numbered {
            lines.push(format!("columns: {}", self.column_name));
        } else if self.columns != self.rows {
            let name = |(index, column): (usize, &String)| format!("{index} {}", short(column, 20));
            let names: Vec<String> = self.columns.iter().take(shown).enumerate().map(name).collect();
            lines.push(format!("{}: {}", self.column_name, names.join(", ")));
        }
        lines.join("\n")
    }
}

impl Panels {
    /// Each panel as one number, its share on the first column: a terminal is too coarse for more.
    pub fn text(&self, style: &TextStyle) -> String {
        let first = |values: &Vec<Vec<f32>>| {
            let rows: Vec<f32> = values.iter().skip(1).filter_map(|row| row.first()).copied().collect();
            let mean = rows.iter().sum::<f32>() / rows.len().max(1) as f32;
            Some(f64::from(mean))
        };
        let map = HeatMap {
            title: self.title.clone(),
            subtitle: Some("what falls on the first token; `save` draws each panel".to_owned()),
            row_name: String::new(),
            column_name: "columns".to_owned(),
            rows: self.rows.clone(),
            columns: self.columns.clone(),
            values: self.panels.iter().map(|row| row.iter().map(first).collect()).collect(),
            words: Vec::new(),
            unit: self.unit.clone(),
            range: (0.0, 1.0),
            growth: Growth::Root,
        };
        map.text(style)
    }
}

impl SignedBars {
    /// Bars in block characters: those below zero are marked by their sign and colour.
    pub fn text(&self, style: &TextStyle) -> String {
        let labels: Vec<String> = self.bars.iter().map(|(label, _)| short(label, 28)).collect();
        let written = self.written();
        let widest = |texts: &[String]| texts.iter().map(|text| text.width()).max().unwrap_or(0);
        let (label_width, value_width) = (widest(&labels), widest(&written));
        let room = style.width.saturating_sub(label_width + value_width + 4).clamp(4, 50);
        let (low, high) = self.range();
        let largest = f64::max(-low, high);
        let mut lines = heading(&self.title, self.subtitle.as_deref(), style);
        for ((label, value), (_, number)) in labels.iter().zip(&written).zip(&self.bars) {
            let share = if largest > 0.0 { number.abs() / largest } else { 0.0 };
            let drawn = style.paint(if *number < 0.0 { HIGHLIGHT } else { BAR }, &blocks(share, room));
            lines.push(
                format!("{}  {}  {drawn}", padded(label, label_width), padded(value, value_width))
                    .trim_end()
                    .to_owned(),
            );
        }
        lines.push(style.paint(DIM, &self.axis));
        lines.join("\n")
    }
}

impl PairedBars {
    /// Two lines for each label, marked `a` and `b`.
    pub fn text(&self, style: &TextStyle) -> String {
        let labels: Vec<String> = self.bars.iter().map(|(label, _)| short(label, 28)).collect();
        let written = percents(&self.bars.iter().flat_map(|(_, values)| *values).collect::<Vec<_>>());
        let widest = |texts: &[String]| texts.iter().map(|text| text.width()).max().unwrap_or(0);
        let (label_width, value_width) = (widest(&labels), widest(&written));
        let room = style.width.saturating_sub(label_width + value_width + 6).clamp(4, 50);
        let largest = self.largest();
        let mut lines = heading(&self.title, None, style);
        for (name, mark) in self.names.iter().zip(["a", "b"]) {
            lines.push(style.paint(DIM, &format!("{mark} {}", short(name, style.width.saturating_sub(2)))));
        }
        for ((label, (_, values)), written) in labels.iter().zip(&self.bars).zip(written.chunks(2)) {
            for (side, (value, written)) in values.iter().zip(written).enumerate() {
                let (mark, code, label) =
                    if side == 0 { ("a", BAR, label.as_str()) } else { ("b", HIGHLIGHT, "") };
                let share = if largest > 0.0 { value / largest } else { 0.0 };
                let drawn = style.paint(code, &blocks(share, room));
                let (label, written) = (padded(label, label_width), padded(written, value_width));
                lines.push(format!("{label} {mark} {written}  {drawn}").trim_end().to_owned());
            }
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_shows_the_same_map() {
        let map = HeatMap {
            title: "Attention".into(),
            rows: vec!["The".into(), "·cat".into()],
            columns: vec!["The".into(), "·cat".into()],
            values: vec![vec![Some(1.0), None], vec![Some(0.75), Some(0.25)]],
            unit: "weight".into(),
            range: (0.0, 1.0),
            ..HeatMap::default()
        };
        insta::assert_snapshot!(map.text(&TextStyle::plain(40)), @"
        Attention
                0 1
         The 0 ██
        ·cat 1 ▓▓░░
        ·· 0.00 … ██ 1.00  weight
        ");
        assert!(map.text(&TextStyle::coloured(40)).contains("\u{1b}[48;2;253;231;37"));
    }

    #[test]
    fn bars_below_zero_bear_their_sign() {
        let bars = SignedBars {
            title: "Mary less John".into(),
            subtitle: None,
            axis: "logit".into(),
            bars: vec![("layer 0".into(), 2.0), ("layer 1".into(), -1.0)],
        };
        insta::assert_snapshot!(bars.text(&TextStyle::plain(26)), @"
        Mary less John
        layer 0  +2.000  █████████
        layer 1  -1.000  ████▌
        logit
        ");
    }

    #[test]
    fn pairs_stand_below_each_other() {
        let pairs = PairedBars {
            title: "Two predictions".into(),
            names: ["The boy".into(), "The girl".into()],
            bars: vec![("·was".into(), [0.5, 0.25]), (",".into(), [0.0, 0.125])],
        };
        insta::assert_snapshot!(pairs.text(&TextStyle::plain(27)), @"
        Two predictions
        a The boy
        b The girl
        ·was a 50.00 %  ██████████
             b 25.00 %  █████
           , a  0.00 %
             b 12.50 %  ██▌
        ");
    }
}
