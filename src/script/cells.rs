//! A script ↔ its cells, in jupytext's percent format: `// %%` begins a cell of code, `// %% [markdown]` a cell of
//! prose whose lines are comments. A file without marks is one cell.

/// A part of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    pub kind: Kind,
    /// The code, or the prose without its comment marks.
    pub source: String,
    /// The line of the script, from 1, on which `source` begins.
    pub line: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Code,
    Markdown,
}

/// Cuts a script into cells; those with nothing in them are left out.
pub fn parse(script: &str) -> Vec<Cell> {
    let mut cells = vec![(Kind::Code, 1, Vec::new())];
    for (number, line) in script.lines().enumerate() {
        match mark(line) {
            Some(kind) => cells.push((kind, number + 2, Vec::new())),
            // A line for the shell says nothing to the engine, but keeps its place.
            None if number == 0 && line.starts_with("#!") => cells[0].2.push(""),
            None => cells.last_mut().expect("there is always a first cell").2.push(line),
        }
    }
    cells.into_iter().filter_map(|(kind, line, lines)| cell(kind, line, &lines)).collect()
}

/// The kind of the cell that this line begins, if it begins one.
fn mark(line: &str) -> Option<Kind> {
    let title = line.strip_prefix("//")?.trim_start().strip_prefix("%%")?;
    let is_mark = title.is_empty() || title.starts_with(char::is_whitespace);
    let is_prose = ["[markdown]", "[md]"].iter().any(|tag| title.contains(tag));
    is_mark.then_some(if is_prose { Kind::Markdown } else { Kind::Code })
}

fn cell(kind: Kind, line: usize, lines: &[&str]) -> Option<Cell> {
    let first = lines.iter().position(|line| !line.trim().is_empty())?;
    let last = lines.iter().rposition(|line| !line.trim().is_empty())?;
    let lines: Vec<&str> = match kind {
        Kind::Code => lines[first..=last].to_vec(),
        Kind::Markdown => lines[first..=last].iter().map(|line| uncommented(line)).collect(),
    };
    Some(Cell { kind, source: lines.join("\n"), line: line + first })
}

/// A line of prose without `// `; one that lacks it is taken as it is.
fn uncommented(line: &str) -> &str {
    let Some(text) = line.trim_start().strip_prefix("//") else { return line };
    text.strip_prefix(' ').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lesson_falls_into_prose_and_code() {
        let cells =
            parse("// %% [markdown]\n// # Title\n//\n// Prose.\n\n// %%\nlet x = 1;\n// a comment\nx\n");
        let expected = [
            Cell { kind: Kind::Markdown, source: "# Title\n\nProse.".to_owned(), line: 2 },
            Cell { kind: Kind::Code, source: "let x = 1;\n// a comment\nx".to_owned(), line: 7 },
        ];
        assert_eq!(cells, expected);
    }

    #[test]
    fn a_file_without_marks_is_one_cell() {
        let cells = parse("#!/usr/bin/env tokenscope\n\nprint(1);\n");
        assert_eq!(cells, [Cell { kind: Kind::Code, source: "print(1);".to_owned(), line: 3 }]);
        assert!(parse("\n  \n").is_empty());
    }

    #[test]
    fn percent_signs_in_a_comment_begin_nothing() {
        assert_eq!(parse("// %%%% not a mark\n1").len(), 1);
        assert_eq!(parse("//%% tight\n1\n// %% titled\n2").len(), 2);
    }
}
