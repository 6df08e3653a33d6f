//! Looking into a choice, many texts at once, and writing by hand.

use rhai::plugin::*;

#[export_module]
pub mod bindings {
    use rhai::{Array, Dynamic, Map, NativeCallContext};

    use super::super::convert::{self, OptionsOf};
    use super::super::{Answer, raise};
    use crate::analyse::samples::Samples;
    use crate::analyse::stepper::Stepper;
    use crate::analyse::tree::{self, TreeOptions};
    use crate::analyse::xray::{self, XRay};
    use crate::error::Error;
    use crate::generate::options::{Field, Options};
    use crate::generate::processors::{Seen, Text};
    use crate::generate::search::BeamOptions;
    use crate::generate::tree::Tree;
    use crate::generate::{self, GenerateOptions, Generation, SamplingOptions};
    use crate::script::state::State;
    use crate::script::writing;
    use crate::tokenizer::Tokens;

    /// What each rule makes of the next token's distribution: a row for each, in the order in which they apply.
    ///
    /// Takes a text, `Tokens` or a distribution, and the options of `generate` that change probabilities. Each row
    /// says how many tokens can still be chosen, how much of the raw probability they had, how unsure the choice is
    /// (entropy, in bits), and what is likeliest now. `chart` draws the likeliest tokens after each rule, so
    /// that one sees the distribution shrink. Fails on guidance of a distribution, which has no prompt to compare.
    ///
    /// ```rhai
    /// xray("Once upon a time", #{ temperature: 0.7, top_k: 50, top_p: 0.9 })
    /// ```
    #[rhai_fn(return_raw)]
    pub fn xray(
        context: NativeCallContext,
        text: Dynamic,
        options: OptionsOf<GenerateOptions>,
    ) -> Answer<XRay> {
        let state = State::of(&context);
        let options: GenerateOptions = convert::options(options).map_err(raise)?;
        let tokens = convert::tokens(&state, text.clone(), "xray").ok();
        let next = convert::distribution(&state, text, "xray").map_err(raise)?;
        let ids = tokens.as_ref().map_or(&[][..], Tokens::ids);
        let model = state.model().map_err(raise)?;
        let ends: Vec<u32> = model.tokenizer().end_of_text().into_iter().collect();
        let length = options.max_length.unwrap_or(model.config().n_positions);
        let text = Text { tokenizer: model.tokenizer(), prompt: ids.len(), length, ends: &ends };
        let mut processors = options.rules.processors(&text).map_err(raise)?;
        processors.extend(options.sampling.processors(next.distribution.len()).map_err(raise)?);
        let second = match &tokens {
            Some(tokens) => options.unconditional(&model, tokens, &state.interrupt).map_err(raise)?,
            None if options.rules.guidance_scale.is_some() => return Err(raise(Error::EmptyPrompt)),
            None => None,
        };
        let unconditional = second.as_ref().map(|second| second.logits());
        xray::xray(&next, &processors, &Seen { ids, unconditional, least: 1 }).map_err(raise)
    }

    /// An x-ray's stages, each a map with `rule`, `kept`, `mass` and `entropy`; the first is `"raw"`.
    #[rhai_fn(get = "stages", pure)]
    pub fn get_stages(xray: &mut XRay) -> Array {
        let stage = |stage: &xray::Stage| {
            Dynamic::from(Map::from([
                ("rule".into(), stage.rule.clone().into()),
                ("kept".into(), Dynamic::from_int(stage.kept as i64)),
                ("mass".into(), Dynamic::from_float(stage.mass)),
                ("entropy".into(), Dynamic::from_float(stage.next.distribution.entropy())),
            ]))
        };
        xray.stages.iter().map(stage).collect()
    }

    /// Continues a text `n` times, each time with the next seed, and lays the results side by side.
    ///
    /// Options are those of `generate`; every token is drawn. The seeds begin at `seed`, or at 0. The result shows as
    /// a table, has the field `runs` (an array of generations), and `tree(samples)` shows where the texts part and
    /// how many go each way.
    ///
    /// ```rhai
    /// samples("Once upon a time", 3, #{ max_new_tokens: 5, temperature: 0.8 })
    /// ```
    #[rhai_fn(name = "samples", return_raw)]
    pub fn samples_with(
        context: NativeCallContext,
        text: Dynamic,
        n: i64,
        options: OptionsOf<GenerateOptions>,
    ) -> Answer<Samples> {
        let state = State::of(&context);
        let n = convert::count(n, "n").map_err(raise)?;
        let mut options: GenerateOptions = convert::options(options).map_err(raise)?;
        let prompt = convert::tokens(&state, text, "samples").map_err(raise)?;
        let first = options.sampling.seed.unwrap_or(0);
        let mut runs = Vec::new();
        for index in 0..n {
            options.sampling.seed = Some(first.wrapping_add(index as u64));
            let what = format!("text {} of {n}", index + 1);
            let run = writing::watched(&state, &what, &prompt, &options).map_err(raise)?;
            let is_interrupted = run.stopped == generate::Stopped::Interrupted;
            runs.push(run);
            if is_interrupted {
                break;
            }
        }
        Ok(Samples { runs })
    }

    #[rhai_fn(name = "samples", return_raw)]
    pub fn samples(context: NativeCallContext, text: Dynamic, n: i64) -> Answer<Samples> {
        samples_with(context, text, n, Map::new())
    }

    /// The texts, as an array of generations.
    #[rhai_fn(get = "runs", pure)]
    pub fn get_runs(samples: &mut Samples) -> Array {
        samples.runs.iter().cloned().map(Dynamic::from).collect()
    }

    /// A tree of continuations: of a text the likeliest ones, of `samples` where they part, of a beam search all its
    /// beams, of a stepper what was tried.
    ///
    /// For a text the options say how large it grows: `width` branches at each fork and `depth` tokens along each (3
    /// if not given, 1 to 10). Each branch shows its probability and that of the path to it; `◂` marks the likeliest
    /// token at each fork, the search's result, or where a stepper stands. `chart` and `save` make a picture of it.
    ///
    /// ```rhai
    /// tree("Once upon a time", #{ width: 2, depth: 3 })
    /// ```
    #[rhai_fn(name = "tree", return_raw)]
    pub fn tree_with(
        context: NativeCallContext,
        text: Dynamic,
        options: OptionsOf<TreeOptions>,
    ) -> Answer<Tree> {
        let state = State::of(&context);
        let options: TreeOptions = convert::options(options).map_err(raise)?;
        let text = convert::tokens(&state, text, "tree").map_err(raise)?;
        state.with_context(|context| tree::likely(context, &text, &options, &state.interrupt)).map_err(raise)
    }

    #[rhai_fn(name = "tree", return_raw)]
    pub fn tree_of(context: NativeCallContext, value: Dynamic) -> Answer<Tree> {
        if let Some(samples) = value.read_lock::<Samples>() {
            return Ok(tree::of_samples(&samples.runs));
        }
        if let Some(stepper) = value.read_lock::<Stepper>() {
            return Ok(stepper.tree());
        }
        if let Some(Generation { tree: Some(tree), .. }) = value.read_lock::<Generation>().as_deref() {
            return Ok(tree.clone());
        }
        tree_with(context, value, Map::new())
    }

    /// A text to be continued by hand: look at the candidates, choose one, take it back, branch off.
    ///
    /// Takes a text or `Tokens`, and the sampling options `temperature`, `top_k`, `top_p` and so on, which change the
    /// candidates. It shows as its text and its likeliest candidates; the methods are `candidates(n)`, `choose(k)`,
    /// `append(token or text)`, `undo()`, `branch(name)`, `checkout(name)`, `tree()`, and the field is `text`. In the
    /// REPL `:step` does the same with keys. Of another stepper it makes a copy, with options over those that it has.
    /// Fails on options that belong to a search: it follows one text.
    ///
    /// ```rhai
    /// let hand = stepper("Once upon a");
    /// hand.choose(1);
    /// hand.branch("first");
    /// hand.undo();
    /// hand.append(" dark night");
    /// tree(hand)
    /// ```
    #[rhai_fn(name = "stepper", return_raw)]
    pub fn stepper_with(
        context: NativeCallContext,
        text: Dynamic,
        options: OptionsOf<SamplingOptions>,
    ) -> Answer<Stepper> {
        let state = State::of(&context);
        let of_a_search = BeamOptions::fields().into_iter().find(|field| options.contains_key(field.name));
        if let Some(Field { name, .. }) = of_a_search {
            let reason = "a stepper follows one text, a search several";
            return Err(raise(Error::OptionsClash { name, other: "stepper", reason }));
        }
        if let Some(other) = text.read_lock::<Stepper>() {
            let mut stepper = other.clone();
            let options = convert::options_over(stepper.options().clone(), options).map_err(raise)?;
            stepper.set_options(options).map_err(raise)?;
            return Ok(stepper);
        }
        let options: SamplingOptions = convert::options(options).map_err(raise)?;
        let text = convert::tokens(&state, text, "stepper").map_err(raise)?;
        Stepper::new(text, options, |tokens| state.next(tokens)).map_err(raise)
    }

    #[rhai_fn(name = "stepper", return_raw)]
    pub fn stepper(context: NativeCallContext, text: Dynamic) -> Answer<Stepper> {
        stepper_with(context, text, Map::new())
    }

    /// The likeliest next tokens of a stepper, after its rules: an array of candidates, at most `n`.
    #[rhai_fn(return_raw)]
    pub fn candidates(stepper: &mut Stepper, n: i64) -> Answer<Array> {
        let n = convert::count(n, "n").map_err(raise)?;
        Ok(stepper.candidates(n).map_err(raise)?.into_iter().map(Dynamic::from).collect())
    }

    /// Appends the candidate of rank `k` to a stepper's text, 1 for the likeliest.
    #[rhai_fn(return_raw)]
    pub fn choose(context: NativeCallContext, stepper: &mut Stepper, k: i64) -> Answer<()> {
        let state = State::of(&context);
        let k = convert::count(k, "k").map_err(raise)?;
        stepper.choose(k, |tokens| state.next(tokens)).map_err(raise)?;
        Ok(())
    }

    /// Appends an id, a text (cut into tokens first) or `Tokens` to a stepper's text.
    #[rhai_fn(return_raw)]
    pub fn append(context: NativeCallContext, stepper: &mut Stepper, token: Dynamic) -> Answer<()> {
        let state = State::of(&context);
        let appended = match token.is_string() {
            true => convert::tokens(&state, token, "append"),
            false => convert::ids(&state, token, "append"),
        };
        for id in appended.map_err(raise)?.ids() {
            stepper.append(*id, |tokens| state.next(tokens)).map_err(raise)?;
        }
        Ok(())
    }

    /// Takes a stepper's last step back. Fails if there is none.
    #[rhai_fn(return_raw)]
    pub fn undo(context: NativeCallContext, stepper: &mut Stepper) -> Answer<()> {
        let state = State::of(&context);
        stepper.undo(|tokens| state.next(tokens)).map_err(raise)
    }

    /// Gives the place where a stepper stands a name, to come back to.
    pub fn branch(stepper: &mut Stepper, name: &str) {
        stepper.branch(name);
    }

    /// Goes to a place that `branch` gave a name. Fails on a name that is none.
    #[rhai_fn(return_raw)]
    pub fn checkout(context: NativeCallContext, stepper: &mut Stepper, name: &str) -> Answer<()> {
        let state = State::of(&context);
        stepper.checkout(name, |tokens| state.next(tokens)).map_err(raise)
    }

    /// How many branches a tree has.
    #[rhai_fn(name = "len", pure)]
    pub fn length(tree: &mut Tree) -> i64 {
        tree.branches.len() as i64
    }

    /// A stepper's text up to where it stands.
    #[rhai_fn(get = "text", pure)]
    pub fn get_text(stepper: &mut Stepper) -> String {
        stepper.text()
    }

    /// A stepper's tokens up to where it stands.
    #[rhai_fn(get = "tokens", pure, return_raw)]
    pub fn get_tokens(stepper: &mut Stepper) -> Answer<Tokens> {
        stepper.tokens().map_err(raise)
    }
}
