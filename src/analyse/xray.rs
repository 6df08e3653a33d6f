//! What does each rule make of a distribution?

use super::next_token::{NextToken, end_of};
use crate::distribution::Distribution;
use crate::error::Result;
use crate::generate::processors::{Processor, Seen};
use crate::render::number::{grouped, percent};
use crate::render::{BarChart, BarColumn, BarColumns, Cell, Chart, Column, Table, label};

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
        let all = || raw.iter().zip(distribution.probabilities());
        let sum = |is_kept: bool| -> f64 {
            all().filter(|(_, p)| (**p > 0.0) == is_kept).map(|(raw, _)| f64::from(*raw)).sum()
        };
        let kept = all().filter(|(_, p)| **p > 0.0).count();
        // A share of the sum, which rounding leaves a little beside 1.
        let (stays, goes) = (sum(true), sum(false));
        Stage { rule, kept, mass: stays / (stays + goes), next: NextToken { distribution, ..next.clone() } }
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

    /// A column of bars for each stage: the tokens that are among the `n` likeliest at any of them, most raw
    /// probability first.
    pub fn chart(&self, n: usize) -> Chart {
        let Some(first) = self.stages.first() else { return Chart::Bars(BarChart::new("No rules")) };
        let best = |id: u32| {
            let at = |stage: &Stage| stage.next.distribution.probabilities()[id as usize];
            self.stages.iter().map(at).fold(0.0, f32::max)
        };
        let mut ids: Vec<u32> =
            self.stages.iter().flat_map(|stage| stage.next.distribution.top(n)).map(|(id, _)| id).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.sort_by(|a, b| best(*b).total_cmp(&best(*a)));
        ids.truncate(n);
        let raw = |id: &u32| first.next.distribution.probabilities()[*id as usize];
        ids.sort_by(|a, b| raw(b).total_cmp(&raw(a)));
        let column = |(index, stage): (usize, &Stage)| {
            let p = |id: &u32| f64::from(stage.next.distribution.probabilities()[*id as usize]);
            let kept = match stage.kept {
                1 => "1 token".to_owned(),
                kept => format!("{} tokens", grouped(kept)),
            };
            let (name, notes) = match index {
                0 => ("raw".to_owned(), vec![kept]),
                _ => (stage.rule.clone(), vec!["processed".to_owned(), kept]),
            };
            let values = ids.iter().map(p).map(|p| (p > 0.0).then_some(p)).collect();
            BarColumn { name, notes, highlighted: index > 0, values }
        };
        let chart = BarColumns {
            title: "What each rule leaves".to_owned(),
            subtitle: (!self.text.is_empty()).then(|| format!("after “{}”", end_of(&self.text))),
            labels: ids.iter().map(|id| label(&first.next.piece(*id))).collect(),
            columns: self.stages.iter().enumerate().map(column).collect(),
        };
        chart.into()
    }
}
