//! Running code for a notebook, where not everything that runs is a cell of its own number.

use super::report::Report;
use super::{Origin, Session, shown};
use crate::render::Output;

impl Session {
    /// Runs a cell that keeps its number even if it does not parse, so that no two share one.
    pub fn eval_counted(&mut self, code: &str, origin: &Origin) -> Result<Option<Output>, Box<Report>> {
        let number = self.next_cell();
        let result = self.eval(code, origin);
        if self.next_cell() == number {
            self.pass_cell(code);
        }
        result
    }

    /// A cell that runs no code, and has no result, takes its number.
    pub fn pass_cell(&mut self, code: &str) {
        self.keep_input(code);
    }

    /// Runs code that is no cell: it sees and changes the same variables, but takes no number and leaves `ans` alone.
    pub fn eval_aside(&mut self, code: &str, origin: &Origin) -> Result<Option<Output>, Box<Report>> {
        self.evaluate(code, origin).map(|value| shown(code, &value))
    }
}
