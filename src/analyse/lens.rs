//! What would the model say if it stopped thinking early? The final layer norm and head on the residual stream of
//! every layer (the logit lens of nostalgebraist 2020).

use candle_core::Tensor;

use crate::distribution::Distribution;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::model::Model;
use crate::model::hook::Place;
use crate::model::trace::Trace;
use crate::parallel;
use crate::render::{Cell, Chart, Column, Growth, HeatMap, Table, label};
use crate::tokenizer::Tokens;

/// What each place of each layer would predict, for every position of a text.
#[derive(Clone, Debug)]
pub struct Lens {
    pub tokens: Tokens,
    /// [place][position]; places are the embedding, then each layer's stream before and after its MLP.
    readings: Vec<Vec<Reading>>,
}

/// One distribution, seen from the last one of its position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// The likeliest token, and its probability.
    pub id: u32,
    pub p: f64,
    /// Rank and probability of the token that is the likeliest in the end.
    pub final_rank: usize,
    pub final_p: f64,
    /// In bits.
    pub entropy: f64,
    /// How far the final distribution is from this one: KL(final ‖ here) in bits.
    pub divergence: f64,
}

/// What a heat map of a lens shows in colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shade {
    Probability,
    Rank,
    Entropy,
    Divergence,
}

/// So many positions share one pass over the head's weights.
const TOGETHER: usize = 8;

/// Reads a text once and looks through the lens at every position; `advance` hears of each.
pub fn lens(
    model: &Model,
    tokens: &Tokens,
    interrupt: &Interrupt,
    mut advance: impl FnMut(usize),
) -> Result<Lens> {
    let trace = model.trace(tokens.ids(), &[Place::Before, Place::Middle], interrupt)?;
    let mut readings: Vec<Vec<Reading>> = vec![Vec::new(); 2 * trace.layers() + 1];
    let (places, positions) = (readings.len(), (0..tokens.len()).collect::<Vec<_>>());
    for together in positions.chunks(TOGETHER) {
        interrupt.check()?;
        let streams = together.iter().map(|at| stream(&trace, *at)).collect::<Result<Vec<_>>>()?;
        let streams = model.gpt2().normalise(&Tensor::cat(&streams, 0)?)?; // [positions · places, n_embd]
        let logits = model.gpt2().logits(&streams)?.to_vec2::<f32>()?; // [positions · places, vocab_size]
        let rows = parallel::map(&logits, |row| Distribution::from_logits(row.as_slice()));
        let rows = rows.into_iter().collect::<Result<Vec<_>>>()?;
        let pairs: Vec<_> =
            rows.chunks(places).flat_map(|at| at.iter().map(|here| (here, &at[places - 1]))).collect();
        let read = parallel::map(&pairs, |(here, last)| Reading::of(here, last));
        for (index, reading) in read.into_iter().enumerate() {
            readings[index % places].push(reading?);
        }
        advance(together.len());
    }
    Ok(Lens { tokens: tokens.clone(), readings })
}

/// One position's residual stream, place by place: [places, n_embd].
fn stream(trace: &Trace, position: usize) -> Result<Tensor> {
    let row = |x: &Tensor| x.narrow(0, position, 1); // [1, n_embd]
    let mut rows = Vec::new();
    for layer in 0..trace.layers() {
        rows.push(row(trace.at(Place::Before, layer))?);
        rows.push(row(trace.at(Place::Middle, layer))?);
    }
    rows.push(row(trace.last())?);
    Ok(Tensor::cat(&rows, 0)?)
}

impl Reading {
    fn of(here: &Distribution, last: &Distribution) -> Result<Reading> {
        let (id, answer) = (here.argmax(), last.argmax());
        Ok(Reading {
            id,
            p: here.p(id)?.into(),
            final_rank: here.rank(answer)?,
            final_p: here.p(answer)?.into(),
            entropy: here.entropy(),
            divergence: last.divergence(here),
        })
    }
}

impl Lens {
    /// `embedding`, `0 middle`, `0`, `1 middle`, `1` … : a layer's number stands for its end.
    fn place(index: usize) -> String {
        match index {
            0 => "embedding".to_owned(),
            odd if odd % 2 == 1 => format!("{} middle", odd / 2),
            even => format!("{}", even / 2 - 1),
        }
    }

    pub fn layers(&self) -> usize {
        self.readings.len() / 2
    }

    /// The reading behind a layer, or of the embedding for -1. Fails on a layer or position that is not there; negative
    /// positions count from the end.
    pub fn reading(&self, layer: i64, position: i64) -> Result<Reading> {
        let (length, count) = (self.tokens.len(), self.layers());
        let counted = if position < 0 { position + length as i64 } else { position };
        let at = usize::try_from(counted).ok().filter(|at| *at < length);
        let at = at.ok_or(Error::IndexOutOfRange { index: position, length })?;
        let place = usize::try_from(layer + 1).ok().filter(|place| *place <= count);
        let place = place.ok_or(Error::NoSuchPart { what: "layer", index: layer, count })?;
        Ok(self.readings[2 * place][at])
    }

    /// One position, a row for each place. Fails on a position that is not there.
    pub fn table(&self, position: i64) -> Result<Table> {
        let answer = self.reading(self.layers() as i64 - 1, position)?.id;
        let at = if position < 0 { self.tokens.len() as i64 + position } else { position } as usize;
        let token = |id: u32| label(&self.tokens.tokenizer().piece(id));
        let columns = [
            Column::left("layer"),
            Column::left("top token"),
            Column::right("p"),
            Column::right("rank of the answer"),
            Column::right("p of the answer"),
            Column::right("entropy"),
            Column::right("KL to the end"),
        ];
        let row = |(index, readings): (usize, &Vec<Reading>)| {
            let reading = readings[at];
            [
                Cell::Text(Lens::place(index)),
                Cell::Text(token(reading.id)),
                Cell::Probability(reading.p),
                reading.final_rank.into(),
                Cell::Probability(reading.final_p),
                reading.entropy.into(),
                reading.divergence.into(),
            ]
        };
        let before = label(&self.tokens.pieces().nth(at).unwrap_or_default());
        let note = format!(
            "after `{before}`; the answer is `{}`; “middle” is before the MLP; entropy and KL in bits",
            token(answer)
        );
        Ok(Table::new(columns).rows(self.readings.iter().enumerate().map(row)).note(note))
    }

    /// Positions × layers, each cell with its top token; with `middle` the streams before the MLPs too.
    pub fn chart(&self, shade: Shade, middle: bool) -> Chart {
        let places: Vec<usize> = (0..self.readings.len()).step_by(if middle { 1 } else { 2 }).collect();
        let value = |reading: &Reading| match shade {
            Shade::Probability => reading.p,
            Shade::Rank => (reading.final_rank as f64).log10(),
            Shade::Entropy => reading.entropy,
            Shade::Divergence => reading.divergence,
        };
        let (unit, what) = match shade {
            Shade::Probability => ("probability of that token", "the likeliest token"),
            Shade::Rank => ("log10 of the final answer's rank", "how far the final answer still is"),
            Shade::Entropy => ("entropy in bits", "how unsure"),
            Shade::Divergence => ("KL(final ‖ here) in bits", "how far from the final distribution"),
        };
        let highest = self.readings.iter().flatten().map(value).fold(0.0, f64::max);
        let each = |work: &dyn Fn(&Reading) -> String| -> Vec<Vec<String>> {
            let row =
                |position: usize| places.iter().map(|place| work(&self.readings[*place][position])).collect();
            (0..self.tokens.len()).map(row).collect()
        };
        let values = |position: usize| -> Vec<Option<f64>> {
            places.iter().map(|place| Some(value(&self.readings[*place][position]))).collect()
        };
        HeatMap {
            title: format!("Logit lens: {what}, layer by layer"),
            subtitle: Some(
                "each cell: the token that the model would write after this row's token".to_owned(),
            ),
            row_name: "token".to_owned(),
            column_name: "after layer".to_owned(),
            rows: self.tokens.pieces().map(|piece| label(&piece)).collect(),
            columns: places.iter().map(|place| Lens::place(*place)).collect(),
            values: (0..self.tokens.len()).map(values).collect(),
            words: each(&|reading| label(&self.tokens.tokenizer().piece(reading.id))),
            unit: unit.to_owned(),
            range: (0.0, if shade == Shade::Probability { 1.0 } else { highest }),
            growth: Growth::Even,
        }
        .into()
    }
}
