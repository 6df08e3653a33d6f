//! What may stand at a place.

use super::knowledge::Knowledge;
use super::paths::paths;
use super::place::{open_call, spans, unclosed};
use crate::generate::options::Field;
use crate::hub::{Hub, KNOWN_MODELS};
use crate::script::lexer::KEYWORDS;
use crate::script::registry::{self, Binding, Signature};

/// Something to offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What takes the place of what was typed.
    pub text: String,
    /// What usually follows it: an opening bracket, the end of a string.
    pub closing: String,
    /// How it is called, or the text again.
    pub shown: String,
    /// What it is for; may be empty.
    pub about: String,
    pub kind: OfferKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfferKind {
    Variable,
    Function,
    Field,
    Option,
    Keyword,
    Model,
    Topic,
    Path,
    Lesson,
    Command,
}

impl Offer {
    pub fn new(text: impl Into<String>, about: impl Into<String>, kind: OfferKind) -> Offer {
        let text = text.into();
        Offer { shown: text.clone(), text, closing: String::new(), about: about.into(), kind }
    }

    pub fn closed(mut self, closing: &str) -> Offer {
        self.closing = closing.to_owned();
        self
    }
}

/// The offers that begin as typed, sorted, each once.
pub fn matching(typed: &str, mut offers: Vec<Offer>) -> Vec<Offer> {
    offers.retain(|offer| offer.text.starts_with(typed));
    offers.sort_by(|one, other| one.text.cmp(&other.text));
    offers.dedup_by(|one, other| one.text == other.text);
    offers
}

/// Inside a string that names something, which begins at `quote`: from where on, and what it may name.
pub fn in_text(before: &str, quote: usize, after: &str) -> (usize, Vec<Offer>) {
    let typed = &before[quote + 1..];
    let looks_like_a_path = typed.starts_with(['/', '.', '~']);
    let offers = match open_call(&before[..quote]) {
        Some(("load", 1)) if looks_like_a_path => paths(typed, &["/"]),
        Some(("load", 1)) => models(),
        Some(("help", 1)) => topics(),
        Some(("read_text", 1) | ("save", 2)) => paths(typed, &[]),
        _ => Vec::new(),
    };
    // The string is closed where its end is not there yet; a folder goes on.
    let close = |offer: Offer| match after.starts_with('"') || offer.closing == "/" {
        true => offer,
        false => offer.closed("\""),
    };
    (quote + 1, offers.into_iter().map(close).collect())
}

/// Where a name stands: a member, an option, or whatever is known.
pub fn at_word(before: &str, word: &str, knowledge: &Knowledge) -> Vec<Offer> {
    let trimmed = before.trim_end();
    if let Some(owner) = trimmed.strip_suffix('.').filter(|owner| !owner.ends_with('.')) {
        return members(owner, knowledge);
    }
    let options = options_at(trimmed);
    if !options.is_empty() {
        return options;
    }
    let keywords = KEYWORDS.iter().filter(|_| !word.is_empty());
    let keywords = keywords.map(|keyword| Offer::new(*keyword, "", OfferKind::Keyword));
    names(knowledge).into_iter().chain(keywords).collect()
}

/// Variables, the user's functions, and bindings.
fn names(knowledge: &Knowledge) -> Vec<Offer> {
    let variables = knowledge.variables.iter();
    let variables = variables.map(|variable| Offer::new(&variable.name, &variable.kind, OfferKind::Variable));
    let own = knowledge.functions.iter().map(|signature| {
        let name = signature.split('(').next().unwrap_or(signature);
        let brackets = if signature.ends_with("()") { "()" } else { "(" };
        let offer = Offer::new(name, "yours", OfferKind::Function).closed(brackets);
        Offer { shown: signature.clone(), ..offer }
    });
    variables.chain(own).chain(functions()).collect()
}

fn functions() -> impl Iterator<Item = Offer> {
    registry::bindings().iter().filter(|binding| binding.kind == registry::Kind::Function).map(binding)
}

/// A binding as the longest of its signatures shows it; with its bracket, or both where nothing goes between.
fn binding(binding: &Binding) -> Offer {
    let takes = |signature: &Signature| signature.parameters.as_ref().map(Vec::len);
    let least = binding.signatures.iter().map(takes).min().flatten();
    let most = binding.signatures.iter().map(takes).max().flatten();
    let (brackets, kind) = match (least, most) {
        (_, None) => ("", OfferKind::Field),
        (Some(0), Some(0)) => ("()", OfferKind::Function),
        _ => ("(", OfferKind::Function),
    };
    let shown = binding.signatures.last().map_or(String::new(), ToString::to_string);
    Offer { shown, ..Offer::new(&binding.name, binding.summary(), kind).closed(brackets) }
}

fn members(owner: &str, knowledge: &Knowledge) -> Vec<Offer> {
    let trailing = spans(owner).pop();
    let variable = trailing.and_then(|(_, range)| knowledge.variable(&owner[range]));
    let keys = variable.into_iter().flat_map(|variable| &variable.keys);
    let keys = keys.map(|key| Offer::new(key, "", OfferKind::Field));
    let Some(kind) = knowledge.type_before_dot(owner) else { return Vec::new() };
    let is_word = |name: &str| name.chars().all(|c| c.is_alphanumeric() || c == '_');
    let members = registry::members(&kind).filter(|member| is_word(&member.name));
    keys.chain(members.map(|member| match member.signatures[0].owner {
        Some(_) => binding(member),
        None => method(member),
    }))
    .collect()
}

/// A function that is called as a method: its first parameter stands before the dot.
fn method(function: &Binding) -> Offer {
    let takes_more = |signature: &Signature| signature.parameters.as_ref().is_some_and(|p| p.len() > 1);
    let brackets = if function.signatures.iter().any(takes_more) { "(" } else { "()" };
    binding(function).closed(brackets)
}

/// The options of the call whose `#{` is open just before, where a name of one is to come.
fn options_at(before: &str) -> Vec<Offer> {
    let spans = spans(before);
    let text = |index: usize| &before[spans[index].1.clone()];
    let Some(last) = spans.len().checked_sub(1) else { return Vec::new() };
    let Some(open) = unclosed(before, &spans, "{").filter(|open| *open > 0 && text(open - 1) == "#") else {
        return Vec::new();
    };
    if last != open && text(last) != "," {
        return Vec::new();
    }
    let Some((name, _)) = open_call(&before[..spans[open - 1].1.start]) else { return Vec::new() };
    let given = |name: &str| (open..last).any(|index| text(index) == name && text(index + 1) == ":");
    let fields = registry::options(name).into_iter().filter(|field| !given(field.name));
    let offer = |field: Field| {
        let about = format!("{} · {}", field.values(), field.doc.lines().next().unwrap_or_default().trim());
        Offer::new(field.name, about, OfferKind::Option).closed(": ")
    };
    fields.map(offer).collect()
}

/// Every model that is known by name or lies in the cache.
pub fn models() -> Vec<Offer> {
    let model = |name: &str, about: &str| Offer::new(name, about, OfferKind::Model);
    match Hub::from_env().and_then(|hub| hub.list()) {
        Ok(listed) => listed.iter().map(|listed| model(&listed.name, &listed.description)).collect(),
        Err(_) => KNOWN_MODELS.iter().map(|known| model(known.name, known.description)).collect(),
    }
}

/// What `help` can say something about.
pub fn topics() -> Vec<Offer> {
    let topics = crate::script::bindings::TOPICS.iter();
    let topics = topics.map(|topic| Offer::new(topic.name, topic.about, OfferKind::Topic));
    topics.chain(functions().map(|offer| offer.closed(""))).collect()
}
