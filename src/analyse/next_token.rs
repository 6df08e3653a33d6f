//! Which token comes next, and how likely is each?

use crate::distribution::Distribution;
use crate::error::Result;
use crate::generate::processors::{Processor, Seen};
use crate::interrupt::Interrupt;
use crate::model::Model;
use crate::model::hook::Hook;
use crate::render::label::{Keep, one_line, shortened};
use crate::render::number::{percent, shortest};
use crate::render::{BarChart, Cell, Chart, Column, Table, label};
use crate::tokenizer::{Tokenizer, Tokens};

/// A distribution that knows what its ids stand for.
#[derive(Clone)]
pub struct NextToken {
    pub distribution: Distribution,
    /// None for a row of given numbers, whose ids stand for themselves.
    pub tokenizer: Option<Tokenizer>,
    /// The text that was read, for a chart's title.
    pub text: String,
    /// The rules that changed it; none where it is as the model gave it.
    pub rules: Vec<String>,
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
    /// A row of given numbers, without a model.
    pub fn of_logits(logits: Vec<f32>) -> Result<NextToken> {
        let distribution = Distribution::from_logits(logits)?;
        Ok(NextToken { distribution, tokenizer: None, text: String::new(), rules: Vec::new() })
    }

    /// What follows a text that is read from its start, with a hook.
    pub fn after(
        model: &Model,
        tokens: &Tokens,
        hook: &mut dyn Hook,
        interrupt: &Interrupt,
    ) -> Result<NextToken> {
        let logits = model.logits_with(tokens.ids(), hook, interrupt)?;
        let (tokenizer, text) = (Some(tokens.tokenizer().clone()), tokens.text());
        Ok(NextToken { tokenizer, text, ..NextToken::of_logits(logits)? })
    }

    /// The bytes of a token.
    pub fn piece(&self, id: u32) -> Vec<u8> {
        match &self.tokenizer {
            Some(tokenizer) => tokenizer.piece(id),
            None => format!("#{id}").into_bytes(),
        }
    }

    /// How many tokens have any probability.
    pub fn possible(&self) -> usize {
        self.distribution.probabilities().iter().filter(|p| **p > 0.0).count()
    }

    /// What changed it, for a title: "after top_k 5".
    fn changed(&self) -> Option<String> {
        (!self.rules.is_empty()).then(|| format!("after {}", self.rules.join(", ")))
    }

    /// What it is a prediction of, for a title: "after top_k 5, after “Once upon”".
    pub fn described(&self) -> Option<String> {
        let read = self.tokenizer.as_ref().map(|_| format!("after “{}”", end_of(&self.text)));
        match (read, self.changed()) {
            (Some(read), Some(changed)) => Some(format!("{changed}, {read}")),
            (read, changed) => read.or(changed),
        }
    }

    /// The `n` likeliest tokens, likeliest first.
    pub fn candidates(&self, n: usize) -> Vec<Candidate> {
        let candidate = |(index, (id, p)): (usize, (u32, f32))| Candidate {
            id,
            piece: self.piece(id),
            p,
            rank: index + 1,
        };
        self.distribution.top(n).into_iter().enumerate().map(candidate).collect()
    }

    /// What rules that look at nothing else leave of the distribution.
    pub fn processed(&self, processors: &[Processor]) -> Result<NextToken> {
        let mut logits = self.distribution.logits().to_vec();
        processors.iter().for_each(|processor| processor.apply(&mut logits, &Seen::default()));
        let rules = self.rules.iter().cloned().chain(processors.iter().map(Processor::describe)).collect();
        Ok(NextToken { distribution: Distribution::from_logits(logits)?, rules, ..self.clone() })
    }

    /// One token, by its id. Fails on an id outside the vocabulary.
    pub fn candidate(&self, id: u32) -> Result<Candidate> {
        let (p, rank) = (self.distribution.p(id)?, self.distribution.rank(id)?);
        Ok(Candidate { id, piece: self.piece(id), p, rank })
    }

    /// The `n` likeliest tokens with bars, and what is left over.
    pub fn table(&self, n: usize) -> Table {
        let candidates = self.candidates(n);
        let shown: f32 = candidates.iter().map(|candidate| candidate.p).sum();
        let (all, possible) = (self.distribution.len(), self.possible());
        let rest = percent((1.0 - f64::from(shown)).max(0.0));
        let others = match possible - candidates.len() {
            0 if possible == all => String::new(),
            0 => format!("none of the other {} tokens can come; ", all - possible),
            others if possible == all => format!("the other {others} tokens: {rest}; "),
            others => format!("the other {others} tokens that can come: {rest}; "),
        };
        let note = format!("{others}entropy {:.2} bits", self.distribution.entropy());
        let table = table(&candidates).note(note);
        match self.changed() {
            Some(changed) => table.title(format!("Probabilities {changed}")),
            None => table,
        }
    }

    /// A bar for each of the `n` likeliest tokens.
    pub fn chart(&self, n: usize) -> Chart {
        let candidates = self.candidates(n);
        let title = format!("The {} likeliest next tokens", candidates.len());
        chart(&title, self.described(), &candidates)
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
        let (p, share) = (shortest(candidate.p), f64::from(candidate.p / largest));
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
    let end = shortened(&one_line(text), Keep::End, 60.0, |text| text.chars().count() as f64);
    // What is left of a word that was cut is left out too.
    match end.strip_prefix('…').and_then(|rest| rest.split_once(' ')) {
        Some((_, words)) if !words.is_empty() => format!("… {words}"),
        _ => end,
    }
}
