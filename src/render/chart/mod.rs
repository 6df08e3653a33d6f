//! What does a picture of the numbers look like, in pixels, in SVG and in a terminal?
//!
//! Each kind of chart is a variant and a file: it lays itself out as a `Scene` of rectangles and
//! text in logical pixels, and the scene knows how to become a PNG or an SVG.

mod axis;
mod bars;
mod columns;
mod font;
mod heading;
mod heat_map;
mod pairs;
mod panels;
mod scatter;
mod scene;
mod shaded;
mod signed;
mod sixel;
mod system_fonts;
mod terminal;
mod terminal_grids;
mod tree;

pub use bars::{Bar, BarChart};
pub use columns::{BarColumn, BarColumns};
pub use heat_map::{Growth, HeatMap};
pub use pairs::PairedBars;
pub use panels::Panels;
pub use scatter::Scatter;
pub use signed::SignedBars;
pub use tree::{TreeChart, Twig};

use crate::error::Result;
use crate::render::shaded::ShadedText;
use crate::render::text::TextStyle;
use scene::Scene;

/// Physical pixels for each logical one, unless asked otherwise: crisp on dense screens.
pub const SCALE: f64 = 2.0;

/// A picture, as plain data.
#[derive(Debug, Clone, PartialEq)]
pub enum Chart {
    Bars(BarChart),
    Tree(TreeChart),
    /// Bars to both sides of zero.
    Signed(SignedBars),
    /// Two bars for each label.
    Pairs(PairedBars),
    /// A column of bars for each stage.
    Columns(BarColumns),
    HeatMap(Box<HeatMap>),
    /// Many small heat maps side by side.
    Panels(Panels),
    /// Points with names.
    Scatter(Scatter),
    ShadedText(ShadedText),
}

impl Chart {
    /// The bytes of a PNG, at least `scale` × 800 pixels wide.
    ///
    /// # Errors
    /// When the chart is empty or crowded, a value cannot be drawn, or `scale` is not within
    /// 0.5..=8.
    pub fn png(&self, scale: f64) -> Result<Vec<u8>> {
        self.scene()?.png(scale)
    }

    /// An SVG document whose text stays text.
    ///
    /// # Errors
    /// As [`Chart::png`].
    pub fn svg(&self) -> Result<String> {
        self.scene()?.svg()
    }

    /// The sequence by which many terminals draw a picture, `scale` pixels for each logical one, or as near to that as
    /// a picture can be.
    ///
    /// # Errors
    /// As [`Chart::png`].
    pub fn sixel(&self, scale: f64) -> Result<String> {
        let scale = scale.clamp(Scene::LEAST_SCALE, Scene::MOST_SCALE);
        Ok(sixel::sixel(&self.scene()?.pixels(scale)?))
    }

    /// Its width and height in logical pixels.
    ///
    /// # Errors
    /// As [`Chart::png`].
    pub fn size(&self) -> Result<(f64, f64)> {
        let Scene { width, height, .. } = self.scene()?;
        Ok((width, height))
    }

    /// The same chart in block characters.
    pub fn text(&self, style: &TextStyle) -> String {
        match self {
            Chart::Bars(chart) => chart.text(style),
            Chart::Tree(chart) => chart.text(style),
            Chart::Signed(chart) => chart.text(style),
            Chart::Pairs(chart) => chart.text(style),
            Chart::Columns(chart) => chart.text(style),
            Chart::HeatMap(chart) => chart.text(style),
            Chart::Panels(chart) => chart.text(style),
            Chart::Scatter(chart) => chart.text(style),
            Chart::ShadedText(text) => text.text(style),
        }
    }

    /// What it shows.
    pub fn title(&self) -> &str {
        match self {
            Chart::Bars(chart) => &chart.title,
            Chart::Tree(chart) => &chart.title,
            Chart::Signed(chart) => &chart.title,
            Chart::Pairs(chart) => &chart.title,
            Chart::Columns(chart) => &chart.title,
            Chart::HeatMap(chart) => &chart.title,
            Chart::Panels(chart) => &chart.title,
            Chart::Scatter(chart) => &chart.title,
            Chart::ShadedText(text) => &text.title,
        }
    }

    fn scene(&self) -> Result<Scene> {
        match self {
            Chart::Bars(chart) => chart.scene(),
            Chart::Tree(chart) => chart.scene(),
            Chart::Signed(chart) => chart.scene(),
            Chart::Pairs(chart) => chart.scene(),
            Chart::Columns(chart) => chart.scene(),
            Chart::HeatMap(chart) => chart.scene(),
            Chart::Panels(chart) => chart.scene(),
            Chart::Scatter(chart) => chart.scene(),
            Chart::ShadedText(text) => text.scene(),
        }
    }
}

impl From<TreeChart> for Chart {
    fn from(chart: TreeChart) -> Self {
        Chart::Tree(chart)
    }
}

impl From<BarChart> for Chart {
    fn from(chart: BarChart) -> Self {
        Chart::Bars(chart)
    }
}
