//! What earlier cells were and gave: `In`, `Out`, `ans` and `_`.

use rhai::{Dynamic, Scope};

use super::{Session, lexer, show};
use crate::render::Output;

/// Names for results that a session keeps itself.
pub(super) const RESULTS: [&str; 4] = ["In", "Out", "ans", "_"];

impl Session {
    /// Keeps what came of something that is no code as the result of a cell. Returns it as it is to be shown.
    pub fn keep(&mut self, input: &str, value: Dynamic) -> Option<Output> {
        self.keep_input(input);
        self.keep_result(&value);
        show::output(&value)
    }

    /// A new cell, without a result so far.
    pub(super) fn keep_input(&mut self, input: &str) {
        self.inputs.push(input.to_owned().into());
        self.results.push(Dynamic::UNIT);
        self.define_results();
    }

    pub(super) fn keep_result(&mut self, value: &Dynamic) {
        if !value.is_unit() {
            *self.results.last_mut().expect("a result was just added") = value.clone();
            self.define_results();
            self.scope.set_value("ans", value.clone());
        }
    }

    /// The number of the next cell.
    pub fn next_cell(&self) -> usize {
        self.results.len()
    }

    /// The code of all cells so far.
    pub fn inputs(&self) -> impl DoubleEndedIterator<Item = String> {
        self.inputs.iter().map(ToString::to_string)
    }

    /// `In` and `Out`, where only the last value may be new.
    fn define_results(&mut self) {
        keep(&mut self.scope, "In", &self.inputs);
        keep(&mut self.scope, "Out", &self.results);
    }

    /// Nothing was computed yet.
    pub(super) fn begin_results(&mut self) {
        self.define_results();
        // The last result, also as `_`: see `underscore_to_ans`.
        self.scope.set_value("ans", Dynamic::UNIT);
    }
}

/// Makes a variable an array of these values. It is changed in place, because copying all of them would cost more with
/// each cell; only where a script made something else of it is it made anew.
fn keep(scope: &mut Scope, name: &str, values: &[Dynamic]) {
    let Some((last, before)) = values.split_last() else { return };
    if let Some(mut kept) = scope.get_mut(name).and_then(|kept| kept.write_lock::<rhai::Array>())
        && kept.len() >= before.len()
    {
        kept.truncate(before.len());
        kept.push(last.clone());
        return;
    }
    scope.set_value(name, rhai::Array::from(values));
}

/// `_` is the last result, but no legal name: it becomes `ans`, which is.
pub(super) fn underscore_to_ans(code: &str) -> String {
    let word = |(kind, range): (lexer::Kind, std::ops::Range<usize>)| match (kind, &code[range]) {
        (lexer::Kind::Name, "_") => "ans",
        (_, word) => word,
    };
    lexer::spans(code).into_iter().map(word).collect()
}
