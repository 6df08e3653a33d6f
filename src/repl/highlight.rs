//! Colours for code: the sixteen that every terminal theme chooses for itself, so that they can be read on light and
//! dark grounds.

use std::ops::Range;

use super::commands;
use super::editor::GUTTER;
use crate::script::lexer::{Kind, spans};
use crate::script::registry;

const KEYWORD: &str = "35";
const TEXT: &str = "32";
const NUMBER: &str = "33";
const BINDING: &str = "34";
const OPTION: &str = "36";
const DIM: &str = "2";
const COMMAND: &str = "1;36";
const BRACKET: &str = "1;4";

/// Code as a lesson shows it before its result: each line behind a bar.
pub fn highlighted(code: &str, colour: bool) -> String {
    let bar = if colour { "\x1b[2m│\x1b[0m " } else { "│ " };
    let lines = code.replace('\n', &format!("\n{GUTTER}"));
    let painted = format!("{bar}{}", painted(&lines, None, bar, colour));
    painted.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// What is being typed, each gutter drawn as `continuation`.
pub fn line(line: &str, pos: Option<usize>, continuation: &str, colour: bool) -> String {
    let gutter = if colour { format!("\x1b[2;32m{continuation}\x1b[0m") } else { continuation.to_owned() };
    let code_start = command_length(line);
    let mut text = String::new();
    if code_start > 0 {
        let name = &line[..code_start];
        let known = commands::find(name.trim_start().trim_start_matches(':')).is_some();
        paint(&mut text, if known { COMMAND } else { "" }, name, &gutter, colour);
    }
    let pos = pos.and_then(|pos| pos.checked_sub(code_start));
    text.push_str(&painted(&line[code_start..], pos, &gutter, colour));
    text
}

/// How much of a line is `:command`.
fn command_length(line: &str) -> usize {
    let Some(rest) = line.trim_start().strip_prefix(':') else { return 0 };
    let name = rest.find(char::is_whitespace).unwrap_or(rest.len());
    line.len() - rest.len() + name
}

/// The grey continuation of what is typed.
pub fn hint(hint: &str, continuation: &str) -> String {
    let hint = hint.replace(&format!("\n{GUTTER}"), &format!("\n{continuation}"));
    hint.split('\n').map(|line| format!("\x1b[90m{line}\x1b[0m")).collect::<Vec<_>>().join("\n")
}

/// A completion: what it is for stands behind it in grey.
pub fn candidate(candidate: &str) -> String {
    match candidate.find("  ") {
        Some(end) => format!("{}\x1b[90m{}\x1b[0m", &candidate[..end], &candidate[end..]),
        None => candidate.to_owned(),
    }
}

fn painted(code: &str, pos: Option<usize>, gutter: &str, colour: bool) -> String {
    let spans = spans(code);
    let matched = pos.and_then(|pos| matching(&spans, code, pos));
    let mut text = String::with_capacity(code.len() * 2);
    for (index, (kind, range)) in spans.iter().enumerate() {
        let is_matched = matched.is_some_and(|(one, other)| index == one || index == other);
        let style = match kind {
            _ if is_matched => BRACKET,
            Kind::Comment { .. } => DIM,
            Kind::Text { .. } => TEXT,
            Kind::Number => NUMBER,
            Kind::Keyword => KEYWORD,
            Kind::Name => name_style(&spans, index, code),
            Kind::Symbol | Kind::Space => "",
        };
        paint(&mut text, style, &code[range.clone()], gutter, colour);
    }
    text
}

/// Bindings where they are called, and the names of options and fields in `#{ … }`.
fn name_style(spans: &[(Kind, Range<usize>)], index: usize, code: &str) -> &'static str {
    let mut after = spans[index + 1..].iter().filter(|(kind, _)| *kind != Kind::Space);
    let mut next = || after.next().map_or("", |(_, range)| &code[range.clone()]);
    match next() {
        // `a::b` is no option.
        ":" if next() != ":" => OPTION,
        "(" if registry::names().any(|name| name == &code[spans[index].1.clone()]) => BINDING,
        _ => "",
    }
}

/// The bracket at or before the cursor and the one that belongs to it.
fn matching(spans: &[(Kind, Range<usize>)], code: &str, pos: usize) -> Option<(usize, usize)> {
    let bracket = |index: usize| {
        let (kind, range) = &spans[index];
        let text = &code[range.clone()];
        (*kind == Kind::Symbol && "()[]{}".contains(text)).then_some(text)
    };
    let touches = |index: &usize| spans[*index].1.start == pos || spans[*index].1.end == pos;
    let at = (0..spans.len()).filter(touches).filter(|index| bracket(*index).is_some()).max()?;
    let opens = |index: usize| bracket(index).is_some_and(|text| "([{".contains(text));
    let mut depth = 0_i32;
    let mut seek = |index: &usize| {
        if bracket(*index).is_some() {
            depth += if opens(*index) == opens(at) { 1 } else { -1 };
        }
        depth == 0
    };
    let other = match opens(at) {
        true => (at..spans.len()).find(&mut seek),
        false => (0..=at).rev().find(&mut seek),
    };
    other.map(|other| (at, other))
}

/// Writes a piece in a style that ends with each line, so that gutters keep their own.
fn paint(text: &mut String, style: &str, piece: &str, gutter: &str, colour: bool) {
    for (index, line) in piece.split('\n').enumerate() {
        let mut line = line;
        if index > 0 {
            text.push('\n');
            if let Some(rest) = line.strip_prefix(GUTTER) {
                text.push_str(gutter);
                line = rest;
            }
        }
        match colour && !style.is_empty() && !line.is_empty() {
            true => text.push_str(&format!("\x1b[{style}m{line}\x1b[0m")),
            false => text.push_str(line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colour_code_stays_as_it_is() {
        let code = "let t = tokenize(\"a\n\tb\"); // c";
        assert_eq!(line(code, Some(3), "...> ", false), code.replace('\t', "...> "));
        assert_eq!(highlighted("let x = 1;\nx", false), "│ let x = 1;\n│ x\n");
    }

    #[test]
    fn each_kind_has_its_colour() {
        let text = line("generate(1, #{ top_k: 2 })", None, "", true);
        assert!(text.contains("\x1b[34mgenerate\x1b[0m") && text.contains("\x1b[36mtop_k\x1b[0m"), "{text}");
        assert!(line(":help tokenize", None, "", true).starts_with("\x1b[1;36m:help\x1b[0m"));
    }

    #[test]
    fn a_bracket_finds_its_partner() {
        let code = "f((a) + \")\")";
        let spans = spans(code);
        let (one, other) = matching(&spans, code, code.len()).unwrap();
        assert_eq!((spans[one].1.start, spans[other].1.start), (11, 1));
        assert_eq!(matching(&super::spans("f("), "f(", 2), None);
    }
}
