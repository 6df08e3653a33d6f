//! What a session's names stand for, for listings and completion.

use rhai::Dynamic;

use super::results::RESULTS;
use super::{Session, bindings, registry, show};
use crate::render::Output;

/// A variable as completion and listings need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    pub name: String,
    /// The type by the name that scripts know.
    pub kind: String,
    /// What a map holds; empty for other values.
    pub keys: Vec<String>,
}

/// Characters of a value in a list of values.
const SHORT: usize = 60;

impl Session {
    /// The user's variables with their values, each name once.
    pub fn variables(&self) -> Vec<(String, Dynamic)> {
        let mut variables: Vec<(String, Dynamic)> = Vec::new();
        // A name that was declared again stands in the scope twice; the later one counts.
        let all: Vec<_> = self.scope.iter().collect();
        for (name, _, value) in all.into_iter().rev() {
            if !RESULTS.contains(&name) && !variables.iter().any(|(known, _)| known == name) {
                variables.push((name.to_owned(), value));
            }
        }
        variables.reverse();
        variables
    }

    /// Everything that a name stands for now, the results included, without touching the values.
    pub fn names(&self) -> Vec<Variable> {
        let mut names: Vec<Variable> = Vec::new();
        let all: Vec<_> = self.scope.iter_raw().collect();
        for (name, _, value) in all.into_iter().rev() {
            if !names.iter().any(|known| known.name == name) {
                let keys =
                    value.read_lock::<rhai::Map>().map(|map| map.keys().map(ToString::to_string).collect());
                let (name, kind) = (name.to_owned(), self.type_name(value));
                names.push(Variable { name, kind, keys: keys.unwrap_or_default() });
            }
        }
        names
    }

    /// What a variable holds.
    pub fn value(&self, name: &str) -> Option<Dynamic> {
        self.scope.get_value::<Dynamic>(if name == "_" { "ans" } else { name })
    }

    /// A value in a line, as one would write it in a script.
    pub fn write(&self, value: &Dynamic) -> String {
        bindings::values::format(value)
    }

    /// The same in at most 60 characters.
    pub fn short(&self, value: &Dynamic) -> String {
        let text = crate::render::label::one_line(&self.write(value)).into_owned();
        match text.chars().count() > SHORT {
            true => text.chars().take(SHORT - 1).chain(['…']).collect(),
            false => text,
        }
    }

    /// The user's functions, as `name(parameters)`.
    pub fn functions(&self) -> Vec<String> {
        let mut functions: Vec<String> =
            self.functions.iter_functions().map(|f| format!("{}({})", f.name, f.params.join(", "))).collect();
        functions.sort();
        functions
    }

    /// How a variable's value would be shown.
    pub fn show(&self, value: &Dynamic) -> Option<Output> {
        show::output(value)
    }

    /// What a variable holds, by the name that scripts know.
    pub fn type_name(&self, value: &Dynamic) -> String {
        let name = self.engine.map_type_name(value.type_name());
        registry::plain_type(name).unwrap_or_else(|| name.to_owned())
    }
}
