//! Does a loaded model answer as the published GPT-2 is known to?
//!
//! Other people have printed what the published checkpoints answer; `assets/golden/gpt2.json` holds those values. Each
//! record is read into claims ([`claims`]), each claim is put to the model ([`answers`]). What cannot be compared is
//! listed with the reason, so that silence never looks like agreement.

mod answers;
mod claims;
pub mod question;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::model::Model;
use crate::model::config::Config;
use crate::render::{Cell, Column, Table};
use answers::Answers;
pub use claims::claims;

/// What somebody published, as it stands in the file.
#[derive(Clone, Debug, Deserialize)]
pub struct Record {
    /// Where it was published.
    pub source: String,
    pub kind: String,
    pub prompt: String,
    pub params: Map<String, Value>,
    pub expected: Value,
    /// By how much an answer may differ, by the kind of number.
    #[serde(default)]
    pub tolerance: Map<String, Value>,
    /// How sure the value is: begins with `high`, `medium` or `not portable`.
    pub confidence: String,
}

/// The published checkpoints by their shape: layers, width, heads. The vocabulary is the same for all.
const PUBLISHED: [(&str, [usize; 3]); 5] = [
    ("gpt2", [12, 768, 12]),
    ("gpt2-medium", [24, 1024, 16]),
    ("gpt2-large", [36, 1280, 20]),
    ("gpt2-xl", [48, 1600, 25]),
    ("distilgpt2", [6, 768, 12]),
];
const VOCABULARY: usize = 50257;

/// The published checkpoint that has this shape, whatever name it was loaded by.
pub fn published_as(config: &Config) -> Option<&'static str> {
    let shape = [config.n_layer, config.n_embd, config.n_head];
    let found = PUBLISHED.iter().find(|(_, published)| *published == shape);
    found.filter(|_| config.vocab_size == VOCABULARY).map(|(name, _)| *name)
}

/// All records of the file that is part of the program.
pub fn records() -> Vec<Record> {
    let text = include_str!("../../assets/golden/gpt2.json");
    serde_json::from_str(text).expect("the built-in records are well-formed")
}

impl Record {
    /// The model that it is about, by its short name.
    pub fn model(&self) -> &str {
        let named = self.params.get("model").and_then(Value::as_str);
        // A record that names none is about the small model; some say more behind the name.
        named.and_then(|name| name.split(' ').next()).unwrap_or("gpt2")
    }

    /// Whether the published value itself is beyond doubt. The port with another GELU is near, not equal.
    fn is_certain(&self) -> bool {
        self.confidence.starts_with("high") && self.kind != "next_token_logits"
    }
}

/// One comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    pub fact: String,
    pub source: String,
    pub expected: String,
    pub got: String,
    pub verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Agrees,
    Differs,
    /// It differs, but what was published is itself uncertain or rough.
    Doubtful,
}

/// A record that was not compared, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    pub source: String,
    pub kind: String,
    pub reason: String,
}

/// What came out for one model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    pub facts: Vec<Fact>,
    pub skipped: Vec<Skipped>,
}

/// Holds a model against the records about `published`. `on_record` hears of each that is done.
///
/// # Errors
/// Only [`Error::Interrupted`]: a question that the model cannot answer counts as a difference.
pub fn compare(
    model: &Model,
    published: &str,
    records: &[Record],
    interrupt: &Interrupt,
    mut on_record: impl FnMut(&Record),
) -> Result<Comparison> {
    let mut comparison = Comparison::default();
    let mut answers = Answers::new(model, interrupt);
    for record in records {
        let planned = match record.model() == published {
            true => claims(record, model.tokenizer()),
            false => Err("about another model".to_owned()),
        };
        match planned {
            Ok(claims) => {
                for claim in &claims {
                    comparison.facts.push(answers.fact(claim, record)?);
                }
            }
            Err(reason) => {
                let (source, kind) = (record.source.clone(), record.kind.clone());
                comparison.skipped.push(Skipped { source, kind, reason });
            }
        }
        on_record(record);
    }
    Ok(comparison)
}

impl Comparison {
    fn count(&self, verdict: Verdict) -> usize {
        self.facts.iter().filter(|fact| fact.verdict == verdict).count()
    }

    /// Fails if a fact that is beyond doubt differs.
    pub fn verdict(&self) -> Result<()> {
        match self.count(Verdict::Differs) {
            0 => Ok(()),
            differing => Err(Error::PublishedDiffers { differing, compared: self.facts.len() }),
        }
    }

    /// Expected, got and verdict of each fact, and the count.
    pub fn table(&self) -> Table {
        let columns = ["fact", "expected", "got", "verdict"].map(Column::left);
        let row = |fact: &Fact| {
            let verdict = fact.verdict.to_string();
            [fact.fact.clone(), fact.expected.clone(), fact.got.clone(), verdict].map(Cell::Text)
        };
        Table::new(columns).rows(self.facts.iter().map(row)).note(self.summary())
    }

    /// The reasons for which records were not compared, and for how many each.
    pub fn skipped_table(&self) -> Table {
        let mut reasons: Vec<(&str, usize)> = Vec::new();
        for Skipped { reason, .. } in &self.skipped {
            match reasons.iter_mut().find(|(known, _)| known == reason) {
                Some((_, count)) => *count += 1,
                None => reasons.push((reason, 1)),
            }
        }
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let columns = [Column::left("not compared because"), Column::right("records")];
        let row = |(reason, count): (&str, usize)| [Cell::Text(reason.to_owned()), Cell::from(count)];
        Table::new(columns).rows(reasons.into_iter().map(row))
    }

    /// In one line.
    pub fn summary(&self) -> String {
        let (agree, all) = (self.count(Verdict::Agrees), self.facts.len());
        let doubtful = match self.count(Verdict::Doubtful) {
            0 => String::new(),
            count => format!(", {count} are doubtful (they differ from what is itself uncertain or rough)"),
        };
        format!("{agree} of {all} facts agree{doubtful}; {} records were not compared", self.skipped.len())
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Verdict::Agrees => "agrees",
            Verdict::Differs => "DIFFERS",
            Verdict::Doubtful => "doubtful",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::question::{Ask, Claim};
    use super::*;
    use crate::tokenizer::Tokenizer;

    #[test]
    fn every_record_is_compared_or_listed_with_a_reason() {
        let tokenizer = Tokenizer::gpt2();
        let mut compared = 0;
        for record in records() {
            match claims(&record, &tokenizer) {
                Ok(claims) => {
                    assert!(!claims.is_empty(), "{} claims nothing", record.source);
                    compared += 1;
                }
                Err(reason) => assert!(
                    !reason.starts_with("not understood"),
                    "{}, {}: {reason}",
                    record.kind,
                    record.source
                ),
            }
        }
        assert!(compared >= 40, "only {compared} records can be compared");
    }

    #[test]
    fn every_record_is_about_a_published_model() {
        for record in records() {
            assert!(PUBLISHED.iter().any(|(name, _)| *name == record.model()), "{}", record.model());
        }
    }

    #[test]
    fn the_exercises_probabilities_are_among_the_claims() {
        let records = records();
        let exercise = &records[0];
        let claims = claims(exercise, &Tokenizer::gpt2()).unwrap();
        let Claim::Numbers { numbers, .. } = &claims[1] else { panic!("{claims:?}") };
        assert_eq!(numbers.len(), 5);
        assert_eq!((numbers[0].expected, numbers[0].tolerance), (0.157593, 2e-5));
        let Ask::Probability { ids, id } = &numbers[0].ask else { panic!("{numbers:?}") };
        assert_eq!((ids.len(), *id), (12, 8300));
    }

    #[test]
    fn a_model_is_known_by_its_shape() {
        let config = |text: &str| Config::parse(text, std::path::Path::new("config.json")).unwrap();
        let small =
            r#"{"vocab_size": 50257, "n_positions": 1024, "n_embd": 768, "n_layer": 12, "n_head": 12}"#;
        assert_eq!(published_as(&config(small)), Some("gpt2"));
        assert_eq!(
            published_as(&config(&small.replace("\"n_layer\": 12", "\"n_layer\": 6"))),
            Some("distilgpt2")
        );
        assert_eq!(published_as(&config(&small.replace("50257", "50000"))), None);
        assert_eq!(published_as(Model::pocket().unwrap().config()), None);
    }
}
