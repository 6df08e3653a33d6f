//! The vectors that tokens and positions start with.

use rhai::plugin::*;

#[export_module]
pub mod bindings {
    use rhai::{Array, Dynamic, NativeCallContext};

    use super::super::{Answer, convert, raise};
    use crate::analyse::embeddings::{EmbeddingMap, Positions};
    use crate::analyse::neighbours::{self, Neighbours};
    use crate::render::Chart;
    use crate::script::state::State;

    /// The `n` tokens whose embeddings point most nearly the same way as that of a token, given by id or text.
    ///
    /// ```rhai
    /// neighbours(" cat", 5)
    /// ```
    #[rhai_fn(return_raw)]
    pub fn neighbours(context: NativeCallContext, token: Dynamic, n: i64) -> Answer<Neighbours> {
        let model = State::of(&context).model().map_err(raise)?;
        let id = convert::token(Some(model.tokenizer()), token, "neighbours").map_err(raise)?;
        neighbours::neighbours(&model, id, convert::count(n, "n").map_err(raise)?).map_err(raise)
    }

    /// How alike two tokens are to the model: the cosine of their embeddings, -1 to 1.
    ///
    /// ```rhai
    /// similarity(" cat", " dog") > similarity(" cat", " the")
    /// ```
    #[rhai_fn(return_raw)]
    pub fn similarity(context: NativeCallContext, a: Dynamic, b: Dynamic) -> Answer<f64> {
        let model = State::of(&context).model().map_err(raise)?;
        let id = |token| convert::token(Some(model.tokenizer()), token, "similarity").map_err(raise);
        neighbours::similarity(&model, id(a)?, id(b)?).map_err(raise)
    }

    /// A map of words: their embeddings, seen from the side from which they lie farthest apart (principal components).
    ///
    /// Takes an array of at least 3 tokens, given by id or text. It shows where each lies; `chart` of it draws them.
    /// Tokens that are used alike lie close together; what the two axes mean is for the reader to find out.
    ///
    /// ```rhai
    /// chart(embedding_map([" one", " two", " three", " cat", " dog", " bird"]))
    /// ```
    #[rhai_fn(return_raw)]
    pub fn embedding_map(context: NativeCallContext, words: Array) -> Answer<EmbeddingMap> {
        let model = State::of(&context).model().map_err(raise)?;
        let id = |word| convert::token(Some(model.tokenizer()), word, "embedding_map");
        let ids = words.into_iter().map(id).collect::<Result<Vec<u32>, _>>().map_err(raise)?;
        EmbeddingMap::new(&model, &ids).map_err(raise)
    }

    /// The vectors that tell positions apart: one is added to the embedding of each token, by its place in the text.
    ///
    /// It shows how long they are and how much alike neighbouring ones; `chart` of it draws the coordinates that vary
    /// most, the field `similarity` is a chart of how much alike any two positions are.
    ///
    /// ```rhai
    /// position_embeddings().similarity
    /// ```
    #[rhai_fn(return_raw)]
    pub fn position_embeddings(context: NativeCallContext) -> Answer<Positions> {
        Ok(Positions::new(&State::of(&context).model().map_err(raise)?))
    }

    /// A chart of how much alike any two positions are: the cosine of their embeddings.
    #[rhai_fn(get = "similarity", pure)]
    pub fn get_similarity(positions: &mut Positions) -> Chart {
        positions.similarity()
    }
}
