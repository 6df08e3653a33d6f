//! The tokens that a rule has left, without those that it has not: what one rule cuts, the next need not look at.

use crate::distribution::{Distribution, highest, softmax};
use crate::error::{Error, Result};
use crate::vector;

/// Tokens that may come next, by their ids, with their logits.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidates {
    ids: Vec<u32>,
    logits: Vec<f32>,
    /// None since the logits changed.
    probabilities: Option<Vec<f32>>,
    /// Of the whole vocabulary.
    size: usize,
}

/// So many tokens are looked at before any of them is moved.
const BLOCK: usize = 32;

impl From<&Distribution> for Candidates {
    fn from(distribution: &Distribution) -> Candidates {
        Candidates::new(distribution.logits(), Some(distribution.probabilities().to_vec()))
    }
}

impl From<&[f32]> for Candidates {
    /// A row of logits [vocabulary]; what has -∞ is no candidate.
    fn from(logits: &[f32]) -> Candidates {
        Candidates::new(logits, None)
    }
}

impl Candidates {
    /// The probabilities are those of the whole row.
    fn new(logits: &[f32], probabilities: Option<Vec<f32>>) -> Candidates {
        let (size, logits) = (logits.len(), logits.to_vec());
        let mut all = Candidates { ids: (0..size as u32).collect(), logits, probabilities, size };
        all.drop_excluded();
        all
    }

    pub fn len(&self) -> usize {
        self.ids.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    pub fn logits(&self) -> &[f32] {
        &self.logits
    }

    /// Changes all logits.
    pub fn change(&mut self, change: impl Fn(f32) -> f32) {
        self.logits.iter_mut().for_each(|logit| *logit = change(*logit));
        self.probabilities = None;
    }

    /// The probability of each candidate among these.
    pub fn probabilities(&mut self) -> &[f32] {
        self.probabilities.get_or_insert_with(|| softmax(&self.logits))
    }

    /// The same, to be looked at while candidates are left out. They are another's as soon as one is.
    pub fn take_probabilities(&mut self) -> Vec<f32> {
        self.probabilities.take().unwrap_or_else(|| softmax(&self.logits))
    }

    /// The highest logit, and ln Σ e^(logit - highest): together what makes logits log-probabilities.
    pub fn log_scale(&mut self) -> (f32, f64) {
        // The likeliest token's probability is 1 / Σ.
        let likeliest = vector::highest(self.probabilities());
        (vector::highest(&self.logits), -f64::from(likeliest).ln())
    }

    /// The expected surprisal, in nats.
    pub fn entropy(&mut self) -> f64 {
        let (highest, shift) = self.log_scale();
        let probabilities = self.probabilities.as_deref().expect("the scale was computed from them");
        -vector::exact_moment(probabilities, &self.logits, f64::from(highest) + shift)
    }

    /// The logit of rank n, or the lowest if there are fewer.
    pub fn nth_highest(&self, n: usize) -> f32 {
        highest(&self.logits, n.max(1)).last().map_or(f32::NEG_INFINITY, |place| self.logits[*place as usize])
    }

    /// Keeps the candidates of which this is true, by their logits and one more number that each has.
    pub fn retain(&mut self, keys: &[f32], is_kept: impl Fn(f32, f32) -> bool) {
        let mut kept = 0;
        for start in (0..self.len()).step_by(BLOCK) {
            let block = start..(start + BLOCK).min(self.len());
            let pairs = self.logits[block.clone()].iter().zip(&keys[block.clone()]);
            // After most cuts, most blocks are empty.
            if !pairs.fold(false, |any, (logit, key)| any | is_kept(*logit, *key)) {
                continue;
            }
            for place in block {
                let (id, logit) = (self.ids[place], self.logits[place]);
                (self.ids[kept], self.logits[kept]) = (id, logit);
                kept += usize::from(is_kept(logit, keys[place]));
            }
        }
        if kept < self.len() {
            self.ids.truncate(kept);
            self.logits.truncate(kept);
            self.probabilities = None;
        }
    }

    fn drop_excluded(&mut self) {
        if self.logits.iter().fold(false, |any, logit| any | (*logit == f32::NEG_INFINITY)) {
            let keys = self.logits.clone();
            self.retain(&keys, |logit, _| logit > f32::NEG_INFINITY);
        }
    }

    /// Writes the candidates into a row of logits [vocabulary]; the others get -∞.
    pub fn write(&self, logits: &mut [f32]) {
        logits.fill(f32::NEG_INFINITY);
        self.ids.iter().zip(&self.logits).for_each(|(id, logit)| logits[*id as usize] = *logit);
    }

    /// Takes the candidate whose place is chosen by all logits and probabilities: its id and its probability. Fails if
    /// none is left.
    pub fn choose(mut self, choose: impl FnOnce(&[f32], &[f32]) -> usize) -> Result<(u32, f32)> {
        if self.is_empty() {
            return Err(Error::NoTokenLeft { size: self.size });
        }
        let probabilities = self.take_probabilities();
        let place = choose(&self.logits, &probabilities);
        Ok((self.ids[place], probabilities[place]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_come_is_no_candidate_wherever_the_row_is_from() {
        let logits = [1.0, f32::NEG_INFINITY, 3.0, f32::NEG_INFINITY];
        let distribution = Distribution::from_logits(&logits[..]).unwrap();
        for mut row in [Candidates::from(&distribution), Candidates::from(&logits[..])] {
            assert_eq!((row.len(), row.logits()), (2, &[1.0, 3.0][..]));
            assert_eq!(row.probabilities(), [distribution.p(0).unwrap(), distribution.p(2).unwrap()]);
        }
    }
}
