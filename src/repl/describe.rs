//! `name?`: what a name stands for, a variable of the session or something that can be called.

use super::{Repl, Trouble};
use crate::render::Output;
use crate::script::lexer::{Kind, spans};
use crate::script::registry;

impl Repl {
    /// Says what a name stands for; `deep` adds the source of a function of the user's.
    pub(super) fn describe(&self, name: &str, deep: bool) -> Result<(), Trouble> {
        if name.is_empty() {
            self.terminal.show(&Output::Markdown(registry::overview()), "");
            return Ok(());
        }
        let is_own = self.describe_variable(name) | self.describe_function(name, deep);
        // `tokens.text?` asks about the field.
        let last = name.rsplit('.').next().unwrap_or(name);
        match registry::explain(last) {
            Ok(text) => self.terminal.show(&Output::Markdown(text), ""),
            Err(_) if is_own => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn describe_variable(&self, name: &str) -> bool {
        let Some(value) = self.session.value(name) else { return false };
        let kind = self.session.type_name(&value);
        self.terminal.write(&format!("{name}: {kind} = {}\n", self.short(&value)));
        let members: Vec<&str> = registry::members(&kind)
            .filter(|member| member.topic != "standard")
            .map(|member| member.name.as_str())
            .collect();
        if !members.is_empty() {
            self.terminal.write(&format!("it has {}\n", members.join(", ")));
        }
        true
    }

    fn describe_function(&self, name: &str, deep: bool) -> bool {
        let functions = self.session.functions();
        let mut named =
            functions.iter().filter(|signature| signature.split('(').next() == Some(name)).peekable();
        if named.peek().is_none() {
            return false;
        }
        for signature in named {
            self.terminal.write(&format!("fn {signature}, written in this session\n"));
        }
        if let Some(source) = self.source(name).filter(|_| deep) {
            self.terminal.write(&super::highlighted(source, self.terminal.style().colour));
        }
        true
    }

    /// The latest definition of a function in this session's cells.
    fn source(&self, name: &str) -> Option<&str> {
        self.cells.iter().rev().find_map(|(_, code)| definition(code, name))
    }
}

/// `fn name(…) { … }` in code.
fn definition<'a>(code: &'a str, name: &str) -> Option<&'a str> {
    let spans: Vec<_> = spans(code).into_iter().filter(|(kind, _)| *kind != Kind::Space).collect();
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
