//! Where the cursor stands: in which call, at which argument, on which name.

use std::ops::Range;

use crate::script::lexer::{self, Kind};

pub type Span = (Kind, Range<usize>);

/// The spans of code that say something.
pub fn spans(code: &str) -> Vec<Span> {
    lexer::spans(code).into_iter().filter(|(kind, _)| *kind != Kind::Space).collect()
}

/// The function whose bracket is open at the end of this code, and which of its arguments is being typed.
pub fn open_call(code: &str) -> Option<(&str, usize)> {
    let spans = spans(code);
    let open = unclosed(code, &spans, "(")?;
    let (Kind::Name, name) = spans.get(open.checked_sub(1)?)? else { return None };
    let mut depth = 0;
    let mut commas = 0;
    for (_, range) in &spans[open..] {
        match &code[range.clone()] {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            "," if depth == 1 => commas += 1,
            _ => {}
        }
    }
    Some((&code[name.clone()], commas + 1))
}

/// The last bracket of this form that nothing closes; other open ones in it do not count.
pub fn unclosed(code: &str, spans: &[Span], form: &str) -> Option<usize> {
    let mut depth = 0;
    for (index, (kind, range)) in spans.iter().enumerate().rev() {
        match (kind, &code[range.clone()]) {
            (Kind::Symbol, ")" | "]" | "}") => depth += 1,
            (Kind::Symbol, "(" | "[" | "{") if depth > 0 => depth -= 1,
            (Kind::Symbol, text) if text == form => return Some(index),
            // A block of statements is no argument.
            (Kind::Symbol, "{") if index == 0 || &code[spans[index - 1].1.clone()] != "#" => return None,
            _ => {}
        }
    }
    None
}

/// The bracket that the last one closes.
pub fn opening(spans: &[Span], code: &str) -> Option<usize> {
    let mut depth = 0;
    for (index, (kind, range)) in spans.iter().enumerate().rev() {
        match (kind, &code[range.clone()]) {
            (Kind::Symbol, ")" | "]" | "}") => depth += 1,
            (Kind::Symbol, "(" | "[" | "{") => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(index);
        }
    }
    None
}

/// The code before the dot that stands before this span, if one does.
pub fn owner<'a>(spans: &[Span], index: usize, code: &'a str) -> Option<&'a str> {
    let dot = &spans.get(index.checked_sub(1)?)?.1;
    (&code[dot.clone()] == ".").then(|| &code[..dot.start])
}

/// The name under the cursor (a byte) or just before it; inside a call's brackets, the function's.
pub fn subject(code: &str, cursor: usize) -> Option<&str> {
    let touches = |(kind, range): &&Span| *kind == Kind::Name && range.start <= cursor && cursor <= range.end;
    match spans(code).iter().find(touches) {
        Some((_, range)) => Some(&code[range.clone()]),
        None => open_call(&code[..cursor]).map(|(name, _)| name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_to_explain_is_the_one_touched_or_called() {
        assert_eq!(subject("tokenize(\"a\")", 3), Some("tokenize"));
        assert_eq!(subject("tokenize(\"a\")", 8), Some("tokenize"));
        assert_eq!(subject("f(g(1), \"a\")", 9), Some("f"));
        assert_eq!(subject("1 + 2", 2), None);
        assert_eq!(subject("", 0), None);
    }

    #[test]
    fn an_open_call_counts_its_arguments() {
        assert_eq!(open_call("f(g(1, 2), #{ a: 1"), Some(("f", 2)));
        assert_eq!(open_call("if f(1) {"), None);
    }
}
