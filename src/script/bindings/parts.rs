//! What a prediction is made of.

use rhai::plugin::*;
use rhai::{Dynamic, NativeCallContext};

use super::{Answer, convert, raise};
use crate::analyse::contributions::{self, Contributions};
use crate::script::state::State;

#[export_module]
pub mod bindings {
    use rhai::{Dynamic, NativeCallContext};

    use super::super::{Answer, convert, raise};
    use super::apart;
    use crate::analyse::contributions::Contributions;
    use crate::analyse::lens::{self, Lens, Reading, Shade};
    use crate::render::{Chart, Table};
    use crate::script::state::State;
    use crate::script::{Event, Unit};

    /// What the model would say after each layer, if it stopped there: the final layer norm and head, applied early.
    ///
    /// Takes a text or `Tokens`. It shows the last position, a row for each layer before and after its MLP: the
    /// likeliest token, the rank and probability of the final answer, entropy, and the divergence to the final
    /// distribution in bits. `chart` of it is a heat map of all positions. `at(position)` is the table of another
    /// position, `reading(layer, position)` one place; the fields `rank`, `entropy`, `kl` and `middle` are charts too.
    /// Fails if the text is empty or longer than the model's context.
    ///
    /// ```rhai
    /// let lens = logit_lens("Once upon a");
    /// lens.reading(model().layers - 1, -1).final_rank == 1
    /// ```
    #[rhai_fn(return_raw)]
    pub fn logit_lens(context: NativeCallContext, text: Dynamic) -> Answer<Lens> {
        let state = State::of(&context);
        let tokens = convert::tokens(&state, text, "logit_lens").map_err(raise)?;
        let model = state.model().map_err(raise)?;
        let (what, total) = ("looking".to_owned(), tokens.len() as u64);
        state.emit(Event::Started { what, total, unit: Unit::Tokens });
        let advance = |tokens: usize| state.emit(Event::Advanced(tokens as u64));
        let lens = lens::lens(&model, &tokens, &state.interrupt, advance);
        state.emit(Event::Finished);
        lens.map_err(raise)
    }

    /// What each layer says at one position: a table. -1 is the last position.
    ///
    /// ```rhai
    /// logit_lens("Once upon a time").at(1)
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn at(lens: &mut Lens, position: i64) -> Answer<Table> {
        lens.table(position).map_err(raise)
    }

    /// One place of a lens: the stream behind a layer (-1 is the embedding) at a position (-1 is the last).
    ///
    /// It has the fields `id`, `p`, `final_rank`, `final_p`, `entropy` and `kl`. Fails on a layer or position that is
    /// not there.
    ///
    /// ```rhai
    /// logit_lens("Once upon a").reading(0, -1).final_rank >= 1
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn reading(lens: &mut Lens, layer: i64, position: i64) -> Answer<Reading> {
        lens.reading(layer, position).map_err(raise)
    }

    /// A chart of how far down the final answer still is, layer by layer.
    #[rhai_fn(get = "rank", pure)]
    pub fn get_rank(lens: &mut Lens) -> Chart {
        lens.chart(Shade::Rank, false)
    }

    /// A chart of the entropy, layer by layer, in bits.
    #[rhai_fn(get = "entropy", pure)]
    pub fn get_entropy(lens: &mut Lens) -> Chart {
        lens.chart(Shade::Entropy, false)
    }

    /// A chart of the divergence to the final distribution, layer by layer, in bits.
    #[rhai_fn(get = "kl", pure)]
    pub fn get_kl(lens: &mut Lens) -> Chart {
        lens.chart(Shade::Divergence, false)
    }

    /// A chart of the likeliest tokens before and after each MLP.
    #[rhai_fn(get = "middle", pure)]
    pub fn get_middle(lens: &mut Lens) -> Chart {
        lens.chart(Shade::Probability, true)
    }

    /// The id of the likeliest token at that place.
    #[rhai_fn(get = "id", pure)]
    pub fn get_id(reading: &mut Reading) -> i64 {
        reading.id.into()
    }

    /// The probability of the likeliest token at that place.
    #[rhai_fn(get = "p", pure)]
    pub fn get_p(reading: &mut Reading) -> f64 {
        reading.p
    }

    /// The rank that the model's final answer has at that place.
    #[rhai_fn(get = "final_rank", pure)]
    pub fn get_final_rank(reading: &mut Reading) -> i64 {
        reading.final_rank as i64
    }

    /// The probability that the model's final answer has at that place.
    #[rhai_fn(get = "final_p", pure)]
    pub fn get_final_p(reading: &mut Reading) -> f64 {
        reading.final_p
    }

    /// The entropy at that place, in bits.
    #[rhai_fn(get = "entropy", pure)]
    pub fn get_reading_entropy(reading: &mut Reading) -> f64 {
        reading.entropy
    }

    /// How far the final distribution is from the one at that place, in bits.
    #[rhai_fn(get = "kl", pure)]
    pub fn get_reading_kl(reading: &mut Reading) -> f64 {
        reading.divergence
    }

    /// How much each part of the model adds to the logit of a token after a text; with a second token, to how far the
    /// first is ahead of it.
    ///
    /// Tokens are given by id or text. The parts are the embeddings, each head, each MLP, and the biases; the final
    /// layer norm is held at the scale that it had, so that they sum to the logit. It shows them by layer; `table` of
    /// it with a number `n` has the `n` heads and MLPs that count most, `chart` of it is a bar chart. The fields are
    /// `logit`, `sum`, `parts` (all of them, a table) and `heads` (a chart). Fails if the text is empty or too long.
    ///
    /// ```rhai
    /// let parts = contributions("Once upon a", " time", " tree");
    /// (parts.sum - parts.logit).abs() < 0.001
    /// ```
    #[rhai_fn(name = "contributions", return_raw)]
    pub fn contributions(context: NativeCallContext, text: Dynamic, token: Dynamic) -> Answer<Contributions> {
        apart(&context, text, token, None)
    }

    #[rhai_fn(name = "contributions", return_raw)]
    pub fn contributions_of_two(
        context: NativeCallContext,
        text: Dynamic,
        token: Dynamic,
        other: Dynamic,
    ) -> Answer<Contributions> {
        apart(&context, text, token, Some(other))
    }

    /// The logit, or the difference of two, as the model computed it.
    #[rhai_fn(get = "logit", pure)]
    pub fn get_logit(parts: &mut Contributions) -> f64 {
        parts.logit
    }

    /// What all parts sum to: the logit, up to rounding.
    #[rhai_fn(get = "sum", pure)]
    pub fn get_sum(parts: &mut Contributions) -> f64 {
        parts.parts.iter().map(|(_, share)| share).sum()
    }

    /// A table of all parts, each head by itself, the largest first.
    #[rhai_fn(get = "parts", pure)]
    pub fn get_parts(parts: &mut Contributions) -> Table {
        parts.table(&parts.top(usize::MAX))
    }

    /// A chart of what each head adds.
    #[rhai_fn(get = "heads", pure)]
    pub fn get_heads(parts: &mut Contributions) -> Chart {
        parts.heads()
    }
}

/// Both ways to call `contributions`.
fn apart(
    context: &NativeCallContext,
    text: Dynamic,
    token: Dynamic,
    other: Option<Dynamic>,
) -> Answer<Contributions> {
    let state = State::of(context);
    let model = state.model().map_err(raise)?;
    let id = |token| convert::token(Some(model.tokenizer()), token, "contributions").map_err(raise);
    let (token, other) = (id(token)?, other.map(id).transpose()?);
    let tokens = convert::tokens(&state, text, "contributions").map_err(raise)?;
    contributions::contributions(&model, &tokens, token, other, &state.interrupt).map_err(raise)
}
