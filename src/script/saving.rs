//! A script's values as files of the output folder.

use std::path::{Path, PathBuf};

use rhai::Dynamic;

use super::bindings::values;
use super::state::State;
use super::{json, show};
use crate::error::{Error, Result};
use crate::render::{self, Chart, Output, Page};

/// Writes a value into the output folder, in the form that the name's ending asks for.
pub fn save(state: &State, value: &Dynamic, name: &str) -> Result<PathBuf> {
    let path = state.files.to_write(name)?;
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase();
    let wrong = |what, formats| {
        move |error| match error {
            Error::WrongArgument { .. } => Error::WrongFormat { what, name: name.to_owned(), formats },
            error => error,
        }
    };
    let interrupt = &state.interrupt;
    let as_table = || show::table(value, None, interrupt).map_err(wrong("this value", "`.json`"));
    let as_chart = || show::chart(value, show::ROWS).map_err(wrong("this value", "`.csv`, `.json` or `.md`"));
    let is_chart = value.is::<Chart>();
    let is_page = value.is::<Page>();
    let bytes = match ending.as_str() {
        "html" => interrupt.watch(page(value, name).parts()).collect::<Result<String>>()?.into_bytes(),
        _ if is_page => {
            return Err(Error::WrongFormat { what: "a report", name: name.to_owned(), formats: "`.html`" });
        }
        "png" => drawn(state, as_chart()?, |chart| chart.png(render::chart::SCALE))?,
        "svg" => drawn(state, as_chart()?, |chart| chart.svg().map(String::into_bytes))?,
        "csv" if !is_chart => {
            interrupt.watch(as_table()?.csv_parts()).collect::<Result<String>>()?.into_bytes()
        }
        "md" if !is_chart => {
            interrupt.watch(as_table()?.markdown_parts()).collect::<Result<String>>()?.into_bytes()
        }
        "json" if !is_chart => (json::written(value, interrupt)? + "\n").into_bytes(),
        _ => {
            let (what, formats) = match is_chart {
                true => ("a chart", "`.png`, `.svg` or `.html`"),
                false => {
                    ("this value", "`.csv`, `.json`, `.md` or `.html`, for a chart of it `.png` or `.svg`")
                }
            };
            return Err(Error::WrongFormat { what, name: name.to_owned(), formats });
        }
    };
    render::write(&path, &bytes)?;
    Ok(path)
}

/// A chart as the bytes of a picture.
fn drawn(state: &State, chart: Chart, draw: fn(&Chart) -> Result<Vec<u8>>) -> Result<Vec<u8>> {
    state.interrupt.unless_asked(move |_| draw(&chart))
}

/// A value as a page of its own, named after its file.
fn page(value: &Dynamic, name: &str) -> Page {
    if let Some(page) = value.read_lock::<Page>() {
        return page.clone();
    }
    let title = Path::new(name).file_stem().unwrap_or_default().to_string_lossy();
    Page::of(&title, show::output(value).unwrap_or_else(|| Output::Text(values::format(value))))
}
