//! How well a text is predicted.

use rhai::plugin::*;

#[export_module]
pub mod bindings {
    use rhai::{Array, Dynamic, Map, NativeCallContext};

    use super::super::convert::{self, OptionsOf};
    use super::super::{Answer, raise};
    use super::{SurprisalOptions, WindowOptions};
    use crate::analyse::perplexity::{self, Perplexity, Windows};
    use crate::analyse::surprisal::{self, Prediction, Start, Surprisal};
    use crate::render::Table;
    use crate::script::state::State;
    use crate::script::{Event, Unit};

    /// How surprised the model is by each token of a text, in bits: a token of probability p has -log2 p.
    ///
    /// Takes a text, `Tokens` or a generation. It shows the text shaded by surprisal; `table` of it has a row for each
    /// token with its probability, surprisal, rank, and the entropy of the prediction, which is the surprisal that was
    /// to be expected; `chart` of it is the shaded text as a picture. The first token is read but not predicted, as
    /// transformers does it; with the option `start: true` the text is read after `<|endoftext|>`, so that the first
    /// token is predicted too. The options `ablate` and `by` cut parts of the model out, as with `next_probs`: how much
    /// the surprisal grows is what they were good for. It has the fields `total`, `mean`, `perplexity`, `bits`, `words`
    /// and `lines`.
    ///
    /// Fails if the text is empty or longer than the model's context: `perplexity` reads texts of any length.
    ///
    /// ```rhai
    /// let text = surprisal("Once upon a time there was a little girl.");
    /// text.mean > 0.0 && text.bits.len() == 10
    /// ```
    #[rhai_fn(name = "surprisal", return_raw)]
    pub fn surprisal_with(
        context: NativeCallContext,
        text: Dynamic,
        options: OptionsOf<SurprisalOptions>,
    ) -> Answer<Surprisal> {
        let state = State::of(&context);
        let SurprisalOptions { start, cut } = convert::options(options).map_err(raise)?;
        let tokens = convert::tokens(&state, text, "surprisal").map_err(raise)?;
        let model = state.model().map_err(raise)?;
        let mut ablation = cut.ablation(model.config()).map_err(raise)?;
        let start = Start::from(start.unwrap_or_default());
        surprisal::surprisal(&model, &tokens, start, ablation.as_mut(), &state.interrupt).map_err(raise)
    }

    #[rhai_fn(name = "surprisal", return_raw)]
    pub fn surprisal(context: NativeCallContext, text: Dynamic) -> Answer<Surprisal> {
        surprisal_with(context, text, Map::new())
    }

    /// The surprisal of the whole text, in bits: -log2 of the probability that the model gives it.
    #[rhai_fn(get = "total", pure)]
    pub fn get_total(surprisal: &mut Surprisal) -> f64 {
        surprisal.total()
    }

    /// The mean surprisal of the predicted tokens, in bits; nothing if none was predicted.
    #[rhai_fn(get = "mean", pure)]
    pub fn get_mean(surprisal: &mut Surprisal) -> Dynamic {
        surprisal.mean().map_or(Dynamic::UNIT, Dynamic::from_float)
    }

    /// 2 to the mean surprisal; nothing if no token was predicted.
    #[rhai_fn(get = "perplexity", pure)]
    pub fn get_perplexity_of(surprisal: &mut Surprisal) -> Dynamic {
        surprisal.mean().map_or(Dynamic::UNIT, |mean| Dynamic::from_float(mean.exp2()))
    }

    /// The surprisal of each token, in bits; nothing for one that was not predicted.
    #[rhai_fn(get = "bits", pure)]
    pub fn get_bits(surprisal: &mut Surprisal) -> Array {
        let bits = |prediction: &Option<Prediction>| {
            prediction.map_or(Dynamic::UNIT, |prediction| Dynamic::from_float(prediction.bits))
        };
        surprisal.predictions.iter().map(bits).collect()
    }

    /// A table of the words, each with the surprisal of its tokens together.
    #[rhai_fn(get = "words", pure)]
    pub fn get_words(surprisal: &mut Surprisal) -> Table {
        surprisal.words()
    }

    /// A table of the lines, each with the surprisal of its tokens together.
    #[rhai_fn(get = "lines", pure)]
    pub fn get_lines(surprisal: &mut Surprisal) -> Table {
        surprisal.lines()
    }

    /// The perplexity of a text of any length: 2 to the mean surprisal of its tokens, in bits.
    ///
    /// It is read in windows that overlap, and each token is scored once, in the first window that predicts it.
    /// Options: `window` (tokens at a time, at least 2, at most the model's context, which it is if nothing else is
    /// said); `stride` (tokens from one window to the next, at least 1 and at most `window`; half a window if nothing
    /// is said: a smaller one gives each token more context and takes longer); `start: true` reads `<|endoftext|>`
    /// before the text, so that the first token is scored too: both conventions are in use, and the result names its
    /// own. It has the fields `perplexity`, `bits_per_token`, `bits_per_byte`, `scored` and `windows`. A file is read
    /// by `perplexity(read_text("book.txt"))`.
    ///
    /// ```rhai
    /// let near = perplexity("The cat sat on the mat, and the dog sat on the rug.", #{ window: 8, stride: 4 });
    /// near.windows > 1
    /// ```
    #[rhai_fn(name = "perplexity", return_raw)]
    pub fn perplexity_with(
        context: NativeCallContext,
        text: Dynamic,
        options: OptionsOf<WindowOptions>,
    ) -> Answer<Perplexity> {
        let state = State::of(&context);
        let WindowOptions { window, stride, start } = convert::options(options).map_err(raise)?;
        let tokens = convert::tokens(&state, text, "perplexity").map_err(raise)?;
        let model = state.model().map_err(raise)?;
        let what = "reading".to_owned();
        state.emit(Event::Started { what, total: tokens.len() as u64, unit: Unit::Tokens });
        let advance = |tokens: usize| state.emit(Event::Advanced(tokens as u64));
        let windows = Windows { window, stride, start: Start::from(start.unwrap_or_default()) };
        let result = perplexity::perplexity(&model, &tokens, &windows, &state.interrupt, advance);
        state.emit(Event::Finished);
        result.map_err(raise)
    }

    #[rhai_fn(name = "perplexity", return_raw)]
    pub fn perplexity(context: NativeCallContext, text: Dynamic) -> Answer<Perplexity> {
        perplexity_with(context, text, Map::new())
    }

    /// 2 to the mean surprisal in bits.
    #[rhai_fn(get = "perplexity", pure)]
    pub fn get_perplexity(perplexity: &mut Perplexity) -> f64 {
        perplexity.perplexity()
    }

    /// The mean surprisal of a scored token, in bits.
    #[rhai_fn(get = "bits_per_token", pure)]
    pub fn get_bits_per_piece(perplexity: &mut Perplexity) -> f64 {
        perplexity.bits_per_token()
    }

    /// All surprisals over the bytes of the text: comparable between models that cut texts in other ways.
    #[rhai_fn(get = "bits_per_byte", pure)]
    pub fn get_bits_per_byte(perplexity: &mut Perplexity) -> f64 {
        perplexity.bits_per_byte()
    }

    /// How many tokens were predicted.
    #[rhai_fn(get = "scored", pure)]
    pub fn get_scored(perplexity: &mut Perplexity) -> i64 {
        perplexity.scored as i64
    }

    /// In how many windows the text was read.
    #[rhai_fn(get = "windows", pure)]
    pub fn get_windows(perplexity: &mut Perplexity) -> i64 {
        perplexity.windows as i64
    }
}

use crate::analyse::ablation::AblationOptions;
use crate::generate::options::Bound::{Any, AtLeast};

crate::generate::options::options! {
    /// How a text is read that is to be predicted.
    pub struct SurprisalOptions {
        /// whether `<|endoftext|>` is read first
        start: bool, Any;
        include cut: AblationOptions;
    }
}

crate::generate::options::options! {
    /// How a text is cut into windows.
    pub struct WindowOptions {
        /// tokens in a window
        window: usize, AtLeast(2.0);
        /// tokens from one window's start to the next
        stride: usize, AtLeast(1.0);
        /// whether `<|endoftext|>` is read first
        start: bool, Any;
    }
}
