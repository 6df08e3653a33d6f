//! One row of logits → the probability of every token.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::vector;

/// The probabilities of all tokens, and the logits they come from. Cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    logits: Arc<[f32]>,
    probabilities: Arc<[f32]>,
}

impl Distribution {
    /// Softmax over one row of logits [vocabulary]: p = e^logit / Σ e^logit. A logit of -∞ is a probability of 0.
    ///
    /// Fails if the row is empty, has a value that is no number or +∞, or leaves no token at all.
    pub fn from_logits(logits: impl Into<Arc<[f32]>>) -> Result<Distribution> {
        let logits = logits.into();
        check(&logits)?;
        if vector::highest(&logits) == f32::NEG_INFINITY {
            return Err(Error::NoTokenLeft { size: logits.len() });
        }
        let probabilities = softmax(&logits);
        Ok(Distribution { logits, probabilities: probabilities.into() })
    }

    /// How many tokens there are.
    pub fn len(&self) -> usize {
        self.logits.len()
    }

    pub fn is_empty(&self) -> bool {
        self.logits.is_empty()
    }

    /// The logit of each token, by id.
    pub fn logits(&self) -> &[f32] {
        &self.logits
    }

    /// The probability of each token, by id; they sum to 1.
    pub fn probabilities(&self) -> &[f32] {
        &self.probabilities
    }

    /// The probability of one token. Fails on an id outside the vocabulary.
    pub fn p(&self, id: u32) -> Result<f32> {
        self.probabilities
            .get(id as usize)
            .copied()
            .ok_or(Error::IdOutsideVocabulary { id: id.into(), size: self.len() })
    }

    /// The likeliest token; of several equal ones that with the lowest id.
    pub fn argmax(&self) -> u32 {
        argmax(&self.logits) as u32
    }

    /// How many tokens are likelier than this one, plus one: the likeliest has rank 1. Equal ones follow their id.
    pub fn rank(&self, id: u32) -> Result<usize> {
        self.p(id)?;
        let (index, logit) = (id as usize, self.logits[id as usize]);
        let before = |(other, value): &(usize, &f32)| **value > logit || (**value == logit && *other < index);
        Ok(1 + self.logits.iter().enumerate().filter(before).count())
    }

    /// The `n` likeliest tokens with their probabilities, likeliest first; tokens of probability 0 are left out.
    pub fn top(&self, n: usize) -> Vec<(u32, f32)> {
        let ids = highest(&self.logits, n).into_iter();
        let best = ids.map(|id| (id, self.probabilities[id as usize]));
        best.filter(|(_, p)| *p > 0.0).collect()
    }

    /// How unsure the distribution is, in bits: 0 if one token is certain, log2 of the vocabulary if all are equal.
    pub fn entropy(&self) -> f64 {
        let nats = -vector::exact_moment(&self.probabilities, &self.logits, self.log_total());
        (nats / std::f64::consts::LN_2).max(0.0)
    }

    /// KL(self ‖ other) in bits, by the same ids: what it costs to expect `other` where this one is true. Infinite if
    /// a token that can come here cannot come there.
    pub fn divergence(&self, other: &Distribution) -> f64 {
        let own = vector::exact_moment(&self.probabilities, &self.logits, self.log_total());
        let cross = vector::exact_moment(&self.probabilities, &other.logits, other.log_total());
        ((own - cross) / std::f64::consts::LN_2).max(0.0)
    }

    /// The Jensen-Shannon divergence in bits: 0 if both are the same, 1 if no token can come in both.
    pub fn jensen_shannon(&self, other: &Distribution) -> f64 {
        let half = |p: f64, q: f64| if p > 0.0 { 0.5 * p * (2.0 * p / (p + q)).log2() } else { 0.0 };
        let term = |(p, q): (&f32, &f32)| {
            let (p, q) = (f64::from(*p), f64::from(*q));
            half(p, q) + half(q, p)
        };
        self.probabilities.iter().zip(&*other.probabilities).map(term).sum::<f64>().clamp(0.0, 1.0)
    }

    /// ln Σ e^logit, as the probabilities have it.
    fn log_total(&self) -> f64 {
        let best = self.argmax() as usize;
        f64::from(self.logits[best]) - f64::from(self.probabilities[best]).ln()
    }
}

/// Fails if a logit is no number or +∞.
pub fn check(logits: &[f32]) -> Result<()> {
    // One look at all tells whether a second one is needed.
    let is_bad = |logit: &f32| logit.is_nan() || *logit == f32::INFINITY;
    if logits.iter().fold(false, |bad, logit| bad | is_bad(logit)) {
        let id = logits.iter().position(is_bad).expect("one was seen");
        return Err(Error::BadLogit { id, logit: logits[id] });
    }
    Ok(())
}

/// The probabilities of a row of logits [vocabulary], one of which at least is above -∞.
pub fn softmax(logits: &[f32]) -> Vec<f32> {
    let (_, mut row) = exponentials(logits);
    let total = vector::exact_sum(&row) as f32;
    row.iter_mut().for_each(|p| *p /= total);
    row
}

/// ln Σ e^logit: what is taken from a logit to make a log-probability.
pub fn log_total(logits: &[f32]) -> f64 {
    let (highest, row) = exponentials(logits);
    f64::from(highest) + vector::exact_sum(&row).ln()
}

/// The highest logit, and e^(logit - highest) of each.
fn exponentials(logits: &[f32]) -> (f32, Vec<f32>) {
    let highest = vector::highest(logits);
    let mut row: Vec<f32> = logits.iter().map(|logit| logit - highest).collect();
    vector::exponentials(&mut row);
    (highest, row)
}

/// The place of the highest value, the first of several equal ones; 0 where all are -∞.
pub fn argmax(values: &[f32]) -> usize {
    best_of(values, 1).first().map_or(0, |place| *place as usize)
}

/// Up to so many, keeping a short list is faster than partitioning all.
const FEW: usize = 256;

/// The ids of the `n` highest values, the highest first and equal ones by their id; none of -∞.
pub fn highest(values: &[f32], n: usize) -> Vec<u32> {
    if n <= FEW {
        return best_of(values, n);
    }
    let order = |a: &u32, b: &u32| values[*b as usize].total_cmp(&values[*a as usize]).then(a.cmp(b));
    let mut ids: Vec<u32> =
        (0..values.len() as u32).filter(|id| values[*id as usize] > f32::NEG_INFINITY).collect();
    if n < ids.len() {
        ids.select_nth_unstable_by(n - 1, order);
        ids.truncate(n);
    }
    ids.sort_unstable_by(order);
    ids
}

/// So many numbers are compared at once.
const BLOCK: usize = 32;

/// The same in one pass, for few.
fn best_of(values: &[f32], n: usize) -> Vec<u32> {
    let mut best: Vec<u32> = Vec::with_capacity(n + 1);
    let mut least = f32::NEG_INFINITY;
    for (block, start) in values.chunks(BLOCK).zip((0..).step_by(BLOCK)) {
        // One look at all tells whether any of them counts.
        if !block.iter().fold(false, |any, value| any | (*value > least)) {
            continue;
        }
        for (&value, id) in block.iter().zip(start..) {
            // An equal one comes after those that are there: their ids are lower.
            if value > least {
                let place = best.partition_point(|other| values[*other as usize] >= value);
                best.insert(place, id);
                best.truncate(n);
                if best.len() == n {
                    least = best.last().map_or(f32::INFINITY, |last| values[*last as usize]);
                }
            }
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distribution(logits: &[f32]) -> Distribution {
        Distribution::from_logits(logits).unwrap()
    }

    #[test]
    fn equal_logits_share_the_mass_equally() {
        let even = distribution(&[3.0; 8]);
        assert_eq!(even.p(5).unwrap(), 0.125);
        assert!((even.entropy() - 3.0).abs() < 1e-12);
        assert_eq!(distribution(&[5.0, f32::NEG_INFINITY]).entropy(), 0.0);
        assert_eq!(even.argmax(), 0);
        assert_eq!(even.top(2), [(0, 0.125), (1, 0.125)]);
    }

    #[test]
    fn few_and_many_come_in_the_same_order() {
        let logits: Vec<f32> = (0..500).map(|i| ((i * 7919) % 101) as f32).collect();
        let distribution = distribution(&logits);
        let all = distribution.top(500);
        assert!((0..=40).all(|n| distribution.top(n) == all[..n]));
    }

    #[test]
    fn only_differences_between_logits_matter() {
        let shifted = distribution(&[1001.0, 1000.0]);
        let plain = distribution(&[1.0, 0.0]);
        assert_eq!(shifted.probabilities(), plain.probabilities());
        assert!((plain.p(0).unwrap() - 0.731_058_6).abs() < 1e-6);
    }

    #[test]
    fn a_banned_token_has_no_probability_and_the_last_rank() {
        let banned = distribution(&[0.0, f32::NEG_INFINITY, 1.0]);
        assert_eq!(banned.p(1).unwrap(), 0.0);
        assert_eq!(banned.rank(1).unwrap(), 3);
        assert_eq!(banned.rank(2).unwrap(), 1);
        assert_eq!(banned.top(10).len(), 2);
    }

    #[test]
    fn rows_that_are_no_distribution_are_refused() {
        assert!(matches!(Distribution::from_logits([]), Err(Error::NoTokenLeft { .. })));
        assert!(matches!(Distribution::from_logits([f32::NAN]), Err(Error::BadLogit { .. })));
        assert!(matches!(Distribution::from_logits([f32::NEG_INFINITY]), Err(Error::NoTokenLeft { .. })));
        assert!(matches!(distribution(&[0.0]).p(1), Err(Error::IdOutsideVocabulary { .. })));
    }

    #[test]
    fn divergences_are_in_bits() {
        let (certain, even) = (distribution(&[0.0, f32::NEG_INFINITY]), distribution(&[1.0, 1.0]));
        assert!((certain.divergence(&even) - 1.0).abs() < 1e-6);
        assert_eq!(even.divergence(&certain), f64::INFINITY);
        assert_eq!(even.divergence(&even), 0.0);
        let other = distribution(&[f32::NEG_INFINITY, 0.0]);
        assert!((certain.jensen_shannon(&other) - 1.0).abs() < 1e-6);
        assert_eq!(even.jensen_shannon(&even), 0.0);
    }
}
