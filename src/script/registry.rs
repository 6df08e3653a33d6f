//! Reads the bindings back: what `help()`, completion, "did you mean" and the generated reference know comes from
//! the functions' own comments and signatures.

mod read;
mod signature;

use std::fmt::Write as _;
use std::sync::OnceLock;

use rhai::Engine;

use super::bindings::{TOPICS, Topic};
use crate::error::{Error, Result};
use crate::generate::options::Field;
pub use read::plain_type;
use read::{read, read_engine};
pub use signature::{Parameter, Signature};

/// One binding: all functions of one name in one topic.
#[derive(Clone, Debug)]
pub struct Binding {
    pub name: String,
    pub topic: &'static str,
    pub kind: Kind,
    /// One for each way to call it, the shortest first.
    pub signatures: Vec<Signature>,
    /// Markdown.
    pub doc: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Function,
    /// Called as `value.name(…)`.
    Method,
    /// Read as `value.name`.
    Field,
    /// `+`, `==`, indexing.
    Operator,
}

/// Every binding, topic by topic.
pub fn bindings() -> &'static [Binding] {
    static BINDINGS: OnceLock<Vec<Binding>> = OnceLock::new();
    BINDINGS.get_or_init(|| TOPICS.iter().flat_map(|topic| read(topic.name, (topic.module)())).collect())
}

fn functions() -> impl Iterator<Item = &'static Binding> {
    bindings().iter().filter(|binding| matches!(binding.kind, Kind::Function | Kind::Method))
}

/// The names of all functions and methods.
pub fn names<'a>() -> impl Iterator<Item = &'a str> {
    functions().map(|binding| binding.name.as_str())
}

/// The names of all fields, whatever they belong to.
pub fn fields<'a>() -> impl Iterator<Item = &'a str> {
    bindings().iter().filter(|binding| binding.kind == Kind::Field).map(|binding| binding.name.as_str())
}

/// The names of the fields of values of one type.
pub fn fields_of(kind: &str) -> Vec<&'static str> {
    members(kind).filter(|binding| binding.kind == Kind::Field).map(|binding| binding.name.as_str()).collect()
}

/// What can stand after the dot behind a value of this type: its fields, and the functions that take it first.
pub fn members(kind: &str) -> impl Iterator<Item = &'static Binding> {
    bindings().iter().chain(standard()).filter(move |binding| binding.belongs_to(kind))
}

/// The functions that come with the language.
fn standard() -> &'static [Binding] {
    static STANDARD: OnceLock<Vec<Binding>> = OnceLock::new();
    STANDARD.get_or_init(|| read_engine("standard", &Engine::new(), true))
}

/// The type that a function or method returns, if it always returns the same.
pub fn returned(name: &str) -> Option<&'static str> {
    let mut kinds = functions()
        .filter(|binding| binding.name == name)
        .flat_map(|binding| &binding.signatures)
        .map(|signature| signature.returns.as_deref());
    let first = kinds.next()??;
    kinds.all(|kind| kind == Some(first)).then_some(first)
}

/// The options that a function takes as `#{ … }`.
pub fn options(name: &str) -> Vec<Field> {
    let named = functions().filter(|binding| binding.name == name);
    let mut parameters = named
        .flat_map(|binding| &binding.signatures)
        .flat_map(|signature| signature.parameters.iter().flatten());
    parameters.find_map(|parameter| parameter.options).map_or(Vec::new(), |fields| fields())
}

/// Every way to call a function.
pub fn signatures(name: &str) -> Vec<Signature> {
    functions().filter(|binding| binding.name == name).flat_map(|b| b.signatures.clone()).collect()
}

/// All functions in a line each, by topic, in Markdown.
pub fn overview() -> String {
    let lists = TOPICS.iter().map(|topic| list(topic, functions()));
    let more = "`help(\"next_probs\")` says more about one of them, `help(\"predicting\")` about a topic.\n";
    lists.chain([more.to_owned()]).collect()
}

/// A topic's bindings in a line each, in Markdown.
fn list<'a>(topic: &Topic, bindings: impl Iterator<Item = &'a Binding>) -> String {
    let mut text = format!("## {}: {}\n\n", topic.name, topic.about);
    for binding in bindings.filter(|binding| binding.topic == topic.name && binding.kind != Kind::Operator) {
        let _ = writeln!(text, "- `{}` {}", binding.signatures[0].call(), lower_first(binding.summary()));
    }
    text + "\n"
}

/// What a binding, a field or a topic is for, in Markdown.
pub fn explain(name: &str) -> Result<String> {
    let name = name.trim().trim_end_matches("()");
    if let Some(topic) = TOPICS.iter().find(|topic| topic.name == name) {
        return Ok(list(topic, bindings().iter()));
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
    /// The first sentence of its comment, up to where it goes into detail.
    pub fn summary(&self) -> &str {
        let paragraph = self.doc.split("\n\n").next().unwrap_or_default();
        let end =
            [". ", ": ", "; "].iter().filter_map(|end| paragraph.find(end)).min().unwrap_or(paragraph.len());
        paragraph[..end].trim_end_matches('.')
    }

    /// Whether it is a field or method of this type, or a function whose first parameter has it.
    fn belongs_to(&self, kind: &str) -> bool {
        self.kind != Kind::Operator && self.signatures.iter().any(|signature| signature.takes(kind))
    }

    /// The examples in its comment.
    pub fn examples(&self) -> impl Iterator<Item = &str> {
        self.doc.split("```rhai\n").skip(1).filter_map(|rest| rest.split("```").next())
    }

    fn markdown(&self) -> String {
        let signatures: Vec<String> = self.signatures.iter().map(Signature::to_string).collect();
        format!("### {}\n\n```\n{}\n```\n\n{}\n\n", self.name, signatures.join("\n"), self.doc)
    }

    /// Takes in another function of the same name.
    fn add(&mut self, signature: Signature, doc: String) {
        self.signatures.push(signature);
        self.signatures.sort_by_key(|signature| signature.to_string().len());
        // The comment with the example is the one that says it all; others follow it.
        let has_example = doc.contains("```");
        let (first, second) = if has_example { (doc, self.doc.clone()) } else { (self.doc.clone(), doc) };
        self.doc = [first, second].into_iter().filter(|doc| !doc.is_empty()).collect::<Vec<_>>().join("\n\n");
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_lowercase().chain(chars).collect())
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
                Kind::Function | Kind::Method => {
                    assert!(!binding.summary().is_empty(), "`{name}` says nothing of itself");
                }
            }
        }
        assert!(names().count() > 20);
    }

    #[test]
    fn a_parameter_of_options_says_which() {
        for binding in bindings() {
            let parameters =
                binding.signatures.iter().flat_map(|signature| signature.parameters.iter().flatten());
            for parameter in parameters.filter(|parameter| parameter.name == "options") {
                let known = parameter.options.is_some_and(|fields| !fields().is_empty());
                assert!(known, "`{}`: write its type as `OptionsOf<…>`", binding.name);
            }
        }
        let names = |function| options(function).iter().map(|field| field.name).collect::<Vec<_>>();
        assert_eq!(names("tree"), ["width", "depth"]);
        assert_eq!(names("stepper"), names("sample"));
        assert!(names("xray").contains(&"top_k") && names("tokenize").is_empty());
    }

    #[test]
    fn a_mistyped_name_finds_its_help() {
        let error = explain("tokenise").unwrap_err();
        assert_eq!(error.hint().unwrap(), "did you mean `tokenize`?");
        assert!(explain("next_probs()").unwrap().contains("vocabulary"));
    }
}
