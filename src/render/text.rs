//! How does prose look in a terminal?

use termimad::crossterm::style::{Attribute, Color};
use termimad::minimad::{Composite, CompositeStyle, Compound, Line, Text, parse_text};
use termimad::{Alignment, FmtText, MadSkin};
use unicode_width::UnicodeWidthStr;

use super::prose::joined;

/// The place that text is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextStyle {
    /// In columns: a CJK character or an emoji takes two.
    pub width: usize,
    /// Whether escape sequences may be written at all.
    pub colour: bool,
}

impl TextStyle {
    /// Without a single escape sequence, for files, pipes and `NO_COLOR`.
    pub fn plain(width: usize) -> Self {
        TextStyle { width, colour: false }
    }

    /// For a terminal.
    pub fn coloured(width: usize) -> Self {
        TextStyle { width, colour: true }
    }

    /// For what is read elsewhere: nobody knows how wide, so no line is broken.
    pub fn unbroken(colour: bool) -> Self {
        TextStyle { width: usize::MAX, colour }
    }

    /// `text` between `code` and the end of all styles; as it is where there is no colour.
    pub(super) fn paint(&self, code: &str, text: &str) -> String {
        match self.colour && !text.is_empty() {
            true => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            false => text.to_owned(),
        }
    }
}

/// What [`TextStyle::paint`] writes: bold, dim, a bar's colour and a highlighted bar's, an orange that can be told from
/// black and from white, as a theme's own yellow cannot.
pub(super) const BOLD: &str = "1";
pub(super) const DIM: &str = "2";
pub(super) const BAR: &str = "34";
pub(super) const HIGHLIGHT: &str = "38;5;166";

/// Lines of prose longer than this are hard to read, however wide the terminal is.
const READABLE: usize = 88;

/// A lesson's Markdown for the terminal, wrapped to the width and at most 88 columns.
///
/// Without colour the marks that colour would replace stay: code in backticks, emphasis between
/// asterisks, headings underlined.
pub fn markdown(source: &str, style: &TextStyle) -> String {
    let source = joined(source);
    let width = style.width.clamp(20, READABLE);
    let lines = parse_text(&source, Default::default()).lines;
    let lines = lines.into_iter().flat_map(|line| laid_out(line, width, style.colour)).collect();
    let skin = if style.colour { coloured_skin() } else { plain_skin() };
    let written = FmtText::from_text(&skin, Text { lines }, Some(width)).to_string();
    written.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

/// A line in the lines that it takes. termimad would also break between a word and the comma
/// behind it where their styles differ.
fn laid_out(line: Line<'_>, width: usize, colour: bool) -> Vec<Line<'_>> {
    let composite = match line {
        Line::Normal(composite) if composite.style == CompositeStyle::Code => {
            return vec![Line::Normal(composite)];
        }
        Line::Normal(composite) => spelled_out(composite, colour),
        Line::TableRow(mut row) => {
            row.cells = row.cells.into_iter().map(|cell| spelled_out(cell, colour)).collect();
            return vec![Line::TableRow(row)];
        }
        line => return vec![line],
    };
    let rule = if colour { None } else { underline(&composite) };
    let mut lines = wrapped(composite, width);
    lines.extend(rule.map(Composite::raw_str));
    lines.into_iter().map(Line::Normal).collect()
}

/// The lines of a composite; those after the first are indented as far as its text is.
fn wrapped(composite: Composite<'_>, width: usize) -> Vec<Composite<'_>> {
    let style = composite.style;
    let (indent, next) = match style {
        CompositeStyle::ListItem(depth) => (usize::from(depth) + 2, CompositeStyle::Paragraph),
        CompositeStyle::OrderedListItem { level, index } => {
            (usize::from(level) + index.to_string().len() + 2, CompositeStyle::Paragraph)
        }
        CompositeStyle::Quote => (2, CompositeStyle::Quote),
        style => (0, style),
    };
    let room = width.saturating_sub(indent).max(1);
    let mut lines: Vec<Vec<Compound<'_>>> = vec![Vec::new()];
    let mut column = 0;
    for word in words(composite.compounds, room) {
        let blank = word.iter().all(|piece| piece.src.trim().is_empty());
        let columns: usize = word.iter().map(|piece| piece.src.width()).sum();
        if column + columns > room && column > 0 {
            lines.push(Vec::new());
            column = 0;
        }
        if !(blank && column == 0) {
            lines.last_mut().expect("there is a first line").extend(word);
            column += columns;
        }
    }
    let indentation = Compound::raw_str(&"                "[..indent.min(16)]);
    let line = |(number, mut compounds): (usize, Vec<_>)| match (number, next) {
        (0, _) => Composite { style, compounds },
        (_, CompositeStyle::Paragraph) if indent > 0 => {
            compounds.insert(0, indentation.clone());
            Composite { style: next, compounds }
        }
        _ => Composite { style: next, compounds },
    };
    lines.into_iter().enumerate().map(line).collect()
}

/// What a line must not be broken within: words with the marks and commas that cling to them,
/// code that fits on a line; and the blanks between.
fn words(compounds: Vec<Compound<'_>>, room: usize) -> Vec<Vec<Compound<'_>>> {
    let mut words: Vec<Vec<Compound<'_>>> = Vec::new();
    let mut clings = false;
    for compound in compounds {
        let whole = compound.code && compound.src.width() <= room;
        let pieces: Vec<&str> = match whole {
            true => vec![compound.src],
            false => compound.src.split_inclusive(' ').flat_map(apart).collect(),
        };
        for src in pieces {
            let blank = src == " " && !whole;
            let piece = Compound { src, ..compound.clone() };
            match words.last_mut() {
                Some(word) if clings && !blank => word.push(piece),
                _ => words.push(vec![piece]),
            }
            clings = !blank;
        }
    }
    words
}

/// A word and the blank behind it.
fn apart(word: &str) -> impl Iterator<Item = &str> {
    let (word, blank) = word.split_at(word.trim_end_matches(' ').len());
    [word, blank].into_iter().filter(|part| !part.is_empty())
}

fn underline(composite: &Composite<'_>) -> Option<&'static str> {
    const DOUBLE: &str =
        "════════════════════════════════════════════════════════════════════════════════════════";
    const SINGLE: &str =
        "────────────────────────────────────────────────────────────────────────────────────────";
    let rule = match composite.style {
        CompositeStyle::Header(1) => DOUBLE,
        CompositeStyle::Header(_) => SINGLE,
        _ => return None,
    };
    let columns: usize = composite.compounds.iter().map(|compound| compound.src.width()).sum();
    Some(&rule[..columns.min(READABLE) * '═'.len_utf8()])
}

/// The composite with the marks of its styles written out where there is no colour for them.
fn spelled_out(mut composite: Composite<'_>, colour: bool) -> Composite<'_> {
    if colour {
        return composite;
    }
    let mut compounds = Vec::new();
    for compound in composite.compounds {
        let mark = match (compound.code, compound.bold || compound.italic) {
            (true, _) => "`",
            (false, true) => "*",
            (false, false) => "",
        };
        let marked = [Compound::raw_str(mark), compound, Compound::raw_str(mark)];
        compounds.extend(marked.into_iter().filter(|compound| !compound.src.is_empty()));
    }
    composite.compounds = compounds;
    composite
}

fn plain_skin() -> MadSkin {
    let mut skin = MadSkin::no_style();
    skin.code_block.left_margin = 4;
    skin
}

fn coloured_skin() -> MadSkin {
    let mut skin = MadSkin::no_style();
    skin.bold.add_attr(Attribute::Bold);
    skin.italic.add_attr(Attribute::Italic);
    skin.strikeout.add_attr(Attribute::CrossedOut);
    skin.inline_code.set_fg(Color::DarkCyan);
    skin.code_block.set_fg(Color::DarkCyan);
    skin.code_block.left_margin = 4;
    for heading in &mut skin.headers {
        heading.add_attr(Attribute::Bold);
        heading.align = Alignment::Left;
    }
    skin.headers[0].add_attr(Attribute::Underlined);
    skin.bullet.set_fg(Color::DarkBlue);
    skin.quote_mark.set_fg(Color::DarkBlue);
    skin.table.add_attr(Attribute::Dim);
    skin.horizontal_rule.set_fg(Color::DarkGrey);
    skin
}

#[cfg(test)]
mod tests {
    use super::*;

    const LESSON: &str = "\
# Surprisal

How *surprised* was the model? Ask `surprisal(\"The cat sat\")`: it
answers in **bits**, one for each token, and one bit is the
surprise of a coin.

## Try it

* a likely word carries few bits
* an unlikely word carries many, and a word that nobody would expect after such a long line of \
other words carries even more

1. read
2. think

```
let table = surprisal(\"The cat sat\");
```
";

    #[test]
    fn prose_without_colour_has_no_escape_sequence_and_keeps_its_marks() {
        let text = markdown(LESSON, &TextStyle::plain(60));
        assert!(!text.contains('\u{1b}'));
        insta::assert_snapshot!(text, @r#"
        Surprisal
        ═════════

        How *surprised* was the model? Ask
        `surprisal("The cat sat")`: it answers in *bits*, one for
        each token, and one bit is the surprise of a coin.

        Try it
        ──────

        • a likely word carries few bits
        • an unlikely word carries many, and a word that nobody
          would expect after such a long line of other words carries
          even more

        1. read
        2. think

            let table = surprisal("The cat sat");
        "#);
    }

    #[test]
    fn prose_is_never_wider_than_asked_nor_than_is_readable() {
        for (width, bound) in [(30, 30), (60, 60), (200, READABLE)] {
            let prose = LESSON.split("```").next().unwrap();
            let text = markdown(prose, &TextStyle::plain(width));
            let widest = text.lines().map(UnicodeWidthStr::width).max().unwrap();
            assert!(widest <= bound, "{widest} > {bound}:\n{text}");
        }
    }

    #[test]
    fn prose_with_colour_replaces_marks_by_styles() {
        let text = markdown(LESSON, &TextStyle::coloured(60));
        assert!(text.contains("\u{1b}["));
        assert!(!text.contains('`') && !text.contains('*') && !text.contains('═'));
    }
}
