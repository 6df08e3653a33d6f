//! A script ↔ its cells, in jupytext's percent format: `// %%` begins a cell of code, `// %% [markdown]` a cell of
//! prose whose lines are comments, `// %% [raw]` one that is neither. A file without marks is one cell.
//!
//! A mark may carry a title and metadata: `// %% A title [markdown] tags=["slide"]`.

use serde_json::{Map, Value};

/// A part of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    pub kind: Kind,
    /// The code, or the prose without its comment marks.
    pub source: String,
    /// The line of the script, from 1, on which `source` begins.
    pub line: usize,
    /// What its mark says of it, a title as `title`: what a notebook keeps as the cell's metadata.
    pub metadata: Map<String, Value>,
    /// How the script writes it, where that is not how [`write`] would: other blank lines, a mark in another form.
    pub written: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Code,
    Markdown,
    /// For other programs: neither run nor shown.
    Raw,
}

impl Cell {
    /// A cell that no script has written yet.
    pub fn new(kind: Kind, source: String, metadata: Map<String, Value>) -> Cell {
        Cell { kind, source, line: 1, metadata, written: None }
    }

    pub fn is_blank(&self) -> bool {
        self.source.trim().is_empty()
    }

    pub fn has_tag(&self, tag: &str) -> bool {
        self.metadata.get("tags").and_then(Value::as_array).is_some_and(|tags| tags.iter().any(|t| t == tag))
    }

    fn says_the_same(&self, other: &Cell) -> bool {
        (self.kind, &self.source, &self.metadata) == (other.kind, &other.source, &other.metadata)
    }
}

/// The cells of a script that say something.
pub fn parse(script: &str) -> Vec<Cell> {
    all(script).into_iter().filter(|cell| !cell.is_blank()).collect()
}

/// All cells of a script, also those with nothing in them.
pub fn all(script: &str) -> Vec<Cell> {
    let mut chunks = chunks(script);
    // A line for the shell, or blank lines, before the first mark are no cell of their own.
    let is_unmarked = |chunk: &str| chunk.lines().next().is_some_and(|line| mark(line).is_none());
    if chunks.len() > 1 && is_unmarked(&chunks[0]) && cell(&chunks[0], 1).is_blank() {
        let header = chunks.remove(0);
        chunks[0].insert_str(0, &header);
    }
    chunks.retain(|chunk| !chunk.trim().is_empty());
    let (mut line, last) = (1, chunks.len().saturating_sub(1));
    let read = |(index, chunk): (usize, String)| {
        let mut cell = cell(&chunk, line);
        line += chunk.matches('\n').count();
        cell.written = (canonical(&cell, index == last) != chunk).then_some(chunk);
        cell
    };
    chunks.into_iter().enumerate().map(read).collect()
}

/// Cells as a script, from which [`all`] reads the same cells.
pub fn write(cells: &[Cell]) -> String {
    let mut script = String::new();
    for (index, cell) in cells.iter().enumerate() {
        let is_last = index + 1 == cells.len();
        let as_it_was = cell.written.as_ref().filter(|text| {
            let begins_a_cell = index == 0 || text.lines().next().is_some_and(|line| mark(line).is_some());
            begins_a_cell && matches!(all(text).as_slice(), [one] if one.says_the_same(cell))
        });
        script.push_str(&as_it_was.cloned().unwrap_or_else(|| canonical(cell, is_last)));
        if !is_last && !script.ends_with('\n') {
            script.push('\n');
        }
    }
    script
}

/// The text between one mark and the next; the first piece may lack a mark.
fn chunks(script: &str) -> Vec<String> {
    let mut chunks = vec![String::new()];
    for line in script.split_inclusive('\n') {
        if mark(line).is_some() {
            chunks.push(String::new());
        }
        chunks.last_mut().expect("there is always a first piece").push_str(line);
    }
    if chunks[0].is_empty() {
        chunks.remove(0);
    }
    chunks
}

/// The cell that a piece of a script is; the piece begins on `line`.
fn cell(chunk: &str, line: usize) -> Cell {
    let mut lines: Vec<&str> = chunk.lines().collect();
    let at = lines.iter().position(|line| mark(line).is_some());
    let Mark { kind, metadata } = at.and_then(|at| mark(lines[at])).unwrap_or_default();
    // A line for the shell says nothing to the engine, but keeps its place.
    if line == 1 && lines.first().is_some_and(|line| line.starts_with("#!")) {
        lines[0] = "";
    }
    let start = at.map_or(0, |at| at + 1);
    let says_something = |line: &&str| !line.trim().is_empty();
    let first = start + lines[start..].iter().position(says_something).unwrap_or(0);
    let end = lines[start..].iter().rposition(says_something).map_or(first, |last| start + last + 1);
    let body = &lines[first..end];
    let source = match kind {
        Kind::Code => body.join("\n"),
        Kind::Markdown | Kind::Raw => {
            body.iter().map(|line| uncommented(line)).collect::<Vec<_>>().join("\n")
        }
    };
    Cell { kind, source, line: line + first, metadata, written: None }
}

/// A cell as a script writes it if nothing speaks against it: one blank line before the next.
fn canonical(cell: &Cell, is_last: bool) -> String {
    let commented = |line: &str| if line.is_empty() { "//\n".to_owned() } else { format!("// {line}\n") };
    let body: String = match cell.kind {
        Kind::Code => cell.source.lines().map(|line| format!("{line}\n")).collect(),
        Kind::Markdown | Kind::Raw => cell.source.lines().map(commented).collect(),
    };
    format!("{}\n{body}{}", written_mark(cell), if is_last { "" } else { "\n" })
}

/// A line of prose without `// `; one that lacks it is taken as it is.
fn uncommented(line: &str) -> &str {
    let Some(text) = line.trim_start().strip_prefix("//") else { return line };
    text.strip_prefix(' ').unwrap_or(text)
}

/// What a line says that begins a cell.
#[derive(Debug, PartialEq, Eq)]
struct Mark {
    kind: Kind,
    metadata: Map<String, Value>,
}

impl Default for Mark {
    /// A file without marks is code.
    fn default() -> Mark {
        Mark { kind: Kind::Code, metadata: Map::new() }
    }
}

/// What stands in a mark for each kind, the usual word first.
const KINDS: [(&str, Kind); 4] =
    [("[markdown]", Kind::Markdown), ("[md]", Kind::Markdown), ("[raw]", Kind::Raw), ("[code]", Kind::Code)];

fn mark(line: &str) -> Option<Mark> {
    let text = line.strip_prefix("//")?.trim_start().strip_prefix("%%")?;
    if !text.is_empty() && !text.starts_with(char::is_whitespace) {
        return None;
    }
    let (title, mut metadata) = split_metadata(text);
    let tag = KINDS.iter().find_map(|(tag, kind)| Some((title.find(tag)?, *tag, *kind)));
    let (title, kind) = match tag {
        Some((at, tag, kind)) => (format!("{} {}", &title[..at], &title[at + tag.len()..]), kind),
        None => (title.to_owned(), Kind::Code),
    };
    if !title.trim().is_empty() {
        metadata.insert("title".to_owned(), title.trim().into());
    }
    Some(Mark { kind, metadata })
}

/// A mark's text up to where it reads `key=value` to its end, each value JSON; and those.
fn split_metadata(text: &str) -> (&str, Map<String, Value>) {
    let starts = text.char_indices().filter(|(at, c)| !c.is_whitespace() && text[..*at].ends_with(' '));
    let found = starts.map(|(at, _)| at).find_map(|at| Some((at, pairs(&text[at..])?)));
    found.map_or((text, Map::new()), |(at, metadata)| (&text[..at], metadata))
}

fn pairs(text: &str) -> Option<Map<String, Value>> {
    let mut metadata = Map::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (key, value) = rest.split_once('=')?;
        if key.is_empty() || !key.chars().all(|c| c.is_alphanumeric() || "_-.:".contains(c)) {
            return None;
        }
        let mut values = serde_json::Deserializer::from_str(value).into_iter::<Value>();
        metadata.insert(key.to_owned(), values.next()?.ok()?);
        rest = value[values.byte_offset()..].trim_start();
    }
    Some(metadata)
}

/// The line that begins this cell. A title that would be read as something else stands among the metadata.
fn written_mark(cell: &Cell) -> String {
    let tag = KINDS.iter().find(|(_, kind)| *kind == cell.kind && *kind != Kind::Code);
    let compose = |title: Option<&str>| {
        let mut line = "// %%".to_owned();
        let words = title.into_iter().chain(tag.map(|(tag, _)| *tag));
        words.for_each(|word| line.extend([" ", word]));
        let others = cell.metadata.iter().filter(|(key, _)| title.is_none() || *key != "title");
        others.for_each(|(key, value)| line.push_str(&format!(" {key}={value}")));
        line
    };
    let title = cell.metadata.get("title").and_then(Value::as_str);
    let line = compose(title);
    let is_read_back =
        mark(&line).is_some_and(|mark| mark.kind == cell.kind && mark.metadata == cell.metadata);
    if is_read_back && !line.contains('\n') { line } else { compose(None) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_lesson_falls_into_prose_and_code() {
        let cells =
            parse("// %% [markdown]\n// # Title\n//\n// Prose.\n\n// %%\nlet x = 1;\n// a comment\nx\n");
        let seen: Vec<_> = cells.iter().map(|cell| (cell.kind, cell.source.as_str(), cell.line)).collect();
        let expected =
            [(Kind::Markdown, "# Title\n\nProse.", 2), (Kind::Code, "let x = 1;\n// a comment\nx", 7)];
        assert_eq!(seen, expected);
        assert!(cells.iter().all(|cell| cell.metadata.is_empty() && cell.written.is_none()));
    }

    #[test]
    fn a_file_without_marks_is_one_cell() {
        let cells = parse("#!/usr/bin/env tokenscope\n\nprint(1);\n");
        assert_eq!(cells.len(), 1);
        assert_eq!((cells[0].source.as_str(), cells[0].line), ("print(1);", 3));
        assert!(parse("\n  \n").is_empty());
        assert!(parse("").is_empty());
    }

    #[test]
    fn percent_signs_in_a_comment_begin_nothing() {
        assert_eq!(parse("// %%%% not a mark\n1").len(), 1);
        assert_eq!(parse("//%% tight\n1\n// %% titled\n2").len(), 2);
    }

    #[test]
    fn a_mark_has_a_title_a_kind_and_metadata() {
        let read = |line: &str| mark(line).map(|mark| (mark.kind, Value::from(mark.metadata)));
        assert_eq!(read("// %%"), Some((Kind::Code, json!({}))));
        assert_eq!(
            read("// %% Über x = 1 [markdown] tags=[\"a\", \"b=c\"] n=2"),
            Some((Kind::Markdown, json!({ "title": "Über x = 1", "tags": ["a", "b=c"], "n": 2 })))
        );
        assert_eq!(read("// %% [md] After"), Some((Kind::Markdown, json!({ "title": "After" }))));
        // What is no JSON is part of the title.
        assert_eq!(read("// %% tags=[a]"), Some((Kind::Code, json!({ "title": "tags=[a]" }))));
        assert_eq!(read("// %%x"), None);
    }

    #[test]
    fn marks_are_written_so_that_they_are_read_back() {
        for title in ["A title", "[markdown]", "a=1", "two\nlines", " spaces ", ""] {
            for kind in [Kind::Code, Kind::Markdown, Kind::Raw] {
                let metadata = json!({ "title": title, "tags": ["x"], "deep": { "a b": [1, "\n"] } });
                let cell = Cell::new(kind, "1".to_owned(), metadata.as_object().unwrap().clone());
                let read = all(&write(std::slice::from_ref(&cell)));
                assert!(matches!(read.as_slice(), [one] if one.says_the_same(&cell)), "{read:?}");
            }
        }
    }

    #[test]
    fn a_script_is_written_as_it_was_read() {
        for script in [
            "",
            "1",
            "#!/usr/bin/env tokenscope\n// %%\n1\n",
            "\n\n// %%\n1\n\n\n\n// %%\n\n2\n\n",
            "1\n// %% [md]\n//tight\nbare\n\n// %%\n// %%\n// %% the last is empty",
            "// %%\r\nlet a = 1;\r\n\r\n// %% [markdown]\r\n// text\r\n",
            "// %% A title   tags=[\"x\" ]\n1\n\n// %% [raw] format=\"text/html\"\n// <b>\n",
            "   // %%\n 1 \n",
        ] {
            assert_eq!(write(&all(script)), script, "{script:?}");
        }
    }

    #[test]
    fn what_was_changed_is_not_written_as_it_was() {
        let mut cells = all("//%% [md]\n// old\n\n\n// %%\n1");
        cells[0].source = "new".to_owned();
        cells.reverse();
        assert_eq!(write(&cells), "// %%\n1\n// %% [markdown]\n// new\n");
    }
}
