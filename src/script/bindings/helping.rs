//! Finding out what there is.

use rhai::plugin::*;

#[export_module]
pub mod bindings {
    use rhai::{Dynamic, EvalAltResult, NativeCallContext, Position};

    use super::super::{Answer, convert, raise};
    use crate::error::Error;
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

    /// Ends the script, or the REPL, with an exit code from 0 to 255; 0, which means success, if none is given.
    ///
    /// ```rhai
    /// if model().layers == 0 { exit(3) }
    /// ```
    #[rhai_fn(name = "exit", return_raw)]
    pub fn exit_with(code: i64) -> Answer<()> {
        if u8::try_from(code).is_err() {
            let bound = "from 0 to 255".to_owned();
            return Err(raise(Error::OptionOutOfRange { name: "code", value: code.to_string(), bound }));
        }
        // No `catch` stops this.
        Err(EvalAltResult::ErrorTerminated(Dynamic::from_int(code), Position::NONE).into())
    }

    #[rhai_fn(name = "exit", return_raw)]
    pub fn exit() -> Answer<()> {
        exit_with(0)
    }

    // Without this the engine's own would end the script as if all were well.
    #[rhai_fn(name = "exit", return_raw)]
    pub fn exit_by_other(code: Dynamic) -> Answer<()> {
        let (expected, found) = ("a number from 0 to 255", convert::kind(&code));
        Err(raise(Error::WrongArgument { function: "exit", expected, found }))
    }
}
