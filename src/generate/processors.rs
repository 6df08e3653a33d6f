//! What the options make of the logits before a token is drawn: one small pure function each, in one order.
//!
//! The semantics are those of Hugging Face transformers (`generation/logits_process.py`), in `f32` as there.

use super::SamplingOptions;

/// One rule. It sets the logits of tokens that it excludes to -∞.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Processor {
    Temperature(f32),
    TopK(usize),
    TopP(f32),
}

impl Processor {
    /// The rules that these options ask for, in the order in which they apply.
    pub fn all(options: &SamplingOptions) -> Vec<Processor> {
        let temperature = options.temperature.filter(|t| *t != 1.0).map(Processor::Temperature);
        let top_k = options.top_k.map(Processor::TopK);
        let top_p = options.top_p.filter(|p| *p < 1.0).map(Processor::TopP);
        [temperature, top_k, top_p].into_iter().flatten().collect()
    }

    /// Changes a row of logits [vocabulary].
    pub fn apply(self, logits: &mut [f32]) {
        match self {
            Processor::Temperature(temperature) => scale(logits, temperature),
            Processor::TopK(k) => keep_top_k(logits, k),
            Processor::TopP(p) => keep_top_p(logits, p),
        }
    }
}

/// Divides all logits: below 1 sharpens, above 1 flattens (Ackley, Hinton & Sejnowski 1985).
fn scale(logits: &mut [f32], temperature: f32) {
    logits.iter_mut().for_each(|logit| *logit /= temperature);
}

/// Keeps the k likeliest tokens, and any that tie with the k-th (Fan, Lewis & Dauphin 2018).
fn keep_top_k(logits: &mut [f32], k: usize) {
    if k >= logits.len() {
        return;
    }
    let mut values = logits.to_vec();
    let (_, least, _) = values.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a));
    let least = *least;
    exclude(logits, |logit| logit < least);
}

/// Keeps the likeliest tokens that together have at least the probability p (Holtzman et al. 2020): the least
/// likely ones are left out while their sum stays at or below 1 - p; one token is always kept.
fn keep_top_p(logits: &mut [f32], p: f32) {
    let mut ids: Vec<usize> = (0..logits.len()).filter(|id| logits[*id] > f32::NEG_INFINITY).collect();
    ids.sort_by(|a, b| logits[*a].total_cmp(&logits[*b]));
    let Some((likeliest, others)) = ids.split_last() else { return };
    let highest = logits[*likeliest];
    let total: f32 = ids.iter().map(|id| (logits[*id] - highest).exp()).sum();
    let mut sum = 0.0;
    for id in others {
        sum += (logits[*id] - highest).exp() / total;
        if sum > 1.0 - p {
            break;
        }
        logits[*id] = f32::NEG_INFINITY;
    }
}

fn exclude(logits: &mut [f32], is_excluded: impl Fn(f32) -> bool) {
    logits.iter_mut().filter(|logit| is_excluded(**logit)).for_each(|logit| *logit = f32::NEG_INFINITY);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(processor: Processor, logits: &[f32]) -> Vec<usize> {
        let mut logits = logits.to_vec();
        processor.apply(&mut logits);
        (0..logits.len()).filter(|id| logits[*id] > f32::NEG_INFINITY).collect()
    }

    #[test]
    fn ties_at_the_kth_value_are_kept() {
        assert_eq!(kept(Processor::TopK(2), &[1.0, 3.0, 2.0, 2.0]), [1, 2, 3]);
        assert_eq!(kept(Processor::TopK(9), &[1.0, 2.0]), [0, 1]);
    }

    #[test]
    fn the_nucleus_reaches_p_and_is_never_empty() {
        let logits = [0.3f32, 0.1, 0.1, 0.5].map(f32::ln);
        assert_eq!(kept(Processor::TopP(0.8), &logits), [0, 3]);
        assert_eq!(kept(Processor::TopP(0.01), &logits), [3]);
    }

    #[test]
    fn an_excluded_token_stays_excluded() {
        let logits = [f32::NEG_INFINITY, 0.0, 0.0];
        for processor in [Processor::Temperature(0.5), Processor::TopK(3), Processor::TopP(0.99)] {
            assert_eq!(kept(processor, &logits)[0], 1, "{processor:?}");
        }
    }
}
