//! Text into tokens and back.

use rhai::plugin::*;

#[export_module]
pub mod bindings {
    use rhai::{Array, Dynamic, NativeCallContext};

    use super::super::{Answer, convert, raise};
    use crate::script::limits;
    use crate::script::state::State;
    use crate::tokenizer::Tokens;

    /// Cuts a text into the model's tokens.
    ///
    /// A token is a run of bytes: a letter, a part of a word, a word with the space before it. The result shows as a
    /// table and has the fields `ids`, `pieces` and `text`; it can be indexed, looped over, compared, and added to:
    /// `tokens + id` appends a token, `tokens + tokens` joins two runs without cutting the text anew.
    ///
    /// ```rhai
    /// let tokens = tokenize("The cat sat");
    /// tokens.len() == 3 && tokens.pieces[1] == " cat"
    /// ```
    #[rhai_fn(return_raw)]
    pub fn tokenize(context: NativeCallContext, text: &str) -> Answer<Tokens> {
        State::of(&context).tokenize(text).map_err(raise)
    }

    /// The text that ids stand for: one id, an array of ids, or `Tokens`.
    ///
    /// Bytes that are no whole character by themselves show as `�`; together with their neighbours they decode well.
    /// Fails on an id outside the vocabulary.
    ///
    /// ```rhai
    /// decode(262) == " the" && decode([464, 3797]) == "The cat"
    /// ```
    #[rhai_fn(return_raw)]
    pub fn decode(context: NativeCallContext, ids: Dynamic) -> Answer<String> {
        let state = State::of(&context);
        let tokens = convert::ids(&state, ids, "decode").map_err(raise)?;
        tokens.text_watched(&state.interrupt).map_err(raise)
    }

    /// Tokens from ids: an array, or one id.
    ///
    /// Fails on an id outside the vocabulary.
    ///
    /// ```rhai
    /// tokens([464, 3797]).text == "The cat"
    /// ```
    #[rhai_fn(return_raw)]
    pub fn tokens(context: NativeCallContext, ids: Dynamic) -> Answer<Tokens> {
        convert::ids(&State::of(&context), ids, "tokens").map_err(raise)
    }

    /// The ids, as an array.
    #[rhai_fn(get = "ids", pure, return_raw)]
    pub fn get_ids(context: NativeCallContext, tokens: &mut Tokens) -> Answer<Array> {
        limits::check_items(tokens.len())?;
        let state = State::of(&context);
        let ids = state.interrupt.watch(tokens.ids()).map(|id| Ok(Dynamic::from_int((*id?).into())));
        ids.collect::<Result<Array, _>>().map_err(raise)
    }

    /// The text of each token, as an array; bytes that are no whole character show as `�`.
    #[rhai_fn(get = "pieces", pure, return_raw)]
    pub fn get_pieces(context: NativeCallContext, tokens: &mut Tokens) -> Answer<Array> {
        limits::check_items(tokens.len())?;
        let state = State::of(&context);
        let text = |piece: Vec<u8>| Dynamic::from(String::from_utf8_lossy(&piece).into_owned());
        let pieces = state.interrupt.watch(tokens.pieces()).map(|piece| piece.map(text));
        pieces.collect::<Result<Array, _>>().map_err(raise)
    }

    /// The text of all tokens together.
    #[rhai_fn(get = "text", pure, return_raw)]
    pub fn get_text(context: NativeCallContext, tokens: &mut Tokens) -> Answer<String> {
        tokens.text_watched(&State::of(&context).interrupt).map_err(raise)
    }

    /// How many tokens there are.
    ///
    /// ```rhai
    /// tokenize("Once upon a time").len() == 4
    /// ```
    #[rhai_fn(name = "len", pure)]
    pub fn length(tokens: &mut Tokens) -> i64 {
        tokens.len() as i64
    }

    /// A part of the tokens: from position `start` (counted from the end if negative), all or `count` of them.
    ///
    /// ```rhai
    /// tokenize("Once upon a time").slice(-2).text == " a time"
    /// ```
    #[rhai_fn(name = "slice", pure)]
    pub fn slice_from(tokens: &mut Tokens, start: i64) -> Tokens {
        slice(tokens, start, i64::MAX)
    }

    #[rhai_fn(name = "slice", pure)]
    pub fn slice(tokens: &mut Tokens, start: i64, count: i64) -> Tokens {
        let length = tokens.len() as i64;
        let start = if start < 0 { length.saturating_add(start).max(0) } else { start };
        let end = start.saturating_add(count.max(0)).min(length);
        tokens.slice(start as usize..end as usize)
    }

    #[rhai_fn(index_get, pure, return_raw)]
    pub fn at(tokens: &mut Tokens, index: i64) -> Answer<i64> {
        let length = tokens.len();
        let position = if index < 0 { index + length as i64 } else { index };
        let id = usize::try_from(position).ok().and_then(|position| tokens.ids().get(position).copied());
        id.map(i64::from).ok_or_else(|| raise(crate::error::Error::IndexOutOfRange { index, length }))
    }

    #[rhai_fn(name = "+", pure, return_raw)]
    pub fn with_id(tokens: &mut Tokens, id: i64) -> Answer<Tokens> {
        let size = tokens.tokenizer().vocabulary_size();
        let id =
            u32::try_from(id).map_err(|_| raise(crate::error::Error::IdOutsideVocabulary { id, size }))?;
        tokens.with(id).map_err(raise)
    }

    #[rhai_fn(name = "+", pure, return_raw)]
    pub fn joined(tokens: &mut Tokens, others: Tokens) -> Answer<Tokens> {
        tokens.concat(&others).map_err(raise)
    }

    // Without this the engine would join their printed forms.
    #[rhai_fn(name = "+", pure, return_raw)]
    pub fn with_text(_tokens: &mut Tokens, _text: &str) -> Answer<Tokens> {
        let (expected, found) = ("an id or Tokens after Tokens", "a text".to_owned());
        Err(raise(crate::error::Error::WrongArgument { function: "+", expected, found }))
    }

    #[rhai_fn(name = "+=", return_raw)]
    pub fn append_text(tokens: &mut Tokens, text: &str) -> Answer<()> {
        with_text(tokens, text).map(|_| ())
    }

    #[rhai_fn(name = "+=", return_raw)]
    pub fn append_id(tokens: &mut Tokens, id: i64) -> Answer<()> {
        *tokens = with_id(tokens, id)?;
        Ok(())
    }

    #[rhai_fn(name = "+=", return_raw)]
    pub fn append(tokens: &mut Tokens, others: Tokens) -> Answer<()> {
        *tokens = joined(tokens, others)?;
        Ok(())
    }

    #[rhai_fn(name = "==", pure)]
    pub fn equal(tokens: &mut Tokens, others: Tokens) -> bool {
        *tokens == others
    }

    #[rhai_fn(name = "!=", pure)]
    pub fn unequal(tokens: &mut Tokens, others: Tokens) -> bool {
        *tokens != others
    }

    /// Whether an id is among the tokens: `id in tokens`.
    #[rhai_fn(name = "contains", pure)]
    pub fn contains(tokens: &mut Tokens, id: i64) -> bool {
        tokens.ids().iter().any(|other| i64::from(*other) == id)
    }
}
