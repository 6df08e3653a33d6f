//! What was typed into notebooks and consoles, in earlier sessions too.
//!
//! A file of JSON lines, `[session, cell, source]`, which all kernels append to; a session takes the number after
//! the last one in it.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::PathBuf;

use serde_json::{Value, json};

use super::log;

/// Names the folder of the file, for instance in tests.
const VARIABLE: &str = "TOKENSCOPE_STATE";

/// Entries that are kept when the file is read.
const MOST: usize = 10_000;

pub struct History {
    entries: Vec<Entry>,
    session: u64,
    file: Option<File>,
}

#[derive(Clone, Debug, PartialEq)]
struct Entry {
    session: u64,
    cell: u64,
    source: String,
}

impl History {
    /// What earlier sessions left. Without a file that can be written it is kept for this session alone.
    pub fn open() -> History {
        let opened = path().map(|path| open(&path));
        match opened {
            Some(Ok(history)) => history,
            Some(Err(error)) => {
                log(&format!("no history of earlier sessions: {error}"));
                History { entries: Vec::new(), session: 1, file: None }
            }
            None => History { entries: Vec::new(), session: 1, file: None },
        }
    }

    /// Takes in a cell that runs.
    pub fn add(&mut self, cell: usize, source: &str) {
        let entry = Entry { session: self.session, cell: cell as u64, source: source.to_owned() };
        if let Some(file) = &mut self.file
            && let Err(error) = file.write_all(line(&entry).as_bytes())
        {
            log(&format!("the history is not kept: {error}"));
            self.file = None;
        }
        self.entries.push(entry);
    }

    /// The content of a `history_reply`.
    pub fn answer(&self, content: &Value) -> Value {
        let number = |name: &str| content[name].as_i64();
        let n = number("n").and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX);
        let found: Vec<&Entry> = match content["hist_access_type"].as_str() {
            Some("range") => self.range(number("session").unwrap_or(0), number("start"), number("stop")),
            Some("search") => {
                let pattern: Vec<char> = content["pattern"].as_str().unwrap_or("*").chars().collect();
                let mut found: Vec<&Entry> =
                    self.entries.iter().filter(|one| matches(&pattern, &one.source)).collect();
                if content["unique"].as_bool().unwrap_or(false) {
                    keep_latest(&mut found);
                }
                last(found, n)
            }
            _ => last(self.entries.iter().collect(), n),
        };
        let with_output = content["output"].as_bool().unwrap_or(false);
        let entry = |one: &&Entry| match with_output {
            // Results are not kept: their place stays empty.
            true => json!([one.session, one.cell, [one.source, null]]),
            false => json!([one.session, one.cell, one.source]),
        };
        json!({ "status": "ok", "history": found.iter().map(entry).collect::<Vec<_>>() })
    }

    /// Cells `start..stop` of a session: 0 is this one, -1 the one before it.
    fn range(&self, session: i64, start: Option<i64>, stop: Option<i64>) -> Vec<&Entry> {
        let session = if session > 0 { session } else { self.session as i64 + session };
        let is_inside =
            |cell: i64| start.is_none_or(|start| start <= cell) && stop.is_none_or(|stop| cell < stop);
        let all = self.entries.iter();
        all.filter(|one| one.session as i64 == session && is_inside(one.cell as i64)).collect()
    }
}

fn last(mut entries: Vec<&Entry>, n: usize) -> Vec<&Entry> {
    entries.split_off(entries.len().saturating_sub(n))
}

/// Of what was typed several times only the latest.
fn keep_latest(entries: &mut Vec<&Entry>) {
    let mut seen = std::collections::HashSet::new();
    entries.reverse();
    entries.retain(|one| seen.insert(&one.source));
    entries.reverse();
}

/// Whether a text is as a pattern says, in which `*` stands for any characters and `?` for one.
fn matches(pattern: &[char], text: &str) -> bool {
    // For each prefix of the pattern: does it match what of the text has been read?
    let mut reached = vec![false; pattern.len() + 1];
    reached[0] = true;
    let follow_stars = |reached: &mut Vec<bool>| {
        for (index, part) in pattern.iter().enumerate() {
            reached[index + 1] |= reached[index] && *part == '*';
        }
    };
    follow_stars(&mut reached);
    for c in text.chars() {
        let mut next = vec![false; pattern.len() + 1];
        for (index, part) in pattern.iter().enumerate().filter(|(index, _)| reached[*index]) {
            match part {
                '*' => next[index] = true,
                part => next[index + 1] = *part == '?' || *part == c,
            }
        }
        follow_stars(&mut next);
        reached = next;
    }
    reached[pattern.len()]
}

fn path() -> Option<PathBuf> {
    let folder = match std::env::var_os(VARIABLE) {
        Some(folder) => PathBuf::from(folder),
        None => dirs::state_dir().or_else(dirs::data_local_dir)?.join("tokenscope"),
    };
    Some(folder.join("kernel-history.jsonl"))
}

fn open(path: &PathBuf) -> std::io::Result<History> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    // Two kernels that start together must not take the same number.
    file.lock()?;
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    let mut entries: Vec<Entry> = text.lines().filter_map(parse).collect();
    let session = entries.iter().map(|one| one.session).max().unwrap_or(0) + 1;
    // A cell 0 claims the number before anything is typed.
    file.write_all(line(&Entry { session, cell: 0, source: String::new() }).as_bytes())?;
    file.unlock()?;
    entries.retain(|one| one.cell > 0);
    entries.drain(..entries.len().saturating_sub(MOST));
    Ok(History { entries, session, file: Some(file) })
}

fn line(entry: &Entry) -> String {
    json!([entry.session, entry.cell, entry.source]).to_string() + "\n"
}

/// A line of the file; one that is cut or strange is as if it were not there.
fn parse(line: &str) -> Option<Entry> {
    let (session, cell, source) = serde_json::from_str(line).ok()?;
    Some(Entry { session, cell, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(answer: &Value) -> Vec<&str> {
        answer["history"].as_array().unwrap().iter().map(|one| one[2].as_str().unwrap()).collect()
    }

    #[test]
    fn sessions_follow_one_another_in_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/history.jsonl");
        let mut first = open(&path).unwrap();
        first.add(1, "let x = 1;");
        first.add(2, "x + 1");
        let mut second = open(&path).unwrap();
        second.add(1, "let y = `\n`;");
        assert_eq!((first.session, second.session), (1, 2));

        let third = open(&path).unwrap();
        assert_eq!(
            sources(&third.answer(&json!({ "hist_access_type": "tail", "n": 2 }))),
            ["x + 1", "let y = `\n`;"]
        );
        let range = json!({ "hist_access_type": "range", "session": -2, "start": 1, "stop": 2 });
        assert_eq!(sources(&third.answer(&range)), ["let x = 1;"]);
        let search = json!({ "hist_access_type": "search", "pattern": "let*" });
        assert_eq!(third.answer(&search)["history"][1], json!([2, 1, "let y = `\n`;"]));
    }

    #[test]
    fn patterns_have_stars_and_question_marks() {
        let fits = |pattern: &str, text| matches(&pattern.chars().collect::<Vec<_>>(), text);
        assert!(fits("*", "") && fits("l?t *", "let x") && fits("*a*b*", "xaxbx") && fits("a**", "a"));
        assert!(!fits("let", "let x") && !fits("", "a") && !fits("?", "") && !fits("*a*b", "ba"));
    }

    #[test]
    fn of_equal_entries_the_latest_is_kept_if_asked() {
        let mut history = History { entries: Vec::new(), session: 1, file: None };
        ["a", "b", "a"].iter().enumerate().for_each(|(index, source)| history.add(index + 1, source));
        let asked = json!({ "hist_access_type": "search", "pattern": "*", "unique": true });
        assert_eq!(sources(&history.answer(&asked)), ["b", "a"]);
    }
}
