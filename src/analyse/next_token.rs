//! Which token comes next, and how likely is each?

use crate::distribution::Distribution;
use crate::error::Result;
use crate::render::label::{Keep, one_line, shortened};
use crate::render::{BarChart, Cell, Chart, Column, Table, label};
use crate::tokenizer::Tokenizer;

/// A distribution that knows what its ids stand for.
#[derive(Clone)]
pub struct NextToken {
    pub distribution: Distribution,
    pub tokenizer: Tokenizer,
    /// The text that was read, for a chart's title.
    pub text: String,
}

/// One token that may come next.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    pub id: u32,
    /// Its bytes.
    pub piece: Vec<u8>,
    pub p: f32,
    /// 1 for the likeliest.
    pub rank: usize,
}

impl NextToken {
    /// The `n` likeliest tokens, likeliest first.
    pub fn candidates(&self, n: usize) -> Vec<Candidate> {
        let candidate = |(index, (id, p)): (usize, (u32, f32))| Candidate {
            id,
            piece: self.tokenizer.piece(id),
            p,
            rank: index + 1,
        };
        self.distribution.top(n).into_iter().enumerate().map(candidate).collect()
    }

    /// One token, by its id. Fails on an id outside the vocabulary.
    pub fn candidate(&self, id: u32) -> Result<Candidate> {
        let (p, rank) = (self.distribution.p(id)?, self.distribution.rank(id)?);
        Ok(Candidate { id, piece: self.tokenizer.piece(id), p, rank })
    }

    /// The `n` likeliest tokens with bars, and what is left over.
    pub fn table(&self, n: usize) -> Table {
        let candidates = self.candidates(n);
        let shown: f32 = candidates.iter().map(|candidate| candidate.p).sum();
        let rest = self.distribution.len() - candidates.len();
        let note = format!(
            "the other {rest} tokens: {}; entropy {:.2} bits",
            crate::render::number::percent((1.0 - f64::from(shown)).max(0.0)),
            self.distribution.entropy()
        );
        table(&candidates).note(note)
    }

    /// A bar for each of the `n` likeliest tokens.
    pub fn chart(&self, n: usize) -> Chart {
        let candidates = self.candidates(n);
        let title = format!("The {} likeliest next tokens", candidates.len());
        chart(&title, Some(format!("after “{}”", end_of(&self.text))), &candidates)
    }
}

/// A bar for each candidate.
pub fn chart(title: &str, subtitle: Option<String>, candidates: &[Candidate]) -> Chart {
    let empty = BarChart { subtitle, ..BarChart::new(title) };
    let bar =
        |chart: BarChart, candidate: &Candidate| chart.bar(label(&candidate.piece), f64::from(candidate.p));
    Chart::Bars(candidates.iter().fold(empty, bar))
}

/// One row a candidate: id, token, p and its bar.
pub fn table(candidates: &[Candidate]) -> Table {
    let columns = [Column::right("id"), Column::left("token"), Column::right("p"), Column::left("")];
    let largest = candidates.iter().map(|candidate| candidate.p).fold(f32::MIN_POSITIVE, f32::max);
    let row = |candidate: &Candidate| {
        let (p, share) = (f64::from(candidate.p), f64::from(candidate.p / largest));
        [
            Cell::Integer(candidate.id.into()),
            Cell::Text(label(&candidate.piece)),
            Cell::Probability(p),
            Cell::Bar(share),
        ]
    };
    Table::new(columns).rows(candidates.iter().map(row))
}

/// The last words of a text, on one line that fits a title.
pub fn end_of(text: &str) -> String {
    shortened(&one_line(text), Keep::End, 60.0, |text| text.chars().count() as f64)
}
