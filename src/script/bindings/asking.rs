//! Asking whoever runs the script.

use rhai::plugin::*;

#[export_module]
pub mod bindings {
    use rhai::NativeCallContext;

    use super::super::{Answer, raise};
    use crate::script::state::State;

    /// Asks whoever runs the script, and returns the line that is typed, without its end; with a prompt, shows that
    /// first. `parse_int` and `parse_float` make numbers of it.
    ///
    /// Fails where nobody can answer: in an exported page, or in a notebook that runs by itself.
    ///
    /// ```rhai
    /// try { let guess = input("Which token comes next? "); } catch (error) { print(error) }
    /// ```
    #[rhai_fn(name = "input", return_raw)]
    pub fn input_after(context: NativeCallContext, prompt: &str) -> Answer<String> {
        State::of(&context).ask(prompt).map_err(raise)
    }

    #[rhai_fn(name = "input", return_raw)]
    pub fn input(context: NativeCallContext) -> Answer<String> {
        input_after(context, "")
    }
}
