//! The `:commands`: one row each. Help, completion and suggestions come from here.

use super::{Repl, Trouble, actions, step};
use crate::error::Error;
use crate::terminal::Plots;

pub struct Command {
    /// What is typed after the colon: the name, then shorter forms of it.
    pub names: &'static [&'static str],
    pub argument: Argument,
    /// Whether it does something without its argument too.
    pub optional: bool,
    pub summary: &'static str,
    pub action: fn(&mut Repl, &str) -> Result<(), Trouble>,
}

/// What a command takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    None,
    Topic,
    Model,
    Code,
    /// A script or a notebook.
    Script,
    File,
    Folder,
    Cells,
    Columns,
    /// One of these words.
    Choice(&'static [&'static str]),
}

impl Argument {
    fn written(self) -> String {
        match self {
            Argument::None => "",
            Argument::Topic => "TOPIC",
            Argument::Model => "NAME",
            Argument::Code => "CODE",
            Argument::Script | Argument::File => "FILE",
            Argument::Folder => "DIR",
            Argument::Cells => "N-M",
            Argument::Columns => "COLUMNS",
            Argument::Choice(words) => return words.join("|"),
        }
        .to_owned()
    }
}

macro_rules! commands {
    ($([$($name:literal)+] $argument:ident $(($words:expr))? $($optional:ident)?, $summary:literal, $action:path;)*) => {
        /// All of them, in the order in which they are listed.
        pub const COMMANDS: &[Command] = &[$(Command {
            names: &[$($name),+],
            argument: Argument::$argument $(($words))?,
            optional: commands!(@ $($optional)?),
            summary: $summary,
            action: $action,
        }),*];
    };
    (@ optional) => { true };
    (@) => { false };
}

commands! {
    ["help" "h" "?"] Topic optional, "lists the commands; says what a name is for", actions::help;
    ["model"] Model optional, "says which model is asked; loads another", actions::model;
    ["models"] None, "lists the models: where they are, and how large", actions::models;
    ["vars"] None, "lists your variables and functions", actions::variables;
    ["reset"] None, "forgets variables, functions and results", actions::reset;
    ["time"] Code, "runs code and says how long it took", actions::time;
    ["timeit"] Code, "runs code many times: median time and spread", actions::time_repeatedly;
    ["step"] Code optional, "goes on with a text by hand, token by token; `_` if no text is given", step::step;
    ["run"] Script, "runs a script in this session", actions::run_script;
    ["load"] Script, "puts a script into the line, to change and run it", actions::load;
    ["edit" "e"] None, "changes the last cell in your $EDITOR", actions::edit;
    ["save"] File, "saves this session's cells as a script", actions::save;
    ["history"] Cells optional, "lists this session's cells, or some of them", actions::history;
    ["plots"] Choice(Plots::NAMES) optional, "says where charts go; sends them elsewhere", actions::plots;
    ["width"] Columns optional, "says how wide results are; makes them so wide, or `auto`", actions::width;
    ["cd"] Folder optional, "says which folder is the working one; goes to another", actions::change_folder;
    ["more"] None, "shows all of the last long result, in your $PAGER", actions::more;
    ["ghost"] Choice(&["on", "off"]) optional, "shows how the model would go on with a text as you type it", actions::ghost;
    ["version"] None, "says which version this is", actions::version;
    ["quit" "q" "exit"] None, "leaves; so does Ctrl-D", actions::quit;
}

impl Command {
    pub fn name(&self) -> &'static str {
        self.names[0]
    }

    /// `model [NAME]`
    pub fn usage(&self) -> String {
        match (self.argument, self.optional) {
            (Argument::None, _) => self.name().to_owned(),
            (argument, true) => format!("{} [{}]", self.name(), argument.written()),
            (argument, false) => format!("{} {}", self.name(), argument.written()),
        }
    }
}

/// The command of this name or short form.
pub fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.names.contains(&name))
}

/// Does what was asked.
pub fn run(repl: &mut Repl, name: &str, argument: &str) -> Result<(), Trouble> {
    let command = find(name).ok_or_else(|| unknown(name))?;
    let wrong = |what: &str| Error::BadCommand { command: command.name(), what: what.to_owned() };
    match (command.argument, argument.is_empty()) {
        (Argument::None, false) => return Err(wrong(&format!("takes nothing, but got `{argument}`")).into()),
        (kind, true) if kind != Argument::None && !command.optional => {
            return Err(wrong(&format!("needs {}", kind.written())).into());
        }
        _ => {}
    }
    (command.action)(repl, argument)
}

fn unknown(name: &str) -> Error {
    Error::UnknownCommand { name: name.to_owned(), known: COMMANDS.iter().map(Command::name).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_one_meaning() {
        let mut names: Vec<&str> = COMMANDS.iter().flat_map(|command| command.names).copied().collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert_eq!(find("q").map(Command::name), Some("quit"));
        assert_eq!(find("model").map(Command::usage).as_deref(), Some("model [NAME]"));
    }

    #[test]
    fn a_mistyped_command_finds_its_name() {
        assert_eq!(unknown("modle").hint().as_deref(), Some("did you mean `:model`?"));
    }
}
