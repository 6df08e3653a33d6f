//! What helps while a cell is typed: completions, what a name is, how far to indent.

use std::ops::Range;

use serde_json::{Value, json};

use crate::render::{Output, TextStyle};
use crate::script::lexer::{self, Kind};
use crate::script::registry::{self, Binding};
use crate::script::{Session, bindings::TOPICS};

use super::media;

/// The content of a `complete_reply`. Cursors count code points.
pub fn complete(session: &Session, content: &Value) -> Value {
    let code = content["code"].as_str().unwrap_or_default();
    let cursor = byte_of(code, &content["cursor_pos"]);
    let (start, names) = candidates(session, code, cursor);
    let matches: Vec<&Candidate> =
        names.iter().filter(|one| one.name.starts_with(&code[start..cursor])).collect();
    let points = |byte: usize| code[..byte].chars().count();
    let (start, end) = (points(start), points(cursor));
    let types: Vec<Value> = matches
        .iter()
        .map(|one| json!({ "start": start, "end": end, "text": one.name, "type": one.kind, "signature": one.signature }))
        .collect();
    let mut texts: Vec<&str> = matches.iter().map(|one| one.name.as_str()).collect();
    texts.dedup();
    json!({
        "status": "ok",
        "matches": texts,
        "cursor_start": start,
        "cursor_end": end,
        "metadata": { "_jupyter_types_experimental": types },
    })
}

/// A name that may be meant.
struct Candidate {
    name: String,
    kind: &'static str,
    signature: String,
}

/// Where the name at the cursor begins, and all that could stand there, sorted, each once.
fn candidates(session: &Session, code: &str, cursor: usize) -> (usize, Vec<Candidate>) {
    let before = lexer::spans(&code[..cursor]);
    let start = match before.last() {
        Some((Kind::Name | Kind::Keyword, range)) => range.start,
        // Nothing is known of what stands in strings, comments and numbers.
        Some((Kind::Text { open: true } | Kind::Comment { .. } | Kind::Number, _)) => {
            return (cursor, Vec::new());
        }
        _ => cursor,
    };
    let mut all = match before.iter().rev().find(|(_, range)| range.end <= start) {
        Some((Kind::Symbol, range)) if &code[range.clone()] == "." => members(session, code, &before, range),
        _ => names(session),
    };
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all.dedup_by(|one, other| one.name == other.name);
    (start, all)
}

/// What can stand behind a dot: the members of that type where it is plain to see, else those of any.
fn members(
    session: &Session,
    code: &str,
    before: &[(Kind, Range<usize>)],
    dot: &Range<usize>,
) -> Vec<Candidate> {
    let value = before.iter().rev().find(|(_, range)| range.end == dot.start);
    let owner = value.and_then(|(kind, range)| match kind {
        Kind::Text { .. } => Some("string".to_owned()),
        Kind::Name => {
            let variables = session.variables().into_iter().rev();
            variables
                .filter(|(name, _)| *name == code[range.clone()])
                .map(|(_, value)| session.type_name(&value))
                .next()
        }
        _ => None,
    });
    let belongs = |binding: &&Binding| match (binding.kind, &owner) {
        (registry::Kind::Method | registry::Kind::Field, None) => true,
        (registry::Kind::Method | registry::Kind::Field, Some(_)) => binding.signatures[0].owner == owner,
        _ => false,
    };
    registry::bindings().iter().filter(belongs).map(candidate).collect()
}

fn names(session: &Session) -> Vec<Candidate> {
    let plain = |name: &str, kind| Candidate { name: name.to_owned(), kind, signature: String::new() };
    let variables = session.variables().into_iter().map(|(name, _)| plain(&name, "instance"));
    let own = session.functions().into_iter().map(|signature| {
        let name = signature.split('(').next().unwrap_or_default().to_owned();
        Candidate { name, kind: "function", signature }
    });
    let functions = registry::bindings().iter().filter(|binding| binding.kind == registry::Kind::Function);
    let keywords = lexer::KEYWORDS.iter().map(|word| plain(word, "keyword"));
    let results = ["ans", "In", "Out"].map(|name| plain(name, "instance"));
    variables.chain(own).chain(functions.map(candidate)).chain(keywords).chain(results).collect()
}

fn candidate(binding: &Binding) -> Candidate {
    let kind = if binding.kind == registry::Kind::Field { "property" } else { "function" };
    Candidate { name: binding.name.clone(), kind, signature: binding.signatures[0].to_string() }
}

/// The content of an `inspect_reply`: what the name at the cursor is, as Markdown and as text.
pub fn inspect(session: &Session, content: &Value) -> Value {
    let code = content["code"].as_str().unwrap_or_default();
    let cursor = byte_of(code, &content["cursor_pos"]);
    let found = name_at(code, cursor).and_then(|name| explain(session, name));
    let bundle = found.as_ref().map(media::bundle);
    json!({
        "status": "ok",
        "found": bundle.is_some(),
        "data": bundle.as_ref().map_or(json!({}), |bundle| bundle.data.clone()),
        "metadata": {},
    })
}

/// The name under the cursor or just before it; inside a call's brackets, the function's.
fn name_at(code: &str, cursor: usize) -> Option<&str> {
    let spans = lexer::spans(code);
    let touches = |range: &Range<usize>| range.start <= cursor && cursor <= range.end;
    if let Some((_, range)) = spans.iter().find(|(kind, range)| *kind == Kind::Name && touches(range)) {
        return Some(&code[range.clone()]);
    }
    let mut depth = 0;
    let before: Vec<_> = spans.iter().filter(|(_, range)| range.end <= cursor).rev().collect();
    let opening = before.iter().position(|(kind, range)| {
        match (kind, &code[range.clone()]) {
            (Kind::Symbol, ")" | "]" | "}") => depth += 1,
            (Kind::Symbol, "(" | "[" | "{") if depth > 0 => depth -= 1,
            (Kind::Symbol, "(") => return true,
            _ => {}
        }
        false
    })?;
    let (kind, range) = before.get(opening + 1)?;
    (*kind == Kind::Name).then(|| &code[range.clone()])
}

fn explain(session: &Session, name: &str) -> Option<Output> {
    if let Some((_, value)) = session.variables().into_iter().rev().find(|(known, _)| known == name) {
        let shown = session.show(&value).map_or(String::new(), |output| output.text(&TextStyle::plain(80)));
        return Some(Output::Markdown(format!(
            "`{name}`: {}\n\n```\n{shown}\n```\n",
            session.type_name(&value)
        )));
    }
    let own = session.functions().into_iter().find(|signature| signature.split('(').next() == Some(name));
    if let Some(signature) = own {
        return Some(Output::Markdown(format!("```\n{signature}\n```\n")));
    }
    let is_topic = TOPICS.iter().any(|topic| topic.name == name);
    if is_topic { None } else { registry::explain(name).ok().map(Output::Markdown) }
}

/// How far the next line of an unfinished cell is to be indented: four blanks for each open bracket.
pub fn indent(code: &str) -> String {
    let mut open = 0_usize;
    for (kind, range) in lexer::spans(code) {
        match (kind, &code[range]) {
            (Kind::Symbol, "(" | "[" | "{") => open += 1,
            (Kind::Symbol, ")" | "]" | "}") => open = open.saturating_sub(1),
            (Kind::Text { open: true } | Kind::Comment { open: true }, _) => return String::new(),
            _ => {}
        }
    }
    " ".repeat(4 * open)
}

/// A cursor in code points as one in bytes; beyond the end it is the end.
fn byte_of(code: &str, cursor: &Value) -> usize {
    let points = cursor.as_u64().and_then(|points| usize::try_from(points).ok()).unwrap_or(usize::MAX);
    code.char_indices().nth(points).map_or(code.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_to_explain_is_the_one_touched_or_called() {
        assert_eq!(name_at("tokenize(\"a\")", 3), Some("tokenize"));
        assert_eq!(name_at("tokenize(\"a\")", 8), Some("tokenize"));
        assert_eq!(name_at("f(g(1), \"a\")", 9), Some("f"));
        assert_eq!(name_at("1 + 2", 2), None);
        assert_eq!(name_at("", 0), None);
    }

    #[test]
    fn the_indent_follows_open_brackets() {
        assert_eq!(indent("if x {"), "    ");
        assert_eq!(indent("fn f() {\n    g(#{ a: [1, 2],"), " ".repeat(12));
        assert_eq!(indent("let x = \"{\" +"), "");
        assert_eq!(indent("let x = `a {\n"), "");
    }

    #[test]
    fn cursors_count_code_points() {
        assert_eq!(byte_of("é😀x", &json!(2)), 6);
        assert_eq!(byte_of("é😀x", &json!(99)), 7);
        assert_eq!(byte_of("é", &json!(-1)), 2);
    }
}
