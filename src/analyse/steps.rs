//! How was a text written? Each step with its choices, as tables, shades and a chart.

use serde_json::{Value, json};

use super::next_token::end_of;
use crate::generate::{CHOICES, Generation, Step};
use crate::render::label::{Keep, one_line, shortened};
use crate::render::number::{percent, shortest};
use crate::render::shaded::{Piece, ShadedText};
use crate::render::{BarChart, Cell, Chart, Column, Table, label};

/// What each step read, and the likeliest tokens to follow it: Input | Choice 1 … 5.
pub fn choices(generation: &Generation) -> Table {
    let names = (1..=CHOICES).map(|n| Column::left(format!("Choice {n}")));
    let tokenizer = generation.tokens.tokenizer();
    let row = |(index, step): (usize, &Step)| {
        let read = generation.tokens.slice(0..generation.prompt.len() + index).text();
        let choice = |(id, p): &(u32, f32)| {
            let mark = if *id == step.id { " ◂" } else { "" };
            // Narrow enough that six columns fit a terminal.
            let share = percent(f64::from(*p)).replace(' ', "");
            Cell::Text(format!("{} ({share}){mark}", label(&tokenizer.piece(*id))))
        };
        std::iter::once(Cell::Text(end(&read))).chain(step.choices.iter().map(choice)).collect::<Vec<_>>()
    };
    let table = Table::new(std::iter::once(Column::left("Input")).chain(names));
    let is_other = |step: &Step| !step.choices.iter().any(|(id, _)| *id == step.id);
    let table = table.rows(generation.steps.iter().enumerate().map(row));
    let others = generation.steps.iter().filter(|step| is_other(step)).count();
    let note = match others {
        0 => "raw probabilities, before any rule; ◂ was chosen".to_owned(),
        n => format!("raw probabilities, before any rule; ◂ was chosen, {n} times a token beyond these five"),
    };
    table.note(note)
}

/// The last words of what a step read; all of it would fill the table.
fn end(text: &str) -> String {
    shortened(&one_line(text), Keep::End, 36.0, |text| text.chars().count() as f64)
}

/// A row for each token: what it is, and how likely it was before and after the rules.
pub fn table(generation: &Generation) -> Table {
    let columns = ["step", "id"].map(Column::right).into_iter().chain([Column::left("token")]);
    let columns = columns.chain(["raw p", "processed p", "rank"].map(Column::right));
    let tokenizer = generation.tokens.tokenizer();
    let row = |(index, step): (usize, &Step)| {
        [
            Cell::from(index + 1),
            Cell::from(step.id),
            Cell::Text(label(&tokenizer.piece(step.id))),
            Cell::Probability(shortest(step.p)),
            Cell::Probability(shortest(step.processed)),
            Cell::from(step.rank),
        ]
    };
    let note = "raw: as the model said; processed: after the rules; rank: by the raw probability";
    Table::new(columns).rows(generation.steps.iter().enumerate().map(row)).note(note)
}

/// A bar for each token: its raw probability. A token that was not the likeliest is set apart.
pub fn chart(generation: &Generation) -> Chart {
    let title = format!("How likely was each of the {} tokens?", generation.steps.len());
    let chart = BarChart::new(title).subtitle(format!("after “{}”", end_of(&generation.prompt.text())));
    let tokenizer = generation.tokens.tokenizer();
    let bar = |chart: BarChart, step: &Step| {
        let (name, p) = (label(&tokenizer.piece(step.id)), f64::from(step.p));
        if step.rank > 1 { chart.highlighted_bar(name, p) } else { chart.bar(name, p) }
    };
    let chart = generation.steps.iter().fold(chart, bar);
    let axis = match chart.bars.iter().any(|bar| bar.highlighted) {
        true => "raw probability; bold where another token was likelier",
        false => "raw probability",
    };
    Chart::Bars(BarChart { axis: axis.into(), ..chart })
}

/// The text, each new token shaded by how unlikely it was: by its surprisal, -log2 of its raw probability.
pub fn shaded(generation: &Generation) -> ShadedText {
    let tokenizer = generation.tokens.tokenizer();
    let given = |id: &u32| {
        let label = label(&tokenizer.piece(*id));
        Piece { detail: format!("{label}: given"), label, value: None }
    };
    let chosen = |step: &Step| {
        let label = label(&tokenizer.piece(step.id));
        let [raw, processed] = [step.p, step.processed].map(|p| percent(f64::from(p)));
        Piece {
            detail: format!("{label}: raw p {raw}, processed p {processed}, rank {}", step.rank),
            label,
            value: Some(-f64::from(step.p).log2()),
        }
    };
    let pieces = generation.prompt.ids().iter().map(given).chain(generation.steps.iter().map(chosen));
    let title = format!("How likely was each of the {} tokens?", generation.steps.len());
    ShadedText::of_surprisal(title, pieces.collect())
}

/// Every step in full precision.
pub fn json(generation: &Generation) -> Value {
    let tokenizer = generation.tokens.tokenizer();
    let text = |id: u32| String::from_utf8_lossy(&tokenizer.piece(id)).into_owned();
    let choice = |(id, p): &(u32, f32)| json!({ "id": id, "token": text(*id), "p": shortest(*p) });
    let step = |step: &Step| {
        json!({
            "id": step.id,
            "token": text(step.id),
            "raw_p": shortest(step.p),
            "processed_p": shortest(step.processed),
            "rank": step.rank,
            "choices": step.choices.iter().map(choice).collect::<Vec<_>>(),
        })
    };
    generation.steps.iter().map(step).collect()
}
