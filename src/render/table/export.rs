//! A table for other programs and pages: Markdown, HTML, CSV and JSON.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::terminal::column_writer;
use super::{Align, Cell, Table};
use crate::render::html::escape;
use crate::render::label::one_line;
use crate::render::number::percent;

/// How many blocks a whole bar has in Markdown.
const MARKDOWN_BAR: usize = 20;

impl Table {
    /// A pipe table, with the title in bold above it and the note below.
    pub fn markdown(&self) -> String {
        self.markdown_parts().collect()
    }

    /// The same line by line, each made when it is asked for.
    pub fn markdown_parts(&self) -> impl Iterator<Item = String> {
        let line = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
        let title = self.title.as_ref().map(|title| format!("**{}**\n\n", markdown_escape(title)));
        let names = line(self.columns.iter().map(|column| markdown_escape(&column.name)).collect());
        let rules = line(self.columns.iter().map(|column| rule(column.align).into()).collect());
        let mut writers = self.writers();
        let row = move |cells: &Vec<Cell>| {
            let words = cells.iter().zip(&mut writers).map(|(cell, write)| markdown_escape(&write(cell)));
            format!("\n{}", line(words.collect()))
        };
        let note = self.note.as_ref().map(|note| format!("\n\n{}", markdown_escape(note)));
        title.into_iter().chain([names, format!("\n{rules}")]).chain(self.rows.iter().map(row)).chain(note)
    }

    /// A `<table>` that carries its few styles itself.
    pub fn html(&self) -> String {
        let mut writers = self.writers();
        let mut html = String::from("<table class=\"tokenscope\">\n");
        if let Some(title) = &self.title {
            let _ = writeln!(
                html,
                "<caption style=\"text-align:left;font-weight:bold\">{}</caption>",
                escape(title)
            );
        }
        html += "<thead><tr>";
        for column in &self.columns {
            let _ = write!(
                html,
                "<th scope=\"col\" style=\"{}\">{}</th>",
                align(column.align),
                escape(&column.name)
            );
        }
        html += "</tr></thead>\n<tbody>\n";
        for row in &self.rows {
            html += "<tr>";
            for ((cell, write), column) in row.iter().zip(&mut writers).zip(&self.columns) {
                html += &html_cell(cell, &write(cell), column.align);
            }
            html += "</tr>\n";
        }
        html += "</tbody>\n";
        if let Some(note) = &self.note {
            let span = self.columns.len();
            let _ = writeln!(
                html,
                "<tfoot><tr><td colspan=\"{span}\" style=\"text-align:left\">{}</td></tr></tfoot>",
                escape(note)
            );
        }
        html + "</table>"
    }

    /// As RFC 4180 has it: commas, lines that end in CR LF, quotes only where they are needed;
    /// numbers in full precision.
    pub fn csv(&self) -> String {
        self.csv_parts().collect()
    }

    /// The same line by line, each made when it is asked for.
    pub fn csv_parts(&self) -> impl Iterator<Item = String> {
        let named = self.named_columns();
        let line = |cells: Vec<String>| cells.join(",") + "\r\n";
        let names = line(named.iter().map(|&index| csv_field(&self.columns[index].name)).collect());
        let row = move |row: &Vec<Cell>| line(named.iter().map(|&index| csv_cell(&row[index])).collect());
        std::iter::once(names).chain(self.rows.iter().map(row))
    }

    /// An array with one object for each row; numbers in full precision, `null` for an empty
    /// cell and for what JSON has no number for.
    pub fn json(&self) -> Value {
        let named = self.named_columns();
        let object = |row: &Vec<Cell>| {
            let entries =
                named.iter().map(|&index| (self.columns[index].name.clone(), json_cell(&row[index])));
            Value::Object(entries.collect::<Map<_, _>>())
        };
        self.rows.iter().map(object).collect()
    }

    /// How the cells of each column are written, without the blanks that align them in a terminal.
    fn writers(&self) -> Vec<impl FnMut(&Cell) -> String> {
        let writer = |index| {
            let mut write = column_writer(self, index, MARKDOWN_BAR);
            move |cell: &Cell| match cell {
                Cell::Probability(probability) => percent(*probability),
                cell => write(cell).trim().to_owned(),
            }
        };
        (0..self.columns.len()).map(writer).collect()
    }

    fn named_columns(&self) -> Vec<usize> {
        (0..self.columns.len()).filter(|&index| !self.columns[index].name.is_empty()).collect()
    }
}

fn rule(align: Align) -> &'static str {
    match align {
        Align::Left => ":---",
        Align::Right => "---:",
    }
}

fn align(align: Align) -> &'static str {
    match align {
        Align::Left => "text-align:left",
        Align::Right => "text-align:right;font-variant-numeric:tabular-nums",
    }
}

/// Text in which no character opens a span, a cell or an element.
fn markdown_escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | '`' | '*' | '_' | '|' | '[' | ']' | '<' | '>' | '~' | '#' | '$' | '&' => {
                escaped.push('\\');
                escaped.push(character);
            }
            '\n' | '\r' => escaped.push(' '),
            _ => escaped.push(character),
        }
    }
    escaped
}

fn html_cell(cell: &Cell, words: &str, column: Align) -> String {
    let style = align(column);
    match cell {
        Cell::Bar(share) => {
            let width = share.clamp(0.0, 1.0) * 100.0;
            format!(
                "<td style=\"{style};min-width:10em\"><span class=\"bar\" style=\"display:inline-block;\
                 height:0.8em;width:{width:.2}%;background:#4c78a8\"></span></td>"
            )
        }
        Cell::Text(text) => {
            format!("<td style=\"{style};white-space:pre-wrap\">{}</td>", indented(&one_line(text)))
        }
        _ => format!("<td style=\"{style}\">{}</td>", escape(words)),
    }
}

/// Escaped text whose first blanks stay also where a notebook takes the style away.
fn indented(text: &str) -> String {
    let words = text.trim_start_matches(' ');
    format!("{}{}", "&nbsp;".repeat(text.len() - words.len()), escape(words.trim_end()))
}

fn csv_cell(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => csv_field(text),
        Cell::Integer(integer) => integer.to_string(),
        Cell::Number(number) | Cell::Probability(number) | Cell::Bar(number) => number.to_string(),
        Cell::Empty => String::new(),
    }
}

fn csv_field(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

fn json_cell(cell: &Cell) -> Value {
    match cell {
        Cell::Text(text) => text.as_str().into(),
        Cell::Integer(integer) => (*integer).into(),
        Cell::Number(number) | Cell::Probability(number) | Cell::Bar(number) => (*number).into(),
        Cell::Empty => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Column;

    #[test]
    fn blanks_at_the_front_of_a_cell_stay_in_html() {
        let table = Table::new([Column::left("token")]).row(["  a < b"]).row(["c"]);
        assert!(table.html().contains(">&nbsp;&nbsp;a &lt; b</td>"), "{}", table.html());
        assert!(table.markdown().contains("| a \\< b |"), "{}", table.markdown());
    }

    fn tokens() -> Table {
        Table::new([
            Column::left("token"),
            Column::right("probability"),
            Column::right("bits"),
            Column::left(""),
        ])
        .title("After <p> & co.")
        .row(["a|b<i>".into(), Cell::Probability(1.0 / 3.0), 1.585.into(), Cell::Bar(1.0)])
        .row(["say \"hi\", you".into(), Cell::Probability(0.000_012), Cell::Number(f64::NAN), Cell::Bar(0.5)])
        .note("2 of 50257")
    }

    #[test]
    fn markdown_escapes_what_would_break_the_table() {
        insta::assert_snapshot!(tokens().markdown(), @r#"
        **After \<p\> \& co.**

        | token | probability | bits |  |
        | :--- | ---: | ---: | :--- |
        | a\|b\<i\> | 33.33 % | 1.585 | ████████████████████ |
        | say "hi", you | 0.0012 % | nan | ██████████ |

        2 of 50257
        "#);
    }

    #[test]
    fn html_is_escaped_and_draws_its_bars() {
        insta::assert_snapshot!(tokens().html(), @r#"
        <table class="tokenscope">
        <caption style="text-align:left;font-weight:bold">After &lt;p&gt; &amp; co.</caption>
        <thead><tr><th scope="col" style="text-align:left">token</th><th scope="col" style="text-align:right;font-variant-numeric:tabular-nums">probability</th><th scope="col" style="text-align:right;font-variant-numeric:tabular-nums">bits</th><th scope="col" style="text-align:left"></th></tr></thead>
        <tbody>
        <tr><td style="text-align:left;white-space:pre-wrap">a|b&lt;i&gt;</td><td style="text-align:right;font-variant-numeric:tabular-nums">33.33 %</td><td style="text-align:right;font-variant-numeric:tabular-nums">1.585</td><td style="text-align:left;min-width:10em"><span class="bar" style="display:inline-block;height:0.8em;width:100.00%;background:#4c78a8"></span></td></tr>
        <tr><td style="text-align:left;white-space:pre-wrap">say &quot;hi&quot;, you</td><td style="text-align:right;font-variant-numeric:tabular-nums">0.0012 %</td><td style="text-align:right;font-variant-numeric:tabular-nums">nan</td><td style="text-align:left;min-width:10em"><span class="bar" style="display:inline-block;height:0.8em;width:50.00%;background:#4c78a8"></span></td></tr>
        </tbody>
        <tfoot><tr><td colspan="4" style="text-align:left">2 of 50257</td></tr></tfoot>
        </table>
        "#);
    }

    #[test]
    fn csv_quotes_only_where_it_must_and_keeps_every_digit() {
        assert_eq!(
            tokens().csv(),
            "token,probability,bits\r\n\
             a|b<i>,0.3333333333333333,1.585\r\n\
             \"say \"\"hi\"\", you\",0.000012,NaN\r\n"
        );
        assert_eq!(Table::new([Column::left("a\nb")]).row([""]).csv(), "\"a\nb\"\r\n\r\n");
    }

    #[test]
    fn json_keeps_the_order_of_columns_and_every_digit() {
        assert_eq!(
            tokens().json().to_string(),
            r#"[{"token":"a|b<i>","probability":0.3333333333333333,"bits":1.585},{"token":"say \"hi\", you","probability":0.000012,"bits":null}]"#
        );
    }
}
