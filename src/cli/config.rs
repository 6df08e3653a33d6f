//! The user's own defaults: `config.toml`, whose keys are the names of the options that go with every command.

use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches};

use crate::error::{Error, Result};
use crate::render::{Cell, Column, Table};

/// The folder for it, for `startup.rhai`, and for what else a user says once and for all.
pub fn folder() -> Option<PathBuf> {
    dirs::config_dir().map(|folder| folder.join("tokenscope"))
}

/// A script that runs whenever the REPL opens, if it is there.
pub fn startup() -> Option<PathBuf> {
    folder().map(|folder| folder.join("startup.rhai")).filter(|path| path.is_file())
}

/// What the file says: the name of each option, and its values as they would be typed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Config {
    settings: Vec<(String, Vec<String>)>,
}

impl Config {
    /// Reads the file, if it is there.
    ///
    /// # Errors
    /// When it cannot be read or is not TOML, when a key is no option of `command`, and when a value is none of its.
    pub fn read(command: &clap::Command) -> Result<Config> {
        let Some(path) = folder().map(|folder| folder.join("config.toml")) else {
            return Ok(Config::default());
        };
        match std::fs::read_to_string(&path) {
            Ok(text) => Config::parse(&text, command).map_err(|(reason, hint)| Error::BrokenSettings {
                path,
                reason,
                hint,
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Config::default()),
            Err(error) => Err(Error::io("read", path)(error)),
        }
    }

    fn parse(text: &str, command: &clap::Command) -> Result<Config, (String, Option<String>)> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let line = error.span().map_or(1, |span| text[..span.start].lines().count().max(1));
            (format!("line {line}: {}", error.message()), None)
        })?;
        let known: Vec<&str> = options(command).map(|option| option.get_id().as_str()).collect();
        let mut settings = Vec::new();
        for (key, value) in table {
            let id = key.replace('-', "_");
            let Some(option) = options(command).find(|option| option.get_id() == id.as_str()) else {
                let all = format!("the keys are {}", crate::error::code_list(&known));
                let hint = crate::suggest::did_you_mean(&id, known.iter().copied());
                return Err((format!("unknown key `{key}`"), Some(hint.unwrap_or(all))));
            };
            let values = match value {
                toml::Value::Array(values) => values.iter().map(written).collect(),
                value => vec![written(&value)],
            };
            check(command, option, &values).map_err(|reason| (reason, None))?;
            settings.push((id, values));
        }
        Ok(Config { settings })
    }

    /// The command with these defaults instead of its own.
    pub fn applied(&self, command: clap::Command) -> clap::Command {
        self.settings.iter().fold(command, |command, (id, values)| {
            // clap keeps defaults as long as the program runs.
            let values: Vec<&'static str> = values.iter().map(|value| &*value.clone().leak()).collect();
            command.mut_arg(id, |option| option.default_values(values))
        })
    }

    /// What is in force, and who says so.
    pub fn table(&self, command: &clap::Command, matches: &ArgMatches) -> Table {
        let row = |option: &Arg| {
            let id = option.get_id().as_str();
            let values = matches.get_raw(id).map(|values| {
                values.map(|value| value.to_string_lossy().into_owned()).collect::<Vec<_>>().join(", ")
            });
            let is_ours = self.settings.iter().any(|(known, _)| known == id);
            let source = match matches.value_source(id) {
                Some(ValueSource::CommandLine) => "command line".to_owned(),
                Some(ValueSource::EnvVariable) => {
                    option.get_env().map_or(String::new(), |name| name.to_string_lossy().into_owned())
                }
                _ if is_ours => "config.toml".to_owned(),
                _ => "default".to_owned(),
            };
            let value = values.map_or(Cell::Empty, Cell::Text);
            [Cell::Text(id.to_owned()), value, Cell::Text(source)]
        };
        let columns = ["setting", "value", "from"].map(Column::left);
        Table::new(columns).rows(options(command).map(row))
    }
}

/// The options that go with every command.
fn options(command: &clap::Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|option| option.is_global_set())
}

/// A value as it is typed behind an option.
fn written(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Float(number) => number.to_string(),
        toml::Value::Boolean(flag) => flag.to_string(),
        // No option takes one of these, which the check will say.
        toml::Value::Datetime(_) | toml::Value::Array(_) | toml::Value::Table(_) => {
            value.type_str().to_owned()
        }
    }
}

/// Whether the option takes these values: clap is asked as if they were typed.
fn check(command: &clap::Command, option: &Arg, values: &[String]) -> Result<(), String> {
    let name = option.get_long().unwrap_or_default();
    let typed = values.iter().map(|value| format!("--{name}={value}"));
    let tried = command.clone().try_get_matches_from(std::iter::once("tokenscope".to_owned()).chain(typed));
    match tried {
        Ok(_) => Ok(()),
        Err(error) => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
            let possible = text.lines().find_map(|line| line.trim().strip_prefix("[possible values: "));
            let possible = possible.map(|values| format!(": it may be {}", values.trim_end_matches(']')));
            Err(format!("{first}{}", possible.unwrap_or_default()))
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::super::arguments::Cli;
    use super::*;

    fn model(config: &str, arguments: &[&str]) -> String {
        let command = Cli::command();
        let config = Config::parse(config, &command).unwrap();
        let matches = config.applied(command).get_matches_from(arguments);
        matches.get_one::<String>("model").unwrap().clone()
    }

    #[test]
    fn the_command_line_wins_over_the_file() {
        assert_eq!(model("model = \"gpt2\"", &["tokenscope"]), "gpt2");
        assert_eq!(model("model = \"gpt2\"", &["tokenscope", "--model", "pocket"]), "pocket");
        assert_eq!(model("model = \"gpt2\"", &["tokenscope", "eval", "1"]), "gpt2");
        assert_eq!(model("", &["tokenscope"]), "pocket");
    }

    #[test]
    fn what_is_wrong_in_the_file_is_named() {
        let wrong = |text: &str| Config::parse(text, &Cli::command()).unwrap_err();
        let (reason, hint) = wrong("modle = \"gpt2\"");
        assert_eq!(
            (reason.as_str(), hint.as_deref()),
            ("unknown key `modle`", Some("did you mean `model`?"))
        );
        let (reason, _) = wrong("color = \"sometimes\"");
        assert!(reason.contains("'sometimes'") && reason.contains("always"), "{reason}");
        assert!(wrong("threads = 0").0.contains("'0'"));
        assert!(wrong("width = \n").0.starts_with("line 1: "));
    }

    #[test]
    fn the_table_says_who_set_what() {
        let command = Cli::command();
        let config = Config::parse("plots = \"none\"\nallow-read = [\"a\", \"b\"]", &command).unwrap();
        let command = config.applied(command);
        let matches = command.clone().get_matches_from(["tokenscope", "--threads", "2"]);
        let text = config.table(&command, &matches).text(&crate::render::TextStyle::plain(80));
        let row = |name: &str| {
            let line = text.lines().find(|line| line.contains(name)).unwrap();
            line.split('│')
                .map(|cell| cell.trim().to_owned())
                .filter(|cell| !cell.is_empty())
                .collect::<Vec<_>>()
        };
        assert_eq!(row("plots"), ["plots", "none", "config.toml"]);
        assert_eq!(row("allow_read"), ["allow_read", "a, b", "config.toml"]);
        assert_eq!(row("threads"), ["threads", "2", "command line"]);
        assert_eq!(row("color"), ["color", "auto", "default"]);
    }
}
