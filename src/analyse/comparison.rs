//! How do two distributions differ?

use super::next_token::NextToken;
use crate::render::{Cell, Chart, Column, PairedBars, Table, label};

/// Two predictions over the same vocabulary.
#[derive(Clone)]
pub struct Comparison {
    pub a: NextToken,
    pub b: NextToken,
}

impl Comparison {
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
        let note = format!(
            "KL(a ‖ b) {:.3} bits, KL(b ‖ a) {:.3} bits, Jensen-Shannon {:.4} bits",
            self.kl(),
            self.b.distribution.divergence(&self.a.distribution),
            self.js()
        );
        Table::new(columns).rows(self.rows(n).into_iter().map(row)).note(note)
    }

    /// Two bars for each of these tokens.
    pub fn chart(&self, n: usize) -> Chart {
        let name = |next: &NextToken| format!("after “{}”", super::next_token::end_of(&next.text));
        let pair = |(id, a, b): (u32, f64, f64)| (label(&self.a.piece(id)), [a, b]);
        PairedBars {
            title: "The likeliest next tokens of either".to_owned(),
            names: [name(&self.a), name(&self.b)],
            bars: self.rows(n).into_iter().map(pair).collect(),
        }
        .into()
    }
}
