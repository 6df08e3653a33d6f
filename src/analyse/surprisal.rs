//! How surprised is the model by each token of a text?

use super::ablation::Ablation;
use crate::distribution::{Distribution, log_total};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::model::Model;
use crate::model::hook::Hook;
use crate::render::shaded::{Piece, ShadedText};
use crate::render::{Cell, Chart, Column, Table, label, number::percent};
use crate::tokenizer::Tokens;

/// Whether something is read before a text's first token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// Nothing: the first token is read but not predicted, as transformers does it.
    #[default]
    Bare,
    /// `<|endoftext|>`, which stood between the documents of the training text: all tokens are predicted.
    AfterEndOfText,
}

/// The tokens of a text, each with how it was predicted.
#[derive(Clone, Debug)]
pub struct Surprisal {
    pub tokens: Tokens,
    pub start: Start,
    /// One for each token; none for a first token that nothing predicts.
    pub predictions: Vec<Option<Prediction>>,
    /// What was cut out of the model.
    pub cut: Option<String>,
}

/// What the model thought of a token before it read it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// Surprisal: -log2 of the token's probability.
    pub bits: f64,
    /// 1 if it was the likeliest.
    pub rank: usize,
    /// Of the whole prediction, in bits: the surprisal that was to be expected.
    pub entropy: f64,
}

impl Prediction {
    pub fn p(&self) -> f64 {
        (-self.bits).exp2()
    }

    fn of(logits: Vec<f32>, id: u32) -> Result<Prediction> {
        let bits = bits(&logits, id);
        let distribution = Distribution::from_logits(logits)?;
        Ok(Prediction { bits, rank: distribution.rank(id)?, entropy: distribution.entropy() })
    }
}

/// -log2 of a token's probability. From the logits, since the probability itself may be too small for `f32`.
pub fn bits(logits: &[f32], id: u32) -> f64 {
    // Rounding may leave a certain token a little below 0.
    ((log_total(logits) - f64::from(logits[id as usize])) / std::f64::consts::LN_2).max(0.0)
}

impl From<bool> for Start {
    fn from(after_end_of_text: bool) -> Start {
        if after_end_of_text { Start::AfterEndOfText } else { Start::Bare }
    }
}

impl Start {
    /// The ids to read for a text, and how many of them stand before it.
    pub fn before(self, model: &Model, ids: &[u32]) -> Result<(Vec<u32>, usize)> {
        match self {
            Start::Bare => Ok((ids.to_vec(), 0)),
            Start::AfterEndOfText => {
                let end = model.tokenizer().end_of_text().ok_or(Error::NoEndOfText)?;
                Ok(([&[end], ids].concat(), 1))
            }
        }
    }
}

/// Reads a text once and takes note of how each token was predicted.
/// With an ablation, parts of the model are cut out.
pub fn surprisal(
    model: &Model,
    tokens: &Tokens,
    start: Start,
    mut ablation: Option<&mut Ablation>,
    interrupt: &Interrupt,
) -> Result<Surprisal> {
    model.check_prompt(tokens.ids())?;
    let (ids, before) = start.before(model, tokens.ids())?;
    let mut predictions = Vec::with_capacity(ids.len());
    predictions.resize(1 - before, None);
    let cut = ablation.as_ref().map(|ablation| ablation.to_string());
    let hook = ablation.as_mut().map(|ablation| &mut **ablation as &mut dyn Hook);
    model.each_logits(&ids, 0, hook, interrupt, |position, logits| {
        if let Some(next) = ids.get(position + 1) {
            predictions.push(Some(Prediction::of(logits, *next)?));
        }
        Ok(())
    })?;
    Ok(Surprisal { tokens: tokens.clone(), start, predictions, cut })
}

impl Surprisal {
    /// The tokens that were predicted, how many there are and what they sum to.
    fn predicted(&self) -> impl Iterator<Item = &Prediction> {
        self.predictions.iter().flatten()
    }

    /// The surprisal of the whole text, in bits.
    pub fn total(&self) -> f64 {
        self.predicted().map(|prediction| prediction.bits).sum()
    }

    /// In bits a token; nothing if no token was predicted.
    pub fn mean(&self) -> Option<f64> {
        let count = self.predicted().count();
        (count > 0).then(|| self.total() / count as f64)
    }

    fn rows(&self) -> impl Iterator<Item = (String, Option<&Prediction>)> {
        let labels = self.tokens.pieces().map(|piece| label(&piece));
        labels.zip(self.predictions.iter().map(Option::as_ref))
    }

    /// One row a token: probability, surprisal, rank, entropy of the prediction.
    pub fn table(&self) -> Table {
        let columns = [
            Column::right("position"),
            Column::left("token"),
            Column::right("p"),
            Column::right("surprisal"),
            Column::right("rank"),
            Column::right("entropy"),
        ];
        let row = |(position, (token, prediction)): (usize, (String, Option<&Prediction>))| {
            [
                Cell::from(position),
                Cell::Text(token),
                prediction.map_or(Cell::Empty, |prediction| Cell::Probability(prediction.p())),
                prediction.map(|prediction| prediction.bits).into(),
                prediction.map(|prediction| prediction.rank).into(),
                prediction.map(|prediction| prediction.entropy).into(),
            ]
        };
        Table::new(columns).rows(self.rows().enumerate().map(row)).note(self.note())
    }

    fn note(&self) -> String {
        let convention = match self.start {
            Start::Bare => "the first token is not predicted",
            Start::AfterEndOfText => "read after <|endoftext|>",
        };
        let convention =
            [Some(convention), self.cut.as_deref()].into_iter().flatten().collect::<Vec<_>>().join("; ");
        match self.mean() {
            Some(mean) => format!(
                "{:.2} bits in all, {mean:.2} a token, perplexity {:.4}; {convention}",
                self.total(),
                mean.exp2()
            ),
            None => convention,
        }
    }

    /// The text itself, each token shaded by its surprisal.
    pub fn shaded(&self) -> ShadedText {
        let piece = |(label, prediction): (String, Option<&Prediction>)| Piece {
            detail: match prediction {
                None => format!("{label}: not predicted"),
                Some(prediction) => format!(
                    "{label}: {:.2} bits, p {}, rank {}, entropy {:.2} bits",
                    prediction.bits,
                    percent(prediction.p()),
                    prediction.rank,
                    prediction.entropy
                ),
            },
            label,
            value: prediction.map(|prediction| prediction.bits),
        };
        let title = match &self.cut {
            Some(cut) => format!("Surprisal of {} tokens after {cut}", self.tokens.len()),
            None => format!("Surprisal of {} tokens", self.tokens.len()),
        };
        ShadedText::of_surprisal(title, self.rows().map(piece).collect())
    }

    pub fn chart(&self) -> Chart {
        self.shaded().into()
    }

    /// Surprisal summed over the tokens of each word: a word begins where white space does.
    pub fn words(&self) -> Table {
        self.sums("word", |before, piece| {
            piece.first().is_some_and(u8::is_ascii_whitespace) || before.last() == Some(&b'\n')
        })
    }

    /// Surprisal summed over the tokens of each line.
    pub fn lines(&self) -> Table {
        self.sums("line", |before, _| before.last() == Some(&b'\n'))
    }

    /// Sums over runs of tokens; `begins` says of a run so far and a piece whether the piece begins another.
    fn sums(&self, name: &str, begins: impl Fn(&[u8], &[u8]) -> bool) -> Table {
        let mut runs: Vec<(Vec<u8>, usize, Option<f64>)> = Vec::new();
        for (piece, prediction) in self.tokens.pieces().zip(&self.predictions) {
            if runs.last().is_none_or(|(text, _, _)| begins(text, &piece)) {
                runs.push((Vec::new(), 0, None));
            }
            let (text, tokens, bits) = runs.last_mut().expect("a run was just begun");
            text.extend(piece);
            *tokens += 1;
            if let Some(prediction) = prediction {
                *bits = Some(bits.unwrap_or(0.0) + prediction.bits);
            }
        }
        let columns = [Column::left(name), Column::right("tokens"), Column::right("surprisal")];
        let row = |(text, tokens, bits): (Vec<u8>, usize, Option<f64>)| {
            let text = String::from_utf8_lossy(&text).trim().to_owned();
            [Cell::Text(crate::render::label::one_line(&text).into_owned()), tokens.into(), bits.into()]
        };
        Table::new(columns).rows(runs.into_iter().map(row)).note(self.note())
    }
}
