//! Continuing a text.

use rhai::plugin::*;

#[export_module]
pub mod bindings {
    use rhai::{Array, Dynamic, Map, NativeCallContext};

    use super::super::convert::{self, OptionsOf};
    use super::super::{Answer, raise};
    use crate::analyse::steps;
    use crate::error::Error;
    use crate::generate::options::{Field, Options};
    use crate::generate::{GenerateOptions, Generation};
    use crate::render::number::shortest;
    use crate::render::{Column, ShadedText, Table};
    use crate::script::state::State;
    use crate::script::writing;
    use crate::tokenizer::Tokens;

    /// Continues a text, token by token; takes a text or `Tokens`.
    ///
    /// Without sampling options the likeliest token is taken at each step (greedy). It stops early at the end of a
    /// text, or when interrupted, and returns what there is. At a terminal the text is seen as it grows, a token at a
    /// time; what stays is what the cell shows. Names and meanings are those of transformers.
    ///
    /// `options()` lists all of them with their bounds.
    ///
    /// - How long: `max_length` (tokens of the whole text, prompt included), `max_new_tokens` (tokens to append; it
    ///   wins, and is 20 if neither is given), `min_length`, `min_new_tokens`, `stop` (texts), `eos` (tokens).
    /// - To change the logits: `guidance_scale` (above 0; with `negative_prompt`), `sequence_bias` (text to number),
    ///   `repetition_penalty` (above 0), `no_repeat_ngram_size` (at least 1), `bad_words`, `forced_eos`,
    ///   `exponential_decay_length_penalty` (`[start, factor]`), `suppress_tokens`, `begin_suppress_tokens`.
    /// - To draw each token: `temperature`, `top_k`, `top_p`, `min_p`, `typical_p`, `epsilon_cutoff`, `eta_cutoff`,
    ///   `order` and `seed`, as `sample` explains them.
    /// - Beam search: `num_beams`, `length_penalty` (1), `early_stopping` (`true`, `false`, `"never"`),
    ///   `num_return_sequences`.
    ///
    /// The rules that change the logits come first, then those that draw, each in the order in which `options()` has
    /// them. Fails on options that are unknown, out of bounds or contradict each other. The result has the
    /// fields `text`, `continuation`, `tokens`, `prompt`, `seed` and `stopped`, and knows its steps: `steps` is the
    /// table "Input | Choice 1 … 5", `shaded` the text with a background for each token, `chart` of it a bar for
    /// each, `table` of it the numbers; of a beam search there are `sequences`, `score` and `tree`.
    ///
    /// ```rhai
    /// let story = generate("Once upon a time", #{ max_new_tokens: 5 });
    /// story.tokens.len() == 9
    /// ```
    #[rhai_fn(name = "generate", return_raw)]
    pub fn generate_with(
        context: NativeCallContext,
        text: Dynamic,
        options: OptionsOf<GenerateOptions>,
    ) -> Answer<Generation> {
        let state = State::of(&context);
        let options: GenerateOptions = convert::options(options).map_err(raise)?;
        let prompt = convert::tokens(&state, text, "generate").map_err(raise)?;
        writing::watched(&state, "generating", &prompt, &options).map_err(raise)
    }

    #[rhai_fn(name = "generate", return_raw)]
    pub fn generate(context: NativeCallContext, text: Dynamic) -> Answer<Generation> {
        generate_with(context, text, Map::new())
    }

    /// Every option of `generate`: its name, the values that it may have, and what it does.
    ///
    /// ```rhai
    /// options()
    /// ```
    pub fn options() -> Table {
        let row = |field: Field| [field.name.to_owned(), field.values(), field.doc.to_owned()];
        Table::new(["option", "must be", "what it does"].map(Column::left))
            .rows(GenerateOptions::fields().into_iter().map(row))
    }

    /// Continues a text and prints it as it grows, a token at a time; takes what `generate` takes.
    ///
    /// What `generate` lets one see while it works, this leaves behind, in files and notebooks too, as `print` does.
    /// A character that takes two tokens is printed when it is whole. Beam search cannot be printed so: its text is
    /// known only at the end. The result is that of `generate`; end the cell with `;` so that it is not shown again.
    ///
    /// ```rhai
    /// stream("Once upon a time", #{ max_new_tokens: 5 });
    /// ```
    #[rhai_fn(name = "stream", return_raw)]
    pub fn stream_with(
        context: NativeCallContext,
        text: Dynamic,
        options: OptionsOf<GenerateOptions>,
    ) -> Answer<Generation> {
        let state = State::of(&context);
        let options: GenerateOptions = convert::options(options).map_err(raise)?;
        let prompt = convert::tokens(&state, text, "stream").map_err(raise)?;
        if options.beams.num_beams.is_some_and(|beams| beams > 1) {
            let reason = "a search knows its text only at the end";
            return Err(raise(Error::OptionsClash { name: "num_beams", other: "stream", reason }));
        }
        writing::printed(&state, &prompt, &options).map_err(raise)
    }

    #[rhai_fn(name = "stream", return_raw)]
    pub fn stream(context: NativeCallContext, text: Dynamic) -> Answer<Generation> {
        stream_with(context, text, Map::new())
    }

    /// The step table: what each step read, and the five likeliest tokens to follow it; `◂` was chosen.
    #[rhai_fn(get = "steps", pure)]
    pub fn get_steps(generation: &mut Generation) -> Table {
        steps::choices(generation)
    }

    /// The text with each new token shaded by how unlikely it was; `chart` and `save` make a picture of it.
    #[rhai_fn(get = "shaded", pure)]
    pub fn get_shaded(generation: &mut Generation) -> ShadedText {
        steps::shaded(generation)
    }

    /// All texts that a beam search returned, the best first; of another generation, itself alone.
    #[rhai_fn(get = "sequences", pure)]
    pub fn get_sequences(generation: &mut Generation) -> Array {
        let best = Generation { others: Vec::new(), ..generation.clone() };
        std::iter::once(best).chain(generation.others.iter().cloned()).map(Dynamic::from).collect()
    }

    /// What a beam search ranks by: the sum of log-probabilities over length; nothing without beams.
    #[rhai_fn(get = "score", pure)]
    pub fn get_score(generation: &mut Generation) -> Dynamic {
        generation.score.map_or(Dynamic::UNIT, |score| Dynamic::from_float(shortest(score)))
    }

    /// The raw probability of each new token, as an array.
    #[rhai_fn(get = "probabilities", pure)]
    pub fn get_probabilities(generation: &mut Generation) -> Array {
        generation.steps.iter().map(|step| Dynamic::from_float(shortest(step.p))).collect()
    }

    /// What was appended to the prompt, as text.
    #[rhai_fn(get = "continuation", pure)]
    pub fn get_continuation(generation: &mut Generation) -> String {
        generation.tokens.slice(generation.prompt.len()..generation.tokens.len()).text()
    }

    /// The whole text, prompt included.
    #[rhai_fn(get = "text", pure)]
    pub fn get_text(generation: &mut Generation) -> String {
        generation.tokens.text()
    }

    /// All tokens, those of the prompt included.
    #[rhai_fn(get = "tokens", pure)]
    pub fn get_tokens(generation: &mut Generation) -> Tokens {
        generation.tokens.clone()
    }

    /// The tokens that it began with.
    #[rhai_fn(get = "prompt", pure)]
    pub fn get_prompt(generation: &mut Generation) -> Tokens {
        generation.prompt.clone()
    }

    /// The seed that makes the same draws again; nothing if none were made.
    #[rhai_fn(get = "seed", pure)]
    pub fn get_seed(generation: &mut Generation) -> Dynamic {
        generation.seed.map_or(Dynamic::UNIT, |seed| Dynamic::from_int(seed as i64))
    }

    /// Why it stopped: `"length"`, `"end of text"`, `"stop text"` or `"interrupted"`.
    #[rhai_fn(get = "stopped", pure)]
    pub fn get_stopped(generation: &mut Generation) -> String {
        generation.stopped.to_string()
    }

    #[rhai_fn(name = "==", pure)]
    pub fn equal(generation: &mut Generation, other: Generation) -> bool {
        generation.tokens == other.tokens
    }

    #[rhai_fn(name = "!=", pure)]
    pub fn unequal(generation: &mut Generation, other: Generation) -> bool {
        generation.tokens != other.tokens
    }
}
