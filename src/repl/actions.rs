//! What the commands do.

use std::io::Write as _;
use std::time::{Duration, Instant};

use super::commands::{self, COMMANDS, Command};
use super::{Repl, Trouble, banner};
use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::error::{Error, code_list};
use crate::hub::Hub;
use crate::render::{Cell, Column, Output, Table};
use crate::script::{Value, assist, registry, show};
use crate::terminal::{Plots, WIDTHS};

type Done = Result<(), Trouble>;

pub fn help(repl: &mut Repl, topic: &str) -> Done {
    if topic.is_empty() {
        repl.terminal.show(&Output::Table(command_table(COMMANDS.iter())), "");
        repl.terminal.say(
            "\nAnything else is code: `help()` lists what can be called, `name?` says what a name is.\n\
             Tab completes; Up and Ctrl-R find what was typed before; Ctrl-C stops what runs;\n\
             a blank line ends a cell that is not complete; Alt-Enter begins a new line.\n",
        );
        return Ok(());
    }
    // `:help :time` means the command, `:help load` the binding.
    let command = commands::find(topic.trim_start_matches(':'));
    let explained = if topic.starts_with(':') { None } else { registry::explain(topic).ok() };
    match (&explained, command) {
        (None, None) => return Err(registry::explain(topic).expect_err("it is not known").into()),
        (Some(text), _) => repl.terminal.show(&Output::Markdown(text.clone()), ""),
        (None, Some(_)) => {}
    }
    if let Some(command) = command {
        repl.terminal.start_line();
        repl.terminal.show(&Output::Table(command_table(std::iter::once(command))), "");
    }
    Ok(())
}

fn command_table<'a>(commands: impl Iterator<Item = &'a Command>) -> Table {
    let row = |command: &Command| {
        let short: String = command.names[1..].iter().map(|name| format!(", :{name}")).collect();
        [Cell::Text(format!(":{}{short}", command.usage())), Cell::Text(command.summary.to_owned())]
    };
    Table::new([Column::left("command"), Column::left("what it does")]).rows(commands.map(row))
}

pub fn model(repl: &mut Repl, name: &str) -> Done {
    let model = if name.is_empty() { repl.session.model()? } else { repl.session.load(name)? };
    repl.terminal.show(&Output::Table(show::model(&model)), "");
    Ok(())
}

pub fn models(repl: &mut Repl, _: &str) -> Done {
    let listed = Hub::from_env()?.list()?;
    repl.terminal.show(&Output::Table(show::models(&listed)), "");
    Ok(())
}

pub fn variables(repl: &mut Repl, _: &str) -> Done {
    let variables = repl.session.variables();
    let functions = repl.session.functions();
    if variables.is_empty() && functions.is_empty() {
        repl.terminal.say("there are none yet\n");
        return Ok(());
    }
    let row = |(name, value): &(String, Value)| {
        let kind = repl.session.type_name(value);
        [Cell::Text(name.clone()), Cell::Text(kind), Cell::Text(repl.session.short(value))]
    };
    let function =
        |signature: &String| [Cell::Text(signature.clone()), Cell::Text("function".into()), Cell::Empty];
    let rows: Vec<_> = variables.iter().map(row).chain(functions.iter().map(function)).collect();
    let columns = ["name", "type", "value"].map(Column::left);
    repl.terminal.show(&Output::Table(Table::new(columns).rows(rows)), "");
    Ok(())
}

pub fn reset(repl: &mut Repl, _: &str) -> Done {
    repl.session.reset();
    repl.cells.clear();
    Ok(())
}

pub fn time(repl: &mut Repl, code: &str) -> Done {
    let start = Instant::now();
    repl.run_cell(code)?;
    let elapsed = start.elapsed();
    repl.terminal.start_line();
    repl.terminal.write(&format!("took {}\n", written(elapsed)));
    Ok(())
}

/// How long `:timeit` goes on, and how often it runs at least and at most.
const ENOUGH: Duration = Duration::from_secs(1);
const RUNS: std::ops::RangeInclusive<usize> = 5..=10_000;

pub fn time_repeatedly(repl: &mut Repl, code: &str) -> Done {
    let origin = crate::script::Origin { name: "timeit".to_owned(), line: 1 };
    let begin = Instant::now();
    let mut times = Vec::new();
    while times.len() < *RUNS.start() || (begin.elapsed() < ENOUGH && times.len() < *RUNS.end()) {
        let start = Instant::now();
        drop(repl.session.evaluate(code, &origin)?);
        times.push(start.elapsed());
    }
    times.sort_unstable();
    let at = |part: f64| written(times[((times.len() - 1) as f64 * part) as usize]);
    repl.terminal.start_line();
    repl.terminal.say(&format!(
        "median {}, half of the runs between {} and {} ({} runs)\n",
        at(0.5),
        at(0.25),
        at(0.75),
        times.len()
    ));
    Ok(())
}

/// Three digits and the unit that suits.
fn written(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let (value, unit) = match seconds {
        s if s >= 1.0 => (s, "s"),
        s if s >= 1e-3 => (s * 1e3, "ms"),
        s => (s * 1e6, "µs"),
    };
    let decimals = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.decimals$} {unit}")
}

pub fn run_script(repl: &mut Repl, path: &str) -> Done {
    repl.run_script(&assist::expand(path))
}

pub fn load(repl: &mut Repl, path: &str) -> Done {
    let path = assist::expand(path);
    let text = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    repl.prepared = text.trim_end().to_owned();
    Ok(())
}

pub fn edit(repl: &mut Repl, _: &str) -> Done {
    let last = repl.cells.last().map_or("", |(_, code)| code);
    let file = tempfile::Builder::new()
        .suffix(".rhai")
        .tempfile()
        .map_err(Error::io("write", "a temporary file"))?;
    std::fs::write(file.path(), last).map_err(Error::io("write", file.path()))?;
    let editor =
        ["VISUAL", "EDITOR"].iter().find_map(|name| std::env::var(name).ok().filter(|e| !e.is_empty()));
    let editor = editor.unwrap_or_else(|| "vi".to_owned());
    // An editor may come with arguments: `code --wait`.
    let mut words = editor.split_whitespace();
    let status =
        std::process::Command::new(words.next().unwrap_or("vi")).args(words).arg(file.path()).status();
    if !status.map_err(Error::io("start", &editor))?.success() {
        return Ok(());
    }
    let text = std::fs::read_to_string(file.path()).map_err(Error::io("read", file.path()))?;
    repl.prepared = text.trim_end().to_owned();
    Ok(())
}

pub fn save(repl: &mut Repl, path: &str) -> Done {
    let path = assist::expand(path);
    let cell = |(_, code): &(usize, String)| format!("// %%\n{}\n", code.trim_end());
    let cells: Vec<String> = repl.cells.iter().map(cell).collect();
    crate::render::write(&path, cells.join("\n").as_bytes())?;
    let count = cells.len();
    let noun = if count == 1 { "cell" } else { "cells" };
    repl.terminal.say(&format!("{count} {noun} saved as {}\n", path.display()));
    Ok(())
}

pub fn history(repl: &mut Repl, cells: &str) -> Done {
    let wrong = || Error::BadCommand {
        command: "history",
        what: format!("takes cells as `3` or `2-5`, not `{cells}`"),
    };
    let number = |text: &str| text.trim().parse::<usize>().map_err(|_| wrong());
    let (first, last) = match cells.split_once('-') {
        _ if cells.is_empty() => (0, usize::MAX),
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(cells)?, number(cells)?),
    };
    let colour = repl.terminal.style().colour;
    for (number, code) in repl.cells.iter().filter(|(number, _)| (first..=last).contains(number)) {
        let (plain, styled) = banner::prompt(*number, colour);
        let continuation = banner::continuation(plain.len());
        let code = super::editor::with_gutters(code);
        repl.terminal.write(&format!(
            "{styled}{}\n",
            super::highlight::line(&code, None, &continuation, repl.editor.theme)
        ));
    }
    Ok(())
}

pub fn plots(repl: &mut Repl, wanted: &str) -> Done {
    if !wanted.is_empty() {
        let what = || format!("takes one of {}, not `{wanted}`", code_list(Plots::NAMES));
        let plots = Plots::from_str(wanted, false)
            .map_err(|_| Error::BadCommand { command: "plots", what: what() })?;
        repl.terminal.set_plots(plots);
    }
    let name = repl.terminal.plots().to_possible_value();
    repl.terminal.write(&format!("charts: {}\n", name.as_ref().map_or("", PossibleValue::get_name)));
    Ok(())
}

pub fn width(repl: &mut Repl, wanted: &str) -> Done {
    let what =
        || format!("takes `auto` or a number from {} to {}, not `{wanted}`", WIDTHS.start(), WIDTHS.end());
    match wanted {
        "" => {}
        "auto" => repl.terminal.set_width(None),
        columns => {
            let columns = columns.parse().ok().filter(|columns| WIDTHS.contains(columns));
            let wrong = || Error::BadCommand { command: "width", what: what() };
            repl.terminal.set_width(Some(columns.ok_or_else(wrong)?));
        }
    }
    repl.terminal.write(&format!("{} columns\n", repl.terminal.style().width));
    Ok(())
}

pub fn more(repl: &mut Repl, _: &str) -> Done {
    if repl.long.is_empty() {
        repl.terminal.say("no result was cut yet\n");
        return Ok(());
    }
    let pager = std::env::var("PAGER").ok().filter(|pager| !pager.is_empty());
    let pager = pager.unwrap_or_else(|| "less -R -F -X".to_owned());
    let mut words = pager.split_whitespace();
    let child = std::process::Command::new(words.next().unwrap_or("less"))
        .args(words)
        .stdin(std::process::Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        // Where there is no pager the terminal scrolls.
        repl.terminal.write(&format!("{}\n", repl.long));
        return Ok(());
    };
    if let Some(mut input) = child.stdin.take() {
        // Somebody may leave before the end.
        let _ = input.write_all(repl.long.as_bytes());
    }
    child.wait().map_err(Error::io("run", &pager))?;
    Ok(())
}

pub fn ghost(repl: &mut Repl, wanted: &str) -> Done {
    match wanted {
        "on" => repl.set_ghost(true)?,
        "off" => repl.set_ghost(false)?,
        "" => {}
        _ => {
            let what = format!("takes `on` or `off`, not `{wanted}`");
            return Err(Error::BadCommand { command: "ghost", what }.into());
        }
    }
    let state = match &repl.ghost {
        Some(model) => format!("on, by {model}: Right takes it, Alt-N shows the next"),
        None => "off".to_owned(),
    };
    repl.terminal.say(&format!("ghost text: {state}\n"));
    Ok(())
}

pub fn change_folder(repl: &mut Repl, folder: &str) -> Done {
    if !folder.is_empty() {
        let folder = assist::expand(folder);
        std::env::set_current_dir(&folder).map_err(Error::io("go to", &folder))?;
    }
    let folder = std::env::current_dir().map_err(Error::io("find", "."))?;
    repl.terminal.write(&format!("{}\n", folder.display()));
    Ok(())
}

pub fn version(repl: &mut Repl, _: &str) -> Done {
    let model = repl.session.model_name();
    repl.terminal.write(&format!("tokenscope {} · model {model}\n", env!("CARGO_PKG_VERSION")));
    Ok(())
}

pub fn quit(repl: &mut Repl, _: &str) -> Done {
    repl.leaving = Some(0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits() {
        assert_eq!(written(Duration::from_micros(1_500)), "1.50 ms");
        assert_eq!(written(Duration::from_secs(12)), "12.0 s");
        assert_eq!(written(Duration::from_nanos(900)), "0.90 µs");
    }
}
