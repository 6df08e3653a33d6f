//! What helps while code is typed: which names may stand at the cursor, what the one there is, what its call takes.
//! Front ends only show it.

mod describe;
mod knowledge;
mod offers;
mod paths;
mod place;

pub use describe::{Question, describe};
pub use knowledge::Knowledge;
pub use offers::{Offer, OfferKind, matching, models, topics};
pub use paths::{expand, lessons, paths};
pub use place::{open_call, subject};

use super::lexer::{Kind, spans};

/// Where the word at the cursor (a byte of `code`) begins, and what it may become: sorted, each once.
pub fn complete(code: &str, cursor: usize, knowledge: &Knowledge) -> (usize, Vec<Offer>) {
    let (before, after) = code.split_at(cursor);
    let spans = spans(before);
    match spans.last() {
        Some((Kind::Text { open: true }, range)) => {
            let (start, offers) = offers::in_text(before, range.start, after);
            (start, matching(&before[start..], offers))
        }
        Some((Kind::Comment { .. } | Kind::Number, _)) => (cursor, Vec::new()),
        last => {
            let word = last.filter(|(kind, _)| matches!(kind, Kind::Name | Kind::Keyword));
            let start = word.map_or(cursor, |(_, range)| range.start);
            let typed = &before[start..];
            let mut offers = matching(typed, offers::at_word(&before[..start], typed, knowledge));
            if after.starts_with('(') {
                offers.iter_mut().for_each(|offer| offer.closing.clear());
            }
            (start, offers)
        }
    }
}

/// How far the next line is to be indented: four blanks for each bracket that is open.
pub fn indent(code: &str) -> usize {
    let mut open = 0_usize;
    for (kind, range) in spans(code) {
        match (kind, &code[range]) {
            (Kind::Symbol, "(" | "[" | "{") => open += 1,
            (Kind::Symbol, ")" | "]" | "}") => open = open.saturating_sub(1),
            // Blanks would become part of it.
            (Kind::Text { open: true } | Kind::Comment { open: true }, _) => return 0,
            _ => {}
        }
    }
    open * INDENT
}

pub const INDENT: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Variable;

    fn offered(line: &str) -> Vec<String> {
        let tokens = Variable { name: "story".into(), kind: "Tokens".into(), keys: Vec::new() };
        let map = Variable { name: "options".into(), kind: "map".into(), keys: vec!["seed".into()] };
        let functions = vec!["perplexity(text)".to_owned()];
        let knowledge = Knowledge { variables: vec![tokens, map], functions };
        let (start, offers) = complete(line, line.len(), &knowledge);
        offers.into_iter().map(|offer| format!("{}{}{}", &line[..start], offer.text, offer.closing)).collect()
    }

    #[test]
    fn names_are_completed_where_names_stand() {
        assert_eq!(offered("let x = next_p"), ["let x = next_probs("]);
        assert_eq!(offered("sto"), ["story"]);
        assert_eq!(offered("perp"), ["perplexity("]);
        assert_eq!(offered("whi"), ["while"]);
        assert_eq!(offered("// next_p"), [""; 0]);
        assert_eq!(offered("\"next_p"), [""; 0]);
    }

    #[test]
    fn a_dot_offers_what_the_value_has() {
        assert_eq!(offered("story.pie"), ["story.pieces"]);
        assert_eq!(offered("next_probs(\"a\").ent"), ["next_probs(\"a\").entropy"]);
        assert_eq!(offered("options.see"), ["options.seed"]);
        assert_eq!(offered("[1, 2].pus"), ["[1, 2].push("]);
    }

    #[test]
    fn options_are_offered_in_the_map_of_their_function() {
        assert_eq!(
            offered("generate(\"a\", #{ top_k: 1, tem"),
            ["generate(\"a\", #{ top_k: 1, temperature: "]
        );
        assert_eq!(offered("sample(p, #{top_"), ["sample(p, #{top_k: ", "sample(p, #{top_p: "]);
        assert!(offered("generate(\"a\", #{ top_k: 1, top_").iter().all(|text| !text.ends_with("top_k: ")));
        assert_eq!(offered("generate(\"a\", #{ top_k: sto"), ["generate(\"a\", #{ top_k: story"]);
        assert_eq!(offered("tree(\"a\", #{ wid"), ["tree(\"a\", #{ width: "]);
        assert_eq!(offered("surprisal(\"a\", #{ st"), ["surprisal(\"a\", #{ start: "]);
        assert_eq!(offered("samples(\"a\", 3, #{ see"), ["samples(\"a\", 3, #{ seed: "]);
    }

    #[test]
    fn strings_that_name_something_are_completed_as_what_they_name() {
        assert!(offered("load(\"gpt2-m").contains(&"load(\"gpt2-medium\"".to_owned()));
        assert_eq!(offered("help(\"next_p"), ["help(\"next_probs\""]);
        assert_eq!(offered("read_text(\"src/script/assi"), ["read_text(\"src/script/assist/"]);
        assert_eq!(offered("read_text(\"Cargo.to"), ["read_text(\"Cargo.toml\""]);
    }

    #[test]
    fn open_brackets_indent() {
        assert_eq!(indent("fn f() {"), 4);
        assert_eq!(indent("fn f() { g(["), 12);
        assert_eq!(indent("fn f() { 1 }"), 0);
        assert_eq!(indent("{ `"), 0);
    }
}
