//! What does a web page need: escaped text, and prose as elements.

use termimad::minimad::{Composite, CompositeStyle, Compound, Line, parse_text};

use super::prose::joined;

/// Text that may stand in an element or in a quoted attribute.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// What kind of element is open while the lines go by.
#[derive(Clone, Copy, PartialEq)]
enum Block {
    None,
    Paragraph,
    Bullets,
    Numbers,
    Quote,
    Code,
    Table,
}

impl Block {
    fn tags(self) -> (&'static str, &'static str) {
        match self {
            Block::None => ("", ""),
            Block::Paragraph => ("<p>", "</p>\n"),
            Block::Bullets => ("<ul>\n", "</ul>\n"),
            Block::Numbers => ("<ol>\n", "</ol>\n"),
            Block::Quote => ("<blockquote>", "</blockquote>\n"),
            Block::Code => ("<pre><code>", "</code></pre>\n"),
            Block::Table => ("<table>\n", "</table>\n"),
        }
    }
}

/// A lesson's prose as HTML: headings, paragraphs, lists, quotes, code, tables, emphasis.
pub fn markdown(source: &str) -> String {
    let source = joined(source);
    let mut html = String::with_capacity(source.len() * 2);
    let mut open = Block::None;
    for line in parse_text(&source, Default::default()).lines {
        let (block, content) = element(&line);
        if block != open {
            html.push_str(open.tags().1);
            html.push_str(block.tags().0);
        }
        match block == Block::Table && open != Block::Table {
            true => html.push_str(&content.replace("<td>", "<th>").replace("</td>", "</th>")),
            false => html.push_str(&content),
        }
        open = block;
    }
    html.push_str(open.tags().1);
    html
}

/// The block that a line belongs to, and what it adds to it.
fn element(line: &Line<'_>) -> (Block, String) {
    match line {
        Line::Normal(composite) => {
            let content = inline(composite);
            match composite.style {
                CompositeStyle::Header(level) => (Block::None, format!("<h{level}>{content}</h{level}>\n")),
                CompositeStyle::ListItem(_) => (Block::Bullets, format!("<li>{content}</li>\n")),
                CompositeStyle::OrderedListItem { .. } => (Block::Numbers, format!("<li>{content}</li>\n")),
                CompositeStyle::Quote => (Block::Quote, format!("{content}\n")),
                CompositeStyle::Code => (Block::Code, format!("{content}\n")),
                CompositeStyle::Paragraph if content.is_empty() => (Block::None, String::new()),
                CompositeStyle::Paragraph => (Block::Paragraph, content),
            }
        }
        Line::TableRow(row) => {
            let cells: String = row.cells.iter().map(|cell| format!("<td>{}</td>", inline(cell))).collect();
            (Block::Table, format!("<tr>{cells}</tr>\n"))
        }
        Line::TableRule(_) => (Block::Table, String::new()),
        Line::HorizontalRule => (Block::None, "<hr>\n".into()),
        Line::CodeFence(_) => (Block::Code, String::new()),
    }
}

fn inline(composite: &Composite<'_>) -> String {
    let block_of_code = composite.style == CompositeStyle::Code;
    composite.compounds.iter().map(|compound| span(compound, block_of_code)).collect()
}

fn span(compound: &Compound<'_>, block_of_code: bool) -> String {
    let wrap =
        |content: String, tag, wanted| if wanted { format!("<{tag}>{content}</{tag}>") } else { content };
    let mut content = escape(compound.src);
    content = wrap(content, "code", compound.code && !block_of_code);
    content = wrap(content, "em", compound.italic);
    content = wrap(content, "strong", compound.bold);
    wrap(content, "s", compound.strikeout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_becomes_elements() {
        let source = "# Surprise\n\nThe *rarer* a token,\nthe **more** `bits` it <carries>.\n\n\
            * one\n* two\n\n1. first\n2. second\n\n```\nlet x = a < b;\n```\n> quoted\n\n| a | b |\n|---|---|\n| 1 | `2` |\n";
        insta::assert_snapshot!(markdown(source), @"
        <h1>Surprise</h1>
        <p>The <em>rarer</em> a token, the <strong>more</strong> <code>bits</code> it &lt;carries&gt;.</p>
        <ul>
        <li>one</li>
        <li>two</li>
        </ul>
        <ol>
        <li>first</li>
        <li>second</li>
        </ol>
        <pre><code>let x = a &lt; b;
        </code></pre>
        <blockquote>quoted
        </blockquote>
        <table>
        <tr><th>a</th><th>b</th></tr>
        <tr><td>1</td><td><code>2</code></td></tr>
        </table>
        ");
    }
}
