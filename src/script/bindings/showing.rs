//! Tables, charts and files.

use rhai::plugin::*;

#[export_module]
pub mod bindings {
    use rhai::{Array, Dynamic, NativeCallContext};

    use super::super::{Answer, convert, raise};
    use crate::render::{Chart, Output, Table};
    use crate::script::state::State;
    use crate::script::{json, saving, show};

    /// Shows a value as it is shown at the end of a cell: tokens and distributions as tables, a chart as a picture.
    ///
    /// ```rhai
    /// show(tokenize("The cat sat"));
    /// ```
    #[rhai_fn(name = "show")]
    pub fn show_value(context: NativeCallContext, value: Dynamic) {
        if let Some(output) = show::output(&value) {
            State::of(&context).output(output);
        }
    }

    /// Writes a text without ending the line, so that the next one goes on behind it.
    ///
    /// ```rhai
    /// for piece in tokenize("The cat sat").pieces { write(piece + "|"); }
    /// ```
    pub fn write(context: NativeCallContext, text: &str) {
        State::of(&context).output(Output::Stream(text.to_owned()));
    }

    /// A chart of a value: for a distribution (or `top(n)` of one) a bar for each of the likeliest tokens, 10 of
    /// them or as many as `n` says.
    ///
    /// It is drawn when it is shown or saved.
    ///
    /// ```rhai
    /// chart(next_probs("Once upon a time"), 5)
    /// ```
    #[rhai_fn(name = "chart", return_raw)]
    pub fn chart_of(value: Dynamic, n: i64) -> Answer<Chart> {
        let n = convert::count(n, "n").map_err(raise)?;
        show::chart(&value, n).map_err(raise)
    }

    #[rhai_fn(name = "chart", return_raw)]
    pub fn chart(value: Dynamic) -> Answer<Chart> {
        chart_of(value, show::ROWS as i64)
    }

    /// A table of a value: tokens, a distribution, candidates, an array of maps; with `n`, at most that many rows.
    ///
    /// ```rhai
    /// table([#{ word: "cat", tokens: 1 }, #{ word: "Udacity", tokens: 3 }])
    /// ```
    #[rhai_fn(name = "table", return_raw)]
    pub fn table_of(context: NativeCallContext, value: Dynamic, n: i64) -> Answer<Table> {
        let n = convert::count(n, "n").map_err(raise)?;
        show::table(&value, Some(n), &State::of(&context).interrupt).map_err(raise)
    }

    #[rhai_fn(name = "table", return_raw)]
    pub fn table(context: NativeCallContext, value: Dynamic) -> Answer<Table> {
        show::table(&value, None, &State::of(&context).interrupt).map_err(raise)
    }

    /// A table with the given columns, in their order, of an array of rows.
    #[rhai_fn(name = "table", return_raw)]
    pub fn table_with(context: NativeCallContext, columns: Array, rows: Array) -> Answer<Table> {
        show::table_of_rows(&columns, &rows, &State::of(&context).interrupt).map_err(raise)
    }

    /// Saves a value in the output folder (`--out`), or below a folder that `--allow-write` names, and returns the
    /// file's path. The name's ending says how: a chart as `.png` or `.svg`; a table, or a value that has one, as
    /// `.csv`, `.json` or `.md`; anything as `.json`, or as a page of its own, `.html`. What DejaVu has no letters for,
    /// Chinese or most emoji, a PNG draws in a font of the machine, and writes as `\u4e2d` where there is none; the
    /// other forms keep it as it is.
    ///
    /// Fails on a path that leads out of these folders, and on an ending that the value has no form for.
    ///
    /// ```rhai
    /// save(next_probs("Once upon a time"), "next.csv")
    /// ```
    #[rhai_fn(return_raw)]
    pub fn save(context: NativeCallContext, value: Dynamic, name: &str) -> Answer<String> {
        let path = saving::save(&State::of(&context), &value, name).map_err(raise)?;
        Ok(path.display().to_string())
    }

    /// The text of a file in UTF-8, of at most 16 MiB.
    ///
    /// A script may read only below the folders that `--allow-read DIR` names; what is typed into the REPL may read
    /// below the working folder too. Links are followed before this is checked. Fails elsewhere, and on what is no
    /// text.
    ///
    /// ```rhai
    /// try { read_text("/etc/hostname") } catch (error) { print(error) }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn read_text(context: NativeCallContext, path: &str) -> Answer<String> {
        State::of(&context).files.read_text(path).map_err(raise)
    }

    /// Any value as one line of JSON, in full precision, for other programs.
    ///
    /// ```rhai
    /// json(tokenize("The cat").ids) == "[464,3797]"
    /// ```
    #[rhai_fn(name = "json", return_raw)]
    pub fn json_of(context: NativeCallContext, value: Dynamic) -> Answer<String> {
        json::written(&value, &State::of(&context).interrupt).map_err(raise)
    }

    /// A chart's title.
    #[rhai_fn(get = "title", pure)]
    pub fn get_title(chart: &mut Chart) -> String {
        chart.title().to_owned()
    }

    /// How many rows a table has.
    #[rhai_fn(name = "len", pure)]
    pub fn length(table: &mut Table) -> i64 {
        table.rows.len() as i64
    }
}
