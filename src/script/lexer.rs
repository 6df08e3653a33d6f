//! Rhai source cut into spans, comments and broken-off strings included: enough to colour it, to tell that more
//! is to come, and to find names, where the engine's own lexer drops or rejects what a person is still typing.

use std::ops::Range;

/// What a span of source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Space,
    /// `// …`, or `/* … */`, which may lack its end.
    Comment {
        open: bool,
    },
    /// `"…"`, `'…'` or a back-quoted string, which may lack its end.
    Text {
        open: bool,
    },
    Number,
    Keyword,
    Name,
    Symbol,
}

/// Words that Rhai keeps for itself.
pub const KEYWORDS: &[&str] = &[
    "let",
    "const",
    "if",
    "else",
    "switch",
    "for",
    "in",
    "while",
    "do",
    "until",
    "loop",
    "break",
    "continue",
    "fn",
    "private",
    "return",
    "throw",
    "try",
    "catch",
    "import",
    "export",
    "as",
    "global",
    "this",
    "true",
    "false",
    "is_def_var",
    "is_def_fn",
    "type_of",
    "Fn",
    "call",
    "curry",
    "print",
    "debug",
    "eval",
];

/// All of `source`, span by span, nothing left out.
pub fn spans(source: &str) -> Vec<(Kind, Range<usize>)> {
    let mut spans = Vec::new();
    let mut start = 0;
    while let Some(first) = source[start..].chars().next() {
        let (kind, length) = span(&source[start..], first);
        spans.push((kind, start..start + length));
        start += length;
    }
    spans
}

/// The first span of `rest`, which begins with `first`.
fn span(rest: &str, first: char) -> (Kind, usize) {
    let run = |part: fn(char) -> bool| rest.find(|c| !part(c)).unwrap_or(rest.len());
    if rest.starts_with("//") {
        (Kind::Comment { open: false }, run(|c| c != '\n'))
    } else if rest.starts_with("/*") {
        let (length, open) = block_comment(rest);
        (Kind::Comment { open }, length)
    } else if matches!(first, '"' | '\'' | '`') {
        let (length, open) = text(rest, first);
        (Kind::Text { open }, length)
    } else if first.is_whitespace() {
        (Kind::Space, run(char::is_whitespace))
    } else if first.is_ascii_digit() {
        (Kind::Number, number(rest))
    } else if is_name(first) {
        let length = run(is_name);
        let kind = if KEYWORDS.contains(&&rest[..length]) { Kind::Keyword } else { Kind::Name };
        (kind, length)
    } else {
        (Kind::Symbol, first.len_utf8())
    }
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Block comments nest.
fn block_comment(rest: &str) -> (usize, bool) {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return (at, false);
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    (rest.len(), true)
}

/// A string up to its closing quote. In back quotes a backslash is a character like others, and `${ … }` holds
/// code, which may hold strings of its own.
fn text(rest: &str, quote: char) -> (usize, bool) {
    let mut at = 1;
    while let Some(c) = rest[at..].chars().next() {
        if c == quote {
            return (at + 1, false);
        } else if c == '\\' && quote != '`' {
            at += 1 + rest[at + 1..].chars().next().map_or(0, char::len_utf8);
        } else if quote == '`' && rest[at..].starts_with("${") {
            at += 2;
            let mut depth = 1;
            while let (true, Some(first)) = (depth > 0, rest[at..].chars().next()) {
                let (kind, length) = span(&rest[at..], first);
                match (kind, first) {
                    (Kind::Symbol, '{') => depth += 1,
                    (Kind::Symbol, '}') => depth -= 1,
                    _ => {}
                }
                at += length;
            }
        } else {
            at += c.len_utf8();
        }
    }
    (rest.len(), true)
}

/// Digits, a fraction, an exponent, hexadecimal and the like; `1..3` is a range and ends after the 1.
fn number(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        let digit_after = bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
        match bytes[at] {
            b'.' if digit_after => at += 1,
            b'-' | b'+' if matches!(bytes[at - 1], b'e' | b'E') && !rest.starts_with("0x") && digit_after => {
                at += 1
            }
            byte if byte.is_ascii_alphanumeric() || byte == b'_' => at += 1,
            _ => break,
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(source: &str) -> Vec<(Kind, &str)> {
        spans(source).into_iter().map(|(kind, range)| (kind, &source[range])).collect()
    }

    #[test]
    fn nothing_is_lost() {
        for source in [
            "let x = 1..3; // end",
            "`a ${ f(\"}\") + `b` } c`",
            "é中\"\\\"\" '/*' /* a /* b */",
            "#{a: 1.5e-3}",
        ] {
            let together: String = pieces(source).into_iter().map(|(_, piece)| piece).collect();
            assert_eq!(together, source);
        }
    }

    #[test]
    fn strings_and_comments_know_whether_they_end() {
        assert_eq!(pieces("`a ${ \"`\" } b`"), [(Kind::Text { open: false }, "`a ${ \"`\" } b`")]);
        assert_eq!(pieces("\"a\\\"")[0].0, Kind::Text { open: true });
        assert_eq!(pieces("`a ${ b").last().unwrap().0, Kind::Text { open: true });
        assert_eq!(pieces("/* a /* b */").last().unwrap().0, Kind::Comment { open: true });
        assert_eq!(pieces("// `open").last().unwrap().0, Kind::Comment { open: false });
    }

    #[test]
    fn numbers_end_before_a_range_or_a_method() {
        assert_eq!(pieces("1..3")[0], (Kind::Number, "1"));
        assert_eq!(pieces("1.5e-3-2")[0], (Kind::Number, "1.5e-3"));
        assert_eq!(pieces("12.max(3)")[0], (Kind::Number, "12"));
    }
}
