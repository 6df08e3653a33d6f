//! Cells with what they gave, as a page: HTML that needs no other file, or Markdown.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Shown;
use crate::render::{Output, TextStyle, html, page};
use crate::script::cells::Kind;

/// Characters in a line of plain text.
const WIDTH: usize = 100;

pub fn html(shown: &[Shown], title: &str) -> String {
    let mut body = String::new();
    for Shown { cell, outputs, result } in shown.iter().filter(|shown| !shown.cell.is_blank()) {
        match cell.kind {
            Kind::Markdown => body.push_str(&html::markdown(&cell.source)),
            Kind::Code => {
                let _ = writeln!(body, "<pre class=\"code\">{}</pre>", html::escape(&cell.source));
            }
            Kind::Raw => {}
        }
        for output in outputs.iter().chain(result.iter().flatten()) {
            let _ = writeln!(body, "{}", page::block(output));
        }
        if let Err(report) = result {
            let _ = writeln!(
                body,
                "<pre class=\"error\">{}</pre>",
                html::escape(&report.text(&TextStyle::unbroken(false)))
            );
        }
    }
    page::document(title, &body)
}

pub fn markdown(shown: &[Shown]) -> String {
    let mut parts = Vec::new();
    for Shown { cell, outputs, result } in shown.iter().filter(|shown| !shown.cell.is_blank()) {
        match cell.kind {
            Kind::Markdown => parts.push(cell.source.clone()),
            Kind::Code => parts.push(format!("```rhai\n{}\n```", cell.source)),
            Kind::Raw => {}
        }
        for output in outputs.iter().chain(result.iter().flatten()) {
            parts.push(match (output.markdown(), output.png()) {
                (Some(markdown), _) => markdown.trim_end().to_owned(),
                // The picture lies in the page itself, so that it cannot be lost.
                (None, Some(Ok(png))) => format!("![chart](data:image/png;base64,{})", STANDARD.encode(png)),
                (None, _) => format!("```\n{}\n```", plain(output)),
            });
        }
        if let Err(report) = result {
            parts.push(format!("```text\n{}\n```", report.text(&TextStyle::unbroken(false)).trim_end()));
        }
    }
    parts.join("\n\n") + "\n"
}

fn plain(output: &Output) -> String {
    output.text(&TextStyle::plain(WIDTH)).trim_end_matches('\n').to_owned()
}
