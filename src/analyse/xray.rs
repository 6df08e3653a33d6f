//! What does each rule make of a distribution?

use super::next_token::{NextToken, end_of};
use crate::distribution::Distribution;
use crate::error::Result;
use crate::generate::processors::{Processor, Seen};
use crate::render::number::percent;
use crate::render::{BarChart, Cell, Chart, Column, Table, label};

/// A distribution after each of its rules; the first is the raw one.
#[derive(Clone)]
pub struct XRay {
    pub stages: Vec<Stage>,
    text: String,
}

/// What is there after one rule.
#[derive(Clone)]
pub struct Stage {
    pub rule: String,
    /// Tokens that can still be chosen.
    pub kept: usize,
    /// The raw probability of those together.
    pub mass: f64,
    pub next: NextToken,
}

/// Applies the rules one by one.
pub fn xray(next: &NextToken, processors: &[Processor], seen: &Seen) -> Result<XRay> {
    let raw = next.distribution.probabilities();
    let stage = |rule: String, distribution: Distribution| {
        let is_kept = |(_, p): &(&f32, &f32)| **p > 0.0;
        let kept = raw.iter().zip(distribution.probabilities()).filter(is_kept);
        let (kept, mass) = kept.fold((0, 0.0), |(kept, mass), (raw, _)| (kept + 1, mass + f64::from(*raw)));
        Stage { rule, kept, mass: mass.min(1.0), next: NextToken { distribution, ..next.clone() } }
    };
    let mut logits = next.distribution.logits().to_vec();
    let mut stages = vec![stage("raw".to_owned(), next.distribution.clone())];
    for processor in processors {
        processor.apply(&mut logits, seen);
        stages.push(stage(processor.describe(), Distribution::from_logits(logits.clone())?));
    }
    Ok(XRay { stages, text: next.text.clone() })
}

impl XRay {
    /// A row for each rule; the likeliest tokens are those after it.
    pub fn table(&self) -> Table {
        const TOP: usize = 3;
        let columns = [Column::left("after"), Column::right("tokens kept"), Column::right("raw mass kept")];
        let columns = columns.into_iter().chain([Column::right("entropy"), Column::left("likeliest now")]);
        let row = |stage: &Stage| {
            let top = stage.next.candidates(TOP);
            let top = top.iter().map(|c| format!("{} {}", label(&c.piece), percent(f64::from(c.p))));
            [
                Cell::Text(stage.rule.clone()),
                Cell::from(stage.kept),
                Cell::Probability(stage.mass),
                Cell::Number(stage.next.distribution.entropy()),
                Cell::Text(top.collect::<Vec<_>>().join(", ")),
            ]
        };
        let note = "the first row is the raw distribution; those below are processed; entropy in bits";
        Table::new(columns).rows(self.stages.iter().map(row)).note(note)
    }

    /// The likeliest raw tokens, and what each is worth after the last rule, side by side.
    pub fn chart(&self, n: usize) -> Chart {
        let (Some(first), Some(last)) = (self.stages.first(), self.stages.last()) else {
            return Chart::Bars(BarChart::new("No rules"));
        };
        let rules: Vec<&str> = self.stages[1..].iter().map(|stage| stage.rule.as_str()).collect();
        let chart = BarChart::new(format!("Before and after {}", rules.join(", ")));
        let chart = match self.text.is_empty() {
            true => chart,
            false => chart.subtitle(format!("after “{}”; the second bar is processed", end_of(&self.text))),
        };
        let bars = |chart: BarChart, candidate: super::next_token::Candidate| {
            let name = label(&candidate.piece);
            let after = last.next.distribution.probabilities()[candidate.id as usize];
            let chart = chart.bar(format!("{name} raw"), f64::from(candidate.p));
            chart.highlighted_bar(format!("{name} processed"), f64::from(after))
        };
        Chart::Bars(first.next.candidates(n).into_iter().fold(chart, bars))
    }
}
