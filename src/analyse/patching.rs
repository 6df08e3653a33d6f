//! Where does the model keep what makes the difference between two texts? A run on the one, with what the other run
//! had at a single place put back (activation patching; Meng et al. 2022, Wang et al. 2022).

use candle_core::Tensor;

use super::measure::Measure;
use super::next_token::end_of;
use crate::error::{Error, Result};
use crate::generate::options::{Setting, Value};
use crate::interrupt::Interrupt;
use crate::model::Model;
use crate::model::hook::{Hook, Place, change_rows};
use crate::render::{Cell, Chart, Column, Growth, HeatMap, Table, label};
use crate::tokenizer::Tokens;

/// What is put back at a layer and position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// The residual stream that enters the layer.
    #[default]
    Stream,
    /// What the layer's attention adds to it.
    Attention,
    /// What its MLP adds to it.
    Mlp,
}

/// How far each layer and position brings back what the model says after the clean text.
#[derive(Clone, Debug)]
pub struct Patching {
    pub clean: Tokens,
    pub corrupted: Tokens,
    pub token: u32,
    pub other: Option<u32>,
    stage: Stage,
    /// [position][layer]: the score with that place restored, less the score of the corrupted text, in bits.
    pub effects: Vec<Vec<f64>>,
    /// log2 of the token's probability, or of its odds against the other, after each text.
    pub clean_score: f64,
    pub corrupted_score: f64,
}

/// Puts one row back.
struct Restore<'a> {
    place: Place,
    layer: usize,
    position: usize,
    row: &'a [f32],
}

impl Hook for Restore<'_> {
    fn visit(&mut self, place: Place, layer: usize, x: &Tensor) -> Result<()> {
        if (place, layer) != (self.place, self.layer) {
            return Ok(());
        }
        change_rows(x, |position, x| {
            if position == self.position {
                x.copy_from_slice(self.row);
            }
        })
    }
}

/// Runs the corrupted text once for each layer and position with what the clean one had there; `advance` hears of
/// each. The score is of `token`, or of `token` against `other`. Fails if the texts are not equally many tokens, or on an id outside the vocabulary.
pub fn patch(
    model: &Model,
    [clean, corrupted]: [&Tokens; 2],
    (token, other): (u32, Option<u32>),
    stage: Stage,
    interrupt: &Interrupt,
    mut advance: impl FnMut(usize),
) -> Result<Patching> {
    if clean.len() != corrupted.len() {
        return Err(Error::UnequalLengths { clean: clean.len(), corrupted: corrupted.len() });
    }
    model.check_prompt(&[token, other.unwrap_or(token)])?;
    let read = |tokens: &Tokens| model.trace(tokens.ids(), stage.recorded(), interrupt);
    let (had, has) = (read(clean)?, read(corrupted)?);
    let score = |logits: Vec<f32>| {
        let of = |id| Measure::LogProbability.of(&logits, id);
        of(token) - other.map_or(0.0, of)
    };
    let after =
        |tokens: &Tokens| Ok::<_, Error>(score(model.logits_with(tokens.ids(), &mut (), interrupt)?));
    let (clean_score, corrupted_score) = (after(clean)?, after(corrupted)?);
    let mut effects = vec![Vec::with_capacity(had.layers()); clean.len()];
    for layer in 0..had.layers() {
        let rows = |x: &Tensor| x.to_vec2::<f32>();
        let (had, has) = (rows(had.at(stage.place(), layer))?, rows(has.at(stage.place(), layer))?);
        for (position, (row, same)) in had.iter().zip(&has).enumerate() {
            // Before the texts part nothing differs, and nothing can be restored.
            effects[position].push(if row == same {
                0.0
            } else {
                let mut restore = Restore { place: stage.place(), layer, position, row };
                score(model.logits_with(corrupted.ids(), &mut restore, interrupt)?) - corrupted_score
            });
            advance(1);
        }
    }
    let (clean, corrupted) = (clean.clone(), corrupted.clone());
    Ok(Patching { clean, corrupted, token, other, stage, effects, clean_score, corrupted_score })
}

impl Stage {
    fn place(self) -> Place {
        self.recorded()[0]
    }

    fn recorded(self) -> &'static [Place] {
        match self {
            Stage::Stream => &[Place::Before],
            Stage::Attention => &[Place::Attention],
            Stage::Mlp => &[Place::Mlp],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Stage::Stream => "the stream before a layer",
            Stage::Attention => "what a layer's attention adds",
            Stage::Mlp => "what a layer's MLP adds",
        }
    }
}

impl Setting for Stage {
    fn from_value(value: &Value) -> Result<Stage, &'static str> {
        match value {
            Value::Text(text) if text == "stream" => Ok(Stage::Stream),
            Value::Text(text) if text == "attention" => Ok(Stage::Attention),
            Value::Text(text) if text.eq_ignore_ascii_case("MLP") => Ok(Stage::Mlp),
            _ => Err("\"stream\", \"attention\" or \"MLP\""),
        }
    }
}

impl Patching {
    fn what(&self) -> String {
        let name = |id: u32| label(&self.clean.tokenizer().piece(id));
        match self.other {
            Some(other) => format!("the odds of {} against {}", name(self.token), name(other)),
            None => format!("the probability of {}", name(self.token)),
        }
    }

    /// A position's token in the clean text, and where it is another one, in the corrupted.
    fn position(&self, position: usize) -> String {
        let piece = |tokens: &Tokens| {
            tokens.ids().get(position).map_or(String::new(), |id| label(&tokens.tokenizer().piece(*id)))
        };
        let (clean, corrupted) = (piece(&self.clean), piece(&self.corrupted));
        if clean == corrupted { clean } else { format!("{corrupted}→{clean}") }
    }

    /// The `n` places that bring back most, or take away most.
    pub fn table(&self, n: usize) -> Table {
        let gap = self.clean_score - self.corrupted_score;
        let mut places: Vec<(usize, usize, f64)> = Vec::new();
        for (position, effects) in self.effects.iter().enumerate() {
            places.extend(effects.iter().enumerate().map(|(layer, effect)| (position, layer, *effect)));
        }
        places.sort_by(|a, b| b.2.abs().total_cmp(&a.2.abs()));
        places.truncate(n);
        let columns = [
            Column::right("position"),
            Column::left("token"),
            Column::right("layer"),
            Column::right("bits restored"),
            Column::right("of the gap"),
        ];
        let row = |(position, layer, effect): (usize, usize, f64)| {
            let share = (gap.abs() > 1e-6).then(|| format!("{:.0} %", 100.0 * effect / gap));
            [position.into(), Cell::Text(self.position(position)), layer.into(), effect.into(), share.into()]
        };
        let note = format!(
            "{}: log2 is {:.2} after the clean text, {:.2} after the corrupted: a gap of {gap:.2} bits; restored is {}",
            self.what(),
            self.clean_score,
            self.corrupted_score,
            self.stage.name()
        );
        Table::new(columns).rows(places.into_iter().map(row)).note(note)
    }

    /// Positions × layers: how many bits each brings back.
    pub fn chart(&self) -> Chart {
        let all = || self.effects.iter().flatten().copied();
        HeatMap {
            title: format!("What restores {}", self.what()),
            subtitle: Some(format!(
                "{} put back, in “{}”",
                self.stage.name(),
                end_of(&self.corrupted.text())
            )),
            row_name: "token".to_owned(),
            column_name: "layer".to_owned(),
            rows: (0..self.clean.len()).map(|position| self.position(position)).collect(),
            columns: (0..self.effects.first().map_or(0, Vec::len)).map(|layer| layer.to_string()).collect(),
            values: self.effects.iter().map(|row| row.iter().map(|effect| Some(*effect)).collect()).collect(),
            words: Vec::new(),
            unit: "bits restored".to_owned(),
            range: (all().fold(0.0, f64::min), all().fold(0.0, f64::max)),
            growth: Growth::Even,
        }
        .into()
    }
}
