//! Cells ↔ a Jupyter notebook, format 4.5 (<https://nbformat.readthedocs.io/en/latest/format_description.html>).

use serde_json::{Map, Value, json};

use super::Shown;
use crate::kernel::media::{self, Bundle};
use crate::render::Output;
use crate::script::cells::{Cell, Kind};

/// In a cell's metadata: how the script wrote the cell, where a notebook cannot say it.
const WRITTEN: &str = "tokenscope.written";

/// What clients note about a run of a cell: nothing that the cell itself says.
const OF_A_RUN: [&str; 8] = [
    "collapsed",
    "ExecuteTime",
    "execution",
    "jp-MarkdownHeadingCollapsed",
    "papermill",
    "scrolled",
    "status",
    "trusted",
];

/// A notebook with what its cells gave. All else that `original`, the notebook that the cells were read from, holds
/// is kept; cells that did not run show nothing.
pub fn write(shown: &[Shown], original: Option<&Value>) -> String {
    let mut notebook = original.cloned().unwrap_or_else(|| {
        let cells: Vec<Value> =
            shown.iter().enumerate().map(|(index, shown)| new_cell(index, &shown.cell)).collect();
        json!({ "cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5 })
    });
    let metadata = &mut notebook["metadata"];
    if metadata["kernelspec"].is_null() {
        metadata["kernelspec"] =
            json!({ "display_name": "tokenscope", "language": "rhai", "name": "tokenscope" });
    }
    metadata["language_info"] = json!({
        "file_extension": ".rhai", "mimetype": "text/x-rhai", "name": "rhai", "pygments_lexer": "rust",
    });
    let mut count = 0;
    let cells = notebook["cells"].as_array_mut().map(Vec::as_mut_slice).unwrap_or_default();
    for (index, cell) in cells.iter_mut().enumerate().filter(|(_, cell)| cell["cell_type"] == "code") {
        let ran = shown.get(index).filter(|shown| !shown.cell.is_blank());
        count += usize::from(ran.is_some());
        cell["execution_count"] = ran.map(|_| count).into();
        cell["outputs"] = ran.map_or_else(Vec::new, |shown| outputs(shown, count)).into();
    }
    serde_json::to_string_pretty(&notebook).expect("plain data can be written") + "\n"
}

fn new_cell(index: usize, cell: &Cell) -> Value {
    let mut metadata = cell.metadata.clone();
    if let Some(written) = &cell.written {
        metadata.insert(WRITTEN.to_owned(), written.clone().into());
    }
    let kind = match cell.kind {
        Kind::Code => "code",
        Kind::Markdown => "markdown",
        Kind::Raw => "raw",
    };
    let id = format!("cell-{}", index + 1);
    json!({ "cell_type": kind, "id": id, "metadata": metadata, "source": lines(&cell.source) })
}

fn outputs(shown: &Shown, count: usize) -> Vec<Value> {
    let display = |output: &Output| match output {
        Output::Stream(text) => json!({ "name": "stdout", "output_type": "stream", "text": lines(text) }),
        output => {
            let Bundle { data, metadata } = media::bundle(output);
            json!({ "data": data, "metadata": metadata, "output_type": "display_data" })
        }
    };
    let end = match &shown.result {
        Ok(result) => result.as_ref().map(|output| {
            let Bundle { data, metadata } = media::bundle(output);
            json!({ "data": data, "execution_count": count, "metadata": metadata, "output_type": "execute_result" })
        }),
        Err(report) => {
            let mut error = media::failure(report);
            error["output_type"] = "error".into();
            Some(error)
        }
    };
    shown.outputs.iter().map(display).chain(end).collect()
}

/// Text as notebooks keep it: line by line, so that changes of it are easy to see.
fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// A notebook, and its cells.
pub fn read(text: &str) -> Result<(Value, Vec<Cell>), String> {
    let notebook: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let format = notebook["nbformat"].as_u64().ok_or("it names no notebook format")?;
    if format != 4 {
        return Err(format!("its format is {format}, but must be 4"));
    }
    if !notebook["metadata"].is_object() {
        return Err("it has no metadata".to_owned());
    }
    let cells = notebook["cells"].as_array().ok_or("it has no cells")?;
    let numbered = cells.iter().enumerate();
    let cells = numbered
        .map(|(index, cell)| read_cell(cell).map_err(|reason| format!("cell {} {reason}", index + 1)));
    let cells = cells.collect::<Result<_, _>>()?;
    Ok((notebook, cells))
}

fn read_cell(cell: &Value) -> Result<Cell, &'static str> {
    let kind = match cell["cell_type"].as_str() {
        Some("code") => Kind::Code,
        Some("markdown") => Kind::Markdown,
        Some("raw") => Kind::Raw,
        _ => return Err("is of no known type"),
    };
    let source = source(&cell["source"]).ok_or("has no source")?;
    let mut metadata: Map<String, Value> = cell["metadata"].as_object().cloned().unwrap_or_default();
    let written = metadata.shift_remove(WRITTEN).and_then(|written| written.as_str().map(str::to_owned));
    metadata.retain(|key, _| !OF_A_RUN.contains(&key.as_str()));
    Ok(Cell { written, ..Cell::new(kind, source, metadata) })
}

/// One text, or one for each line.
fn source(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(lines) => lines.iter().map(Value::as_str).collect(),
        _ => None,
    }
}
