//! Rules that see only one row of logits. Each leaves at least `least` tokens; a token that is excluded has -∞.

use super::context::log_softmax;
use crate::distribution::highest;

/// Divides all logits: below 1 sharpens, above 1 flattens (Ackley, Hinton & Sejnowski 1985). Above 0.
pub fn scale(logits: &mut [f32], temperature: f32) {
    let temperature = temperature.max(f32::MIN_POSITIVE);
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    // So near to 0 that a quotient overflows, only differences can be divided.
    let shift = if (highest / temperature).is_finite() { 0.0 } else { highest };
    logits.iter_mut().for_each(|logit| *logit = (*logit - shift) / temperature);
}

/// Keeps the k likeliest tokens, and any that tie with the k-th (Fan, Lewis & Dauphin 2018). At least 1.
pub fn keep_top_k(logits: &mut [f32], k: usize, least: usize) {
    let limit = nth_highest(logits, k.max(least));
    exclude(logits, |logit| logit < limit);
}

/// Keeps the likeliest tokens that together have at least the probability p (Holtzman et al. 2020): the least
/// likely ones are left out while their sum, rounded to `f32` as torch rounds it, stays at or below 1 - p. Above 0, at
/// most 1.
///
/// Of equal tokens at the limit those with the lower ids are left out first, as a stable sort orders them.
pub fn keep_top_p(logits: &mut [f32], p: f64, least: usize) {
    let limit = (1.0 - p) as f32;
    let probabilities = softmax(logits);
    let most = logits.iter().filter(|logit| logit.is_finite()).count().saturating_sub(least.max(1));
    let goes_on = |count, sum: f64| count <= most && sum as f32 <= limit;
    let mut walk = Walk::up(&probabilities, &probabilities, |id| logits[id].is_finite(), goes_on);
    for (id, p) in probabilities.iter().enumerate() {
        if class(*p) < walk.class {
            logits[id] = f32::NEG_INFINITY;
        }
    }
    walk.border.sort_unstable_by(|a, b| logits[*a].total_cmp(&logits[*b]).then(a.cmp(b)));
    for (id, count) in walk.border.into_iter().zip(walk.count + 1..) {
        walk.sum += f64::from(probabilities[id]);
        if !goes_on(count, walk.sum) {
            break;
        }
        logits[id] = f32::NEG_INFINITY;
    }
}

/// Keeps the tokens whose probability is at least this share of the likeliest one's (Nguyen et al. 2024). 0 to 1.
pub fn keep_min_p(logits: &mut [f32], share: f32, least: usize) {
    let probabilities = softmax(logits);
    let limit = share * probabilities.iter().copied().fold(0.0, f32::max);
    exclude_unlikely(logits, &probabilities, limit, least);
}

/// Keeps the tokens whose surprisal is nearest to the expected one, until they have the given mass (Meister et al.
/// 2023, locally typical sampling). The likeliest token may be left out. Above 0, below 1.
pub fn keep_typical(logits: &mut [f32], mass: f64, least: usize) {
    let mut log_probabilities = logits.to_vec();
    log_softmax(&mut log_probabilities);
    let term = |log: &f32| if log.is_finite() { f64::from(log.exp()) * f64::from(*log) } else { 0.0 };
    let entropy = -log_probabilities.iter().map(term).sum::<f64>() as f32;
    let distance: Vec<f32> = log_probabilities.iter().map(|log| (-log - entropy).abs()).collect();
    let mass = mass as f32;
    let probabilities: Vec<f32> = log_probabilities.iter().map(|log| log.exp()).collect();
    let goes_on = |count, sum: f64| count < least || (sum as f32) < mass;
    let mut walk = Walk::up(&distance, &probabilities, |id| distance[id].is_finite(), goes_on);
    walk.border.sort_unstable_by(|a, b| distance[*a].total_cmp(&distance[*b]).then(a.cmp(b)));
    let last = walk.border.iter().zip(walk.count + 1..).find(|(id, count)| {
        walk.sum += f64::from(probabilities[**id]);
        !goes_on(*count, walk.sum)
    });
    // If the mass is not reached, all are kept.
    let limit = last.map_or(f32::INFINITY, |(id, _)| distance[*id]);
    logits.iter_mut().zip(distance).filter(|(_, distance)| *distance > limit).for_each(|(logit, _)| {
        *logit = f32::NEG_INFINITY;
    });
}

/// Leaves out the tokens of a probability below the cutoff (Hewitt, Manning & Liang 2022). Above 0, below 1.
pub fn cut_epsilon(logits: &mut [f32], cutoff: f32, least: usize) {
    let probabilities = softmax(logits);
    exclude_unlikely(logits, &probabilities, cutoff, least);
}

/// As epsilon, with a cutoff that falls when the distribution is flat: min(ε, √ε · e^-entropy), entropy in nats
/// (Hewitt, Manning & Liang 2022). Above 0, below 1.
pub fn cut_eta(logits: &mut [f32], cutoff: f32, least: usize) {
    let probabilities = softmax(logits);
    let term = |p: &f32| if *p > 0.0 { f64::from(*p) * f64::from(*p).ln() } else { 0.0 };
    let entropy = -probabilities.iter().map(term).sum::<f64>();
    let limit = cutoff.min(cutoff.sqrt() * (-entropy).exp() as f32);
    exclude_unlikely(logits, &probabilities, limit, least);
}

fn exclude_unlikely(logits: &mut [f32], probabilities: &[f32], limit: f32, least: usize) {
    let kept = nth_highest(logits, least);
    for (logit, p) in logits.iter_mut().zip(probabilities) {
        if *p < limit && *logit < kept {
            *logit = f32::NEG_INFINITY;
        }
    }
}

/// The value of rank n, or the lowest if there are fewer.
fn nth_highest(logits: &[f32], n: usize) -> f32 {
    highest(logits, n.max(1)).last().map_or(f32::NEG_INFINITY, |id| logits[*id as usize])
}

/// A walk upwards through keys that adds up weights until something is reached. Only what has keys of the class in
/// which it ends has to be sorted.
struct Walk {
    /// All of lower classes were passed.
    class: usize,
    /// What is in this class.
    border: Vec<usize>,
    /// How many were passed, and the sum of their weights.
    count: usize,
    sum: f64,
}

/// An eighth of the way from one power of two to the next, for a key that is not negative.
fn class(key: f32) -> usize {
    (key.to_bits() >> 20) as usize
}

impl Walk {
    /// `goes_on` says of how many were passed, and of their sum, whether the last of them still counts.
    fn up(
        keys: &[f32],
        weights: &[f32],
        is_there: impl Fn(usize) -> bool,
        goes_on: impl Fn(usize, f64) -> bool,
    ) -> Walk {
        let mut classes = vec![(0, 0.0f64); class(f32::INFINITY) + 1];
        for id in (0..keys.len()).filter(|id| is_there(*id)) {
            let (count, sum) = &mut classes[class(keys[id])];
            *count += 1;
            *sum += f64::from(weights[id]);
        }
        let (mut passed, mut sum) = (0, 0.0);
        let end = classes.iter().position(|(more, weight)| {
            let goes_on = goes_on(passed + more, sum + weight);
            if goes_on {
                passed += more;
                sum += weight;
            }
            !goes_on
        });
        let end = end.unwrap_or(classes.len());
        let border = (0..keys.len()).filter(|id| class(keys[*id]) == end && is_there(*id)).collect();
        Walk { class: end, border, count: passed, sum }
    }
}

fn softmax(logits: &[f32]) -> Vec<f32> {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    // Most of a row that was cut is excluded.
    let exp = |logit: &f32| if *logit > f32::NEG_INFINITY { (logit - highest).exp() } else { 0.0 };
    let mut row: Vec<f32> = logits.iter().map(exp).collect();
    let total = row.iter().map(|p| f64::from(*p)).sum::<f64>() as f32;
    row.iter_mut().for_each(|p| *p /= total);
    row
}

fn exclude(logits: &mut [f32], is_excluded: impl Fn(f32) -> bool) {
    logits.iter_mut().filter(|logit| is_excluded(**logit)).for_each(|logit| *logit = f32::NEG_INFINITY);
}
