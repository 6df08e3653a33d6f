//! What a name stands for: a variable of the session, a function of the user's, or something that can be called.

use std::fmt::Write as _;

use crate::error::Result;
use crate::render::{Output, TextStyle};
use crate::script::lexer::Kind;
use crate::script::{Session, registry};

/// What somebody wants to know who types `name?` or `?name`, with two marks for everything; without a name, what there
/// is at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question<'a> {
    pub name: &'a str,
    pub deep: bool,
}

impl<'a> Question<'a> {
    /// The question that a text asks, if it is none but that.
    pub fn parse(text: &'a str) -> Option<Question<'a>> {
        let text = text.trim();
        let name = text.trim_matches('?');
        let marks = text.len() - name.len();
        let name = name.trim().trim_end_matches("()");
        let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        (marks > 0 && name.chars().all(is_name)).then_some(Question { name, deep: marks > 1 })
    }

    /// Fails if nothing is known about the name.
    pub fn answer(&self, session: &Session) -> Result<Output> {
        match self.name {
            "" => Ok(Output::Markdown(registry::overview())),
            name => describe(session, name, self.deep),
        }
    }
}

/// Says what a name stands for, in Markdown; `deep` adds all of a value, and the source of a function of the user's.
/// Fails if nothing is known about it.
pub fn describe(session: &Session, name: &str, deep: bool) -> Result<Output> {
    let own = variable(session, name, deep).unwrap_or_default() + function(session, name, deep).as_str();
    // `tokens.text` asks about the field.
    let last = name.rsplit('.').next().unwrap_or(name);
    match registry::explain(last) {
        Ok(text) => Ok(Output::Markdown(own + text.as_str())),
        Err(_) if !own.is_empty() => Ok(Output::Markdown(own)),
        Err(error) => Err(error),
    }
}

fn variable(session: &Session, name: &str, deep: bool) -> Option<String> {
    let value = session.value(name)?;
    let kind = session.type_name(&value);
    let shown = match session.show(&value).filter(|_| deep) {
        Some(output) => format!("\n{}", output.text(&TextStyle::plain(80))),
        None => format!(" = {}", session.short(&value)),
    };
    let mut text = format!("```\n{name}: {kind}{shown}\n```\n\n");
    let members: Vec<&str> = registry::members(&kind)
        .filter(|member| member.topic != "standard")
        .map(|member| member.name.as_str())
        .collect();
    if !members.is_empty() {
        let _ = writeln!(text, "It has {}.\n", crate::error::code_list(&members));
    }
    Some(text)
}

fn function(session: &Session, name: &str, deep: bool) -> String {
    let functions = session.functions();
    let named: Vec<&str> =
        functions.iter().map(String::as_str).filter(|s| s.split('(').next() == Some(name)).collect();
    if named.is_empty() {
        return String::new();
    }
    let text = match session.inputs().rev().find_map(|code| definition(&code, name).map(str::to_owned)) {
        Some(source) if deep => source,
        _ => named.iter().map(|signature| format!("fn {signature}")).collect::<Vec<_>>().join("\n"),
    };
    format!("```\n{text}\n```\n\nWritten in this session.\n\n")
}

/// `fn name(…) { … }` in code.
fn definition<'a>(code: &'a str, name: &str) -> Option<&'a str> {
    let spans = super::place::spans(code);
    let text = |index: usize| &code[spans[index].1.clone()];
    let start = (0..spans.len().saturating_sub(1)).rfind(|at| text(*at) == "fn" && text(at + 1) == name)?;
    let mut depth = 0;
    for (index, (kind, range)) in spans.iter().enumerate().skip(start) {
        match (kind, text(index)) {
            (Kind::Symbol, "{") => depth += 1,
            (Kind::Symbol, "}") => {
                depth -= 1;
                if depth == 0 {
                    return Some(&code[spans[start].1.start..range.end]);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_found_whole() {
        let code = "let x = 1; fn f(a) { if a { \"}\" } else { 2 } } f(x)";
        assert_eq!(definition(code, "f"), Some("fn f(a) { if a { \"}\" } else { 2 } }"));
        assert_eq!(definition(code, "g"), None);
    }
}
