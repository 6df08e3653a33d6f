//! Finding out what there is.

use rhai::plugin::*;

#[export_module]
pub mod bindings {
    use rhai::NativeCallContext;

    use super::super::{Answer, raise};
    use crate::render::Output;
    use crate::script::registry;
    use crate::script::state::State;

    /// Lists all bindings by topic; with a name, what that binding or topic is for.
    ///
    /// ```rhai
    /// help("next_probs")
    /// ```
    #[rhai_fn(name = "help")]
    pub fn help(context: NativeCallContext) {
        State::of(&context).output(Output::Markdown(registry::overview()));
    }

    #[rhai_fn(name = "help", return_raw)]
    pub fn help_on(context: NativeCallContext, name: &str) -> Answer<()> {
        let text = registry::explain(name).map_err(raise)?;
        State::of(&context).output(Output::Markdown(text));
        Ok(())
    }
}
