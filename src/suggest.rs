//! "Did you mean …?": the known name nearest to a mistyped one.

/// The candidate most like `name`, if one is like it at all.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&name, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| {
            // With every letter changed it is another word, however short.
            let length = name.chars().count().max(candidate.chars().count());
            *distance <= allowed(length) && *distance < length
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// One slip for every three letters, so that short names do not match everything.
fn allowed(length: usize) -> usize {
    (length / 3).clamp(1, 3)
}

/// "did you mean `x`?" for a hint, if some candidate is near.
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(name, candidates).map(|candidate| format!("did you mean `{candidate}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_name() {
        let known = ["gpt2", "gpt2-medium", "gpt2-large", "pocket"];
        assert_eq!(nearest("gpt2-meduim", known), Some("gpt2-medium"));
        assert_eq!(nearest("Pocket", known), Some("pocket"));
    }

    #[test]
    fn another_word_altogether_finds_none() {
        assert_eq!(nearest("llama", ["gpt2", "pocket"]), None);
        assert_eq!(nearest("x", ["p", "id"]), None);
        assert_eq!(nearest("+", ["p"]), None);
    }
}
