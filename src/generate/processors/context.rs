//! Rules that look at the text so far, or at how long it is. `ids` are all tokens, those of the prompt included.

use crate::distribution::log_total;
use crate::vector;

/// Moves away from what a second, unconditional prompt predicts (classifier-free guidance, Sanchez et al. 2023): in
/// log-probabilities, unconditional + scale · (conditional - unconditional). 1 changes nothing.
pub fn guide(logits: &mut [f32], unconditional: &[f32], scale: f32) {
    log_softmax(logits);
    if scale == 1.0 {
        return;
    }
    let mut unconditional = unconditional.to_vec();
    log_softmax(&mut unconditional);
    for (logit, other) in logits.iter_mut().zip(unconditional) {
        // A token that is impossible on both sides would become no number.
        if logit.is_finite() {
            *logit = scale * (*logit - other) + other;
        }
    }
}

/// Adds a bias to the last token of each sequence whose beginning ends the text (any finite bias).
pub fn bias(logits: &mut [f32], ids: &[u32], biases: &[(Vec<u32>, f32)]) {
    let mut added: Vec<(u32, f32)> = Vec::new();
    for (sequence, bias) in biases {
        let Some(last) = completed_by(sequence, ids) else { continue };
        match added.iter_mut().find(|(id, _)| *id == last) {
            Some((_, sum)) => *sum += bias,
            None => added.push((last, *bias)),
        }
    }
    for (id, bias) in added {
        // A toy row may have fewer tokens than the vocabulary that the sequence was cut with.
        if let Some(logit) = logits.get_mut(id as usize) {
            *logit += bias;
        }
    }
}

/// Makes each token of the text less likely, once: a positive logit is divided, a negative one multiplied
/// (Keskar et al. 2019, CTRL). Above 0; 1 changes nothing.
pub fn penalise_repetition(logits: &mut [f32], ids: &[u32], penalty: f32) {
    let mut distinct = ids.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    for id in distinct {
        if let Some(logit) = logits.get_mut(id as usize) {
            *logit = if *logit < 0.0 { *logit * penalty } else { *logit / penalty };
        }
    }
}

/// Bans every token that would repeat a run of n tokens (Paulus, Xiong & Socher 2017). At least 1.
pub fn ban_repeated_ngrams(logits: &mut [f32], ids: &[u32], n: usize) {
    if ids.len() + 1 < n {
        return;
    }
    let start = &ids[ids.len() + 1 - n..];
    for run in ids.windows(n).filter(|run| run.starts_with(start)) {
        ban(logits, run[n - 1]);
    }
}

/// Bans the last token of each word whose beginning ends the text. A word that is an end token alone is no bad word.
pub fn ban_words(logits: &mut [f32], ids: &[u32], words: &[Vec<u32>], ends: &[u32]) {
    for word in words.iter().filter(|word| !matches!(word.as_slice(), [id] if ends.contains(id))) {
        if let Some(last) = completed_by(word, ids) {
            ban(logits, last);
        }
    }
}

/// Bans the end tokens while there are fewer than `least` tokens.
pub fn forbid_ends(logits: &mut [f32], length: usize, least: usize, ends: &[u32]) {
    if length < least {
        ends.iter().for_each(|id| ban(logits, *id));
    }
}

/// Leaves only the end tokens when one place is left.
pub fn force_ends(logits: &mut [f32], length: usize, most: usize, ends: &[u32]) {
    if length + 1 == most {
        logits.fill(f32::NEG_INFINITY);
        for id in ends {
            if let Some(logit) = logits.get_mut(*id as usize) {
                *logit = 0.0;
            }
        }
    }
}

/// Makes the end tokens likelier with each token after `start` of them: |logit| · (factor^k - 1) is added.
pub fn hasten_ends(logits: &mut [f32], length: usize, start: usize, factor: f64, ends: &[u32]) {
    if length <= start {
        return;
    }
    let growth = (factor.powf((length - start) as f64) - 1.0) as f32;
    for id in ends {
        // A banned token stays banned.
        if let Some(logit) = logits.get_mut(*id as usize).filter(|logit| logit.is_finite()) {
            *logit += logit.abs() * growth;
        }
    }
}

/// Bans tokens.
pub fn suppress(logits: &mut [f32], ids: &[u32]) {
    ids.iter().for_each(|id| ban(logits, *id));
}

/// The last token of a sequence, if all before it end the text.
fn completed_by(sequence: &[u32], ids: &[u32]) -> Option<u32> {
    let (last, before) = sequence.split_last()?;
    (before.is_empty() || (sequence.len() <= ids.len() && ids.ends_with(before))).then_some(*last)
}

fn ban(logits: &mut [f32], id: u32) {
    if let Some(logit) = logits.get_mut(id as usize) {
        *logit = f32::NEG_INFINITY;
    }
}

/// Logits as log-probabilities.
pub fn log_softmax(logits: &mut [f32]) {
    let highest = vector::highest(logits);
    let shift = (log_total(logits) - f64::from(highest)) as f32;
    logits.iter_mut().for_each(|logit| *logit = (*logit - highest) - shift);
}
