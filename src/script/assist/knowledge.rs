//! What completion and hints know of the session while a line is typed.

use super::place::{opening, owner, spans};
use crate::script::lexer::Kind;
use crate::script::{Session, Variable, registry};

#[derive(Debug, Default)]
pub struct Knowledge {
    pub variables: Vec<Variable>,
    /// The user's own, as `name(parameters)`.
    pub functions: Vec<String>,
}

impl Knowledge {
    pub fn of(session: &Session) -> Knowledge {
        Knowledge { variables: session.names(), functions: session.functions() }
    }

    pub fn variable(&self, name: &str) -> Option<&Variable> {
        let name = if name == "_" { "ans" } else { name };
        self.variables.iter().find(|variable| variable.name == name)
    }

    /// Every way to call a function, one of the user's or a binding.
    pub fn signatures(&self, name: &str) -> Vec<String> {
        let is_named = |signature: &&String| signature.split('(').next() == Some(name);
        let own: Vec<String> = self.functions.iter().filter(is_named).cloned().collect();
        match own.is_empty() {
            true => registry::signatures(name).iter().map(ToString::to_string).collect(),
            false => own,
        }
    }

    /// The type of the value that this code, up to a dot, ends with; nothing where that is not plain to see.
    pub fn type_before_dot(&self, code: &str) -> Option<String> {
        let spans = spans(code);
        let (kind, range) = spans.last()?.clone();
        match (kind, &code[range.clone()]) {
            (Kind::Text { open: false }, _) => Some("string".to_owned()),
            (Kind::Name, name) => match owner(&spans, spans.len() - 1, code) {
                Some(before) => field_type(&self.type_before_dot(before)?, name),
                None => self.variable(name).map(|variable| variable.kind.clone()),
            },
            (Kind::Symbol, ")") => {
                let open = opening(&spans, code)?;
                let (Kind::Name, name) = spans.get(open.checked_sub(1)?)? else { return None };
                registry::returned(&code[name.clone()]).map(str::to_owned)
            }
            (Kind::Symbol, "]") => {
                let open = opening(&spans, code)?;
                // An array literal, or an element of something.
                let before = open.checked_sub(1).map(|index| &spans[index]);
                let indexes = before.is_some_and(|(kind, range)| {
                    matches!(kind, Kind::Name) || matches!(&code[range.clone()], ")" | "]")
                });
                (!indexes).then(|| "array".to_owned())
            }
            _ => None,
        }
    }
}

fn field_type(owner: &str, field: &str) -> Option<String> {
    let mut named = registry::members(owner).filter(|member| member.name == field);
    named.find_map(|member| member.signatures[0].returns.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_before_a_dot_is_seen_where_it_is_plain() {
        let tokens = Variable { name: "t".into(), kind: "Tokens".into(), keys: Vec::new() };
        let knowledge = Knowledge { variables: vec![tokens], functions: Vec::new() };
        let kind = |code| knowledge.type_before_dot(code);
        assert_eq!(kind("let x = t").as_deref(), Some("Tokens"));
        assert_eq!(kind("t.ids").as_deref(), Some("array"));
        assert_eq!(kind("next_probs(f(\")\"))").as_deref(), Some("Distribution"));
        assert_eq!(kind("generate(\"a\").tokens").as_deref(), Some("Tokens"));
        assert_eq!(kind("\"a\"").as_deref(), Some("string"));
        assert_eq!(kind("[1, 2]").as_deref(), Some("array"));
        assert_eq!(kind("unknown"), None);
        assert_eq!(kind("t[0]"), None);
    }
}
