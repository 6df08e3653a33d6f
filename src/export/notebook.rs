//! Cells ↔ a Jupyter notebook, format 4.5 (<https://nbformat.readthedocs.io/en/latest/format_description.html>).

use serde_json::{Value, json};

use super::Shown;
use crate::kernel::media::{self, Bundle};
use crate::render::Output;
use crate::script::cells::{Cell, Kind};

/// A notebook with what its cells gave.
pub fn write(shown: &[Shown]) -> String {
    let mut count = 0;
    let mut cell = |(index, shown): (usize, &Shown)| {
        let id = format!("cell-{}", index + 1);
        match shown.cell.kind {
            Kind::Markdown => {
                json!({ "cell_type": "markdown", "id": id, "metadata": {}, "source": lines(&shown.cell.source) })
            }
            Kind::Code => {
                count += 1;
                json!({
                    "cell_type": "code", "execution_count": count, "id": id, "metadata": {},
                    "outputs": outputs(shown, count), "source": lines(&shown.cell.source),
                })
            }
        }
    };
    let cells: Vec<Value> = shown.iter().enumerate().map(&mut cell).collect();
    let notebook = json!({
        "cells": cells,
        "metadata": {
            "kernelspec": { "display_name": "tokenscope", "language": "rhai", "name": "tokenscope" },
            "language_info": { "file_extension": ".rhai", "mimetype": "text/x-rhai", "name": "rhai", "pygments_lexer": "rust" },
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    });
    serde_json::to_string_pretty(&notebook).expect("plain data can be written") + "\n"
}

fn outputs(shown: &Shown, count: usize) -> Vec<Value> {
    let display = |output: &Output| match output {
        Output::Stream(text) => json!({ "name": "stdout", "output_type": "stream", "text": lines(text) }),
        output => {
            let Bundle { data, metadata } = media::bundle(output);
            json!({ "data": data, "metadata": metadata, "output_type": "display_data" })
        }
    };
    let result = |output: &Output| {
        let Bundle { data, metadata } = media::bundle(output);
        json!({ "data": data, "execution_count": count, "metadata": metadata, "output_type": "execute_result" })
    };
    shown.outputs.iter().map(display).chain(shown.result.iter().map(result)).collect()
}

/// Text as notebooks keep it: line by line, so that changes of it are easy to see.
fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// The cells of a notebook; those with nothing in them, and raw ones, are left out.
pub fn read(text: &str) -> Result<Vec<Cell>, String> {
    let notebook: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let format = notebook["nbformat"].as_u64().ok_or("it names no notebook format")?;
    if format != 4 {
        return Err(format!("its format is {format}, but must be 4"));
    }
    let cells = notebook["cells"].as_array().ok_or("it has no cells")?;
    let mut read = Vec::new();
    for (index, cell) in cells.iter().enumerate() {
        let kind = match cell["cell_type"].as_str() {
            Some("code") => Kind::Code,
            Some("markdown") => Kind::Markdown,
            Some("raw") => continue,
            _ => return Err(format!("cell {} is of no known type", index + 1)),
        };
        let source = source(&cell["source"]).ok_or(format!("cell {} has no source", index + 1))?;
        if !source.trim().is_empty() {
            read.push(Cell { kind, source, line: 1 });
        }
    }
    Ok(read)
}

/// One text, or one for each line.
fn source(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(lines) => lines.iter().map(Value::as_str).collect(),
        _ => None,
    }
}
