//! What Tab offers, by the place of the cursor.

use std::ops::Range;

use rustyline::completion::{FilenameCompleter, Pair};

use super::commands::{self, Argument, COMMANDS};
use super::knowledge::Knowledge;
use crate::hub::{Hub, KNOWN_MODELS};
use crate::script::lexer::{KEYWORDS, Kind, spans};
use crate::script::registry;

/// Something to offer: what is inserted, and what is shown of it.
struct Offer {
    text: String,
    /// How it is called, or the text again.
    shown: String,
    /// What it is for.
    about: String,
}

impl Offer {
    fn new(text: impl Into<String>, about: impl Into<String>) -> Offer {
        let text = text.into();
        Offer { shown: text.clone(), text, about: about.into() }
    }
}

/// With more offers than this, only their names are listed.
const EXPLAINED: usize = 16;

/// Where the completed part begins, and what it can become.
pub fn complete(line: &str, pos: usize, knowledge: &Knowledge) -> (usize, Vec<Pair>) {
    let before = &line[..pos];
    if before.trim_start().starts_with(':') {
        return in_command(before, knowledge);
    }
    if let Some(name) = before.strip_prefix('?') {
        return (pos - name.len(), pairs(name, topics(), "", knowledge));
    }
    in_code(before, &line[pos..], knowledge)
}

fn in_command(before: &str, knowledge: &Knowledge) -> (usize, Vec<Pair>) {
    let typed = before.trim_start();
    let Some((name, argument)) = typed.split_once(char::is_whitespace) else {
        let names = COMMANDS.iter().map(|command| {
            let space = if command.argument == Argument::None { "" } else { " " };
            let shown = format!(":{}", command.usage());
            Offer { text: format!(":{}{space}", command.name()), shown, about: command.summary.to_owned() }
        });
        return (before.len() - typed.len(), pairs(typed, names.collect(), "", knowledge));
    };
    let start = before.len() - argument.trim_start().len();
    let argument = &before[start..];
    let offers = match commands::find(name.trim_start_matches(':')).map(|command| command.argument) {
        Some(Argument::Model) => models(),
        Some(Argument::Topic) => topics(),
        Some(Argument::File) => {
            let (at, files) = files(argument);
            return (start + at, files);
        }
        Some(Argument::Code) => {
            let (at, found) = in_code(argument, "", knowledge);
            return (start + at, found);
        }
        _ => Vec::new(),
    };
    (start, pairs(argument, offers, "", knowledge))
}

fn in_code(before: &str, after: &str, knowledge: &Knowledge) -> (usize, Vec<Pair>) {
    let spans = spans(before);
    match spans.last() {
        Some((Kind::Text { open: true }, range)) => in_text(before, range.start, after, knowledge),
        Some((Kind::Comment { .. } | Kind::Number, _)) => (before.len(), Vec::new()),
        last => {
            let is_word = |(kind, _): &&(Kind, Range<usize>)| matches!(kind, Kind::Name | Kind::Keyword);
            let start = last.filter(is_word).map_or(before.len(), |(_, range)| range.start);
            let word = &before[start..];
            (start, pairs(word, at_word(&before[..start], word, knowledge), after, knowledge))
        }
    }
}

/// Inside a string that names something.
fn in_text(before: &str, quote: usize, after: &str, knowledge: &Knowledge) -> (usize, Vec<Pair>) {
    let typed = &before[quote + 1..];
    let offers = match open_call(&before[..quote]) {
        Some(("load", 1)) => models(),
        Some(("help", 1)) => topics(),
        _ => Vec::new(),
    };
    // The string is closed where its end is not there yet.
    let close = if after.starts_with('"') { "" } else { "\"" };
    let closed = offers.into_iter().map(|offer| Offer { text: offer.text + close, ..offer });
    (quote + 1, pairs(typed, closed.collect(), "", knowledge))
}

/// Where a name stands: a member, an option, or whatever is known.
fn at_word(before: &str, word: &str, knowledge: &Knowledge) -> Vec<Offer> {
    let trimmed = before.trim_end();
    if let Some(owner) = trimmed.strip_suffix('.').filter(|owner| !owner.ends_with('.')) {
        return members(owner, knowledge);
    }
    let options = options_at(trimmed);
    if !options.is_empty() {
        return options;
    }
    let keywords = KEYWORDS.iter().filter(|_| !word.is_empty()).map(|keyword| Offer::new(*keyword, ""));
    names(knowledge).into_iter().chain(keywords).collect()
}

/// Variables, the user's functions, and bindings.
fn names(knowledge: &Knowledge) -> Vec<Offer> {
    let variables = knowledge.variables.iter().map(|variable| Offer::new(&variable.name, &variable.kind));
    let own = knowledge.functions.iter().map(|signature| {
        let name = signature.split('(').next().unwrap_or(signature);
        let brackets = if signature.ends_with("()") { "()" } else { "(" };
        Offer { text: format!("{name}{brackets}"), shown: signature.clone(), about: "yours".to_owned() }
    });
    variables.chain(own).chain(registry_functions()).collect()
}

fn registry_functions() -> impl Iterator<Item = Offer> {
    registry::bindings().iter().filter(|binding| binding.kind == registry::Kind::Function).map(binding)
}

/// A binding as the longest of its signatures shows it; with its bracket, or both where nothing goes between.
fn binding(binding: &registry::Binding) -> Offer {
    let takes = |signature: &registry::Signature| signature.parameters.as_ref().map(Vec::len);
    let least = binding.signatures.iter().map(takes).min().flatten();
    let most = binding.signatures.iter().map(takes).max().flatten();
    let brackets = match (least, most) {
        (_, None) => "",
        (Some(0), Some(0)) => "()",
        _ => "(",
    };
    let shown = binding.signatures.last().map_or(String::new(), ToString::to_string);
    let text = format!("{}{brackets}", binding.name);
    Offer { text, shown, about: binding.summary().to_owned() }
}

fn members(owner: &str, knowledge: &Knowledge) -> Vec<Offer> {
    let trailing = spans(owner).into_iter().rfind(|(kind, _)| *kind != Kind::Space);
    let variable = trailing.and_then(|(_, range)| knowledge.variable(&owner[range]));
    let keys = variable.into_iter().flat_map(|variable| &variable.keys).map(|key| Offer::new(key, ""));
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
fn method(function: &registry::Binding) -> Offer {
    let takes_more =
        |signature: &registry::Signature| signature.parameters.as_ref().is_some_and(|p| p.len() > 1);
    let brackets = if function.signatures.iter().any(takes_more) { "(" } else { "()" };
    Offer { text: format!("{}{brackets}", function.name), ..binding(function) }
}

/// The options of the call whose `#{` is open just before, where a name of one is to come.
fn options_at(before: &str) -> Vec<Offer> {
    let spans: Vec<_> = spans(before).into_iter().filter(|(kind, _)| *kind != Kind::Space).collect();
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
    let offer = |field: crate::generate::options::Field| Offer {
        text: format!("{}: ", field.name),
        shown: field.name.to_owned(),
        about: format!("{} · {}", field.bound, field.doc.lines().next().unwrap_or_default().trim()),
    };
    fields.map(offer).collect()
}

/// The function whose bracket is open at the end of this code, and which of its arguments is being typed.
pub fn open_call(code: &str) -> Option<(&str, usize)> {
    let spans: Vec<_> = spans(code).into_iter().filter(|(kind, _)| *kind != Kind::Space).collect();
    let open = unclosed(code, &spans, "(")?;
    let (Kind::Name, name) = spans.get(open.checked_sub(1)?)? else { return None };
    let mut depth = 0;
    let mut commas = 0;
    for (_, range) in &spans[open..] {
        match &code[range.clone()] {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            "," if depth == 1 => commas += 1,
            _ => {}
        }
    }
    Some((&code[name.clone()], commas + 1))
}

/// The last bracket of this form that nothing closes; other open ones in it do not count.
fn unclosed(code: &str, spans: &[(Kind, Range<usize>)], form: &str) -> Option<usize> {
    let mut depth = 0;
    for (index, (kind, range)) in spans.iter().enumerate().rev() {
        match (kind, &code[range.clone()]) {
            (Kind::Symbol, ")" | "]" | "}") => depth += 1,
            (Kind::Symbol, "(" | "[" | "{") if depth > 0 => depth -= 1,
            (Kind::Symbol, text) if text == form => return Some(index),
            // A block of statements is no argument.
            (Kind::Symbol, "{") if index == 0 || &code[spans[index - 1].1.clone()] != "#" => return None,
            _ => {}
        }
    }
    None
}

fn models() -> Vec<Offer> {
    match Hub::from_env().and_then(|hub| hub.list()) {
        Ok(listed) => listed.into_iter().map(|model| Offer::new(model.name, model.description)).collect(),
        Err(_) => KNOWN_MODELS.iter().map(|model| Offer::new(model.name, model.description)).collect(),
    }
}

/// What `help` can say something about.
fn topics() -> Vec<Offer> {
    let topics = crate::script::bindings::TOPICS.iter().map(|topic| Offer::new(topic.name, topic.about));
    let functions = registry_functions()
        .map(|offer| Offer { text: offer.text.trim_end_matches(['(', ')']).to_owned(), ..offer });
    topics.chain(functions).collect()
}

fn files(typed: &str) -> (usize, Vec<Pair>) {
    let completer = FilenameCompleter::new();
    completer.complete_path(typed, typed.len()).unwrap_or((typed.len(), Vec::new()))
}

fn cut(text: String, width: usize) -> String {
    match text.chars().count() > width {
        true => text.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
        false => text,
    }
}

/// The offers that begin as typed, in a stable order, each once.
fn pairs(typed: &str, offers: Vec<Offer>, after: &str, knowledge: &Knowledge) -> Vec<Pair> {
    let mut offers: Vec<Offer> = offers.into_iter().filter(|offer| offer.text.starts_with(typed)).collect();
    offers.sort_by(|one, other| one.text.cmp(&other.text));
    offers.dedup_by(|one, other| one.text == other.text);
    let explained = offers.len() <= EXPLAINED;
    let width = offers.iter().map(|offer| offer.shown.chars().count()).max().unwrap_or(0);
    let screen = knowledge.width.saturating_sub(1);
    let pair = |offer: Offer| {
        let display = match explained && !offer.about.is_empty() {
            true => cut(format!("{:width$}  {}", offer.shown, offer.about), screen),
            false if explained => offer.shown,
            false => offer.text.trim_end_matches(['(', ')', ' ', '"']).to_owned(),
        };
        let has_bracket = after.starts_with('(');
        let text = if has_bracket { offer.text.trim_end_matches(['(', ')']) } else { &offer.text };
        Pair { display, replacement: text.to_owned() }
    };
    offers.into_iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Variable;

    fn offered(line: &str) -> Vec<String> {
        let tokens = Variable { name: "story".into(), kind: "Tokens".into(), keys: Vec::new() };
        let map = Variable { name: "options".into(), kind: "map".into(), keys: vec!["seed".into()] };
        let functions = vec!["perplexity(text)".to_owned()];
        let knowledge = Knowledge { variables: vec![tokens, map], functions, width: 80 };
        let (start, pairs) = complete(line, line.len(), &knowledge);
        pairs.into_iter().map(|pair| format!("{}{}", &line[..start], pair.replacement)).collect()
    }

    #[test]
    fn names_are_completed_where_names_stand() {
        assert_eq!(offered("let x = next_p"), ["let x = next_probs("]);
        assert_eq!(offered("sto"), ["story"]);
        assert_eq!(offered("perp"), ["perplexity("]);
        assert_eq!(offered("whi"), ["while"]);
        assert_eq!(offered("// next_p"), [""; 0]);
        assert_eq!(offered("\"next_p"), [""; 0]);
    }

    #[test]
    fn a_dot_offers_what_the_value_has() {
        assert_eq!(offered("story.pie"), ["story.pieces"]);
        assert_eq!(offered("next_probs(\"a\").ent"), ["next_probs(\"a\").entropy"]);
        assert_eq!(offered("options.see"), ["options.seed"]);
        assert_eq!(offered("[1, 2].pus"), ["[1, 2].push("]);
    }

    #[test]
    fn options_are_offered_in_the_map_of_their_function() {
        assert_eq!(
            offered("generate(\"a\", #{ top_k: 1, tem"),
            ["generate(\"a\", #{ top_k: 1, temperature: "]
        );
        assert_eq!(offered("sample(p, #{top_"), ["sample(p, #{top_k: ", "sample(p, #{top_p: "]);
        assert!(offered("generate(\"a\", #{ top_k: 1, top_").iter().all(|text| !text.ends_with("top_k: ")));
        assert_eq!(offered("generate(\"a\", #{ top_k: sto"), ["generate(\"a\", #{ top_k: story"]);
    }

    #[test]
    fn models_commands_and_topics_are_offered_in_their_places() {
        assert!(offered("load(\"gpt2-m").contains(&"load(\"gpt2-medium\"".to_owned()));
        assert!(offered(":model poc").contains(&":model pocket".to_owned()));
        assert_eq!(offered(":hist"), [":history "]);
        assert_eq!(offered(":time next_p"), [":time next_probs("]);
        assert_eq!(offered(":help next_p"), [":help next_probs"]);
        assert_eq!(offered("?next_p"), ["?next_probs"]);
    }
}
