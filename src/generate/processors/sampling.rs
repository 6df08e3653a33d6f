//! Rules that see only what is left of one row of logits. Each leaves at least `least` tokens.

use super::candidates::Candidates;
use crate::vector;

/// Divides all logits: below 1 sharpens, above 1 flattens (Ackley, Hinton & Sejnowski 1985). Above 0.
pub fn scale(row: &mut Candidates, temperature: f32) {
    let temperature = temperature.max(f32::MIN_POSITIVE);
    let highest = vector::highest(row.logits());
    // So near to 0 that a quotient overflows, only differences can be divided.
    let shift = if (highest / temperature).is_finite() { 0.0 } else { highest };
    row.change(|logit| (logit - shift) / temperature);
}

/// Keeps the k likeliest tokens, and any that tie with the k-th (Fan, Lewis & Dauphin 2018). At least 1.
pub fn keep_top_k(row: &mut Candidates, k: usize, least: usize) {
    let limit = row.nth_highest(k.max(least));
    let keys = row.logits().to_vec();
    row.retain(&keys, |logit, _| logit >= limit);
}

/// Keeps the likeliest tokens that together have at least the probability p (Holtzman et al. 2020): the least
/// likely ones are left out while their sum, rounded to `f32` as torch rounds it, stays at or below 1 - p. Above 0, at
/// most 1.
///
/// Of equal tokens at the limit those with the lower ids are left out first, as a stable sort orders them.
pub fn keep_top_p(row: &mut Candidates, p: f64, least: usize) {
    let limit = (1.0 - p) as f32;
    let mut probabilities = row.take_probabilities();
    let most = row.len().saturating_sub(least.max(1));
    let goes_on = |count, sum: f64| count <= most && sum as f32 <= limit;
    let border = Border::up(row.logits(), &probabilities, goes_on);
    let (mut count, mut sum) = (border.count, border.sum);
    for (logit, p) in row.logits().iter().zip(&mut probabilities) {
        if *logit == border.key {
            (count, sum) = (count + 1, sum + f64::from(*p));
            if !goes_on(count, sum) {
                break;
            }
            *p = EXCLUDED;
        }
    }
    row.retain(&probabilities, |logit, p| logit >= border.key && p != EXCLUDED);
}

/// No probability: what a token that ties with others at a limit has if these are kept and it is not.
const EXCLUDED: f32 = -1.0;

/// Keeps the tokens whose probability is at least this share of the likeliest one's (Nguyen et al. 2024). 0 to 1.
pub fn keep_min_p(row: &mut Candidates, share: f32, least: usize) {
    let limit = share * vector::highest(row.probabilities());
    exclude_unlikely(row, limit, least);
}

/// Keeps the tokens whose surprisal is nearest to the expected one, until they have the given mass (Meister et al.
/// 2023, locally typical sampling). The likeliest token may be left out. Above 0, below 1.
pub fn keep_typical(row: &mut Candidates, mass: f64, least: usize) {
    let (entropy, (highest, shift)) = (row.entropy() as f32, row.log_scale());
    let (shift, mass) = (shift as f32, mass as f32);
    let distance: Vec<f32> =
        row.logits().iter().map(|logit| (-((logit - highest) - shift) - entropy).abs()).collect();
    let probabilities = row.take_probabilities();
    let goes_on = |count, sum: f64| count < least || (sum as f32) < mass;
    let border = Border::up(&distance, &probabilities, goes_on);
    row.retain(&distance, |_, distance| distance <= border.key);
}

/// Leaves out the tokens of a probability below the cutoff (Hewitt, Manning & Liang 2022). Above 0, below 1.
pub fn cut_epsilon(row: &mut Candidates, cutoff: f32, least: usize) {
    exclude_unlikely(row, cutoff, least);
}

/// As epsilon, with a cutoff that falls when the distribution is flat: min(ε, √ε · e^-entropy), entropy in nats
/// (Hewitt, Manning & Liang 2022). Above 0, below 1.
pub fn cut_eta(row: &mut Candidates, cutoff: f32, least: usize) {
    let limit = cutoff.min(cutoff.sqrt() * (-row.entropy()).exp() as f32);
    exclude_unlikely(row, limit, least);
}

fn exclude_unlikely(row: &mut Candidates, limit: f32, least: usize) {
    let kept = row.nth_highest(least);
    let probabilities = row.take_probabilities();
    row.retain(&probabilities, |logit, p| p >= limit || logit >= kept);
}

/// Where a walk upwards through keys, which adds up weights, comes to its end.
struct Border {
    /// The highest key for which the walk still goes on once all lower ones were passed. What has this key ties.
    key: f32,
    /// How many have lower keys, and the sum of their weights.
    count: usize,
    sum: f64,
}

impl Border {
    /// `goes_on` says of how many were passed, and of their sum, whether the last of them still counts: it is true of
    /// none, and false of everything above the first of which it is.
    fn up(keys: &[f32], weights: &[f32], goes_on: impl Fn(usize, f64) -> bool) -> Border {
        // Between these, among all numbers in their order; the walk goes on at the first.
        let (mut low, mut high) = (place(f32::NEG_INFINITY), place(f32::INFINITY) + 1);
        let mut border = Border { key: f32::NEG_INFINITY, count: 0, sum: 0.0 };
        while low + 1 < high {
            let middle = i32::midpoint(low, high);
            let key = number_at(middle);
            let (count, sum) = vector::exact_sum_below(keys, weights, key);
            if goes_on(count, sum) {
                (low, border) = (middle, Border { key, count, sum });
            } else {
                high = middle;
            }
        }
        border
    }
}

/// The place of a number among all numbers in their order: of the next higher one it is higher by 1.
fn place(number: f32) -> i32 {
    let bits = number.to_bits() as i32;
    // Negative numbers lie the other way round.
    if bits < 0 { bits ^ i32::MAX } else { bits }
}

fn number_at(place: i32) -> f32 {
    f32::from_bits(if place < 0 { place ^ i32::MAX } else { place } as u32)
}
