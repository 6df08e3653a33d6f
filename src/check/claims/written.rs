//! Claims about texts that the model writes: greedy texts, and the probabilities of their tokens.

use serde_json::Value;

use super::{Claims, LOGIT_TOLERANCE, Reader, Reason, ids, number_of};
use crate::check::question::{Ask, Claim, Number};
use crate::render::label;

/// Tokens of the whole text if nobody says how many: transformers' own rule when these were published.
const DEFAULT_LENGTH: usize = 20;

/// Fields of `params` that change nothing about what is compared, or that are understood here. A record with any
/// other one was made with something that greedy decoding here does not have.
const UNDERSTOOD: [&str; 18] = [
    "model",
    "dtype",
    "note",
    "mode",
    "do_sample",
    "max_length",
    "max_new_tokens",
    "new_tokens",
    "pad_token_id",
    "input_ids",
    "position",
    "prepend_bos",
    "temperature",
    "left_pad",
    "n_steps",
    "choices_per_step",
    "add_start_token",
    "ids",
];

impl Reader<'_> {
    /// Fails on a record that was made with something besides taking the likeliest token.
    fn check_greedy(&self) -> Result<(), Reason> {
        let params = &self.record.params;
        if let Some(name) = params.keys().find(|name| !UNDERSTOOD.contains(&name.as_str())) {
            return Err(format!("was made with `{name}`"));
        }
        // So cold a sampler takes the likeliest token.
        let is_cold = params.get("temperature").and_then(Value::as_f64).is_some_and(|value| value <= 1e-3);
        match params.get("do_sample").and_then(Value::as_bool) {
            Some(true) if !is_cold => Err("depends on another program's random numbers".to_owned()),
            _ => Ok(()),
        }
    }

    pub(super) fn greedy(&self) -> Claims {
        self.check_greedy()?;
        let (prompt, after) = (self.prompt()?, self.after());
        let text = |name| self.expected(name).and_then(Value::as_str);
        let whole = ["ids", "ids_prefix"].iter().find_map(|name| self.expected(name)).map(ids).transpose()?;
        let new = self.expected("first39_new_ids").map(ids).transpose()?;
        let expected = whole.or(new.map(|new| [prompt.clone(), new].concat()));
        let continued = text("continuation").map(|end| format!("{}{end}", self.record.prompt));
        let mut claims =
            match (expected, text("text").or(text("text_prefix")).map(str::to_owned).or(continued)) {
                (Some(expected), _) => vec![Claim::GreedyIds { after, ids: prompt.clone(), expected }],
                (None, Some(expected)) => {
                    let length = self.length(prompt.len());
                    vec![Claim::GreedyText { after, ids: prompt.clone(), length, expected }]
                }
                (None, None) => return Err("not understood: no text".to_owned()),
            };
        // The probabilities of some of the tokens on the way.
        if let (Some(by_token), [Claim::GreedyIds { expected, .. }]) =
            (self.expected("p").and_then(Value::as_object), claims.as_slice())
        {
            let number = |(token, p): (&String, &Value)| {
                let id = self.token(&Value::from(token.as_str()))?;
                let at = expected.iter().skip(prompt.len()).position(|other| *other == id);
                let at = at.ok_or("not understood: a token that is not in the text")? + prompt.len();
                Ok(self.p(&expected[..at], id, number_of(Some(p))?))
            };
            let numbers = by_token.iter().map(number).collect::<Result<Vec<_>, Reason>>()?;
            claims.push(self.numbers("p along the text", numbers));
        }
        Ok(claims)
    }

    /// How many tokens the text was allowed to have.
    fn length(&self, prompt: usize) -> usize {
        let count = |name: &str| Some(self.record.params.get(name)?.as_u64()? as usize);
        let new = count("max_new_tokens").or(count("new_tokens")).map(|new| prompt + new);
        new.or(count("max_length")).unwrap_or(DEFAULT_LENGTH)
    }

    pub(super) fn path(&self) -> Claims {
        let tokens = self.expected("next_tokens_by_run").and_then(Value::as_array);
        let text = |token: &Value| token.as_str().map(str::to_owned);
        let expected = tokens.and_then(|tokens| tokens.iter().map(text).collect());
        let expected = expected.ok_or("not understood: no tokens")?;
        Ok(vec![Claim::Reencoded { text: self.record.prompt.clone(), expected }])
    }

    /// The chosen token of each step with its probability, and the likeliest tokens of the first step.
    pub(super) fn steps(&self) -> Claims {
        let mut ids = self.prompt()?;
        let list = |name| self.expected(name).and_then(Value::as_array).ok_or("not understood: no steps");
        let first = |entry: &Value| Ok(self.p(&ids, self.token(entry)?, number_of(entry.get(1))?));
        let first = list("step0")?.iter().map(first).collect::<Result<Vec<_>, Reason>>()?;
        let mut chosen = Vec::new();
        for entry in list("choice1")? {
            let id = self.token(entry)?;
            chosen.push(self.p(&ids, id, number_of(entry.get(1))?));
            ids.push(id);
        }
        Ok(vec![self.numbers("p", first), self.numbers("p along the text", chosen)])
    }

    /// Log probabilities (and probabilities) of tokens that were generated, each after all before it. They were
    /// computed with the rules of `params` applied; none of those changes the tokens that are compared.
    pub(super) fn scores(&self) -> Claims {
        let mut ids = self.prompt()?;
        let tolerance = self.tolerance(&["logprob_abs"], LOGIT_TOLERANCE);
        let mut scored: Vec<(u32, f64, Option<f64>)> = Vec::new();
        if let Some(tokens) = self.expected("tokens").and_then(Value::as_array) {
            for token in tokens {
                let p = token.get("p").and_then(Value::as_f64);
                scored.push((self.token(token)?, number_of(token.get("logprob"))?, p));
            }
        } else {
            let new = match (self.expected("ids"), self.expected("new_ids")) {
                (Some(whole), _) => self::ids(whole)?.get(ids.len()..).unwrap_or_default().to_vec(),
                (None, Some(new)) => self::ids(new)?,
                (None, None) => return Err("not understood: no ids".to_owned()),
            };
            let first = self.expected("token_logprobs_first3").and_then(Value::as_array);
            for (id, logprob) in new.into_iter().zip(first.ok_or("not understood: no scores")?) {
                scored.push((id, number_of(Some(logprob))?, None));
            }
        }
        let (mut logs, mut probabilities) = (Vec::new(), Vec::new());
        for (id, expected, p) in scored {
            let label = label(&self.tokenizer.piece(id));
            let ask = Ask::LogProbability { ids: ids.clone(), id };
            logs.push(Number { label, ask, expected, tolerance });
            probabilities.extend(p.map(|p| self.p(&ids, id, p)));
            ids.push(id);
        }
        let mut claims = vec![self.numbers("log p along the text", logs)];
        if !probabilities.is_empty() {
            claims.push(self.numbers("p along the text", probabilities));
        }
        Ok(claims)
    }
}
