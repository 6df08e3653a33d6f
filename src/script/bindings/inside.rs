//! What happens between a text and its next token.

use rhai::plugin::*;

#[export_module]
pub mod bindings {
    use rhai::{Array, Dynamic, NativeCallContext};

    use super::super::{Answer, convert, raise};
    use crate::analyse::attention::{self, Attention, Pattern};
    use crate::analyse::report;
    use crate::render::number::shortest;
    use crate::render::{Chart, Page, ShadedText, Table};
    use crate::script::state::State;
    use crate::script::{Event, Unit};

    /// Who looks at whom while a text is read: the attention patterns of all heads.
    ///
    /// Takes a text or `Tokens`. It shows where each head's attention goes on average; `chart` of it draws every
    /// pattern small. `head(layer, head)` is one pattern; the fields are `most` (what each token looks at, all heads
    /// together), `sink` (a chart of what falls on the first token), `layers` and `heads`. Fails if the text is empty or
    /// longer than the model's context.
    ///
    /// ```rhai
    /// let seen = attention("The cat sat on the mat");
    /// seen.head(0, 0).weight(-1, 0) <= 1.0
    /// ```
    #[rhai_fn(return_raw)]
    pub fn attention(context: NativeCallContext, text: Dynamic) -> Answer<Attention> {
        let state = State::of(&context);
        let tokens = convert::tokens(&state, text, "attention").map_err(raise)?;
        let model = state.model().map_err(raise)?;
        attention::attention(&model, &tokens, &state.interrupt).map_err(raise)
    }

    /// Everything there is to see in a text, on one page: tokens, next tokens, surprisal, attention, logit lens,
    /// contributions and attribution, each with a picture and a sentence on how to read it.
    ///
    /// `save` of it with a name that ends in `.html` writes a file that needs no other and can be sent to somebody; a
    /// notebook shows it at once. Takes a text or `Tokens`, at most 128 of them. Fails if the text is empty or longer.
    ///
    /// ```rhai
    /// save(report("Once upon a time"), "report.html")
    /// ```
    #[rhai_fn(return_raw)]
    pub fn report(context: NativeCallContext, text: Dynamic) -> Answer<Page> {
        let state = State::of(&context);
        let tokens = convert::tokens(&state, text, "report").map_err(raise)?;
        let model = state.model().map_err(raise)?;
        let (what, total) = ("looking".to_owned(), 2 * tokens.len() as u64);
        state.emit(Event::Started { what, total, unit: Unit::Tokens });
        let advance = |tokens: usize| state.emit(Event::Advanced(tokens as u64));
        let page = report::report(&model, &tokens, &state.interrupt, advance);
        state.emit(Event::Finished);
        page.map_err(raise)
    }

    /// The pattern of one head; layers and heads count from 0.
    ///
    /// It shows what each token looks at most; `chart` of it is a heat map of all pairs. `from(position)` is the text
    /// shaded by what one token looks at, `weight(from, to)` a single number. Fails on a layer or head that is not
    /// there.
    ///
    /// ```rhai
    /// chart(attention("The cat sat on the mat").head(1, 0))
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn head(attention: &mut Attention, layer: i64, head: i64) -> Answer<Pattern> {
        attention.head(layer, head).map_err(raise)
    }

    /// The text up to a position, shaded by how much the token there looks at each; -1 is the last position.
    ///
    /// ```rhai
    /// attention("The cat sat on the mat").head(0, 0).from(-1)
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn from(pattern: &mut Pattern, position: i64) -> Answer<ShadedText> {
        pattern.from(position).map_err(raise)
    }

    /// How much one position looks at another, 0 to 1; what comes later is never looked at. -1 is the last position.
    ///
    /// ```rhai
    /// attention("The cat sat").head(0, 0).weight(0, 2) == 0.0
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn weight(pattern: &mut Pattern, from: i64, to: i64) -> Answer<f64> {
        pattern.weight(from, to).map_err(raise)
    }

    /// All weights of a pattern: an array with a row for each position.
    #[rhai_fn(get = "weights", pure)]
    pub fn get_weights(pattern: &mut Pattern) -> Array {
        let row = |row: &Vec<f32>| -> Dynamic {
            row.iter().map(|weight| Dynamic::from_float(shortest(*weight))).collect::<Array>().into()
        };
        pattern.weights.iter().map(row).collect()
    }

    /// The mean share of a head's attention that falls on the first token.
    #[rhai_fn(get = "first", pure)]
    pub fn get_first(pattern: &mut Pattern) -> f64 {
        pattern.habit().first
    }

    /// The mean share of a head's attention that falls on the token before.
    #[rhai_fn(get = "before", pure)]
    pub fn get_before(pattern: &mut Pattern) -> f64 {
        pattern.habit().before
    }

    /// What each token looks at, means over all heads of all layers: a table.
    #[rhai_fn(get = "most", pure, return_raw)]
    pub fn get_most(attention: &mut Attention) -> Answer<Table> {
        attention.most().map_err(raise)
    }

    /// A chart of how much of each head's attention falls on the first token.
    #[rhai_fn(get = "sink", pure, return_raw)]
    pub fn get_sink(attention: &mut Attention) -> Answer<Chart> {
        attention.sink().map_err(raise)
    }

    /// How many layers there are.
    #[rhai_fn(get = "layers", pure)]
    pub fn get_layer_count(attention: &mut Attention) -> i64 {
        attention.layers() as i64
    }

    /// How many heads each layer has.
    #[rhai_fn(get = "heads", pure)]
    pub fn get_head_count(attention: &mut Attention) -> i64 {
        attention.heads() as i64
    }
}
