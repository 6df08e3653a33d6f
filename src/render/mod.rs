//! What did a cell produce, and how does it look in each medium?
//!
//! An [`Output`] is plain data. A front end asks it for the media it can show: a terminal for
//! [`Output::text`], a notebook for [`Output::html`] and [`Output::png`] too. Nothing here
//! computes anything about models, and nothing here prints.

mod blocks;
pub mod chart;
pub mod colours;
pub mod html;
pub mod label;
pub mod number;
pub mod page;
mod prose;
pub mod shaded;
pub mod table;
pub mod text;
pub mod wrap;

pub use blocks::blocks;
pub use chart::{
    Bar, BarChart, BarColumn, BarColumns, Chart, Growth, HeatMap, PairedBars, Panels, Scatter, SignedBars,
    TreeChart, Twig,
};
pub use label::label;
pub use page::Page;
pub use shaded::ShadedText;
pub use table::{Align, Cell, Column, Table};
pub use text::TextStyle;

use std::io::Write;
use std::path::Path;

use crate::error::{Error, Result};

/// Something that a cell produced.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// The printed form of a value; a front end ends its line.
    Text(String),
    /// Text as it was written, piece by piece: `print`, the progress of a generation.
    Stream(String),
    /// Prose in Markdown.
    Markdown(String),
    Table(Table),
    Chart(Chart),
    /// A text whose pieces are shaded by a value.
    ShadedText(ShadedText),
    /// Many of them, with prose between.
    Page(Page),
}

impl Output {
    /// For a terminal, or any place that shows only text. [`Output::Stream`] is as it was
    /// written; all others end without a newline.
    pub fn text(&self, style: &TextStyle) -> String {
        match self {
            Output::Text(text) | Output::Stream(text) => text.clone(),
            Output::Markdown(source) => text::markdown(source, style),
            Output::Table(table) => table.text(style),
            Output::Chart(chart) => chart.text(style),
            Output::ShadedText(shaded) => shaded.text(style),
            Output::Page(page) => page.text(style),
        }
    }

    /// For a notebook or a web page: a fragment that needs no style sheet. `None` where the
    /// plain text says it all, and for a chart, which has pictures.
    pub fn html(&self) -> Option<String> {
        match self {
            Output::Table(table) => Some(table.html()),
            Output::Markdown(source) => Some(html::markdown(source)),
            Output::ShadedText(shaded) => Some(shaded.html()),
            Output::Page(page) => Some(page.body()),
            Output::Text(_) | Output::Stream(_) | Output::Chart(_) => None,
        }
    }

    /// For a page in Markdown. `None` where the plain text says it all, and for a chart.
    pub fn markdown(&self) -> Option<String> {
        match self {
            Output::Table(table) => Some(table.markdown()),
            Output::Markdown(source) => Some(source.clone()),
            Output::ShadedText(shaded) => Some(shaded.html()),
            Output::Text(_) | Output::Stream(_) | Output::Chart(_) | Output::Page(_) => None,
        }
    }

    /// A picture as the bytes of a PNG, at least 1600 pixels wide, where there is one.
    pub fn png(&self) -> Option<Result<Vec<u8>>> {
        match self {
            Output::Chart(chart) => Some(chart.png(chart::SCALE)),
            _ => None,
        }
    }

    /// The same picture as SVG.
    pub fn svg(&self) -> Option<Result<String>> {
        match self {
            Output::Chart(chart) => Some(chart.svg()),
            _ => None,
        }
    }
}

/// Writes a file whole or not at all: what was there stays until the new one is complete.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = || Error::io("write", path);
    let mut builder = tempfile::Builder::new();
    // Temporary files are private; this one is to be as readable as any other that the user makes.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder).map_err(failed())?;
    file.write_all(bytes).map_err(failed())?;
    file.persist(path).map_err(|error| failed()(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_output_offers_the_media_that_it_has() {
        let style = TextStyle::plain(80);
        let table = Output::Table(Table::new([Column::left("token")]).row(["·the"]));
        assert!(table.html().is_some() && table.markdown().is_some() && table.png().is_none());

        let chart = Output::Chart(Chart::Bars(BarChart::new("Next token").bar("·the", 0.5)));
        assert!(chart.html().is_none() && chart.png().unwrap().is_ok() && chart.svg().unwrap().is_ok());
        assert!(chart.text(&style).contains("50.00 %"));

        let stream = Output::Stream("half a li".into());
        assert_eq!(stream.text(&style), "half a li");
        assert!(stream.html().is_none() && stream.svg().is_none());
    }
}
