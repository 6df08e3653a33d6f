//! How a script's values appear: as output at the end of a cell, as tables, charts and JSON.

use rhai::{Array, Dynamic, Map};

use super::bindings::values;
use super::findings;
use crate::analyse::next_token::{self, Candidate, NextToken};
use crate::analyse::samples::Samples;
use crate::analyse::stepper::Stepper;
use crate::analyse::steps;
use crate::analyse::tokenization;
use crate::analyse::xray::XRay;
use crate::error::{Error, Result};
use crate::generate::Generation;
use crate::generate::tree::Tree;
use crate::hub::{ListedModel, Place};
use crate::interrupt::Interrupt;
use crate::model::Model;
use crate::render::{Cell, Chart, Column, Output, Page, ShadedText, Table, TextStyle, TreeChart};
use crate::tokenizer::Tokens;

/// Rows that a distribution shows when nobody says how many.
pub const ROWS: usize = 10;

/// Rows of a table that is shown: a page of more is read by nobody, and costs whoever draws it dear.
const MOST_ROWS: usize = 10_000;

/// A value at the end of a cell; nothing for `()`.
pub fn output(value: &Dynamic) -> Option<Output> {
    if value.is_unit() {
        return None;
    }
    if let Some(chart) = value.read_lock::<Chart>() {
        return Some(Output::Chart(chart.clone()));
    }
    if let Some(shaded) = value.read_lock::<ShadedText>() {
        return Some(Output::ShadedText(shaded.clone()));
    }
    if let Some(page) = value.read_lock::<Page>() {
        return Some(Output::Page(page.clone()));
    }
    if let Some(generation) = value.read_lock::<Generation>() {
        return Some(Output::Text(generation.tokens.text()));
    }
    if let Some(tree) = value.read_lock::<Tree>() {
        return Some(Output::Text(tree_chart(&tree).text(&TextStyle::plain(100))));
    }
    if let Some(output) = findings::with(value, |finding| finding.output()) {
        return Some(output.unwrap_or_else(|error| Output::Text(error.to_string())));
    }
    let (beginning, rest) = beginning(value).map_or((None, 0), |(value, rest)| (Some(value), rest));
    // So many rows are there at once: nobody need ask to stop.
    Some(match table(beginning.as_ref().unwrap_or(value), None, &Interrupt::default()) {
        Ok(table) if rest > 0 => Output::Table(with_rest(table, rest)),
        Ok(table) => Output::Table(table),
        Err(_) => Output::Text(values::format(value)),
    })
}

/// The first rows of a value that has more than anybody reads, and how many follow.
fn beginning(value: &Dynamic) -> Option<(Dynamic, usize)> {
    let rest = |count: usize| count.checked_sub(MOST_ROWS).filter(|rest| *rest > 0);
    if let Some(tokens) = value.read_lock::<Tokens>() {
        return rest(tokens.len()).map(|rest| (Dynamic::from(tokens.slice(0..MOST_ROWS)), rest));
    }
    if let Some(table) = value.read_lock::<Table>() {
        return rest(table.rows.len()).map(|rest| (Dynamic::from(table.first(MOST_ROWS)), rest));
    }
    let array = value.read_lock::<Array>()?;
    let is_table = array.first().is_some_and(Dynamic::is_map);
    rest(array.len())
        .filter(|_| is_table)
        .map(|rest| (Dynamic::from_array(array[..MOST_ROWS].to_vec()), rest))
}

fn with_rest(table: Table, rest: usize) -> Table {
    let own = table.note.as_ref().map_or(String::new(), |note| format!("; {note}"));
    let note = format!("the first {MOST_ROWS} of {} rows, `save` writes all{own}", MOST_ROWS + rest);
    table.note(note)
}

/// A value as a table, of at most `n` rows. Fails on a value that has none, and where somebody asks to stop.
pub fn table(value: &Dynamic, n: Option<usize>, interrupt: &Interrupt) -> Result<Table> {
    let mut table = whole_table(value, n, interrupt)?;
    if let Some(n) = n {
        table.rows.truncate(n);
    }
    Ok(table)
}

fn whole_table(value: &Dynamic, n: Option<usize>, interrupt: &Interrupt) -> Result<Table> {
    if let Some(table) = value.read_lock::<Table>() {
        return Ok(table.clone());
    }
    if let Some(table) = findings::with(value, |finding| finding.table(n)) {
        return table;
    }
    if let Some(tokens) = value.read_lock::<Tokens>() {
        return tokenization::table(&tokens, interrupt);
    }
    if let Some(generation) = value.read_lock::<Generation>() {
        return Ok(steps::table(&generation));
    }
    if let Some(next) = value.read_lock::<NextToken>() {
        return Ok(next.table(n.unwrap_or(ROWS)));
    }
    if let Some(xray) = value.read_lock::<XRay>() {
        return Ok(xray.table());
    }
    if let Some(samples) = value.read_lock::<Samples>() {
        return Ok(samples.table());
    }
    if let Some(stepper) = value.read_lock::<Stepper>() {
        return stepper.table(n.unwrap_or(ROWS));
    }
    if let Some(candidate) = value.read_lock::<Candidate>() {
        return Ok(next_token::table(std::slice::from_ref(&candidate)));
    }
    if let Some(model) = value.read_lock::<Model>() {
        return Ok(self::model(&model));
    }
    if let Some(array) = value.read_lock::<Array>() {
        if let Some(candidates) = candidates(&array) {
            return Ok(next_token::table(&candidates));
        }
        if let Some(table) = table_of_maps(&array, interrupt)? {
            return Ok(table);
        }
    }
    let expected = "tokens, a distribution, candidates, an analysis or an array of maps";
    Err(Error::WrongArgument { function: "table", expected, found: super::bindings::convert::kind(value) })
}

/// An array of candidates, if it is one.
fn candidates(array: &Array) -> Option<Vec<Candidate>> {
    let all: Option<Vec<Candidate>> =
        array.iter().map(|value| value.clone().try_cast::<Candidate>()).collect();
    all.filter(|candidates| !candidates.is_empty())
}

/// An array of maps with the same keys: one column a key.
fn table_of_maps(array: &Array, interrupt: &Interrupt) -> Result<Option<Table>> {
    let first = array.first().and_then(|value| value.read_lock::<Map>());
    let Some(names) = first.map(|map| map.keys().cloned().collect::<Vec<_>>()) else { return Ok(None) };
    let row = |value: &Dynamic| -> Option<Vec<Cell>> {
        let map = value.read_lock::<Map>().filter(|map| map.keys().eq(names.iter()))?;
        Some(map.values().map(cell).collect())
    };
    let rows = interrupt.watch(array).map(|value| value.map(row)).collect::<Result<Option<Vec<_>>>>()?;
    let columns: Vec<String> = names.iter().map(ToString::to_string).collect();
    Ok(rows.map(|rows| table_with_columns(&columns, rows)))
}

/// Rows under named columns. Fails on a row that is no array of that many values, and where somebody asks to stop.
pub fn table_of_rows(columns: &Array, rows: &Array, interrupt: &Interrupt) -> Result<Table> {
    let names: Vec<String> = columns.iter().map(ToString::to_string).collect();
    let row = |(index, value): (usize, &Dynamic)| -> Result<Vec<Cell>> {
        let cells = value.read_lock::<Array>().map(|row| row.iter().map(cell).collect::<Vec<_>>());
        cells.filter(|cells| cells.len() == names.len()).ok_or_else(|| Error::BadRow {
            index,
            columns: names.len(),
            found: values::format(value),
        })
    };
    let rows = interrupt.watch(rows.iter().enumerate()).map(|item| row(item?)).collect::<Result<_>>()?;
    Ok(table_with_columns(&names, rows))
}

fn table_with_columns(names: &[String], rows: Vec<Vec<Cell>>) -> Table {
    let is_number = |column: usize| {
        rows.iter().all(|row: &Vec<Cell>| matches!(row[column], Cell::Integer(_) | Cell::Number(_)))
    };
    let column = |(index, name): (usize, &String)| match is_number(index) {
        true => Column::right(name),
        false => Column::left(name),
    };
    let columns: Vec<Column> = names.iter().enumerate().map(column).collect();
    Table::new(columns).rows(rows)
}

fn cell(value: &Dynamic) -> Cell {
    if let Ok(number) = value.as_int() {
        return Cell::Integer(number);
    }
    if let Ok(number) = value.as_float() {
        return Cell::Number(number);
    }
    if value.is_string() || value.is_char() {
        return Cell::Text(crate::render::label::one_line(&value.to_string()).into_owned());
    }
    if value.is_unit() { Cell::Empty } else { Cell::Text(values::format(value)) }
}

/// What a model is: how much of everything it has.
pub fn model(model: &Model) -> Table {
    let config = model.config();
    let rows: [(&str, Cell); 10] = [
        ("model", Cell::Text(model.name().to_owned())),
        ("parameters", Cell::Integer(config.parameters() as i64)),
        ("layers", Cell::Integer(config.n_layer as i64)),
        ("heads", Cell::Integer(config.n_head as i64)),
        ("width", Cell::Integer(config.n_embd as i64)),
        ("context", Cell::Integer(config.n_positions as i64)),
        ("vocabulary", Cell::Integer(config.vocab_size as i64)),
        ("weights", Cell::Text(megabytes(model.bytes()))),
        ("precision", Cell::Text(model.backend().precision.name().to_owned())),
        ("device", Cell::Text(model.backend().device.name().to_owned())),
    ];
    Table::new([Column::left(""), Column::left("")])
        .rows(rows.map(|(name, cell)| [Cell::Text(name.into()), cell]))
}

/// What is known, what is here, where and how large.
pub fn models(listed: &[ListedModel]) -> Table {
    let columns = ["model", "parameters", "here", "size", "what it is"];
    let columns = columns.map(|name| {
        if name == "parameters" || name == "size" { Column::right(name) } else { Column::left(name) }
    });
    let row = |model: &ListedModel| {
        let millions = |parameters: u64| format!("{:.0} M", parameters as f64 / 1e6);
        let (place, size) = match &model.place {
            Place::BuiltIn => ("built in".to_owned(), megabytes(model.bytes)),
            Place::Here(path) => (path.display().to_string(), megabytes(model.bytes)),
            Place::NotHere => ("no".to_owned(), String::new()),
        };
        [
            Cell::Text(model.name.clone()),
            model.parameters.map_or(Cell::Empty, |parameters| Cell::Text(millions(parameters))),
            Cell::Text(place),
            Cell::Text(size),
            Cell::Text(model.description.clone()),
        ]
    };
    Table::new(columns).rows(listed.iter().map(row))
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

fn tree_chart(tree: &Tree) -> TreeChart {
    let is_counted = tree.branches.iter().any(|branch| branch.count.is_some());
    crate::analyse::tree::chart(tree, if is_counted { "Where the texts part" } else { "Continuations" })
}

/// A chart of a value. Fails on one that has none.
pub fn chart(value: &Dynamic, n: usize) -> Result<Chart> {
    if let Some(chart) = value.read_lock::<Chart>() {
        return Ok(chart.clone());
    }
    if let Some(shaded) = value.read_lock::<ShadedText>() {
        return Ok(shaded.clone().into());
    }
    if let Some(chart) = findings::with(value, |finding| finding.chart(n)).flatten() {
        return chart;
    }
    if let Some(next) = value.read_lock::<NextToken>() {
        return Ok(next.chart(n));
    }
    if let Some(generation) = value.read_lock::<Generation>() {
        return Ok(steps::chart(&generation));
    }
    if let Some(xray) = value.read_lock::<XRay>() {
        return Ok(xray.chart(n));
    }
    if let Some(tree) = value.read_lock::<Tree>() {
        return Ok(Chart::Tree(tree_chart(&tree)));
    }
    if let Some(stepper) = value.read_lock::<Stepper>() {
        return Ok(stepper.processed()?.chart(n));
    }
    if let Some(samples) = value.read_lock::<Samples>() {
        return Ok(Chart::Tree(tree_chart(&crate::analyse::tree::of_samples(&samples.runs))));
    }
    if let Some(candidates) = value.read_lock::<Array>().and_then(|array| candidates(&array)) {
        return Ok(next_token::chart("Next tokens", None, &candidates[..n.min(candidates.len())]));
    }
    let expected = "a distribution, candidates or an analysis with a picture";
    Err(Error::WrongArgument { function: "chart", expected, found: super::bindings::convert::kind(value) })
}
