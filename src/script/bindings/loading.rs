//! Which model is asked.

use rhai::plugin::*;

#[export_module]
pub mod bindings {
    use rhai::NativeCallContext;

    use super::super::{Answer, raise};
    use crate::hub::Hub;
    use crate::model::Model;
    use crate::render::Table;
    use crate::script::show;
    use crate::script::state::State;

    /// Loads a model and uses it from now on.
    ///
    /// The name is the built-in `pocket`; `gpt2`, `gpt2-medium`, `gpt2-large`, `gpt2-xl` or `distilgpt2`; any
    /// `owner/name` or `owner/name@revision` of GPT-2's architecture on the Hugging Face hub; or a folder or a `.gguf`
    /// file, below one that scripts may read (`--allow-read`). What is not on this machine is downloaded. If it fails,
    /// the model in use stays.
    ///
    /// ```rhai
    /// load("pocket").name == "pocket"
    /// ```
    #[rhai_fn(return_raw)]
    pub fn load(context: NativeCallContext, name: &str) -> Answer<Model> {
        let state = State::of(&context);
        state.check_may_load(name).and_then(|()| state.load(name)).map_err(raise)
    }

    /// The model in use, with the fields `name`, `precision`, `device`, `parameters`, `layers`, `heads`, `width`, `context` and `vocabulary`.
    ///
    /// ```rhai
    /// model().layers
    /// ```
    #[rhai_fn(return_raw)]
    pub fn model(context: NativeCallContext) -> Answer<Model> {
        State::of(&context).model().map_err(raise)
    }

    /// The models that are known by name or lie in the cache: which are on this machine, where, and how large.
    ///
    /// ```rhai
    /// models()
    /// ```
    #[rhai_fn(return_raw)]
    pub fn models(context: NativeCallContext) -> Answer<Table> {
        Ok(show::models(&State::of(&context).hub().and_then(Hub::list).map_err(raise)?))
    }

    /// The name that the model was loaded by.
    #[rhai_fn(get = "name", pure)]
    pub fn get_name(model: &mut Model) -> String {
        model.name().to_owned()
    }

    /// What its weights are multiplied in: `f32` (exact), `bf16` or `int8`, as `--precision` said.
    #[rhai_fn(get = "precision", pure)]
    pub fn get_precision(model: &mut Model) -> String {
        model.backend().precision.name().to_owned()
    }

    /// What it computes on: `cpu`, `cuda` or `metal`, as `--device` said.
    #[rhai_fn(get = "device", pure)]
    pub fn get_device(model: &mut Model) -> String {
        model.backend().device.name().to_owned()
    }

    /// How many numbers it has learnt.
    #[rhai_fn(get = "parameters", pure)]
    pub fn get_parameters(model: &mut Model) -> i64 {
        model.config().parameters() as i64
    }

    /// How many layers (blocks of attention and MLP) it has.
    #[rhai_fn(get = "layers", pure)]
    pub fn get_layers(model: &mut Model) -> i64 {
        model.config().n_layer as i64
    }

    /// How many attention heads each layer has.
    #[rhai_fn(get = "heads", pure)]
    pub fn get_heads(model: &mut Model) -> i64 {
        model.config().n_head as i64
    }

    /// The width of its residual stream.
    #[rhai_fn(get = "width", pure)]
    pub fn get_width(model: &mut Model) -> i64 {
        model.config().n_embd as i64
    }

    /// How many tokens it can read at once.
    #[rhai_fn(get = "context", pure)]
    pub fn get_context(model: &mut Model) -> i64 {
        model.config().n_positions as i64
    }

    /// How many tokens it knows.
    #[rhai_fn(get = "vocabulary", pure)]
    pub fn get_vocabulary(model: &mut Model) -> i64 {
        model.config().vocab_size as i64
    }
}
