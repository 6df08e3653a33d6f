//! Which tokens of a text does a prediction rest on? Two answers: what changes when a token is left out, and how the
//! prediction would move with each token's embedding (gradient × input; Shrikumar et al. 2016, as inseq does it).

use super::measure::Measure;
use super::next_token::end_of;
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::model::Model;
use crate::render::{Cell, Chart, Column, SignedBars, Table, label};
use crate::tokenizer::Tokens;

/// How much each token of a text counts for the prediction of one next token.
#[derive(Clone, Debug)]
pub struct Attribution {
    pub tokens: Tokens,
    pub token: u32,
    pub measure: Measure,
    /// The measure after the whole text.
    pub value: f64,
    /// For each token: the measure after the whole text less that without it. None for a text of one token, without
    /// which nothing is left to read.
    pub left_out: Vec<Option<f64>>,
    /// For each token: the gradient of the measure times the token's embedding, summed over its width.
    pub gradient: Vec<f64>,
}

/// Reads the text once for each token, without it; `advance` hears of each. Fails on an id outside the vocabulary.
pub fn attribution(
    model: &Model,
    tokens: &Tokens,
    token: u32,
    measure: Measure,
    interrupt: &Interrupt,
    mut advance: impl FnMut(usize),
) -> Result<Attribution> {
    model.check_prompt(&[token])?;
    let read =
        |ids: &[u32]| -> Result<f64> { Ok(measure.of(&model.logits_with(ids, &mut (), interrupt)?, token)) };
    let value = read(tokens.ids())?;
    let input = model.input_gradient(tokens.ids(), interrupt, |logits| measure.of_tensor(logits, token))?;
    let gradient = (input.gradient * input.embeddings)?.sum(1)?.to_vec1::<f32>()?; // [positions]
    let mut left_out = Vec::with_capacity(tokens.len());
    for position in 0..tokens.len() {
        let rest = [&tokens.ids()[..position], &tokens.ids()[position + 1..]].concat();
        left_out.push(if rest.is_empty() { None } else { Some(value - read(&rest)?) });
        advance(1);
    }
    let gradient = gradient.into_iter().map(f64::from).collect();
    Ok(Attribution { tokens: tokens.clone(), token, measure, value, left_out, gradient })
}

impl Attribution {
    fn what(&self) -> String {
        format!("{} of {}", self.measure.name(), label(&self.tokens.tokenizer().piece(self.token)))
    }

    fn labels(&self) -> impl Iterator<Item = String> {
        self.tokens.pieces().map(|piece| label(&piece))
    }

    /// One row a token, with both answers.
    pub fn table(&self) -> Table {
        let columns = [
            Column::right("position"),
            Column::left("token"),
            Column::right("left out"),
            Column::right("gradient × input"),
        ];
        let rows = self.labels().zip(&self.left_out).zip(&self.gradient).enumerate();
        let row = |(position, ((token, left_out), gradient)): (usize, ((String, &Option<f64>), &f64))| {
            [Cell::from(position), Cell::Text(token), (*left_out).into(), (*gradient).into()]
        };
        Table::new(columns).rows(rows.map(row)).note(format!(
            "the {} is {}; “left out” is what it loses without the token",
            self.what(),
            self.measure.written(self.value)
        ))
    }

    /// What is lost without each token.
    pub fn chart(&self) -> Chart {
        let title = format!("What the {} loses without a token", self.what());
        self.bars(title, self.left_out.iter().map(|effect| effect.unwrap_or_default()))
    }

    /// Gradient × input of each token.
    pub fn gradient_chart(&self) -> Chart {
        self.bars(format!("Gradient × input for the {}", self.what()), self.gradient.iter().copied())
    }

    fn bars(&self, title: String, values: impl Iterator<Item = f64>) -> Chart {
        SignedBars {
            title,
            subtitle: Some(format!("after “{}”", end_of(&self.tokens.text()))),
            axis: format!("{} ({} in all)", self.measure.name(), self.measure.written(self.value)),
            bars: self.labels().zip(values).collect(),
        }
        .into()
    }
}
