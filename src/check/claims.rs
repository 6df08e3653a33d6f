//! What does a published record claim, in questions that a model can answer?

mod written;

use serde_json::Value;

use super::Record;
use super::question::{Ask, Claim, Number};
use crate::render::label;
use crate::tokenizer::Tokenizer;

/// The tolerance of a probability that comes without one: sixteen notebooks differed by less.
const P_TOLERANCE: f64 = 2e-5;
/// The tolerance of a logit, or of a mean of them, that comes without one.
const LOGIT_TOLERANCE: f64 = 1e-3;
/// Why a record cannot be compared.
type Reason = String;
type Claims = Result<Vec<Claim>, Reason>;

/// What a record claims, or why it cannot be compared.
pub fn claims(record: &Record, tokenizer: &Tokenizer) -> Claims {
    let reader = Reader { record, tokenizer };
    match record.kind.as_str() {
        "next_token_probs" => reader.probabilities(),
        "next_token_logits" => reader.top_logits(),
        "logits" => reader.logits(),
        "greedy_ids" | "greedy_text" => reader.greedy(),
        "greedy_path" => reader.path(),
        "step_table" => reader.steps(),
        "token_scores" => reader.scores(),
        "loss" | "perplexity" => reader.losses(),
        "weights" => reader.weights(),
        "config" => reader.config(),
        "beam_text" | "diverse_beam_text" => Err("needs beam search".to_owned()),
        "attention" | "attention_late" => Err("needs attention patterns".to_owned()),
        "benchmark" => Err("needs the data of a benchmark".to_owned()),
        "sampled_text" => Err("depends on another program's random numbers".to_owned()),
        other => Err(format!("not understood: the kind `{other}`")),
    }
}

/// A record, and the tokenizer that its texts are cut by.
struct Reader<'a> {
    record: &'a Record,
    tokenizer: &'a Tokenizer,
}

impl Reader<'_> {
    fn expected(&self, name: &str) -> Option<&Value> {
        self.record.expected.get(name)
    }

    /// What was read: the ids if the record has them, else the prompt's.
    fn prompt(&self) -> Result<Vec<u32>, Reason> {
        let params = &self.record.params;
        if let Some(given) = params.get("input_ids") {
            return ids(given);
        }
        let mut ids = self.tokenizer.tokenize(&self.record.prompt).ids().to_vec();
        if params.get("prepend_bos").and_then(Value::as_bool) == Some(true) {
            let start = self.tokenizer.end_of_text().ok_or("the vocabulary has no start of text")?;
            ids.insert(0, start);
        }
        Ok(ids)
    }

    /// The prompt's end, for what a fact is called.
    fn after(&self) -> String {
        const LONGEST: usize = 16;
        let line = crate::render::label::one_line(&self.record.prompt).into_owned();
        let count = line.chars().count();
        let cut = count.saturating_sub(LONGEST);
        let end: String = line.chars().skip(cut).collect();
        if cut == 0 { format!("“{end}”") } else { format!("“…{end}”") }
    }

    /// A tolerance that the record gives under one of these names, else `default`.
    fn tolerance(&self, names: &[&str], default: f64) -> f64 {
        names.iter().find_map(|name| self.record.tolerance.get(*name)?.as_f64()).unwrap_or(default)
    }

    fn p(&self, ids: &[u32], id: u32, expected: f64) -> Number {
        let tolerance = self.tolerance(&["p_abs", "abs"], P_TOLERANCE + half_of_last_digit(expected));
        let ask = Ask::Probability { ids: ids.to_vec(), id };
        Number { label: label(&self.tokenizer.piece(id)), ask, expected, tolerance }
    }

    fn logit(&self, ids: &[u32], id: u32, expected: f64) -> Number {
        let tolerance = self.tolerance(&["logit_abs", "abs"], LOGIT_TOLERANCE);
        Number { label: format!("id {id}"), ask: Ask::Logit { ids: ids.to_vec(), id }, expected, tolerance }
    }

    /// A token of a list, as `{id, …}` or as its text.
    fn token(&self, entry: &Value) -> Result<u32, Reason> {
        if let Some(id) = entry.get("id") {
            return id_of(id);
        }
        let text = entry.get(0).unwrap_or(entry).as_str().ok_or("not understood: a token")?;
        match self.tokenizer.tokenize(text).ids() {
            [id] => Ok(*id),
            _ => Err(format!("`{text}` is no single token of this model")),
        }
    }

    fn numbers(&self, what: &str, numbers: Vec<Number>) -> Claim {
        let what = match numbers.len() {
            1 => format!("{what} after {}", self.after()),
            count => format!("{what} of {count} after {}", self.after()),
        };
        Claim::Numbers { what, numbers }
    }

    fn likeliest(&self, ids: &[u32], expected: &Value) -> Result<Claim, Reason> {
        Ok(Claim::Likeliest { after: self.after(), ids: ids.to_vec(), expected: id_of(expected)? })
    }

    /// The list of the likeliest tokens, whatever its length.
    fn top(&self) -> Result<Vec<Value>, Reason> {
        let list = ["top10", "top5", "top1"].iter().find_map(|name| self.expected(name));
        let list = list.ok_or("not understood: no list of tokens")?;
        Ok(list.as_array().cloned().unwrap_or_else(|| vec![list.clone()]))
    }

    fn probabilities(&self) -> Claims {
        let ids = self.prompt()?;
        let mut claims = Vec::new();
        if let Some(likeliest) = self.expected("argmax") {
            claims.push(self.likeliest(&ids, likeliest)?);
        }
        let number = |entry: &Value| {
            let p = entry.get("p").or(entry.get(1));
            Ok(self.p(&ids, self.token(entry)?, number_of(p)?))
        };
        let numbers = self.top()?.iter().map(number).collect::<Result<Vec<_>, Reason>>()?;
        claims.push(self.numbers("p", numbers));
        Ok(claims)
    }

    fn top_logits(&self) -> Claims {
        let (ids, top) = (self.prompt()?, self.top()?);
        let likeliest =
            self.likeliest(&ids, top.first().and_then(|entry| entry.get("id")).unwrap_or(&Value::Null))?;
        let p = |entry: &Value| Ok(self.p(&ids, self.token(entry)?, number_of(entry.get("p"))?));
        let p = top.iter().map(p).collect::<Result<Vec<_>, Reason>>()?;
        let logit = |entry: &Value| Ok(self.logit(&ids, self.token(entry)?, number_of(entry.get("logit"))?));
        let mut logits = top.iter().map(logit).collect::<Result<Vec<_>, Reason>>()?;
        if let Some(row) = self.expected("logits_0_4") {
            logits.extend(self.first_logits(&ids, row)?);
        }
        if let Some(mean) = self.expected("mean_logit") {
            let (expected, ask) = (number_of(Some(mean))?, Ask::MeanLogit { ids: ids.clone() });
            let tolerance = self.tolerance(&["logit_abs"], LOGIT_TOLERANCE);
            logits.push(Number { label: "mean".to_owned(), ask, expected, tolerance });
        }
        Ok(vec![likeliest, self.numbers("p", p), self.numbers("logit", logits)])
    }

    /// A row that begins with the logit of id 0.
    fn first_logits(&self, ids: &[u32], row: &Value) -> Result<Vec<Number>, Reason> {
        let row = row.as_array().ok_or("not understood: a row of logits")?;
        row.iter().zip(0..).map(|(logit, id)| Ok(self.logit(ids, id, number_of(Some(logit))?))).collect()
    }

    /// `pos2_logits_0_4` (a row), `pos0` (by id), `argmax_by_pos`, `argmax` with `logit`, `mean_of_all_…`.
    fn logits(&self) -> Claims {
        let ids = self.prompt()?;
        let entries = self.record.expected.as_object().ok_or("not understood: no fields")?;
        let until = |position: usize| ids.get(..=position).ok_or("not understood: a position".to_owned());
        let mut claims = Vec::new();
        for (name, value) in entries {
            if name == "argmax" {
                claims.push(self.likeliest(&ids, value)?);
                let logit = self.logit(&ids, id_of(value)?, number_of(entries.get("logit"))?);
                claims.push(self.numbers("logit", vec![logit]));
            } else if name == "argmax_by_pos" {
                for (position, likeliest) in value.as_array().into_iter().flatten().enumerate() {
                    claims.push(self.likeliest(until(position)?, likeliest)?);
                }
            } else if name.starts_with("mean_of_all") {
                let (expected, ask) = (number_of(Some(value))?, Ask::MeanOfAllLogits { ids: ids.clone() });
                let tolerance = self.tolerance(&["mean_abs"], LOGIT_TOLERANCE);
                let mean = Number { label: "mean".to_owned(), ask, expected, tolerance };
                claims.push(self.numbers("mean of all logits", vec![mean]));
            } else if let Some(position) = name.strip_prefix("pos") {
                let digits: String = position.chars().take_while(char::is_ascii_digit).collect();
                let read = until(digits.parse().map_err(|_| "not understood: a position")?)?;
                let numbers = match value.as_object() {
                    None => self.first_logits(read, value)?,
                    Some(by_id) => by_id
                        .iter()
                        .map(|(id, logit)| {
                            let id = id.parse().map_err(|_| "not understood: an id")?;
                            Ok(self.logit(read, id, number_of(Some(logit))?))
                        })
                        .collect::<Result<_, Reason>>()?,
                };
                claims.push(self.numbers(&format!("logit at {digits}"), numbers));
            }
        }
        Ok(claims)
    }

    fn losses(&self) -> Claims {
        let texts = match (self.record.params.get("ids"), self.record.params.get("input_ids")) {
            (Some(texts), _) => {
                texts.as_array().into_iter().flatten().map(ids).collect::<Result<Vec<_>, _>>()?
            }
            (None, Some(text)) => vec![ids(text)?],
            (None, None) => return Err("needs a text that is not in the record".to_owned()),
        };
        let mut claims = Vec::new();
        for (name, value) in self.record.expected.as_object().into_iter().flatten() {
            let (what, ask) = match name.as_str() {
                "perplexity" | "mean_perplexity" => ("perplexity", Ask::Perplexity { texts: texts.clone() }),
                _ => ("mean loss", Ask::MeanLoss { ids: texts.first().cloned().unwrap_or_default() }),
            };
            // A perplexity beside a loss is the same number again, under another tolerance.
            if what == "perplexity" && name == "perplexity" && !claims.is_empty() {
                continue;
            }
            let expected = number_of(Some(value))?;
            // A perplexity is e to a loss: what is added to the one multiplies the other.
            let default = if what == "perplexity" { LOGIT_TOLERANCE * expected } else { LOGIT_TOLERANCE };
            let tolerance = self.tolerance(&["abs"], default);
            let number = Number { label: String::new(), ask, expected, tolerance };
            claims
                .push(Claim::Numbers { what: format!("{what} of {}", self.after()), numbers: vec![number] });
        }
        Ok(claims)
    }

    /// The first numbers of a token's embedding; the other values of the record are inside the first layer.
    fn weights(&self) -> Claims {
        let entries = self.record.expected.as_object().into_iter().flatten();
        let row = entries.filter_map(|(name, row)| Some((name.strip_prefix("wte_row_")?, row))).next();
        let (name, row) = row.ok_or("not understood: no row")?;
        let id = name.split('_').next().and_then(|id| id.parse().ok()).ok_or("not understood: an id")?;
        let tolerance = self.tolerance(&["abs"], LOGIT_TOLERANCE);
        let number = |(index, value): (usize, &Value)| {
            let ask = Ask::Embedding { id, index };
            Ok(Number { label: format!("[{index}]"), ask, expected: number_of(Some(value))?, tolerance })
        };
        let numbers = row.as_array().into_iter().flatten().enumerate().map(number);
        let what = format!("embedding of token {id}");
        Ok(vec![Claim::Numbers { what, numbers: numbers.collect::<Result<_, Reason>>()? }])
    }

    fn config(&self) -> Claims {
        let fields = [
            ("vocab_size", "vocab_size"),
            ("n_positions", "n_positions"),
            ("n_embd", "n_embd"),
            ("n_layer", "n_layer"),
            ("n_head", "n_head"),
            ("n_params_tied", "parameters"),
            ("layer_norm_eps", "layer_norm_epsilon"),
            ("bos_eos", "eos_token_id"),
        ];
        let claim = |(published, field): (&str, &'static str)| {
            let expected = number_of(Some(self.expected(published)?));
            let number = |expected| Number {
                label: String::new(),
                ask: Ask::Config(field),
                expected,
                // Whole numbers are exact; an f32 is not quite what was written.
                tolerance: 1e-9,
            };
            Some(expected.map(|expected| Claim::Numbers {
                what: format!("config: {field}"),
                numbers: vec![number(expected)],
            }))
        };
        fields.into_iter().filter_map(claim).collect()
    }
}

fn ids(value: &Value) -> Result<Vec<u32>, Reason> {
    value.as_array().ok_or("not understood: no array of ids")?.iter().map(id_of).collect()
}

fn id_of(value: &Value) -> Result<u32, Reason> {
    value.as_u64().and_then(|id| u32::try_from(id).ok()).ok_or(format!("not understood: `{value}` is no id"))
}

fn number_of(value: Option<&Value>) -> Result<f64, Reason> {
    value.and_then(Value::as_f64).ok_or("not understood: a number is missing".to_owned())
}

/// Half a unit of the last digit that was written: `0.958` stands for anything from 0.9575 to 0.9585.
fn half_of_last_digit(value: f64) -> f64 {
    let decimals = value.to_string().split_once('.').map_or(0, |(_, decimals)| decimals.len());
    0.5 * 10f64.powi(-(decimals as i32))
}
