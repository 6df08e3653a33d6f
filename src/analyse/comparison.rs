//! How do two distributions differ?

use super::next_token::{NextToken, end_of};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::model::Model;
use crate::render::{Cell, Chart, Column, PairedBars, Table, label};

/// Two predictions over the same vocabulary.
#[derive(Clone)]
pub struct Comparison {
    pub a: NextToken,
    pub b: NextToken,
    /// What either is.
    names: [String; 2],
}

/// Two texts as far as the last word in which they differ.
fn until_they_part(a: &str, b: &str) -> [String; 2] {
    let same = a.chars().rev().zip(b.chars().rev()).take_while(|(a, b)| a == b);
    let same: usize = same.map(|(character, _)| character.len_utf8()).sum();
    [a, b].map(|text| {
        let (head, tail) = text.split_at(text.len() - same);
        let word = tail.find(char::is_whitespace).unwrap_or(tail.len());
        format!("{head}{} …", &tail[..word])
    })
}

impl Comparison {
    /// Fails if one is over more tokens than the other.
    pub fn new(a: NextToken, b: NextToken) -> Result<Comparison> {
        let name = |next: &NextToken| next.described().unwrap_or_else(|| "given logits".to_owned());
        let mut names = [name(&a), name(&b)];
        if names[0] == names[1] && a.text != b.text {
            let texts = until_they_part(&a.text, &b.text);
            names = [(&a, texts[0].clone()), (&b, texts[1].clone())]
                .map(|(next, text)| name(&NextToken { text, ..next.clone() }));
        }
        Comparison { a, b, names }.checked()
    }

    /// What two models expect after a text. Fails if one of them cannot read it, or if their vocabularies differ.
    pub fn of_models(models: &[Model; 2], text: &str, interrupt: &Interrupt) -> Result<Comparison> {
        let next =
            |model: &Model| NextToken::after(model, &model.tokenizer().tokenize(text), &mut (), interrupt);
        let [a, b] = models;
        let name = |model: &Model| format!("{} after “{}”", model.name(), end_of(text));
        Comparison { a: next(a)?, b: next(b)?, names: [name(a), name(b)] }.checked()
    }

    fn checked(self) -> Result<Comparison> {
        match (self.a.distribution.len(), self.b.distribution.len()) {
            (a, b) if a == b => Ok(self),
            (a, b) => Err(Error::UnequalVocabularies { a, b }),
        }
    }

    /// The tokens that count: the `n` likeliest of either side, likeliest first, with both probabilities.
    fn rows(&self, n: usize) -> Vec<(u32, f64, f64)> {
        let (a, b) = (self.a.distribution.probabilities(), self.b.distribution.probabilities());
        let tops = [&self.a, &self.b].map(|next| next.distribution.top(n));
        let mut ids: Vec<u32> = tops.iter().flatten().map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids.dedup();
        let p = |all: &[f32], id: u32| f64::from(all.get(id as usize).copied().unwrap_or(0.0));
        let mut rows: Vec<_> = ids.into_iter().map(|id| (id, p(a, id), p(b, id))).collect();
        rows.sort_by(|x, y| y.1.max(y.2).total_cmp(&x.1.max(x.2)));
        rows.truncate(n);
        rows
    }

    /// KL(a ‖ b) in bits: what it costs to expect b where a is true.
    pub fn kl(&self) -> f64 {
        self.a.distribution.divergence(&self.b.distribution)
    }

    /// The Jensen-Shannon divergence in bits: 0 if they agree, 1 if they have nothing in common.
    pub fn js(&self) -> f64 {
        self.a.distribution.jensen_shannon(&self.b.distribution)
    }

    /// The likeliest tokens of either side with both probabilities.
    pub fn table(&self, n: usize) -> Table {
        let columns = [
            Column::left("token"),
            Column::right("p of a"),
            Column::right("p of b"),
            Column::right("log2 b/a"),
        ];
        let row = |(id, a, b): (u32, f64, f64)| {
            let ratio = (a > 0.0 && b > 0.0).then(|| (b / a).log2());
            let token = Cell::Text(label(&self.a.piece(id)));
            [token, Cell::Probability(a), Cell::Probability(b), ratio.into()]
        };
        let [a, b] = &self.names;
        let note = format!(
            "a: {a}; b: {b}; KL(a ‖ b) {:.3} bits, KL(b ‖ a) {:.3} bits, Jensen-Shannon {:.4} bits",
            self.kl(),
            self.b.distribution.divergence(&self.a.distribution),
            self.js()
        );
        Table::new(columns).rows(self.rows(n).into_iter().map(row)).note(note)
    }

    /// Two bars for each of these tokens.
    pub fn chart(&self, n: usize) -> Chart {
        let pair = |(id, a, b): (u32, f64, f64)| (label(&self.a.piece(id)), [a, b]);
        PairedBars {
            title: "The likeliest next tokens of either".to_owned(),
            names: self.names.clone(),
            bars: self.rows(n).into_iter().map(pair).collect(),
        }
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_with_the_same_end_are_named_by_where_they_part() {
        let parted = until_they_part("A little boy went home", "A little girl went home");
        assert_eq!(parted, ["A little boy …", "A little girl …"]);
        assert_eq!(until_they_part("the king sang", "the ring sang"), ["the king …", "the ring …"]);
        assert_eq!(until_they_part("well, he said", "he said"), ["well, he …", "he …"]);
    }
}
