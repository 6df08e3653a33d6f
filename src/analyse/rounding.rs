//! What does it cost to round a model's weights?

use crate::distribution::Distribution;
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::model::Model;
use crate::model::precision::Precision;
use crate::render::{Cell, Column, Table};

use super::surprisal::bits;

/// How a rounded model's predictions of a text differ from those of the exact one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rounding {
    pub precision: Precision,
    /// What the weights take that are multiplied in this precision, in bytes.
    pub bytes: usize,
    /// The mean Kullback-Leibler divergence of the rounded prediction from the exact one, in bits a token.
    pub divergence: f64,
    /// The share of positions at which both find the same token likeliest.
    pub agreement: f64,
    /// 2 to the mean surprisal of the text's tokens, in bits.
    pub perplexity: f64,
}

/// Tokens that are read together: their predictions take 200 KB each with GPT-2's vocabulary.
const WINDOW: usize = 128;

/// Compares models that were rounded with the `exact` one on a text of at least two tokens, read in windows of at most
/// 128 tokens; `advance` hears how many tokens have been dealt with.
pub fn rounding(
    exact: &Model,
    rounded: &[Model],
    ids: &[u32],
    interrupt: &Interrupt,
    mut advance: impl FnMut(usize),
) -> Result<Vec<Rounding>> {
    let mut sums = vec![[0.0; 3]; rounded.len()];
    let mut scored = 0;
    for window in ids.chunks(WINDOW.min(exact.config().n_positions)) {
        let predictions = |model: &Model| -> Result<Vec<Distribution>> {
            model.logits(window, interrupt)?.into_iter().map(Distribution::from_logits).collect()
        };
        let truth = predictions(exact)?;
        for (model, sums) in rounded.iter().zip(&mut sums) {
            for ((truth, guess), next) in truth.iter().zip(predictions(model)?).zip(&window[1..]) {
                let same = f64::from(u8::from(truth.argmax() == guess.argmax()));
                let terms = [truth.divergence(&guess), same, bits(guess.logits(), *next)];
                sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
            }
        }
        scored += window.len() - 1;
        advance(window.len());
    }
    let mean = |sum: f64| sum / scored as f64;
    let results = rounded.iter().zip(sums).map(|(model, [divergence, same, bits])| Rounding {
        precision: model.backend().precision,
        bytes: model.gpt2().factor_bytes(),
        divergence: mean(divergence),
        agreement: mean(same),
        perplexity: mean(bits).exp2(),
    });
    Ok(results.collect())
}

/// One row a precision; `exact` is the first.
pub fn table(results: &[Rounding]) -> Table {
    let columns = ["KL divergence, bits", "same likeliest token", "perplexity", "change", "weights, MB"];
    let columns = std::iter::once(Column::left("precision")).chain(columns.map(Column::right));
    let exact = results.first().map_or(f64::NAN, |exact| exact.perplexity);
    let row = |result: &Rounding| {
        [
            Cell::Text(result.precision.name().to_owned()),
            Cell::Number(result.divergence),
            Cell::Probability(result.agreement),
            Cell::Number(result.perplexity),
            Cell::Text(format!("{:+.3} %", 100.0 * (result.perplexity / exact - 1.0))),
            Cell::Number(result.bytes as f64 / 1e6),
        ]
    };
    Table::new(columns).rows(results.iter().map(row))
}
