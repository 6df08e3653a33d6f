//! How does a page look that needs no other file and can be sent to somebody?

use super::html::{escape, markdown};
use super::text::{BOLD, DIM, TextStyle};
use super::{Chart, Output};

/// A title and sections, each with a sentence on how to read it and what there is to see.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    pub title: String,
    pub sections: Vec<Section>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// Empty for one that needs none.
    pub title: String,
    /// In Markdown.
    pub prose: String,
    pub outputs: Vec<Output>,
}

/// Characters in a line of plain text.
const WIDTH: usize = 100;

const STYLE: &str = "body{max-width:56rem;margin:2rem auto;padding:0 1rem;font-family:system-ui,sans-serif;line-height:1.5;\
    color:#1f2933;background:#fff}h1{font-size:1.6rem}h2{font-size:1.25rem;margin-top:2.5rem}\
    pre{overflow-x:auto;padding:.6rem .8rem}pre.code{background:#f4f4f4;border-left:3px solid #2b6cb0}\
    pre.error{background:#fdf2f0;border-left:3px solid #c0392b}\
    svg,img{max-width:100%;height:auto}.wide{overflow-x:auto}.wide div{font-size:1rem}\
    table{border-collapse:collapse;font-size:.9rem}th,td{padding:.1rem .6rem}th{border-bottom:1px solid #9aa5b1}\
    tfoot td{color:#5b6773;padding-top:.4rem}";

impl Page {
    /// A page of one thing.
    pub fn of(title: &str, output: Output) -> Page {
        let section = Section { title: String::new(), prose: String::new(), outputs: vec![output] };
        Page { title: title.to_owned(), sections: vec![section] }
    }

    /// The whole document.
    pub fn html(&self) -> String {
        self.parts().collect()
    }

    /// The document from top to bottom, each part made when it is asked for: a picture takes its time.
    pub fn parts(&self) -> impl Iterator<Item = String> {
        std::iter::once(head(&self.title)).chain(self.body_parts()).chain([FOOT.to_owned()])
    }

    /// The page as a part of another one.
    pub fn body(&self) -> String {
        self.body_parts().collect()
    }

    /// The same, part by part.
    pub fn body_parts(&self) -> impl Iterator<Item = String> {
        let title = format!("<h1>{}</h1>\n", escape(&self.title));
        std::iter::once(title).chain(self.sections.iter().flat_map(Section::parts))
    }

    /// What it holds, in a few lines.
    pub fn text(&self, style: &TextStyle) -> String {
        let title = style.paint(BOLD, &self.title);
        let names =
            self.sections.iter().map(|section| section.title.as_str()).filter(|title| !title.is_empty());
        let hint = style.paint(DIM, "save(…, \"name.html\") writes it as a page of its own");
        format!("{title}\n{}\n{hint}", names.map(|name| format!("  {name}")).collect::<Vec<_>>().join("\n"))
    }
}

impl Section {
    fn parts(&self) -> impl Iterator<Item = String> {
        let title = match self.title.is_empty() {
            true => String::new(),
            false => format!("<h2>{}</h2>\n", escape(&self.title)),
        };
        let outputs =
            self.outputs.iter().map(|output| format!("<div class=\"wide\">{}</div>\n", block(output)));
        std::iter::once(title + markdown(&self.prose).as_str()).chain(outputs)
    }
}

/// An HTML document that needs no other file.
pub fn document(title: &str, body: &str) -> String {
    format!("{}{body}{FOOT}", head(title))
}

const FOOT: &str = "</body>\n</html>\n";

/// A document up to where its body begins.
fn head(title: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{}</title>\n<style>{STYLE}</style>\n\
         </head>\n<body>\n",
        escape(title)
    )
}

/// An output as elements: as HTML where it has some, else as a picture, else as plain text.
pub fn block(output: &Output) -> String {
    match (output.html(), output.svg()) {
        (Some(html), _) => html,
        (None, Some(Ok(svg))) => described(output, svg),
        (None, _) => {
            let text = output.text(&TextStyle::plain(WIDTH));
            format!("<pre>{}</pre>", escape(text.trim_end_matches('\n')))
        }
    }
}

/// A picture that says what it is to those who cannot see it.
fn described(output: &Output, svg: String) -> String {
    let title = match output {
        Output::Chart(chart) => chart.title(),
        _ => return svg,
    };
    svg.replacen("<svg ", &format!("<svg role=\"img\" aria-label=\"{}\" ", escape(title)), 1)
}

impl From<Chart> for Output {
    fn from(chart: Chart) -> Output {
        Output::Chart(chart)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::{BarChart, Column, Table};

    #[test]
    fn a_page_needs_nothing_else_and_lets_nothing_in() {
        let chart = Output::Chart(BarChart::new("Next <token>").bar("·the", 0.5).into());
        let table = Output::Table(Table::new([Column::left("token")]).row(["<b>"]));
        let page = Page {
            title: "On “<script>”".into(),
            sections: vec![Section {
                title: "A & B".into(),
                prose: "How to *read* it.".into(),
                outputs: vec![chart, table],
            }],
        };
        let html = page.html();
        for part in ["<em>read</em>", "<h2>A &amp; B</h2>", "aria-label=\"Next &lt;token&gt;\"", "&lt;b&gt;"]
        {
            assert!(html.contains(part), "{part}: {html}");
        }
        assert!(!html.contains("<script") && !html.contains("src=") && !html.contains("href="));
        assert!(page.text(&TextStyle::plain(80)).contains("  A & B\n"));
    }
}
