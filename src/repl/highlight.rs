//! Colours for code: the sixteen that every terminal theme chooses for itself, so that they can be read on light and
//! dark grounds.

use std::ops::Range;

use super::commands;
use super::editor::GUTTER;
use crate::script::lexer::{Kind, spans};
use crate::script::registry;
use crate::terminal::Terminal;

/// The colours of code, chosen for the ground that they stand on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// Without a single escape sequence.
    None,
    Dark,
    Light,
}

impl Theme {
    /// The one that can be read in a terminal, which may be asked for it.
    pub fn of(terminal: &Terminal) -> Theme {
        if !terminal.style().colour {
            Theme::None
        } else if terminal.is_light() {
            Theme::Light
        } else {
            Theme::Dark
        }
    }

    /// Yellow and cyan are hard to read on white: there numbers are red, options violet.
    fn style(self, part: Part) -> &'static str {
        match (part, self) {
            (_, Theme::None) | (Part::Plain, _) => "",
            (Part::Keyword, _) => "35",
            (Part::Text, _) => "32",
            (Part::Number, Theme::Dark) => "33",
            (Part::Number, Theme::Light) => "31",
            (Part::Binding, _) => "34",
            (Part::Option, Theme::Dark) => "36",
            (Part::Option, Theme::Light) => "3;34",
            (Part::Comment, _) => "2",
            (Part::Command, Theme::Dark) => "1;36",
            (Part::Command, Theme::Light) => "1;34",
            (Part::Bracket, _) => "1;4",
        }
    }
}

/// What a piece of code is, as far as its colour goes.
#[derive(Clone, Copy)]
enum Part {
    Plain,
    Keyword,
    Text,
    Number,
    Binding,
    Option,
    Comment,
    Command,
    Bracket,
}

/// Code as a lesson shows it before its result: each line behind a bar.
pub fn highlighted(code: &str, theme: Theme) -> String {
    let bar = if theme == Theme::None { "│ " } else { "\x1b[2m│\x1b[0m " };
    let lines = code.replace('\n', &format!("\n{GUTTER}"));
    let painted = format!("{bar}{}", painted(&lines, None, bar, theme));
    painted.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// What is being typed, each gutter drawn as `continuation`.
pub fn line(line: &str, pos: Option<usize>, continuation: &str, theme: Theme) -> String {
    let gutter = match theme {
        Theme::None => continuation.to_owned(),
        _ => format!("\x1b[2;32m{continuation}\x1b[0m"),
    };
    let code_start = command_length(line);
    let mut text = String::new();
    if code_start > 0 {
        let name = &line[..code_start];
        let known = commands::find(name.trim_start().trim_start_matches(':')).is_some();
        paint(&mut text, theme.style(if known { Part::Command } else { Part::Plain }), name, &gutter);
    }
    let pos = pos.and_then(|pos| pos.checked_sub(code_start));
    text.push_str(&painted(&line[code_start..], pos, &gutter, theme));
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

fn painted(code: &str, pos: Option<usize>, gutter: &str, theme: Theme) -> String {
    let spans = spans(code);
    let matched = pos.and_then(|pos| matching(&spans, code, pos));
    let mut text = String::with_capacity(code.len() * 2);
    for (index, (kind, range)) in spans.iter().enumerate() {
        let is_matched = matched.is_some_and(|(one, other)| index == one || index == other);
        let part = match kind {
            _ if is_matched => Part::Bracket,
            Kind::Comment { .. } => Part::Comment,
            Kind::Text { .. } => Part::Text,
            Kind::Number => Part::Number,
            Kind::Keyword => Part::Keyword,
            Kind::Name => name_part(&spans, index, code),
            Kind::Symbol | Kind::Space => Part::Plain,
        };
        paint(&mut text, theme.style(part), &code[range.clone()], gutter);
    }
    text
}

/// Bindings where they are called, and the names of options and fields in `#{ … }`.
fn name_part(spans: &[(Kind, Range<usize>)], index: usize, code: &str) -> Part {
    let mut after = spans[index + 1..].iter().filter(|(kind, _)| *kind != Kind::Space);
    let mut next = || after.next().map_or("", |(_, range)| &code[range.clone()]);
    match next() {
        // `a::b` is no option.
        ":" if next() != ":" => Part::Option,
        "(" if registry::names().any(|name| name == &code[spans[index].1.clone()]) => Part::Binding,
        _ => Part::Plain,
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
fn paint(text: &mut String, style: &str, piece: &str, gutter: &str) {
    for (index, line) in piece.split('\n').enumerate() {
        let mut line = line;
        if index > 0 {
            text.push('\n');
            if let Some(rest) = line.strip_prefix(GUTTER) {
                text.push_str(gutter);
                line = rest;
            }
        }
        match !style.is_empty() && !line.is_empty() {
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
        assert_eq!(line(code, Some(3), "...> ", Theme::None), code.replace('\t', "...> "));
        assert_eq!(highlighted("let x = 1;\nx", Theme::None), "│ let x = 1;\n│ x\n");
    }

    #[test]
    fn each_kind_has_its_colour() {
        let text = line("generate(1, #{ top_k: 2 })", None, "", Theme::Dark);
        assert!(text.contains("\x1b[34mgenerate\x1b[0m") && text.contains("\x1b[36mtop_k\x1b[0m"), "{text}");
        assert!(line(":help tokenize", None, "", Theme::Dark).starts_with("\x1b[1;36m:help\x1b[0m"));
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
