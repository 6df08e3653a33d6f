//! What Tab offers: in commands what they take, in code what the session knows.

use rustyline::completion::Pair;

use super::commands::{self, Argument, COMMANDS};
use crate::script::assist::{self, Knowledge, Offer, OfferKind, matching};

/// With more offers than this, only their names are listed.
const EXPLAINED: usize = 16;

/// Where the completed part begins, and what it can become; `width` is the terminal's.
pub fn complete(line: &str, pos: usize, knowledge: &Knowledge, width: usize) -> (usize, Vec<Pair>) {
    let before = &line[..pos];
    let (start, offers) = if before.trim_start().starts_with(':') {
        in_command(before, knowledge)
    } else if let Some(name) = before.strip_prefix('?') {
        (pos - name.len(), matching(name, assist::topics()))
    } else {
        assist::complete(line, pos, knowledge)
    };
    (start, pairs(offers, width))
}

fn in_command(before: &str, knowledge: &Knowledge) -> (usize, Vec<Offer>) {
    let typed = before.trim_start();
    let Some((name, argument)) = typed.split_once(char::is_whitespace) else {
        let offers = COMMANDS.iter().map(|command| {
            let space = if command.argument == Argument::None { "" } else { " " };
            let offer = Offer::new(format!(":{}", command.name()), command.summary, OfferKind::Command);
            Offer { shown: format!(":{}", command.usage()), ..offer.closed(space) }
        });
        return (before.len() - typed.len(), matching(typed, offers.collect()));
    };
    let start = before.len() - argument.trim_start().len();
    let argument = &before[start..];
    let taken = commands::find(name.trim_start_matches(':')).map(|command| command.argument);
    if taken == Some(Argument::Code) {
        let (at, offers) = assist::complete(argument, argument.len(), knowledge);
        return (start + at, offers);
    }
    let offers = taken.map_or(Vec::new(), |taken| arguments(taken, argument));
    // A lesson is named by its file, wherever that lies.
    let begins = |offer: &Offer| offer.text.starts_with(argument) || offer.kind == OfferKind::Lesson;
    (start, matching("", offers.into_iter().filter(begins).collect()))
}

/// What a command takes that begins as typed.
fn arguments(taken: Argument, typed: &str) -> Vec<Offer> {
    match taken {
        Argument::Model => assist::models(),
        Argument::Topic => {
            let commands = COMMANDS.iter().map(|command| {
                Offer::new(format!(":{}", command.name()), command.summary, OfferKind::Command)
            });
            assist::topics().into_iter().chain(commands.filter(|_| typed.starts_with(':'))).collect()
        }
        Argument::Script => {
            assist::paths(typed, &[".rhai", ".ipynb"]).into_iter().chain(assist::lessons(typed)).collect()
        }
        Argument::File => assist::paths(typed, &[]),
        Argument::Folder => assist::paths(typed, &["/"]),
        Argument::Choice(names) => {
            names.iter().map(|name| Offer::new(*name, "", OfferKind::Keyword)).collect()
        }
        Argument::None | Argument::Code | Argument::Cells | Argument::Columns => Vec::new(),
    }
}

fn cut(text: String, width: usize) -> String {
    match text.chars().count() > width {
        true => text.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
        false => text,
    }
}

/// A few offers are shown with what each is for, many by their names.
fn pairs(offers: Vec<Offer>, width: usize) -> Vec<Pair> {
    let explained = offers.len() <= EXPLAINED;
    let widest = offers.iter().map(|offer| offer.shown.chars().count()).max().unwrap_or(0);
    let pair = |offer: Offer| {
        let display = match explained && !offer.about.is_empty() {
            true => cut(format!("{:widest$}  {}", offer.shown, offer.about), width.saturating_sub(1)),
            false if explained => offer.shown,
            false => offer.text.clone(),
        };
        Pair { display, replacement: offer.text + offer.closing.as_str() }
    };
    offers.into_iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(line: &str) -> Vec<String> {
        let (start, pairs) = complete(line, line.len(), &Knowledge::default(), 80);
        pairs.into_iter().map(|pair| format!("{}{}", &line[..start], pair.replacement)).collect()
    }

    #[test]
    fn commands_and_what_they_take_are_offered() {
        assert!(offered(":model poc").contains(&":model pocket".to_owned()));
        assert_eq!(offered(":hist"), [":history "]);
        assert_eq!(offered(":time next_p"), [":time next_probs("]);
        assert_eq!(offered(":help next_p"), [":help next_probs"]);
        assert_eq!(offered(":help :timei"), [":help :timeit"]);
        assert_eq!(offered("?next_p"), ["?next_probs"]);
        assert_eq!(offered(":cd src/scri"), [":cd src/script/"]);
        assert_eq!(offered(":run 05"), [":run lessons/05-logits-to-probabilities.rhai"]);
    }

    #[test]
    fn a_few_offers_say_what_they_are_for() {
        let (_, pairs) = complete("next_", 5, &Knowledge::default(), 60);
        assert!(
            pairs[0].display.starts_with("next_probs(text, options: map) -> Distribution  ")
                && pairs[0].display.ends_with('…'),
            "{}",
            pairs[0].display
        );
    }
}
