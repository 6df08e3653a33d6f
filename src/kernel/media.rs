//! An output ↔ the MIME bundle that notebooks keep.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::render::{Output, TextStyle, chart};
use crate::script::report::Report;

/// Characters in a line of a notebook's plain text.
const WIDTH: usize = 100;

/// Data by MIME type, and how large pictures are to be shown.
pub struct Bundle {
    pub data: Value,
    pub metadata: Value,
}

/// An output in all media that it has.
pub fn bundle(output: &Output) -> Bundle {
    bundle_watched(output, &Interrupt::default()).expect("nobody asks to stop")
}

/// The same, one after the other. Fails where somebody asks to stop.
pub fn bundle_watched(output: &Output, interrupt: &Interrupt) -> Result<Bundle> {
    let mut data = Map::new();
    let mut metadata = Map::new();
    let plain = output.text(&TextStyle::plain(WIDTH));
    data.insert("text/plain".to_owned(), plain.trim_end_matches('\n').into());
    // Prose is left to the client, which sets it in its own type.
    let html = match output {
        Output::Page(page) => Some(interrupt.watch(page.body_parts()).collect::<Result<String>>()?),
        Output::Markdown(_) => None,
        output => output.html(),
    };
    data.extend(html.map(|html| ("text/html".to_owned(), html.into())));
    interrupt.check()?;
    if let Some(markdown) = output.markdown() {
        data.insert("text/markdown".to_owned(), markdown.into());
    }
    if let Some(Ok(svg)) = output.svg() {
        data.insert("image/svg+xml".to_owned(), svg.into());
    }
    interrupt.check()?;
    match output.png() {
        Some(Ok(png)) => {
            data.insert("image/png".to_owned(), STANDARD.encode(&png).into());
            metadata.insert("image/png".to_owned(), shown_size(&png));
        }
        Some(Err(error)) => {
            let hint = error.hint().map_or(String::new(), |hint| format!("\nhint: {hint}"));
            data.insert("text/plain".to_owned(), format!("error: {error}{hint}").into());
        }
        None => {}
    }
    Ok(Bundle { data: data.into(), metadata: metadata.into() })
}

/// What went wrong, as `error` messages and notebooks say it; the traceback is coloured.
pub fn failure(report: &Report) -> Value {
    let name = if report.interrupted { "Interrupted" } else { "Error" };
    let text = report.text(&TextStyle::unbroken(true));
    let traceback: Vec<&str> = text.lines().collect();
    json!({ "ename": name, "evalue": report.message, "traceback": traceback })
}

/// In CSS pixels: pictures have more of them than they are to fill, for dense screens.
fn shown_size(png: &[u8]) -> Value {
    // The header chunk begins after the signature, its length and its name.
    let number =
        |at: usize| png.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
    let shown = |at| number(at).map(|pixels| (f64::from(pixels) / chart::SCALE).round() as u32);
    json!({ "width": shown(16), "height": shown(20) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::{BarChart, Chart};

    #[test]
    fn a_chart_goes_out_in_all_its_forms_at_half_its_pixels() {
        let bundle = bundle(&Output::Chart(Chart::Bars(BarChart::new("Next token").bar("·the", 0.5))));
        let media: Vec<&String> = bundle.data.as_object().unwrap().keys().collect();
        assert_eq!(media, ["text/plain", "image/svg+xml", "image/png"]);
        assert_eq!(bundle.metadata["image/png"]["width"], 800);
        assert!(bundle.data["image/png"].as_str().unwrap().starts_with("iVBORw0KGgo"));
    }

    #[test]
    fn a_chart_that_cannot_be_drawn_says_why() {
        let bundle = bundle(&Output::Chart(Chart::Bars(BarChart::new("Nothing"))));
        assert!(bundle.data["text/plain"].as_str().unwrap().starts_with("error: "));
        assert!(bundle.data.get("image/png").is_none());
    }
}
