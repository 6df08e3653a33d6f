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
    let probabilities = row.take_probabilities();
    let most = row.len().saturating_sub(least.max(1));
    let goes_on = |count, sum: f64| count <= most && sum as f32 <= limit;
    // Tokens that are less likely than an equal share of the limit stay within it, however many they are.
    let share = f32::from_bits((limit / row.len() as f32).to_bits() >> CLASS_BITS << CLASS_BITS);
    let (mut places, sum) = select(&probabilities, &probabilities, |p| p >= share);
    let mut passed = match row.len() - places.len() {
        0 => (0, 0.0),
        count => (count, vector::exact_sum(&probabilities) - sum),
    };
    if !goes_on(passed.0, passed.1) {
        (places, passed) = ((0..row.len()).collect(), (0, 0.0));
    }
    let mut walk = Walk::up(&probabilities, &probabilities, &places, passed, goes_on);
    let logits = row.logits();
    walk.border.sort_unstable_by(|a, b| logits[*a].total_cmp(&logits[*b]).then(a.cmp(b)));
    let mut counts = walk.count + 1..;
    let end = walk.border.iter().zip(&mut counts).position(|(place, count)| {
        walk.sum += f64::from(probabilities[*place]);
        !goes_on(count, walk.sum)
    });
    let excluded = &walk.border[..end.unwrap_or(walk.border.len())];
    let keys = excluded.iter().fold(probabilities, |mut keys, place| {
        keys[*place] = -1.0;
        keys
    });
    row.retain(&keys, |_, key| key >= walk.start);
}

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
    // The mass farther than so many standard deviations is less than what may be left out (Chebyshev's inequality).
    let squares: Vec<f32> = distance.iter().map(|distance| distance * distance).collect();
    let far = (vector::exact_moment(&probabilities, &squares, 0.0) as f32 / (1.0 - mass)).sqrt();
    let (mut places, sum) = select(&distance, &probabilities, |distance| distance <= far);
    if goes_on(places.len(), sum) {
        places = (0..row.len()).collect();
    }
    let mut walk = Walk::up(&distance, &probabilities, &places, (0, 0.0), goes_on);
    walk.border.sort_unstable_by(|a, b| distance[*a].total_cmp(&distance[*b]).then(a.cmp(b)));
    let last = walk.border.iter().zip(walk.count + 1..).find(|(place, count)| {
        walk.sum += f64::from(probabilities[**place]);
        !goes_on(*count, walk.sum)
    });
    // If the mass is not reached, all are kept.
    let limit = last.map_or(f32::INFINITY, |(place, _)| distance[*place]);
    row.retain(&distance, |_, distance| distance <= limit);
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

/// A walk upwards through keys that adds up weights until something is reached. Only what has keys of the class in
/// which it ends has to be sorted.
struct Walk {
    /// Keys below were passed: the lowest of the class that is left to be walked through.
    start: f32,
    /// The places of what is in this class.
    border: Vec<usize>,
    /// How many were passed, and the sum of their weights.
    count: usize,
    sum: f64,
}

/// An eighth of the way from one power of two to the next, for a key that is not negative.
fn class(key: f32) -> usize {
    (key.to_bits() >> CLASS_BITS) as usize
}

/// So many of the lowest bits make no difference to the class.
const CLASS_BITS: u32 = 20;

impl Walk {
    /// Through keys at these places, after others that were passed. `goes_on` says of how many were passed, and of
    /// their sum, whether the last of them still counts.
    fn up(
        keys: &[f32],
        weights: &[f32],
        places: &[usize],
        passed: (usize, f64),
        goes_on: impl Fn(usize, f64) -> bool,
    ) -> Walk {
        let mut classes = vec![(0, 0.0f64); class(f32::INFINITY) + 1];
        for place in places {
            let (count, sum) = &mut classes[class(keys[*place])];
            *count += 1;
            *sum += f64::from(weights[*place]);
        }
        let (mut count, mut sum) = passed;
        let end = classes.iter().position(|(more, weight)| {
            // A class of nothing changes nothing.
            let goes_on = *more == 0 || goes_on(count + more, sum + weight);
            if goes_on {
                count += more;
                sum += weight;
            }
            !goes_on
        });
        let end = end.unwrap_or(classes.len());
        let border = places.iter().copied().filter(|place| class(keys[*place]) == end).collect();
        Walk { start: f32::from_bits((end as u32) << CLASS_BITS), border, count, sum }
    }
}

/// The places of the keys of which this is true, and the sum of their weights.
fn select(keys: &[f32], weights: &[f32], is_selected: impl Fn(f32) -> bool) -> (Vec<usize>, f64) {
    const BLOCK: usize = 16;
    let mut places = Vec::new();
    for (block, start) in keys.chunks(BLOCK).zip((0..).step_by(BLOCK)) {
        if block.iter().fold(false, |any, key| any | is_selected(*key)) {
            places.extend((start..start + block.len()).filter(|place| is_selected(keys[*place])));
        }
    }
    let sum = places.iter().map(|place| f64::from(weights[*place])).sum();
    (places, sum)
}
