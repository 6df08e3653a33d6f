//! How different are the texts that one prompt gives?

use crate::generate::Generation;
use crate::render::{Cell, Column, Table, label};

/// Several continuations of one text, each with the next seed.
#[derive(Clone)]
pub struct Samples {
    pub runs: Vec<Generation>,
}

impl Samples {
    /// A row for each text: its seed, how likely its tokens were on average, and what was appended.
    pub fn table(&self) -> Table {
        let columns = [Column::right("seed"), Column::right("tokens"), Column::right("bits per token")];
        let row = |run: &Generation| {
            let bits: f64 = run.steps.iter().map(|step| -f64::from(step.p).log2()).sum();
            let new = run.tokens.slice(run.prompt.len()..run.tokens.len());
            [
                run.seed.map_or(Cell::Empty, |seed| Cell::Integer(seed as i64)),
                Cell::from(run.steps.len()),
                Cell::Number(bits / run.steps.len() as f64),
                Cell::Text(label(&new.bytes()).replace('·', " ")),
            ]
        };
        Table::new(columns.into_iter().chain([Column::left("text")]))
            .rows(self.runs.iter().map(row))
            .note("bits per token: how much the model itself was surprised, before any rule")
    }
}
