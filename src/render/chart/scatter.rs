//! How do things lie to each other? Points on a plane, each with its name.

use unicode_width::UnicodeWidthStr;

use super::axis::round_steps;
use super::font::Face;
use super::heading::{HALF_DIGIT, MARGIN, WIDTH, below, heading, start};
use super::scene::{Anchor, Item, Scene, Text, palette};
use crate::error::{Error, Result};
use crate::render::label::{Keep, one_line, shortened};
use crate::render::text::{BOLD, DIM, TextStyle};

/// Points with names; both axes have the same scale, so that distances can be compared.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scatter {
    pub title: String,
    pub subtitle: Option<String>,
    /// What lies along the first and the second axis.
    pub axes: [String; 2],
    pub points: Vec<(String, [f64; 2])>,
}

const MOST_POINTS: usize = 200;

// Logical pixels.
const LABEL_SIZE: f64 = 12.0;
const LABEL_ROOM: f64 = 150.0;
const NAME_SIZE: f64 = 12.5;
const LEFT: f64 = MARGIN + 46.0;
const HEIGHT: f64 = 520.0;
const DOT: f64 = 3.5;
/// Free space along the frame, for names of points at its edge.
const INSET: f64 = 34.0;

/// Left, top, right, bottom.
type Area = [f64; 4];

impl Scatter {
    pub(super) fn scene(&self) -> Result<Scene> {
        self.check()?;
        let top = below(self.subtitle.as_deref());
        let (right, bottom) = (WIDTH - MARGIN, top + HEIGHT);
        let frame = Frame::new(&self.points, [LEFT, top, right, bottom]);
        let mut items: Vec<Item> = heading(&self.title, self.subtitle.as_deref(), WIDTH).collect();
        let line = |left, top, width, height, colour| Item::Rectangle { left, top, width, height, colour };
        let text = |content: String, size, x, baseline, anchor| Text {
            anchor,
            ..start(content, Face::Sans, size, palette::MUTED, x, baseline)
        };
        for (value, written) in frame.ticks(0) {
            let colour = if value == 0.0 { palette::AXIS } else { palette::GRID };
            items.push(line(frame.x(value), top, 1.0, HEIGHT, colour));
            items.push(Item::Text(text(written, LABEL_SIZE, frame.x(value), bottom + 18.0, Anchor::Middle)));
        }
        for (value, written) in frame.ticks(1) {
            let colour = if value == 0.0 { palette::AXIS } else { palette::GRID };
            items.push(line(LEFT, frame.y(value), right - LEFT, 1.0, colour));
            let baseline = frame.y(value) + HALF_DIGIT * LABEL_SIZE;
            items.push(Item::Text(text(written, LABEL_SIZE, LEFT - 8.0, baseline, Anchor::End)));
        }
        let [first, second] = self.axes.each_ref().map(|name| one_line(name).into_owned());
        items.push(Item::Text(text(first, NAME_SIZE, (LEFT + right) / 2.0, bottom + 40.0, Anchor::Middle)));
        items.push(Item::Turned(text(second, NAME_SIZE, MARGIN + 6.0, (top + bottom) / 2.0, Anchor::Middle)));
        items.extend(self.named_points(&frame, [LEFT, top, right, bottom]));
        Ok(Scene { width: WIDTH, height: bottom + 60.0, items })
    }

    /// Dots and names; a name that found no room at its dot has a line to it.
    fn named_points(&self, frame: &Frame, bounds: Area) -> Vec<Item> {
        let dots: Vec<(f64, f64)> =
            self.points.iter().map(|(_, [x, y])| (frame.x(*x), frame.y(*y))).collect();
        let mut taken: Vec<Area> = dots.iter().map(|(x, y)| [x - DOT, y - DOT, x + DOT, y + DOT]).collect();
        let (mut lines, mut names) = (Vec::new(), Vec::new());
        for ((name, _), (x, y)) in self.points.iter().zip(&dots) {
            let measure = |text: &str| Face::Mono.width(text, LABEL_SIZE);
            let name = shortened(&one_line(name), Keep::Ends, LABEL_ROOM, measure);
            let (area, away) = free_place((*x, *y), (measure(&name), LABEL_SIZE + 2.0), bounds, &taken);
            taken.push(area);
            if away {
                let to = (area[0].max(x.min(area[2])), if area[1] > *y { area[1] } else { area[3] });
                lines.push(Item::Line { from: (*x, *y), to, colour: palette::AXIS });
            }
            // Lines of the grid stop short of a name.
            names.push(Item::Rectangle {
                left: area[0],
                top: area[1],
                width: area[2] - area[0],
                height: area[3] - area[1],
                colour: palette::BACKGROUND,
            });
            let baseline = (area[1] + area[3]) / 2.0 + HALF_DIGIT * LABEL_SIZE;
            names.push(Item::Text(start(name, Face::Mono, LABEL_SIZE, palette::INK, area[0], baseline)));
        }
        let dot = |(x, y): &(f64, f64)| Item::Dot { centre: (*x, *y), radius: DOT, colour: palette::BAR };
        lines.into_iter().chain(dots.iter().map(dot)).chain(names).collect()
    }

    fn check(&self) -> Result<()> {
        let (title, count) = (self.title.clone(), self.points.len());
        if count == 0 {
            return Err(Error::ChartEmpty { title });
        }
        if count > MOST_POINTS {
            return Err(Error::ChartCrowded { title, count, limit: MOST_POINTS });
        }
        match self.points.iter().flat_map(|(_, place)| place).find(|value| !value.is_finite()) {
            Some(value) => Err(Error::ChartNotFinite { title, value: *value }),
            None => Ok(()),
        }
    }

    /// The same in rows of characters: a name begins at its point, or in the nearest row that has room.
    pub fn text(&self, style: &TextStyle) -> String {
        const ROWS: usize = 22;
        let cells = |text: &str| text.width() as f64;
        let width = style.width.clamp(30, 100);
        let names: Vec<String> =
            self.points.iter().map(|(name, _)| shortened(&one_line(name), Keep::Ends, 20.0, cells)).collect();
        let widest = names.iter().map(|name| name.width()).max().unwrap_or(0) + 2;
        let [(left, right), (low, high)] = [0, 1].map(|axis| range(&self.points, axis));
        let place = |value: f64, low: f64, high: f64, room: usize| {
            if high > low { ((value - low) / (high - low) * room as f64).round() as usize } else { room / 2 }
        };
        // What is written in each row, as columns from and to with the text.
        let mut rows: Vec<Vec<(usize, usize, String)>> = vec![Vec::new(); ROWS];
        let mut left_over = Vec::new();
        for (name, (_, [x, y])) in names.iter().zip(&self.points) {
            let from = place(*x, left, right, width.saturating_sub(widest));
            let row = ROWS - 1 - place(*y, low, high, ROWS - 1);
            let to = from + name.width() + 2;
            let mut near: Vec<usize> = (0..ROWS).collect();
            near.sort_by_key(|other| other.abs_diff(row));
            let is_free = |row: &&usize| rows[**row].iter().all(|(a, b, _)| to < *a || *b < from);
            match near.iter().take(5).find(is_free) {
                Some(row) => rows[*row].push((from, to, format!("•{name}"))),
                None => left_over.push(name.clone()),
            }
        }
        let mut lines = vec![style.paint(BOLD, &self.title)];
        lines.extend(self.subtitle.as_ref().map(|subtitle| style.paint(DIM, subtitle)));
        for mut row in rows {
            row.sort();
            let mut line = String::new();
            for (from, _, text) in row {
                line += &" ".repeat(from.saturating_sub(line.width()));
                line += &text;
            }
            lines.push(line);
        }
        if !left_over.is_empty() {
            lines.push(format!("no room for {}", left_over.join(", ")));
        }
        lines.push(style.paint(DIM, &format!("→ {}; ↑ {}", self.axes[0], self.axes[1])));
        lines.join("\n")
    }
}

/// The least and the largest value along an axis.
fn range(points: &[(String, [f64; 2])], axis: usize) -> (f64, f64) {
    let all = || points.iter().map(|(_, place)| place[axis]);
    (all().fold(f64::MAX, f64::min), all().fold(f64::MIN, f64::max))
}

/// Where values lie in the picture.
struct Frame {
    /// Pixels for a unit of either axis.
    scale: f64,
    /// The values in the middle of the picture, and the middle.
    centre: [f64; 2],
    middle: [f64; 2],
    half: [f64; 2],
}

impl Frame {
    fn new(points: &[(String, [f64; 2])], [left, top, right, bottom]: Area) -> Frame {
        let ranges = [0, 1].map(|axis| range(points, axis));
        let half = [(right - left) / 2.0, (bottom - top) / 2.0];
        // Names stand to the right and left more than above and below.
        let room = [2.0 * (half[0] - 2.0 * INSET), 2.0 * (half[1] - INSET)];
        let fits = |axis: usize| room[axis] / (ranges[axis].1 - ranges[axis].0);
        let scale = f64::min(fits(0), fits(1));
        Frame {
            scale: if scale.is_finite() { scale } else { 1.0 },
            centre: ranges.map(|(low, high)| (low + high) / 2.0),
            middle: [(left + right) / 2.0, (top + bottom) / 2.0],
            half,
        }
    }

    fn x(&self, value: f64) -> f64 {
        self.middle[0] + (value - self.centre[0]) * self.scale
    }

    fn y(&self, value: f64) -> f64 {
        self.middle[1] - (value - self.centre[1]) * self.scale
    }

    /// Round values within the frame along an axis.
    fn ticks(&self, axis: usize) -> Vec<(f64, String)> {
        let reach = self.half[axis] / self.scale;
        round_steps(self.centre[axis] - reach, self.centre[axis] + reach, 6)
    }
}

/// A free place for a name of this size near a dot, and whether it lies away from it. If there is none, the place that
/// covers least.
fn free_place((x, y): (f64, f64), (width, height): (f64, f64), bounds: Area, taken: &[Area]) -> (Area, bool) {
    let near = DOT + 3.0;
    let beside = [near, -near - width].map(|dx| (dx, -height / 2.0));
    let above_and_below = [-near - height, near].map(|dy| (-width / 2.0, dy));
    let around = (2..14).flat_map(|ring| {
        let away = f64::from(ring) * 9.0;
        [
            (near, -away),
            (near, away),
            (-near - width, -away),
            (-near - width, away),
            (-width / 2.0, -away - height),
            (-width / 2.0, away),
        ]
        .map(|(dx, dy)| (dx, dy - height / 2.0))
    });
    let places = beside.into_iter().chain(above_and_below).map(|at| (at, false));
    let places = places.chain(around.map(|at| (at, true))).map(|((dx, dy), away)| {
        let (left, top) = (x + dx, y + dy);
        ([left, top, left + width, top + height], away)
    });
    let covered = |area: &Area| -> f64 {
        let outside = (bounds[0] - area[0]).max(0.0)
            + (bounds[1] - area[1]).max(0.0)
            + (area[2] - bounds[2]).max(0.0)
            + (area[3] - bounds[3]).max(0.0);
        let common = |other: &Area| {
            let across = (area[2].min(other[2]) - area[0].max(other[0])).max(0.0);
            across * (area[3].min(other[3]) - area[1].max(other[1])).max(0.0)
        };
        1000.0 * outside + taken.iter().map(common).sum::<f64>()
    };
    let mut best: Option<(f64, (Area, bool))> = None;
    for place in places {
        let cover = covered(&place.0);
        if cover == 0.0 {
            return place;
        }
        if best.is_none_or(|(least, _)| cover < least) {
            best = Some((cover, place));
        }
    }
    best.map_or(([x, y, x + width, y + height], false), |(_, place)| place)
}

impl From<Scatter> for super::Chart {
    fn from(scatter: Scatter) -> Self {
        super::Chart::Scatter(scatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crowd(count: usize) -> Scatter {
        let point = |index: usize| {
            let angle = index as f64 * 2.4;
            let away = (index as f64).sqrt() / 3.0;
            (format!("·word{index}"), [away * angle.cos(), away * angle.sin()])
        };
        Scatter {
            title: "Words".into(),
            axes: ["first".into(), "second".into()],
            points: (0..count).map(point).collect(),
            ..Scatter::default()
        }
    }

    #[test]
    fn no_name_covers_another_or_leaves_the_frame() {
        for count in [1, 3, 20, 60] {
            let scene = crowd(count).scene().unwrap();
            let names: Vec<Area> = scene
                .items
                .iter()
                .filter_map(|item| match item {
                    Item::Text(Text { content, x, baseline, .. }) if content.starts_with("·word") => {
                        let width = Face::Mono.width(content, LABEL_SIZE);
                        Some([*x, baseline - 9.0, x + width, *baseline])
                    }
                    _ => None,
                })
                .collect();
            assert_eq!(names.len(), count);
            for (index, a) in names.iter().enumerate() {
                assert!(a[0] >= 0.0 && a[2] <= scene.width && a[1] >= 0.0 && a[3] <= scene.height);
                let covers = |b: &Area| a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
                assert!(!names[index + 1..].iter().any(covers), "{count}: {a:?}");
            }
        }
    }

    #[test]
    fn a_terminal_shows_names_at_their_points() {
        let points = vec![("a".into(), [-1.0, 0.0]), ("b".into(), [1.0, 1.0]), ("c".into(), [1.0, -1.0])];
        let scatter = Scatter { points, ..crowd(0) };
        let text = scatter.text(&TextStyle::plain(40));
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].trim_start() == "•b" && lines[22].trim_start() == "•c", "{text}");
        assert_eq!(lines.last(), Some(&"→ first; ↑ second"));
        assert!(matches!(crowd(0).scene(), Err(Error::ChartEmpty { .. })));
    }
}
