//! What was typed, in earlier runs too: a file of whole entries, each line of it one, appended to as they come.
//!
//! Two REPLs may share the file: each only appends, a line in one write. When it is read, an entry that was typed
//! again counts once, where it stood last.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustyline::history::{History as Interface, SearchDirection, SearchResult};

use super::editor::{with_gutters, without_gutters};

/// How many entries are kept.
const LIMIT: usize = 10_000;

/// Names another file, for instance in tests.
const VARIABLE: &str = "TOKENSCOPE_HISTORY";

/// Entries, oldest first.
#[derive(Default)]
pub struct History {
    entries: Vec<String>,
    file: Option<PathBuf>,
    /// The entry that was last fetched whole, as the line shows it.
    pub recalled: Arc<Mutex<String>>,
}

impl History {
    /// What earlier runs left; with a warning if that cannot be read.
    pub fn open() -> (History, Option<String>) {
        let Some(path) = path() else { return (History::default(), None) };
        let mut history = History { file: Some(path.clone()), ..History::default() };
        let warning = match read(&path) {
            Ok(lines) => {
                history.entries = latest(&lines);
                // Rewriting now and then keeps the file from growing for ever; if that fails it is as it was.
                if lines.len() > 2 * LIMIT {
                    let _ = rewrite(&path, &history.entries);
                }
                None
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                history.file = None;
                Some(format!("cannot read the history `{}`: {error}", path.display()))
            }
        };
        (history, warning)
    }

    /// Adds an entry here and in the file. After a failure it no longer tries to write.
    pub fn remember(&mut self, entry: &str) -> io::Result<()> {
        let entry = entry.trim_end();
        self.insert(entry.to_owned());
        let Some(path) = &self.file else { return Ok(()) };
        let appended = append(path, entry);
        if appended.is_err() {
            self.file = None;
        }
        appended
    }

    fn insert(&mut self, entry: String) {
        self.entries.retain(|known| *known != entry);
        self.entries.push(entry);
        let surplus = self.entries.len().saturating_sub(LIMIT);
        self.entries.drain(..surplus);
    }

    /// The nearest entry from `start` on that has a match, with where it is.
    fn nearest(
        &self,
        start: usize,
        direction: SearchDirection,
        find: impl Fn(&str) -> Option<usize>,
    ) -> Option<SearchResult<'_>> {
        let entry = |index: usize| {
            let entry = with_gutters(self.entries.get(index)?);
            find(&entry).map(|pos| SearchResult { entry: Cow::Owned(entry), idx: index, pos })
        };
        match direction {
            SearchDirection::Reverse => (0..=start.min(self.entries.len())).rev().find_map(entry),
            SearchDirection::Forward => (start..self.entries.len()).find_map(entry),
        }
    }
}

/// Where the history is kept.
fn path() -> Option<PathBuf> {
    match std::env::var_os(VARIABLE) {
        Some(path) if path.is_empty() => None,
        Some(path) => Some(path.into()),
        None => dirs::data_dir().map(|folder| folder.join("tokenscope").join("history")),
    }
}

/// The lines of the file, oldest first.
fn read(path: &Path) -> io::Result<Vec<String>> {
    let bytes = fs::read(path)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.lines().filter(|line| !line.is_empty()).map(unescape).collect())
}

/// Each entry once, where it stood last, and of those the latest.
fn latest(lines: &[String]) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut entries: Vec<String> =
        lines.iter().rev().filter(|line| seen.insert(line.as_str())).take(LIMIT).cloned().collect();
    entries.reverse();
    entries
}

fn append(path: &Path, entry: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file: File = options.open(path)?;
    file.write_all(format!("{}\n", escape(entry)).as_bytes())
}

fn rewrite(path: &Path, entries: &[String]) -> crate::error::Result<()> {
    let text: String = entries.iter().map(|entry| escape(entry) + "\n").collect();
    crate::render::write(path, text.as_bytes())
}

fn escape(entry: &str) -> String {
    entry.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r")
}

fn unescape(line: &str) -> String {
    let mut entry = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('n')) => entry.push('\n'),
            ('\\', Some('r')) => entry.push('\r'),
            ('\\', Some(other)) => entry.push(other),
            (c, _) => entry.push(c),
        }
    }
    entry
}

/// What the line editor asks; the file is looked after by [`History::remember`].
impl Interface for History {
    fn get(&self, index: usize, _: SearchDirection) -> rustyline::Result<Option<SearchResult<'_>>> {
        let Some(entry) = self.entries.get(index) else { return Ok(None) };
        let entry = with_gutters(entry);
        if let Ok(mut recalled) = self.recalled.lock() {
            recalled.clone_from(&entry);
        }
        Ok(Some(SearchResult { entry: Cow::Owned(entry), idx: index, pos: 0 }))
    }

    fn search(
        &self,
        term: &str,
        start: usize,
        direction: SearchDirection,
    ) -> rustyline::Result<Option<SearchResult<'_>>> {
        Ok(self.nearest(start, direction, |entry| entry.find(term).filter(|_| !term.is_empty())))
    }

    fn starts_with(
        &self,
        term: &str,
        start: usize,
        direction: SearchDirection,
    ) -> rustyline::Result<Option<SearchResult<'_>>> {
        Ok(self.nearest(start, direction, |entry| entry.starts_with(term).then_some(term.len())))
    }

    fn add(&mut self, line: &str) -> rustyline::Result<bool> {
        self.insert(without_gutters(line));
        Ok(true)
    }

    fn add_owned(&mut self, line: String) -> rustyline::Result<bool> {
        self.add(&line)
    }

    fn len(&self) -> usize {
        self.entries.len()
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn set_max_len(&mut self, _: usize) -> rustyline::Result<()> {
        Ok(())
    }

    fn ignore_dups(&mut self, _: bool) -> rustyline::Result<()> {
        Ok(())
    }

    fn ignore_space(&mut self, _: bool) {}

    fn save(&mut self, _: &Path) -> rustyline::Result<()> {
        Ok(())
    }

    fn append(&mut self, _: &Path) -> rustyline::Result<()> {
        Ok(())
    }

    fn load(&mut self, _: &Path) -> rustyline::Result<()> {
        Ok(())
    }

    fn clear(&mut self) -> rustyline::Result<()> {
        self.entries.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_one_line_of_the_file_and_comes_back_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep").join("history");
        let block = "fn f() {\n    \"a\\nb\"\n}";
        let mut history = History { file: Some(path.clone()), ..History::default() };
        for entry in ["1", block, "1"] {
            history.remember(entry).unwrap();
        }
        assert_eq!(history.entries, [block, "1"]);
        let lines = read(&path).unwrap();
        assert_eq!(lines, ["1", block, "1"]);
        assert_eq!(latest(&lines), [block, "1"]);
    }

    #[test]
    fn a_prefix_finds_the_entries_that_begin_so() {
        let mut history = History::default();
        for entry in ["let a = 1", "print(a)", "let b = 2"] {
            history.remember(entry).unwrap();
        }
        let found = history.starts_with("let", 1, SearchDirection::Reverse).unwrap().unwrap();
        assert_eq!((found.entry.as_ref(), found.idx, found.pos), ("let a = 1", 0, 3));
        assert!(history.starts_with("for", 2, SearchDirection::Reverse).unwrap().is_none());
    }
}
