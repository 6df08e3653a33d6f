//! What stands at the top and in front of each line.

use crate::hub::KNOWN_MODELS;
use crate::model::device::{Backend, Device};
use crate::model::precision::Precision;
use crate::render::TextStyle;
use crate::render::wrap::wrapped;

/// What this is, which model it asks, and how to get help.
pub fn banner(model: &str, backend: Backend, style: &TextStyle) -> String {
    let paint = |code: &str, text: &str| match style.colour {
        true => format!("\x1b[{code}m{text}\x1b[0m"),
        false => text.to_owned(),
    };
    let title = format!("{} {}", paint("1", "tokenscope"), env!("CARGO_PKG_VERSION"));
    let mut text = String::new();
    let known = KNOWN_MODELS.iter().find(|known| known.name == model);
    if let Some(known) = known.filter(|known| known.repository.is_none()) {
        text.push_str(&format!("`{model}` is small, trained from scratch and built in; it is not GPT-2.\n"));
        let figure = known.held_out.iter().map(|held_out| format!("It needs {held_out}. "));
        text.extend(figure.chain(["`:model gpt2` gets the real one.\n".to_owned()]));
    } else if let Some(known) = known {
        text.push_str(&format!("`{model}`: {}.\n", known.what_it_is()));
    }
    let Backend { precision, device } = backend;
    if device != Device::Cpu {
        text.push_str(&format!("It computes on `{}`.\n", device.name()));
    }
    if precision != Precision::F32 {
        let name = precision.name();
        text.push_str(&format!(
            "Its weights are rounded to {name}; `tokenscope precision` says what that costs.\n"
        ));
    }
    text.push_str("Try `next_probs(\"Once upon a time\")`; `help()` lists what can be called,\n");
    text.push_str("`:help` the commands; Tab completes; Ctrl-D leaves.\n\n");
    // Colour takes no columns, so it comes last.
    let text = wrapped(&text, style.width);
    let text = if style.colour { code_in_cyan(&text) } else { text };
    format!("{title} · model {}\n{text}", paint("1", model))
}

/// Backticks become colour.
fn code_in_cyan(text: &str) -> String {
    let piece = |(index, piece): (usize, &str)| match index % 2 {
        1 => format!("\x1b[36m{piece}\x1b[0m"),
        _ => piece.to_owned(),
    };
    text.split('`').enumerate().map(piece).collect()
}

/// `[1]> `, plain and coloured.
pub fn prompt(number: usize, colour: bool) -> (String, String) {
    let plain = format!("[{number}]> ");
    let styled = if colour { format!("\x1b[1;32m[{number}]>\x1b[0m ") } else { plain.clone() };
    (plain, styled)
}

/// What stands before the further lines of a cell: as wide as its prompt.
pub fn continuation(width: usize) -> String {
    format!("{:.>dots$}> ", "", dots = width.saturating_sub(2))
}

/// `Out[1]:`
pub fn out(number: usize, colour: bool) -> String {
    if colour { format!("\x1b[1;34mOut[{number}]:\x1b[0m") } else { format!("Out[{number}]:") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn continuation_lines_stand_under_the_first() {
        assert_eq!(prompt(7, false).0, "[7]> ");
        assert_eq!(continuation(5), "...> ");
        assert_eq!(continuation(prompt(100, true).0.len()), ".....> ");
    }

    #[test]
    fn the_built_in_model_says_what_it_is() {
        let text = banner("pocket", Backend::default(), &TextStyle::plain(80));
        let int8 = Backend { precision: Precision::Int8, device: Device::Cuda };
        assert!(text.contains("not GPT-2") && text.contains("bits per byte"));
        assert!(text.lines().all(|line| line.chars().count() <= 80));
        for width in [32, 40] {
            let narrow = banner("pocket", Backend::default(), &TextStyle::plain(width));
            assert!(narrow.lines().all(|line| line.chars().count() <= width), "{narrow}");
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(words(&narrow), words(&text));
        }
        assert!(!banner("gpt2", int8, &TextStyle::plain(80)).contains("not GPT-2"));
        let text = banner("gpt2", int8, &TextStyle::plain(80));
        assert!(text.contains("on `cuda`") && text.contains("rounded to int8"));
    }
}
