//! What the engine says of its functions: names, types of Rust and comments, as scripts know them.

use rhai::Engine;
use serde::Deserialize;

use super::{Binding, Kind, Parameter, Signature};
use crate::script::bindings::{convert, values};

/// The bindings of a topic: functions, then methods and fields by the type they belong to.
pub(super) fn read(topic: &'static str, module: rhai::Module) -> Vec<Binding> {
    let mut engine = Engine::new_raw();
    engine.register_global_module(module.into());
    read_engine(topic, &engine, false)
}

pub(super) fn read_engine(topic: &'static str, engine: &Engine, with_standard: bool) -> Vec<Binding> {
    let json = engine.gen_fn_metadata_to_json(with_standard).expect("metadata is plain data");
    let metadata: Metadata =
        serde_json::from_str(&json).expect("the engine writes the fields that it documents");
    let mut bindings: Vec<Binding> = Vec::new();
    for function in metadata.functions {
        let (kind, signature) = function.read();
        let doc = function.doc();
        let is_same = |binding: &&mut Binding| {
            let first = &binding.signatures[0];
            binding.kind == kind && first.name == signature.name && first.owner == signature.owner
        };
        match bindings.iter_mut().find(is_same) {
            Some(binding) => binding.add(signature, doc),
            None => {
                let name = signature.name.clone();
                bindings.push(Binding { name, topic, kind, signatures: vec![signature], doc });
            }
        }
    }
    bindings.sort_by_key(|binding| (binding.signatures[0].owner.clone(), binding.kind == Kind::Field));
    bindings
}

impl Function {
    fn read(&self) -> (Kind, Signature) {
        let mut parameters: Vec<Parameter> = self.params.iter().map(RustParameter::read).collect();
        let owner =
            parameters.first().and_then(|first| first.kind.clone()).filter(|kind| values::is_type(kind));
        let returns = self.return_type.as_deref().and_then(plain_type).filter(|kind| kind != "()");
        let (kind, name) = match self.name.strip_prefix("get$") {
            Some(field) => (Kind::Field, field),
            None if !self.name.chars().all(|c| c.is_alphanumeric() || c == '_') => {
                (Kind::Operator, &*self.name)
            }
            None if owner.is_some() => (Kind::Method, &*self.name),
            None => (Kind::Function, &*self.name),
        };
        if owner.is_some() {
            parameters.remove(0);
        }
        let parameters = (kind != Kind::Field).then_some(parameters);
        (kind, Signature { owner, name: name.to_owned(), parameters, returns })
    }

    /// The comment without its marks.
    fn doc(&self) -> String {
        let lines = self.doc_comments.iter().flat_map(|comment| comment.lines());
        let text: Vec<&str> = lines
            .map(|line| line.trim_start().strip_prefix("///").unwrap_or(line))
            .map(|line| line.strip_prefix(' ').unwrap_or(line))
            .collect();
        text.join("\n").trim().to_owned()
    }
}

impl RustParameter {
    fn read(&self) -> Parameter {
        let name = self.name.clone().unwrap_or_default();
        // `OptionsOf < GenerateOptions >`, as it is written in the binding.
        let group = self.kind.as_deref().and_then(|kind| kind.split_once('<')).map(|(outer, rest)| {
            let is_options = outer.trim() == "OptionsOf";
            (is_options, rest.trim_end_matches('>').trim())
        });
        match group {
            Some((true, group)) => {
                Parameter { name, kind: Some("map".to_owned()), options: convert::options_of(group) }
            }
            _ => Parameter { name, kind: self.kind.as_deref().and_then(plain_type), options: None },
        }
    }
}

/// A Rust type as scripts know it; none for one that can be anything.
pub fn plain_type(rust: &str) -> Option<String> {
    let inner = rust.trim().trim_start_matches("&mut ").trim_start_matches("&").trim();
    let outer = ["Answer<", "RhaiResultOf<", "Result<"].iter().find_map(|outer| inner.strip_prefix(outer));
    let inner = outer.map_or(inner, |rest| rest.split(", Box<").next().unwrap_or(rest).trim_end_matches('>'));
    let name = match inner.rsplit("::").next().unwrap_or(inner) {
        "Dynamic" => return None,
        "str" | "String" | "ImmutableString" | "string" => "string",
        "i64" | "INT" => "int",
        "f64" | "FLOAT" => "float",
        "Array" => "array",
        "Map" => "map",
        other => values::short_name(other).unwrap_or(other),
    };
    Some(name.to_owned())
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    functions: Vec<Function>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Function {
    name: String,
    #[serde(default)]
    params: Vec<RustParameter>,
    return_type: Option<String>,
    #[serde(default)]
    doc_comments: Vec<String>,
}

#[derive(Deserialize)]
struct RustParameter {
    name: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::super::{bindings, signatures};
    use super::*;

    #[test]
    fn signatures_use_the_scripts_own_types() {
        let written = |name| signatures(name).iter().map(Signature::to_string).collect::<Vec<_>>();
        assert_eq!(written("tokenize"), ["tokenize(text: string) -> Tokens"]);
        assert_eq!(
            written("next_probs"),
            ["next_probs(text) -> Distribution", "next_probs(text, options: map) -> Distribution"]
        );
        assert_eq!(written("top"), ["Distribution.top(n: int) -> array"]);
        for binding in bindings() {
            for signature in &binding.signatures {
                let written = signature.to_string();
                assert!(!written.contains("::") && !written.contains('<'), "{written}");
            }
        }
    }
}
