//! How likely is each of these? Horizontal bars, the likeliest on top.

use super::axis::Axis;
use super::font::Face;
use super::heading::{HALF_DIGIT, MARGIN, WIDTH, heading, start};
use super::scene::{Anchor, Item, Scene, Text, palette};
use crate::error::{Error, Result};
use crate::render::label::{Keep, one_line, shortened};
use crate::render::number::percent;

/// One bar for each label, drawn in the order given.
#[derive(Debug, Clone, PartialEq)]
pub struct BarChart {
    pub title: String,
    /// A second line, such as the end of the prompt; its end is what stays if it is too long.
    pub subtitle: Option<String>,
    /// What the bars measure: `probability`.
    pub axis: String,
    pub bars: Vec<Bar>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    pub label: String,
    /// A share, 0..=1.
    pub value: f64,
    /// Set apart from the others, as the token that was chosen.
    pub highlighted: bool,
}

impl BarChart {
    /// A chart of probabilities without bars yet.
    pub fn new(title: impl Into<String>) -> Self {
        BarChart { title: title.into(), subtitle: None, axis: "probability".into(), bars: Vec::new() }
    }

    pub fn subtitle(mut self, subtitle: impl Into<String>) -> Self {
        self.subtitle = Some(subtitle.into());
        self
    }

    pub fn bar(mut self, label: impl Into<String>, value: f64) -> Self {
        self.bars.push(Bar { label: label.into(), value, highlighted: false });
        self
    }

    pub fn highlighted_bar(mut self, label: impl Into<String>, value: f64) -> Self {
        self.bars.push(Bar { label: label.into(), value, highlighted: true });
        self
    }

    pub(super) fn largest(&self) -> f64 {
        self.bars.iter().map(|bar| bar.value).fold(0.0, f64::max)
    }

    fn check(&self) -> Result<()> {
        let title = self.title.clone();
        let count = self.bars.len();
        if count == 0 {
            return Err(Error::ChartEmpty { title });
        }
        if count > MOST_BARS {
            return Err(Error::ChartCrowded { title, count, limit: MOST_BARS });
        }
        match self.bars.iter().find(|bar| !(0.0..=1.0).contains(&bar.value)) {
            Some(bar) => Err(Error::ChartValue { label: bar.label.clone(), value: bar.value }),
            None => Ok(()),
        }
    }
}

/// Beyond this a picture is a poster, and a table reads better.
const MOST_BARS: usize = 200;

// Logical pixels.
/// Room to the right of the axis for the longest bar's percentage.
const VALUE_ROOM: f64 = 84.0;
const LABEL_ROOM: f64 = 232.0;
const GAP: f64 = 12.0;
const FOOTER: f64 = 64.0;
const LABEL_SIZE: f64 = 14.5;
const VALUE_SIZE: f64 = 13.0;
const TICK_SIZE: f64 = 12.0;
const AXIS_SIZE: f64 = 12.5;

impl BarChart {
    pub(super) fn scene(&self) -> Result<Scene> {
        self.check()?;
        let plot = Plot::of(self);
        let mut items = Vec::new();
        items.extend(heading(&self.title, self.subtitle.as_deref(), WIDTH));
        items.extend(plot.grid());
        for (row, bar) in self.bars.iter().enumerate() {
            items.extend(plot.row(row, bar));
        }
        items.push(plot.axis_line());
        items.extend(plot.axis_text(&self.axis));
        Ok(Scene { width: WIDTH, height: plot.bottom + FOOTER, items })
    }
}

/// Where the bars stand.
struct Plot {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    /// From one bar to the next.
    pitch: f64,
    axis: Axis,
}

impl Plot {
    fn of(chart: &BarChart) -> Plot {
        let labels =
            chart.bars.iter().map(|bar| Face::Mono.width(&label(bar), LABEL_SIZE)).fold(0.0, f64::max);
        let top = if chart.subtitle.is_some() { 80.0 } else { 60.0 };
        let count = chart.bars.len();
        let pitch = match count {
            0..=12 => 35.6,
            13..=24 => 29.0,
            _ => 24.0,
        };
        Plot {
            left: MARGIN + labels + GAP,
            right: WIDTH - MARGIN - VALUE_ROOM,
            top,
            bottom: top + pitch * count as f64,
            pitch,
            axis: Axis::of(chart.largest()),
        }
    }

    /// Where a value lies on the axis.
    fn x(&self, value: f64) -> f64 {
        self.left + (self.right - self.left) * value / self.axis.end
    }

    fn grid(&self) -> impl Iterator<Item = Item> {
        let lines: Vec<_> =
            self.axis.ticks().skip(1).map(|(value, _)| self.vertical(value, palette::GRID)).collect();
        lines.into_iter()
    }

    fn axis_line(&self) -> Item {
        self.vertical(0.0, palette::AXIS)
    }

    fn vertical(&self, value: f64, colour: palette::Colour) -> Item {
        let (top, height) = (self.top, self.bottom - self.top);
        Item::Rectangle { left: self.x(value), top, width: 1.0, height, colour }
    }

    fn row(&self, row: usize, bar: &Bar) -> [Item; 4] {
        let middle = self.top + self.pitch * (row as f64 + 0.5);
        let thickness = self.pitch * 0.64;
        let end = self.x(bar.value);
        let colour = if bar.highlighted { palette::HIGHLIGHT } else { palette::BAR };
        let baseline = |size| middle + HALF_DIGIT * size;
        let mut label =
            start(label(bar), Face::Mono, LABEL_SIZE, palette::INK, self.left - GAP, baseline(LABEL_SIZE));
        label.anchor = Anchor::End;
        let value = percent(bar.value);
        let face = if bar.highlighted { Face::Bold } else { Face::Sans };
        // Lines of the grid stop short of a number.
        let behind = Item::Rectangle {
            left: end + 1.0,
            top: middle - thickness / 2.0,
            width: face.width(&value, VALUE_SIZE) + 11.0,
            height: thickness,
            colour: palette::BACKGROUND,
        };
        let value = start(value, face, VALUE_SIZE, palette::INK, end + 8.0, baseline(VALUE_SIZE));
        [
            behind,
            Item::Text(label),
            Item::Rectangle {
                left: self.left,
                top: middle - thickness / 2.0,
                width: end - self.left,
                height: thickness,
                colour,
            },
            Item::Text(value),
        ]
    }

    fn axis_text(&self, name: &str) -> impl Iterator<Item = Item> {
        let centred = |content: String, size, x, baseline| {
            let text = start(content, Face::Sans, size, palette::MUTED, x, baseline);
            Item::Text(Text { anchor: Anchor::Middle, ..text })
        };
        let ticks = self
            .axis
            .ticks()
            .map(|(value, text)| centred(text, TICK_SIZE, self.x(value), self.bottom + 20.0));
        let middle = (self.left + self.right) / 2.0;
        let name = centred(one_line(name).into_owned(), AXIS_SIZE, middle, self.bottom + 43.0);
        ticks.chain([name]).collect::<Vec<_>>().into_iter()
    }
}

fn label(bar: &Bar) -> String {
    let measure = |text: &str| Face::Mono.width(text, LABEL_SIZE);
    shortened(&one_line(&bar.label), Keep::Ends, LABEL_ROOM, measure)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::render::Chart;

    /// A chart with every kind of label that is awkward.
    pub fn tokens() -> BarChart {
        BarChart::new("The likeliest next tokens")
            .subtitle("I love machine")
            .highlighted_bar("·programming", 0.1576)
            .bar("·learning", 0.1484)
            .bar("↵", 0.0788)
            .bar("中", 0.0394)
            .bar("<a & b>", 0.0197)
    }

    struct Picture {
        width: usize,
        pixels: Vec<u8>,
    }

    impl Picture {
        fn of(chart: BarChart, scale: f64) -> Picture {
            let bytes = Chart::from(chart).png(scale).unwrap();
            let mut reader = png::Decoder::new(bytes.as_slice()).read_info().unwrap();
            let mut pixels = vec![0; reader.output_buffer_size()];
            let frame = reader.next_frame(&mut pixels).unwrap();
            Picture { width: frame.width as usize, pixels }
        }

        fn rows(&self) -> impl Iterator<Item = Vec<palette::Colour>> {
            let row = |row: &[u8]| row.chunks_exact(3).map(|pixel| (pixel[0], pixel[1], pixel[2])).collect();
            self.pixels.chunks_exact(self.width * 3).map(row)
        }

        /// The colour and the length in pixels of each bar, from the top.
        fn bars(&self) -> Vec<(palette::Colour, usize)> {
            let mut bars = Vec::new();
            let mut above = false;
            for row in self.rows() {
                let bar = row.iter().find(|&&pixel| pixel == palette::BAR || pixel == palette::HIGHLIGHT);
                if let (Some(&colour), false) = (bar, above) {
                    bars.push((colour, row.iter().filter(|&&pixel| pixel == colour).count()));
                }
                above = bar.is_some();
            }
            bars
        }

        fn margins_are_blank(&self) -> bool {
            let blank = |pixels: &[palette::Colour]| pixels.iter().all(|&pixel| pixel == palette::BACKGROUND);
            let margin = self.width / 32;
            self.rows().all(|row| blank(&row[..margin]) && blank(&row[self.width - margin..]))
        }
    }

    #[test]
    fn the_picture_has_a_bar_for_each_token_as_long_as_it_is_likely() {
        let picture = Picture::of(tokens(), 2.0);
        assert_eq!(picture.width, 1600);
        let bars = picture.bars();
        let colours: Vec<_> = bars.iter().map(|(colour, _)| *colour).collect();
        assert_eq!(colours[0], palette::HIGHLIGHT);
        assert_eq!(colours[1..], [palette::BAR; 4]);
        for (bar, (_, length)) in tokens().bars.iter().zip(&bars) {
            let expected = bar.value / 0.1576 * bars[0].1 as f64;
            // The line of the axis covers the first pixels of each bar.
            assert!((*length as f64 - expected).abs() <= 3.0, "{}: {length}, not {expected}", bar.label);
        }
        assert!(picture.margins_are_blank());
    }

    #[test]
    fn any_number_of_bars_with_labels_of_any_length_stays_within_the_picture() {
        for count in [1, 12, 60] {
            let mut chart = BarChart::new("title ".repeat(50)).subtitle("subtitle ".repeat(50));
            for bar in 1..=count {
                chart = chart.bar("wörter中🙂".repeat(bar), 1.0 / bar as f64);
            }
            let picture = Picture::of(chart, 2.0);
            assert_eq!(picture.bars().len(), count);
            assert!(picture.margins_are_blank(), "{count}");
        }
    }

    #[test]
    fn next_to_nothing_can_be_drawn_and_nonsense_is_refused() {
        for value in [0.0, 1e-300, 1e-9, 1.0] {
            assert!(Picture::of(BarChart::new("").bar("", value), 0.5).margins_are_blank());
        }
        let error = |chart: BarChart, scale| Chart::from(chart).png(scale).unwrap_err().to_string();
        assert_eq!(error(BarChart::new("Next"), 2.0), "the chart `Next` has no bars, but needs at least 1");
        assert_eq!(
            error(BarChart::new("").bar("a", f64::NAN), 2.0),
            "the bar `a` is NaN, but must be at least 0 and at most 1"
        );
        assert_eq!(error(tokens(), f64::NAN), "`scale` is NaN, but must be at least 0.5 and at most 8");
        let crowd = (0..201).fold(BarChart::new("Crowd"), |chart, _| chart.bar("a", 0.1));
        assert_eq!(error(crowd, 2.0), "the chart `Crowd` has 201 bars, but at most 200 fit a picture");
    }

    #[test]
    fn svg_is_well_formed_and_its_text_is_text() {
        let svg = Chart::from(tokens()).svg().unwrap();
        assert!(svg.starts_with("<svg width=\"800\"") && svg.trim_end().ends_with("</svg>"));
        let text: String = svg.lines().filter(|line| !line.starts_with('<')).collect::<Vec<_>>().join("|");
        assert_eq!(
            text,
            "The likeliest next tokens|I love machine|·programming|15.76 %|·learning|14.84 %|↵|7.88 %|中|3.94 %|\
             &lt;a &amp; b&gt;|1.97 %|0 %|5 %|10 %|15 %|20 %|probability"
        );
        let mut open = Vec::new();
        for tag in svg.split('<').skip(1) {
            let (tag, _) = tag.split_once('>').expect("each tag is closed");
            let name = tag.split([' ', '/']).find(|name| !name.is_empty()).unwrap();
            match (tag.starts_with('/'), tag.ends_with('/')) {
                (true, _) => assert_eq!(open.pop(), Some(name)),
                (_, false) => open.push(name),
                (false, true) => {}
            }
            assert_eq!(tag.matches('"').count() % 2, 0);
        }
        assert!(open.is_empty());
    }
}
