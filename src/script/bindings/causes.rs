//! What a prediction depends on, and how two differ.

use rhai::plugin::*;
use rhai::{Dynamic, Map, NativeCallContext};

use super::{Answer, convert, raise};
use crate::analyse::attribution::{self, Attribution};
use crate::analyse::measure::Measure;
use crate::analyse::patching::{self, Patching, Stage};
use crate::generate::options::Bound;
use crate::generate::words::Word;
use crate::script::state::State;
use crate::script::{Event, Unit};

#[export_module]
pub mod bindings {
    use rhai::{Array, Dynamic, Map, NativeCallContext};

    use super::super::convert::{self, OptionsOf};
    use super::super::{Answer, raise};
    use super::{AttributionOptions, PatchOptions, attribute, restore};
    use crate::analyse::attribution::Attribution;
    use crate::analyse::comparison::Comparison;
    use crate::analyse::patching::Patching;
    use crate::error::Error;
    use crate::model::Model;
    use crate::render::Chart;
    use crate::script::state::State;

    /// Where the model keeps what makes the difference between two texts: activation patching.
    ///
    /// Both texts must have equally many tokens, and differ in what the question is about. The corrupted text is read
    /// once for each layer and position, with what the clean one had there put back; the effect is how many bits that
    /// adds to log2 of the token's probability. With a second token, or the option `other`, it is the odds of the
    /// first against the second. The option `stage` says what is put back: `"stream"` (the residual stream before the
    /// layer; if nothing else is said), `"attention"` or `"MLP"` (what that part of the layer adds).
    ///
    /// It shows the places that restore most; `chart` of it is a heat map of all. The fields are `effects` (bits, by
    /// position and layer), `clean` and `corrupted` (log2 of probability or odds after each text). Fails on texts of
    /// different length, empty or too long.
    ///
    /// ```rhai
    /// let found = patch("The king said that", "The queen said that", " he", " she");
    /// found.effects.len() == 4
    /// ```
    #[rhai_fn(name = "patch", return_raw)]
    pub fn patch(
        context: NativeCallContext,
        clean: Dynamic,
        corrupted: Dynamic,
        token: Dynamic,
    ) -> Answer<Patching> {
        restore(&context, [clean, corrupted], token, None, Map::new())
    }

    #[rhai_fn(name = "patch", return_raw)]
    pub fn patch_of_two(
        context: NativeCallContext,
        clean: Dynamic,
        corrupted: Dynamic,
        token: Dynamic,
        other: Dynamic,
    ) -> Answer<Patching> {
        restore(&context, [clean, corrupted], token, Some(other), Map::new())
    }

    #[rhai_fn(name = "patch", return_raw)]
    pub fn patch_with(
        context: NativeCallContext,
        clean: Dynamic,
        corrupted: Dynamic,
        token: Dynamic,
        options: OptionsOf<PatchOptions>,
    ) -> Answer<Patching> {
        restore(&context, [clean, corrupted], token, None, options)
    }

    /// How many bits each place restores, by position and layer.
    #[rhai_fn(get = "effects", pure)]
    pub fn get_effects(patching: &mut Patching) -> Array {
        let row = |row: &Vec<f64>| -> Dynamic {
            row.iter().copied().map(Dynamic::from_float).collect::<Array>().into()
        };
        patching.effects.iter().map(row).collect()
    }

    /// log2 of the token's probability, or of its odds, after the clean text.
    #[rhai_fn(get = "clean", pure)]
    pub fn get_clean(patching: &mut Patching) -> f64 {
        patching.clean_score
    }

    /// log2 of the token's probability, or of its odds, after the corrupted text.
    #[rhai_fn(get = "corrupted", pure)]
    pub fn get_corrupted(patching: &mut Patching) -> f64 {
        patching.corrupted_score
    }

    /// Which tokens of a text the prediction of one next token rests on, by two measures.
    ///
    /// *Left out* is how much the token's probability falls when the model reads the text without that token.
    /// *Gradient × input* is how the probability would grow with the token's embedding: the gradient times the
    /// embedding, summed. The option `of` chooses what is measured: `"probability"` (if nothing else is said),
    /// `"log_probability"` (in bits) or `"logit"`.
    ///
    /// It shows a row for each token; `chart` of it draws what is lost without each, the field `gradient` is a chart
    /// of the other. The fields `left_out` and `gradients` are arrays of the numbers. Fails if the text is empty or
    /// longer than the model's context.
    ///
    /// ```rhai
    /// let why = attribution("Once upon a", " time");
    /// why.left_out.len() == 3 && why.gradients.len() == 3
    /// ```
    #[rhai_fn(name = "attribution", return_raw)]
    pub fn attribution(context: NativeCallContext, text: Dynamic, token: Dynamic) -> Answer<Attribution> {
        attribute(&context, text, token, Map::new())
    }

    #[rhai_fn(name = "attribution", return_raw)]
    pub fn attribution_with(
        context: NativeCallContext,
        text: Dynamic,
        token: Dynamic,
        options: OptionsOf<AttributionOptions>,
    ) -> Answer<Attribution> {
        attribute(&context, text, token, options)
    }

    /// What is lost without each token; nothing if the text has only one.
    #[rhai_fn(get = "left_out", pure)]
    pub fn get_left_out(attribution: &mut Attribution) -> Array {
        attribution.left_out.iter().map(|effect| effect.map_or(Dynamic::UNIT, Dynamic::from_float)).collect()
    }

    /// Gradient × input of each token.
    #[rhai_fn(get = "gradients", pure)]
    pub fn get_gradients(attribution: &mut Attribution) -> Array {
        attribution.gradient.iter().copied().map(Dynamic::from_float).collect()
    }

    /// A chart of gradient × input.
    #[rhai_fn(get = "gradient", pure)]
    pub fn get_gradient(attribution: &mut Attribution) -> Chart {
        attribution.gradient_chart()
    }

    /// Two predictions side by side: the next token after two texts, of two distributions, or by two models.
    ///
    /// It shows the likeliest tokens of either with both probabilities; `chart` of it draws them in pairs. The fields
    /// `kl` and `js` say how far apart they are, in bits.
    ///
    /// ```rhai
    /// compare("The boy was very", "The girl was very").js < 0.5
    /// ```
    #[rhai_fn(return_raw)]
    pub fn compare(context: NativeCallContext, a: Dynamic, b: Dynamic) -> Answer<Comparison> {
        let state = State::of(&context);
        if a.is::<Model>() {
            let (expected, found) = ("two models only with a text after them", "none".to_owned());
            return Err(raise(Error::WrongArgument { function: "compare", expected, found }));
        }
        let next = |value| convert::distribution(&state, value, "compare").map_err(raise);
        Comparison::new(next(a)?, next(b)?).map_err(raise)
    }

    /// With a third argument, `a` and `b` are models, by name or as `load` gives them, and each says what it expects
    /// after that text. The model in use stays the same.
    #[rhai_fn(name = "compare", return_raw)]
    pub fn compare_models(
        context: NativeCallContext,
        a: Dynamic,
        b: Dynamic,
        text: &str,
    ) -> Answer<Comparison> {
        let state = State::of(&context);
        let model = |value| convert::model(&state, value, "compare").map_err(raise);
        Comparison::of_models(&[model(a)?, model(b)?], text, &state.interrupt).map_err(raise)
    }

    /// KL(a ‖ b) in bits: what it costs to expect the second where the first is true.
    #[rhai_fn(get = "kl", pure)]
    pub fn get_comparison_kl(both: &mut Comparison) -> f64 {
        both.kl()
    }

    /// The Jensen-Shannon divergence in bits: 0 if both agree, 1 if they have nothing in common.
    #[rhai_fn(get = "js", pure)]
    pub fn get_js(both: &mut Comparison) -> f64 {
        both.js()
    }
}

crate::generate::options::options! {
    /// What is put back, and what it is held against.
    pub struct PatchOptions {
        /// the token whose odds against the first are measured
        other: Word, Bound::Any;
        /// what is put back: `"stream"`, `"attention"` or `"MLP"`
        stage: Stage, Bound::Any;
    }
}

crate::generate::options::options! {
    /// What a text's tokens are held responsible for.
    pub struct AttributionOptions {
        /// `"probability"`, `"log_probability"` or `"logit"`
        of: Measure, Bound::Any;
    }
}

/// All ways to call `patch`.
fn restore(
    context: &NativeCallContext,
    [clean, corrupted]: [Dynamic; 2],
    token: Dynamic,
    other: Option<Dynamic>,
    options: Map,
) -> Answer<Patching> {
    let state = State::of(context);
    let model = state.model().map_err(raise)?;
    let id = |token| convert::token(Some(model.tokenizer()), token, "patch").map_err(raise);
    let text = |text| convert::tokens(&state, text, "patch").map_err(raise);
    let mut options = options;
    let other = options.remove("other").or(other).map(id).transpose()?;
    let PatchOptions { stage, .. } = convert::options(options).map_err(raise)?;
    let (token, clean, corrupted) = (id(token)?, text(clean)?, text(corrupted)?);
    let total = (clean.len() * model.config().n_layer) as u64;
    state.emit(Event::Started { what: "patching".to_owned(), total, unit: Unit::Places });
    let advance = |places: usize| state.emit(Event::Advanced(places as u64));
    let (tokens, stage) = ([&clean, &corrupted], stage.unwrap_or_default());
    let found = patching::patch(&model, tokens, (token, other), stage, &state.interrupt, advance);
    state.emit(Event::Finished);
    found.map_err(raise)
}

/// Both ways to call `attribution`.
fn attribute(
    context: &NativeCallContext,
    text: Dynamic,
    token: Dynamic,
    options: Map,
) -> Answer<Attribution> {
    let state = State::of(context);
    let model = state.model().map_err(raise)?;
    let AttributionOptions { of } = convert::options(options).map_err(raise)?;
    let token = convert::token(Some(model.tokenizer()), token, "attribution").map_err(raise)?;
    let tokens = convert::tokens(&state, text, "attribution").map_err(raise)?;
    let (what, total) = ("leaving out".to_owned(), tokens.len() as u64);
    state.emit(Event::Started { what, total, unit: Unit::Tokens });
    let advance = |tokens: usize| state.emit(Event::Advanced(tokens as u64));
    let found =
        attribution::attribution(&model, &tokens, token, of.unwrap_or_default(), &state.interrupt, advance);
    state.emit(Event::Finished);
    found.map_err(raise)
}
