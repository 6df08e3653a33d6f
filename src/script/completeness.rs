//! Whether what is typed can run as it is, or more is to come.

use rhai::{Engine, LexError, ParseErrorType, Position};

use super::{lexer, limits, underscore_to_ans};

/// Whether code can run as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completeness {
    Complete,
    /// More is to come: a bracket, a string or a comment is open, or an operator lacks its right side.
    Incomplete,
    Invalid,
}

thread_local! {
    /// The language without anything to call: enough to parse.
    static PARSER: Engine = {
        let mut engine = Engine::new_raw();
        engine.set_max_expr_depths(limits::DEPTH, limits::DEPTH);
        engine
    };
}

/// Whether this code can run as it is.
pub fn completeness(code: &str) -> Completeness {
    let spans = lexer::spans(code);
    let is_open = |(kind, range): &(lexer::Kind, std::ops::Range<usize>)| match kind {
        lexer::Kind::Comment { open } => *open,
        lexer::Kind::Text { open } => *open && code[range.clone()].starts_with('`'),
        _ => false,
    };
    if spans.iter().any(is_open) {
        return Completeness::Incomplete;
    }
    match PARSER.with(|parser| parser.compile(underscore_to_ans(code))) {
        Ok(_) => Completeness::Complete,
        Err(error) => match (&error.0.as_ref(), error.1) {
            (ParseErrorType::UnexpectedEOF, _) => Completeness::Incomplete,
            (ParseErrorType::BadInput(LexError::UnterminatedString), _) => Completeness::Invalid,
            (_, position) if is_at_end(code, position) => Completeness::Incomplete,
            _ => Completeness::Invalid,
        },
    }
}

/// Whether nothing but blanks and comments follows a position.
fn is_at_end(code: &str, position: Position) -> bool {
    let Some(line) = position.line() else { return true };
    let column = position.position().unwrap_or(1);
    let before: usize = code.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let in_line = code[before..].char_indices().nth(column - 1).map_or(code.len() - before, |(at, _)| at);
    let rest = &code[before + in_line..];
    let says_nothing = |kind: lexer::Kind| matches!(kind, lexer::Kind::Space | lexer::Kind::Comment { .. });
    lexer::spans(rest).into_iter().all(|(kind, _)| says_nothing(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_bracket_string_or_comment_asks_for_more() {
        for code in ["fn f(x) {", "let a = [1,", "1 +", "`open", "/* open", "f(", "if x { 1 } else", "#{ a:"]
        {
            assert_eq!(completeness(code), Completeness::Incomplete, "{code}");
        }
        for code in ["1", "let x = 1;", "fn f(x) { x }", "`a\nb`", "_ + 1", "// only this", ""] {
            assert_eq!(completeness(code), Completeness::Complete, "{code}");
        }
        for code in ["let = 1", "\"open", ") 1"] {
            assert_eq!(completeness(code), Completeness::Invalid, "{code}");
        }
    }
}
