//! Cells with what they gave, as a page: HTML that needs no other file, or Markdown.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Shown;
use crate::render::{Output, TextStyle, html};
use crate::script::cells::Kind;

/// Characters in a line of plain text.
const WIDTH: usize = 100;

const STYLE: &str = "body{max-width:52rem;margin:2rem auto;padding:0 1rem;font-family:sans-serif;line-height:1.5}\
    pre{overflow-x:auto;padding:.6rem .8rem}pre.code{background:#f4f4f4;border-left:3px solid #2b6cb0}\
    pre.error{background:#fdf2f0;border-left:3px solid #c0392b}\
    svg{max-width:100%;height:auto}";

pub fn html(shown: &[Shown], title: &str) -> String {
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n",
        html::escape(title)
    );
    for Shown { cell, outputs, result } in shown.iter().filter(|shown| !shown.cell.is_blank()) {
        match cell.kind {
            Kind::Markdown => page.push_str(&html::markdown(&cell.source)),
            Kind::Code => {
                let _ = writeln!(page, "<pre class=\"code\">{}</pre>", html::escape(&cell.source));
            }
            Kind::Raw => {}
        }
        for output in outputs.iter().chain(result.iter().flatten()) {
            let shown = match (output.html(), output.svg()) {
                (Some(html), _) => html,
                (None, Some(Ok(svg))) => svg,
                (None, _) => format!("<pre>{}</pre>", html::escape(&plain(output))),
            };
            let _ = writeln!(page, "{shown}");
        }
        if let Err(report) = result {
            let _ = writeln!(page, "<pre class=\"error\">{}</pre>", html::escape(&report.text(false)));
        }
    }
    page + "</body>\n</html>\n"
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
            parts.push(format!("```text\n{}\n```", report.text(false).trim_end()));
        }
    }
    parts.join("\n\n") + "\n"
}

fn plain(output: &Output) -> String {
    output.text(&TextStyle::plain(WIDTH)).trim_end_matches('\n').to_owned()
}
