//! Who looks at whom?

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::model::Model;
use crate::model::hook::Place;
use crate::model::trace::Trace;
use crate::render::number::percent;
use crate::render::shaded::{Piece, ShadedText};
use crate::render::{Cell, Chart, Column, Growth, HeatMap, Panels, Table, label};
use crate::tokenizer::Tokens;

/// The attention of all heads over one text. Cheap to clone; patterns are computed when they are looked at.
#[derive(Clone)]
pub struct Attention {
    pub tokens: Tokens,
    trace: Arc<Trace>,
}

/// One head's pattern: row `i` says how much position `i` looks at each; it sums to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    pub tokens: Tokens,
    pub layer: usize,
    pub head: usize,
    pub weights: Vec<Vec<f32>>,
}

/// Reads a text once and records it.
pub fn attention(model: &Model, tokens: &Tokens, interrupt: &Interrupt) -> Result<Attention> {
    let trace = Arc::new(model.trace(tokens.ids(), &[Place::Qkv], interrupt)?);
    Ok(Attention { tokens: tokens.clone(), trace })
}

/// Rows of labels for a text's tokens; the same label may occur again.
fn labels(tokens: &Tokens) -> Vec<String> {
    tokens.pieces().map(|piece| label(&piece)).collect()
}

impl Attention {
    pub fn layers(&self) -> usize {
        self.trace.layers()
    }

    pub fn heads(&self) -> usize {
        self.trace.heads()
    }

    /// The pattern of one head. Fails on a layer or head that is not there.
    pub fn head(&self, layer: i64, head: i64) -> Result<Pattern> {
        let within = |what, index: i64, count| {
            usize::try_from(index).ok().filter(|index| *index < count).ok_or(Error::NoSuchPart {
                what,
                index,
                count,
            })
        };
        let layer = within("layer", layer, self.layers())?;
        let head = within("head", head, self.heads())?;
        let weights = self.trace.patterns(layer)?.swap_remove(head);
        Ok(Pattern { tokens: self.tokens.clone(), layer, head, weights })
    }

    /// Something of each head: [layer][head].
    fn each<T>(&self, work: impl Fn(&Pattern) -> T) -> Result<Vec<Vec<T>>> {
        let layer = |layer| -> Result<Vec<T>> {
            let patterns = self.trace.patterns(layer)?.into_iter().enumerate();
            let pattern = |(head, weights)| Pattern { tokens: self.tokens.clone(), layer, head, weights };
            Ok(patterns.map(|head| work(&pattern(head))).collect())
        };
        (0..self.layers()).map(layer).collect()
    }

    /// One row a head: where its attention goes on average.
    pub fn table(&self) -> Result<Table> {
        let columns = ["layer", "head", "first token", "itself", "one before", "elsewhere", "entropy"];
        let row = |pattern: &Pattern| {
            let Habit { first, itself, before, entropy } = pattern.habit();
            [
                Cell::from(pattern.layer),
                pattern.head.into(),
                Cell::Probability(first),
                Cell::Probability(itself),
                Cell::Probability(before),
                Cell::Probability((1.0 - first - itself - before).max(0.0)),
                entropy.into(),
            ]
        };
        let rows = self.each(row)?;
        Ok(Table::new(columns.map(Column::right))
            .rows(rows.into_iter().flatten())
            .note("means over the positions from the second on; entropy in bits"))
    }

    /// All patterns in one picture.
    pub fn chart(&self) -> Result<Chart> {
        Ok(Panels {
            title: "Attention of every head".to_owned(),
            subtitle: Some(format!(
                "rows look at columns, in “{}”",
                super::next_token::end_of(&self.tokens.text())
            )),
            rows: (0..self.layers()).map(|layer| format!("layer {layer}")).collect(),
            columns: (0..self.heads()).map(|head| format!("head {head}")).collect(),
            panels: self.each(|pattern| pattern.weights.clone())?,
            unit: "attention weight".to_owned(),
        }
        .into())
    }

    /// How much of each head's attention falls on the first token: what a head does not need is left there.
    pub fn sink(&self) -> Result<Chart> {
        Ok(HeatMap {
            title: "How much of each head's attention falls on the first token".to_owned(),
            subtitle: Some(format!("“{}”", super::next_token::end_of(&self.tokens.text()))),
            row_name: "layer".to_owned(),
            column_name: "head".to_owned(),
            rows: (0..self.layers()).map(|layer| layer.to_string()).collect(),
            columns: (0..self.heads()).map(|head| head.to_string()).collect(),
            values: self.each(|pattern| Some(pattern.habit().first))?,
            words: Vec::new(),
            unit: "mean attention weight".to_owned(),
            range: (0.0, 1.0),
            growth: Growth::Root,
        }
        .into())
    }

    /// What each token looks at, all heads together: the first token's part, and the most of what is left.
    pub fn most(&self) -> Result<Table> {
        let count = self.tokens.len();
        let mut mean = vec![vec![0.0; count]; count];
        let parts = (self.layers() * self.heads()) as f64;
        for layer in 0..self.layers() {
            for (row, weights) in self.trace.patterns(layer)?.iter().flat_map(|head| head.iter().enumerate())
            {
                let sums: &mut Vec<f64> = &mut mean[row];
                sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += f64::from(*weight) / parts);
            }
        }
        let labels = labels(&self.tokens);
        let columns = [
            Column::right("position"),
            Column::left("token"),
            Column::right("first token"),
            Column::right("itself"),
            Column::left("most of the rest"),
            Column::right("with"),
        ];
        let row = |(position, weights): (usize, Vec<f64>)| {
            let rest = (1..position).max_by(|a, b| weights[*a].total_cmp(&weights[*b]));
            [
                Cell::from(position),
                Cell::Text(labels[position].clone()),
                Cell::Probability(weights[0]),
                Cell::Probability(weights[position]),
                rest.map(|rest| labels[rest].clone()).into(),
                rest.map_or(Cell::Empty, |rest| Cell::Probability(weights[rest])),
            ]
        };
        Ok(Table::new(columns)
            .rows(mean.into_iter().enumerate().map(row))
            .note("means over all heads of all layers"))
    }
}

/// Where a head's attention goes, means over the positions from the second on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Habit {
    pub first: f64,
    pub itself: f64,
    /// On the token before, where that is not the first.
    pub before: f64,
    /// In bits.
    pub entropy: f64,
}

impl Pattern {
    pub fn habit(&self) -> Habit {
        let mut habit = Habit::default();
        let rows = self.weights.len().saturating_sub(1).max(1) as f64;
        for (position, row) in self.weights.iter().enumerate().skip(1) {
            let at = |index: usize| f64::from(row[index]) / rows;
            habit.first += at(0);
            habit.itself += at(position);
            habit.before += if position > 1 { at(position - 1) } else { 0.0 };
            habit.entropy += entropy(row) / rows;
        }
        habit
    }

    /// How much one position looks at another. Fails on a position that is not there.
    pub fn weight(&self, from: i64, to: i64) -> Result<f64> {
        Ok(f64::from(self.weights[self.position(from)?][self.position(to)?]))
    }

    fn position(&self, index: i64) -> Result<usize> {
        let length = self.tokens.len();
        let counted = if index < 0 { index + length as i64 } else { index };
        usize::try_from(counted)
            .ok()
            .filter(|position| *position < length)
            .ok_or(Error::IndexOutOfRange { index, length })
    }

    /// One row a token: the three it looks at most.
    pub fn table(&self) -> Table {
        let labels = labels(&self.tokens);
        let columns = [
            Column::right("position"),
            Column::left("token"),
            Column::left("looks at"),
            Column::right("with"),
            Column::left("then at"),
            Column::right("with"),
            Column::right("first token"),
            Column::right("entropy"),
        ];
        let row = |(position, weights): (usize, &Vec<f32>)| {
            let mut order: Vec<usize> = (0..=position).collect();
            order.sort_by(|a, b| weights[*b].total_cmp(&weights[*a]));
            let place = |rank: usize| match order.get(rank) {
                Some(&at) => {
                    [Cell::Text(format!("{at} {}", labels[at])), Cell::Probability(weights[at].into())]
                }
                None => [Cell::Empty, Cell::Empty],
            };
            let ([first, p], [second, q]) = (place(0), place(1));
            let token = Cell::Text(labels[position].clone());
            let sink = Cell::Probability(weights[0].into());
            [position.into(), token, first, p, second, q, sink, entropy(weights).into()]
        };
        Table::new(columns).title(self.title()).rows(self.weights.iter().enumerate().map(row))
    }

    fn title(&self) -> String {
        format!("Attention of layer {}, head {}", self.layer, self.head)
    }

    pub fn chart(&self) -> Chart {
        let labels = labels(&self.tokens);
        let row = |(position, row): (usize, &Vec<f32>)| {
            let seen = |(column, weight): (usize, &f32)| (column <= position).then_some(f64::from(*weight));
            row.iter().enumerate().map(seen).collect()
        };
        HeatMap {
            title: self.title(),
            subtitle: Some(format!("“{}”", super::next_token::end_of(&self.tokens.text()))),
            row_name: "token".to_owned(),
            column_name: "looks at".to_owned(),
            rows: labels.clone(),
            columns: labels,
            values: self.weights.iter().enumerate().map(row).collect(),
            words: Vec::new(),
            unit: "attention weight".to_owned(),
            range: (0.0, 1.0),
            growth: Growth::Root,
        }
        .into()
    }

    /// The text, shaded by how much one position looks at each. Fails on a position that is not there.
    pub fn from(&self, position: i64) -> Result<ShadedText> {
        let position = self.position(position)?;
        let labels = labels(&self.tokens);
        let piece = |(label, weight): (&String, &f32)| Piece {
            label: label.clone(),
            value: Some(f64::from(*weight)),
            detail: format!("{label}: {}", percent(f64::from(*weight))),
        };
        let weights = &self.weights[position];
        let seen = labels.iter().zip(weights).take(position + 1);
        Ok(ShadedText {
            title: format!("What `{}` looks at: layer {}, head {}", labels[position], self.layer, self.head),
            unit: "attention weight".to_owned(),
            most: weights.iter().copied().fold(0.0, f32::max).into(),
            pieces: seen.map(piece).collect(),
        })
    }
}

/// In bits.
fn entropy(weights: &[f32]) -> f64 {
    let bits = |p: &f32| if *p > 0.0 { -f64::from(*p) * f64::from(*p).log2() } else { 0.0 };
    weights.iter().map(bits).sum::<f64>().max(0.0)
}
