//! What comes next, and how likely it is.

use rhai::plugin::*;

use crate::analyse::next_token::NextToken;
use crate::generate::SamplingOptions;

/// A distribution after one sampling rule.
fn one_rule(
    next: &NextToken,
    name: &'static str,
    value: rhai::Dynamic,
) -> Result<NextToken, Box<rhai::EvalAltResult>> {
    let map = rhai::Map::from([(name.into(), value)]);
    let options: SamplingOptions = super::convert::options(map).map_err(super::raise)?;
    let processors = options.processors(next.distribution.len()).map_err(super::raise)?;
    next.processed(&processors).map_err(super::raise)
}

#[export_module]
pub mod bindings {
    use rhai::{Array, Dynamic, Map, NativeCallContext};

    use super::super::convert::{self, OptionsOf};
    use super::super::{Answer, raise};
    use super::one_rule;
    use crate::analyse::ablation::{self, AblationOptions};
    use crate::analyse::next_token::{Candidate, NextToken};
    use crate::error::Error;
    use crate::generate::{Sampler, SamplingOptions};
    use crate::render::number::shortest;
    use crate::script::state::State;

    /// The probability of every token of the vocabulary to be the next one.
    ///
    /// Takes a text, which is cut into tokens first, or `Tokens`, which are read as they are. What was read before is
    /// not read again: a text that grew by a token costs one token. The result shows its likeliest tokens; it has
    /// `top(n)`, `p(token)`, `rank(token)`, `argmax()` and the field `entropy` (in bits), and `probs[id]` is one
    /// probability. Fails if the text is empty or longer than the model's context.
    ///
    /// The option `ablate` cuts parts of the model out while it reads: a list of `"layer 3"` (its attention and its
    /// MLP), `"layer 3 attention"`, `"layer 3 head 2"` or `"layer 3 MLP"`. What such a part would have added becomes
    /// zero, or with `by: "mean"` what it adds on average over the positions of this text. Nothing of what was read is
    /// used again then. Fails on a layer or head that is not there.
    ///
    /// ```rhai
    /// let probs = next_probs("Once upon a time");
    /// probs.top(3)
    /// ```
    #[rhai_fn(name = "next_probs", return_raw)]
    pub fn next_probs(context: NativeCallContext, text: Dynamic) -> Answer<NextToken> {
        let state = State::of(&context);
        let tokens = convert::tokens(&state, text, "next_probs").map_err(raise)?;
        state.next(&tokens).map_err(raise)
    }

    #[rhai_fn(name = "next_probs", return_raw)]
    pub fn next_probs_with(
        context: NativeCallContext,
        text: Dynamic,
        options: OptionsOf<AblationOptions>,
    ) -> Answer<NextToken> {
        let state = State::of(&context);
        let options: AblationOptions = convert::options(options).map_err(raise)?;
        let tokens = convert::tokens(&state, text, "next_probs").map_err(raise)?;
        let model = state.model().map_err(raise)?;
        match options.ablation(model.config()).map_err(raise)? {
            Some(mut ablation) => ablation::next_token(&model, &tokens, &mut ablation, &state.interrupt),
            None => state.next(&tokens),
        }
        .map_err(raise)
    }

    /// The logits of the next token, before softmax makes them probabilities: one number for each id.
    ///
    /// Takes a text, `Tokens`, or a distribution that is there already. The softmax does not change when the same
    /// number is added to all of them: only their differences say something.
    ///
    /// ```rhai
    /// let row = logits("Once upon a time");
    /// row.len() == model().vocabulary
    /// ```
    #[rhai_fn(return_raw)]
    pub fn logits(context: NativeCallContext, text: Dynamic) -> Answer<Array> {
        let state = State::of(&context);
        let next = convert::distribution(&state, text, "logits").map_err(raise)?;
        Ok(next.distribution.logits().iter().map(|logit| Dynamic::from_float(shortest(*logit))).collect())
    }

    /// The `n` likeliest next tokens, likeliest first: an array of candidates with `id`, `token`, `p` and `rank`.
    ///
    /// ```rhai
    /// let best = next_probs("Once upon a time").top(5);
    /// best[0].p >= best[4].p
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn top(next: &mut NextToken, n: i64) -> Answer<Array> {
        let n = convert::count(n, "n").map_err(raise)?;
        Ok(next.candidates(n).into_iter().map(Dynamic::from).collect())
    }

    /// The id of the likeliest next token; takes a text, `Tokens` or a distribution.
    ///
    /// ```rhai
    /// let probs = next_probs("Once upon a time");
    /// argmax(probs) == probs.top(1)[0].id
    /// ```
    #[rhai_fn(return_raw)]
    pub fn argmax(context: NativeCallContext, text: Dynamic) -> Answer<i64> {
        let next = convert::distribution(&State::of(&context), text, "argmax").map_err(raise)?;
        Ok(next.distribution.argmax().into())
    }

    /// Draws the id of a next token by its probability; takes a text, `Tokens` or a distribution.
    ///
    /// The options `temperature` (above 0), `top_k` (1 to the size of the vocabulary), `top_p` (above 0, at most 1),
    /// `min_p` (0 to 1), `typical_p` (above 0, at most 1), `epsilon_cutoff` and `eta_cutoff` (above 0, below 1)
    /// change the distribution first, in this order or in that of `order: [...]`; with `seed` the same token is drawn
    /// every time, on every machine; torch draws others with that seed. Nothing is left out unless an option says so: transformers keeps only the 50 likeliest tokens when
    /// `top_k` is not given, this program keeps all.
    ///
    /// ```rhai
    /// let probs = next_probs("Once upon a time");
    /// sample(probs, #{ top_k: 5, seed: 1 }) == sample(probs, #{ top_k: 5, seed: 1 })
    /// ```
    #[rhai_fn(name = "sample", return_raw)]
    pub fn sample_with(
        context: NativeCallContext,
        text: Dynamic,
        options: OptionsOf<SamplingOptions>,
    ) -> Answer<i64> {
        let options: SamplingOptions = convert::options(options).map_err(raise)?;
        let next = convert::distribution(&State::of(&context), text, "sample").map_err(raise)?;
        let processors = options.processors(next.distribution.len()).map_err(raise)?;
        let processed = next.processed(&processors).map_err(raise)?;
        Ok(Sampler::new(&options).draw(processed.distribution.probabilities()) as i64)
    }

    #[rhai_fn(name = "sample", return_raw)]
    pub fn sample(context: NativeCallContext, text: Dynamic) -> Answer<i64> {
        sample_with(context, text, Map::new())
    }

    /// The probability of one token, given by its id or its text.
    ///
    /// ```rhai
    /// let probs = next_probs("Once upon a");
    /// probs.p(" time") > probs.p(" banana")
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn p(next: &mut NextToken, token: Dynamic) -> Answer<f64> {
        let id = convert::token(next.tokenizer.as_ref(), token, "p").map_err(raise)?;
        Ok(shortest(next.distribution.p(id).map_err(raise)?))
    }

    /// How many tokens are likelier than one, plus 1: the likeliest has rank 1. The token is given by id or text.
    ///
    /// ```rhai
    /// let probs = next_probs("Once upon a");
    /// probs.rank(probs.argmax()) == 1
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn rank(next: &mut NextToken, token: Dynamic) -> Answer<i64> {
        let id = convert::token(next.tokenizer.as_ref(), token, "rank").map_err(raise)?;
        Ok(next.distribution.rank(id).map_err(raise)? as i64)
    }

    /// A distribution from given logits, one for each id: to try every rule on a few numbers, without a model.
    ///
    /// Fails if there are none, or one is no number.
    ///
    /// ```rhai
    /// distribution([2.0, 1.0, 0.0]).top_k(2)
    /// ```
    #[rhai_fn(return_raw)]
    pub fn distribution(logits: Array) -> Answer<NextToken> {
        if logits.is_empty() {
            let (value, bound) = ("[]".to_owned(), "an array of at least one number".to_owned());
            return Err(raise(Error::OptionOutOfRange { name: "logits", value, bound }));
        }
        let number = |value: &Dynamic| {
            let whole = value.as_int().map(|value| value as f32);
            let found = convert::kind(value);
            let wrong =
                Error::WrongArgument { function: "distribution", expected: "an array of numbers", found };
            whole.or(value.as_float().map(|value| value as f32)).map_err(|_| raise(wrong))
        };
        let logits = logits.iter().map(number).collect::<Answer<Vec<f32>>>()?;
        NextToken::of_logits(logits).map_err(raise)
    }

    /// The distribution with all logits divided by a number: below 1 sharpens, above 1 flattens.
    ///
    /// Above 0.
    ///
    /// ```rhai
    /// distribution([2.0, 1.0, 0.0]).temperature(0.5).p(0) > 0.8
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn temperature(next: &mut NextToken, value: Dynamic) -> Answer<NextToken> {
        one_rule(next, "temperature", value)
    }

    /// The distribution with only the k likeliest tokens left, and those that tie with the k-th.
    ///
    /// At least 1, at most the size of the vocabulary.
    ///
    /// ```rhai
    /// next_probs("Once upon a time").temperature(0.8).top_k(40).top(3)
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn top_k(next: &mut NextToken, value: Dynamic) -> Answer<NextToken> {
        one_rule(next, "top_k", value)
    }

    /// The distribution with only the likeliest tokens left that together have this probability.
    ///
    /// Above 0, at most 1.
    ///
    /// ```rhai
    /// distribution([2.0, 1.0, 0.0]).top_p(0.6).top(3).len() == 1
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn top_p(next: &mut NextToken, value: Dynamic) -> Answer<NextToken> {
        one_rule(next, "top_p", value)
    }

    /// The distribution with only the tokens left that are at least this share as likely as the likeliest.
    ///
    /// 0 to 1.
    ///
    /// ```rhai
    /// distribution([2.0, 1.0, 0.0]).min_p(0.3).top(3).len() == 2
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn min_p(next: &mut NextToken, value: Dynamic) -> Answer<NextToken> {
        one_rule(next, "min_p", value)
    }

    /// The distribution with only the tokens left whose surprisal is nearest to the expected one.
    ///
    /// They together have this probability; the likeliest token may be among those left out.
    ///
    /// Above 0, at most 1.
    ///
    /// ```rhai
    /// distribution([3.0, 1.0, 1.0, 1.0, 1.0]).typical_p(0.3)
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn typical_p(next: &mut NextToken, value: Dynamic) -> Answer<NextToken> {
        one_rule(next, "typical_p", value)
    }

    /// The distribution without the tokens that are less likely than this.
    ///
    /// Above 0, below 1.
    ///
    /// ```rhai
    /// distribution([2.0, 1.0, 0.0]).epsilon_cutoff(0.1).top(3).len() == 2
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn epsilon_cutoff(next: &mut NextToken, value: Dynamic) -> Answer<NextToken> {
        one_rule(next, "epsilon_cutoff", value)
    }

    /// The distribution without the tokens that are less likely than this, or than less where it is flat.
    ///
    /// Above 0, below 1.
    ///
    /// ```rhai
    /// distribution([2.0, 1.0, 0.0]).eta_cutoff(0.1)
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn eta_cutoff(next: &mut NextToken, value: Dynamic) -> Answer<NextToken> {
        one_rule(next, "eta_cutoff", value)
    }

    /// How many tokens the distribution is over.
    #[rhai_fn(name = "len", pure)]
    pub fn length(next: &mut NextToken) -> i64 {
        next.distribution.len() as i64
    }

    /// How unsure the prediction is, in bits: 0 if one token is certain, log2 of the vocabulary if all are equal.
    #[rhai_fn(get = "entropy", pure)]
    pub fn get_entropy(next: &mut NextToken) -> f64 {
        next.distribution.entropy()
    }

    /// The probability of every token, by id, as an array.
    #[rhai_fn(get = "probabilities", pure)]
    pub fn get_probabilities(next: &mut NextToken) -> Array {
        next.distribution.probabilities().iter().map(|p| Dynamic::from_float(shortest(*p))).collect()
    }

    #[rhai_fn(index_get, pure, return_raw)]
    pub fn at(next: &mut NextToken, id: i64) -> Answer<f64> {
        p(next, Dynamic::from_int(id))
    }

    #[rhai_fn(name = "==", pure)]
    pub fn equal(next: &mut NextToken, other: NextToken) -> bool {
        next.distribution == other.distribution
    }

    #[rhai_fn(name = "!=", pure)]
    pub fn unequal(next: &mut NextToken, other: NextToken) -> bool {
        next.distribution != other.distribution
    }

    /// A candidate's id.
    #[rhai_fn(get = "id", pure)]
    pub fn get_id(candidate: &mut Candidate) -> i64 {
        candidate.id.into()
    }

    /// A candidate's text; bytes that are no whole character show as `�`.
    #[rhai_fn(get = "token", pure)]
    pub fn get_piece(candidate: &mut Candidate) -> String {
        String::from_utf8_lossy(&candidate.piece).into_owned()
    }

    /// A candidate's probability.
    #[rhai_fn(get = "p", pure)]
    pub fn get_p(candidate: &mut Candidate) -> f64 {
        shortest(candidate.p)
    }

    /// A candidate's rank, 1 for the likeliest.
    #[rhai_fn(get = "rank", pure)]
    pub fn get_rank(candidate: &mut Candidate) -> i64 {
        candidate.rank as i64
    }
}
