//! Reads the bindings back: what `help()`, completion, "did you mean" and the generated reference know comes from
//! the functions' own comments and signatures.

use std::fmt::Write as _;
use std::sync::OnceLock;

use rhai::Engine;
use serde::Deserialize;

use super::bindings::{TOPICS, values};
use crate::error::{Error, Result};

/// One binding: all functions of one name in one topic.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    pub name: String,
    pub topic: &'static str,
    pub kind: Kind,
    /// One for each way to call it.
    pub signatures: Vec<String>,
    /// Markdown.
    pub doc: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Function,
    /// Read as `value.name`; the type of the value.
    Field,
    /// `+`, `==`, indexing.
    Operator,
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
    params: Vec<Parameter>,
    return_type: Option<String>,
    #[serde(default)]
    doc_comments: Vec<String>,
}

#[derive(Deserialize)]
struct Parameter {
    name: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// Every binding, topic by topic.
pub fn bindings() -> &'static [Binding] {
    static BINDINGS: OnceLock<Vec<Binding>> = OnceLock::new();
    BINDINGS.get_or_init(|| TOPICS.iter().flat_map(|topic| read(topic.name, (topic.module)())).collect())
}

fn functions() -> impl Iterator<Item = &'static Binding> {
    bindings().iter().filter(|binding| binding.kind == Kind::Function)
}

/// The names of all functions.
pub fn names<'a>() -> impl Iterator<Item = &'a str> {
    functions().map(|binding| binding.name.as_str())
}

/// The names of all fields, whatever they belong to.
pub fn fields<'a>() -> impl Iterator<Item = &'a str> {
    bindings().iter().filter(|binding| binding.kind == Kind::Field).map(|binding| binding.name.as_str())
}

/// The names of the fields of values of one type.
pub fn fields_of<'a>(kind: &str) -> Vec<&'a str> {
    let is_of = |binding: &&Binding| {
        let owners = binding.signatures.iter().filter_map(|signature| signature.split_once('.'));
        binding.kind == Kind::Field && owners.map(|(owner, _)| owner).any(|owner| owner == kind)
    };
    bindings().iter().filter(is_of).map(|binding| binding.name.as_str()).collect()
}

/// Every way to call a function.
pub fn signatures(name: &str) -> Vec<String> {
    functions().filter(|binding| binding.name == name).flat_map(|b| b.signatures.clone()).collect()
}

/// All bindings in a line each, by topic, in Markdown.
pub fn overview() -> String {
    let mut text = String::new();
    for topic in TOPICS {
        let _ = writeln!(text, "## {}: {}\n", topic.name, topic.about);
        for binding in functions().filter(|binding| binding.topic == topic.name) {
            let _ = writeln!(text, "- `{}` {}", binding.signatures[0], binding.summary());
        }
        text.push('\n');
    }
    text.push_str("`help(\"next_probs\")` says more about one of them; in the REPL so does `next_probs?`.\n");
    text
}

/// What a binding, a field or a topic is for, in Markdown.
pub fn explain(name: &str) -> Result<String> {
    let name = name.trim().trim_end_matches("()");
    if let Some(topic) = TOPICS.iter().find(|topic| topic.name == name) {
        let bindings = functions().filter(|binding| binding.topic == name);
        return Ok(format!(
            "## {}: {}\n\n{}",
            topic.name,
            topic.about,
            bindings.map(Binding::markdown).collect::<String>()
        ));
    }
    let found: String =
        bindings().iter().filter(|binding| binding.name == name).map(Binding::markdown).collect();
    if found.is_empty() {
        let known = names().chain(fields()).chain(TOPICS.iter().map(|topic| topic.name));
        return Err(Error::NoSuchHelp { name: name.to_owned(), known: known.map(str::to_owned).collect() });
    }
    Ok(found)
}

/// The whole reference, in Markdown.
pub fn reference() -> String {
    let mut text = "# What a script can call\n\n".to_owned();
    for topic in TOPICS {
        let _ = writeln!(text, "## {}: {}\n", topic.name, topic.about);
        let bindings = bindings().iter().filter(|b| b.topic == topic.name && b.kind != Kind::Operator);
        bindings.for_each(|binding| text.push_str(&binding.markdown()));
    }
    text
}

impl Binding {
    /// The first sentence of its comment.
    pub fn summary(&self) -> &str {
        let paragraph = self.doc.split("\n\n").next().unwrap_or_default();
        paragraph
            .find(": ")
            .or(paragraph.find(". "))
            .map_or(paragraph, |end| &paragraph[..end])
            .trim_end_matches('.')
    }

    /// The examples in its comment.
    pub fn examples(&self) -> impl Iterator<Item = &str> {
        self.doc.split("```rhai\n").skip(1).filter_map(|rest| rest.split("```").next())
    }

    fn markdown(&self) -> String {
        let signatures: Vec<String> =
            self.signatures.iter().map(|signature| format!("`{signature}`")).collect();
        format!("### {}\n\n{}\n\n", signatures.join("\n### "), self.doc)
    }
}

/// The bindings of a topic, in the order in which they are written down.
fn read(topic: &'static str, module: rhai::Module) -> Vec<Binding> {
    let mut engine = Engine::new_raw();
    engine.register_global_module(module.into());
    let json = engine.gen_fn_metadata_to_json(false).expect("metadata is plain data");
    let metadata: Metadata =
        serde_json::from_str(&json).expect("the engine writes the fields that it documents");
    let mut bindings: Vec<Binding> = Vec::new();
    for function in metadata.functions {
        let (kind, name, signature) = function.read();
        let doc = function.doc();
        match bindings.iter_mut().find(|binding| binding.name == name && binding.kind == kind) {
            Some(binding) => {
                binding.signatures.push(signature);
                binding.signatures.sort_by_key(String::len);
                if binding.doc.is_empty() {
                    binding.doc = doc;
                }
            }
            None => bindings.push(Binding { name, topic, kind, signatures: vec![signature], doc }),
        }
    }
    bindings
}

impl Function {
    fn read(&self) -> (Kind, String, String) {
        let name = self.name.as_str();
        if let Some(field) = name.strip_prefix("get$") {
            let owner = self.params.first().map_or(String::new(), Parameter::kind);
            return (Kind::Field, field.to_owned(), format!("{owner}.{field}{}", self.returns()));
        }
        let is_word = name.chars().all(|c| c.is_alphanumeric() || c == '_');
        let kind = if is_word { Kind::Function } else { Kind::Operator };
        let parameters: Vec<String> = self.params.iter().map(Parameter::written).collect();
        (kind, name.to_owned(), format!("{name}({}){}", parameters.join(", "), self.returns()))
    }

    fn returns(&self) -> String {
        match self.return_type.as_deref().map(plain_type) {
            None => String::new(),
            Some(kind) if kind.is_empty() || kind == "()" => String::new(),
            Some(kind) => format!(" -> {kind}"),
        }
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

impl Parameter {
    fn kind(&self) -> String {
        self.kind.as_deref().map(plain_type).unwrap_or_default()
    }

    fn written(&self) -> String {
        let name = self.name.clone().unwrap_or_default();
        match self.kind() {
            kind if kind.is_empty() => name,
            kind => format!("{name}: {kind}"),
        }
    }
}

/// A Rust type as scripts know it; nothing for one that can be anything.
fn plain_type(rust: &str) -> String {
    let inner = rust.trim().trim_start_matches("&mut ").trim_start_matches("&").trim();
    let inner = ["Answer<", "RhaiResultOf<", "Result<"]
        .iter()
        .find_map(|outer| inner.strip_prefix(outer))
        .map_or(inner, |rest| rest.split(", Box<").next().unwrap_or(rest).trim_end_matches('>'));
    match inner.rsplit("::").next().unwrap_or(inner) {
        "Dynamic" => String::new(),
        "str" | "String" | "ImmutableString" | "string" => "string".to_owned(),
        "i64" | "INT" => "int".to_owned(),
        "f64" | "FLOAT" => "float".to_owned(),
        "Array" => "array".to_owned(),
        "Map" => "map".to_owned(),
        other => values::short_name(other).unwrap_or(other).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_binding_is_documented() {
        for binding in bindings() {
            let Binding { name, kind, doc, .. } = binding;
            match kind {
                Kind::Operator => {}
                Kind::Field => assert!(doc.ends_with('.') || doc.ends_with('`'), "field `{name}`: {doc}"),
                Kind::Function => {
                    assert!(!binding.summary().is_empty(), "`{name}` says nothing of itself");
                }
            }
        }
        assert!(names().count() > 20);
    }

    #[test]
    fn signatures_use_the_scripts_own_types() {
        assert_eq!(signatures("tokenize"), ["tokenize(text: string) -> Tokens"]);
        assert_eq!(signatures("next_probs"), ["next_probs(text) -> Distribution"]);
        for binding in bindings() {
            for signature in &binding.signatures {
                assert!(!signature.contains("::") && !signature.contains('<'), "{signature}");
            }
        }
    }

    #[test]
    fn a_mistyped_name_finds_its_help() {
        let error = explain("tokenise").unwrap_err();
        assert_eq!(error.hint().unwrap(), "did you mean `tokenize`?");
        assert!(explain("next_probs()").unwrap().contains("vocabulary"));
    }
}
