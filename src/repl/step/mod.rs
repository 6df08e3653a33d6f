//! `:step`: a text grows by hand, with the candidates for its next token on the whole screen.

mod field;
mod screen;
mod stepping;
mod view;

use termimad::crossterm::event::{Event, KeyEventKind};

use super::{Repl, Trouble};
use crate::analyse::stepper::Stepper;
use crate::error::Error;
use crate::script::Origin;
use screen::Screen;
use stepping::{Flow, Stepping};

/// Steps through the text that code gives, or on with the last result; the stepper is the cell's result.
pub fn step(repl: &mut Repl, code: &str) -> Result<(), Trouble> {
    let stepper = beginning(repl, code)?;
    let size = || repl.terminal.size();
    let colour = repl.terminal.style().colour;
    if !repl.terminal.moves_cursor() {
        let what = "needs a terminal that can move its cursor; `stepper(text)` does the same without keys";
        return Err(Error::BadCommand { command: "step", what: what.to_owned() }.into());
    }
    let session = &repl.session;
    let mut stepping = Stepping::new(stepper, |tokens| session.next(tokens))?;
    let mut screen = Screen::open().map_err(Error::io("take over", "the terminal"))?;
    loop {
        let lines = view::lines(&stepping, size(), colour);
        screen.draw(&lines).map_err(Error::io("write to", "the terminal"))?;
        let flow = match Screen::event().map_err(Error::io("read from", "the terminal"))? {
            Event::Key(key) if key.kind != KeyEventKind::Release => stepping.press(key),
            Event::Paste(text) => stepping.paste(&text),
            // Another size is drawn in the next round.
            _ => Flow::Stay,
        };
        if flow == Flow::Leave {
            break;
        }
    }
    drop(screen);
    let (script, stepper) = (stepping.script(code), stepping.into_stepper());
    let number = repl.session.next_cell();
    repl.cells.push((number, script));
    let shown = repl.session.keep(&format!(":step {code}"), crate::script::Value::from(stepper));
    repl.show_result(number, shown);
    Ok(())
}

fn beginning(repl: &mut Repl, code: &str) -> Result<Stepper, Trouble> {
    let value = match code.is_empty() {
        true => repl.session.value("_").filter(|last| !last.is_unit()),
        false => Some(repl.session.evaluate(code, &Origin { name: "step".to_owned(), line: 1 })?),
    };
    let nothing = || Error::BadCommand {
        command: "step",
        what:
            "goes on with the last result, and there is none; `:step \"Once upon a time\"` begins with a text"
                .to_owned(),
    };
    Ok(repl.session.stepper(value.ok_or_else(nothing)?)?)
}
