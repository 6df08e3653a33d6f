//! Pictures between the text: which protocol a terminal draws them by, and a chart in it.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::error::Result;
use crate::render::Chart;

/// How a terminal is told to draw a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// <https://sw.kovidgoyal.net/kitty/graphics-protocol>
    Kitty,
    /// <https://iterm2.com/documentation-images.html>
    Iterm,
    Sixel,
}

/// What can be drawn here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Graphics {
    pub protocol: Protocol,
    /// tmux does not know the protocol, but hands it on to the terminal around it.
    pub through_tmux: bool,
}

/// Says which protocol there is, or `none`, where that is known better.
const VARIABLE: &str = "TOKENSCOPE_GRAPHICS";

/// Logical pixels of a chart for each column, so that its letters are as large as the text around it.
const PIXELS_PER_COLUMN: f64 = 10.0;

/// The place of a character on the screen, in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CellSize {
    pub width: f64,
    pub height: f64,
}

impl CellSize {
    /// What it is taken for where the terminal does not say.
    pub const USUAL: CellSize = CellSize { width: 10.0, height: 20.0 };
}

/// kitty's question whether it would take a picture of one pixel. Others say what they draw among their attributes.
pub const QUESTION: &str = "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\";

/// What can be drawn as far as the environment says it: `None` if it does not.
pub fn known() -> Option<Option<Graphics>> {
    if let Ok(name) = std::env::var(VARIABLE) {
        return Some(protocol(&name).map(direct));
    }
    named(|name| std::env::var(name).ok()).filter(|_| !is_tmux()).map(|protocol| Some(direct(protocol)))
}

/// What can be drawn as the terminal says when it is asked.
pub fn told(said: &str) -> Option<Graphics> {
    answered(said).map(direct).or_else(|| if is_tmux() { around_tmux() } else { None })
}

fn direct(protocol: Protocol) -> Graphics {
    Graphics { protocol, through_tmux: false }
}

fn is_tmux() -> bool {
    std::env::var_os("TMUX").is_some()
}

fn protocol(name: &str) -> Option<Protocol> {
    match name {
        "kitty" => Some(Protocol::Kitty),
        "iterm" => Some(Protocol::Iterm),
        "sixel" => Some(Protocol::Sixel),
        _ => None,
    }
}

/// What terminals are known to draw that name themselves in the environment.
fn named(variable: impl Fn(&str) -> Option<String>) -> Option<Protocol> {
    let term = variable("TERM").unwrap_or_default();
    let program = variable("TERM_PROGRAM").unwrap_or_default();
    let of_term = |names: &[&str]| names.iter().any(|name| term.contains(name));
    if of_term(&["kitty", "ghostty"]) || program == "ghostty" || variable("KITTY_WINDOW_ID").is_some() {
        Some(Protocol::Kitty)
    } else if ["iTerm.app", "WezTerm", "mintty"].contains(&program.as_str())
        || variable("LC_TERMINAL").is_some_and(|name| name == "iTerm2")
    {
        Some(Protocol::Iterm)
    } else if of_term(&["foot", "mlterm", "contour"]) {
        Some(Protocol::Sixel)
    } else {
        None
    }
}

/// What an answer to [`QUESTION`] tells: kitty's `OK`, or the 4 for sixels among a terminal's attributes.
fn answered(said: &str) -> Option<Protocol> {
    if said.contains("\x1b_Gi=31;OK") {
        return Some(Protocol::Kitty);
    }
    let attributes = said.split("\x1b[?").nth(1)?.split('c').next()?;
    attributes.split(';').skip(1).any(|attribute| attribute == "4").then_some(Protocol::Sixel)
}

/// The terminal around tmux, if tmux is allowed to hand pictures on to it.
fn around_tmux() -> Option<Graphics> {
    let question = ["display-message", "-p", "#{allow-passthrough} #{client_termname}"];
    let said = std::process::Command::new("tmux").args(question).output().ok()?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let (allowed, term) = said.trim().split_once(' ')?;
    let variable = |name: &str| (name == "TERM").then(|| term.to_owned());
    let protocol = named(variable).filter(|_| allowed == "on" || allowed == "all")?;
    Some(Graphics { protocol, through_tmux: true })
}

impl Graphics {
    /// The sequence that draws a chart at the cursor, at most `columns` wide, and leaves the cursor below it.
    pub fn picture(&self, chart: &Chart, columns: usize, cell: CellSize) -> Result<String> {
        let (width, height) = chart.size()?;
        let columns = ((width / PIXELS_PER_COLUMN).round() as usize).clamp(1, columns);
        let scale = columns as f64 * cell.width / width;
        let rows = height * scale / cell.height;
        let drawn = match self.protocol {
            Protocol::Kitty => {
                // Where it is told no rows, an older kitty takes as many as the picture has pixels for.
                let size = (columns, rows.round().max(1.0) as usize);
                kitty(&chart.png(crate::render::chart::SCALE)?, size, self.through_tmux)
            }
            Protocol::Iterm => iterm(&chart.png(crate::render::chart::SCALE)?, columns),
            Protocol::Sixel => chart.sixel(scale)?,
        };
        if !self.through_tmux {
            return Ok(drawn);
        }
        // tmux does not see the picture: its rows are made room for before, and stepped over after.
        let rows = rows.ceil() as usize;
        let room = "\n".repeat(rows);
        Ok(format!("{room}\x1b[{rows}A{}\x1b[{rows}B", passed_through(&drawn)))
    }
}

/// A PNG in pieces of the size that the protocol allows.
fn kitty(png: &[u8], (columns, rows): (usize, usize), keeps_cursor: bool) -> String {
    let data = BASE64_STANDARD.encode(png);
    let pieces: Vec<&[u8]> = data.as_bytes().chunks(4096).collect();
    let mut text = String::with_capacity(data.len() + 64);
    for (index, piece) in pieces.iter().enumerate() {
        let more = u8::from(index + 1 < pieces.len());
        let piece = std::str::from_utf8(piece).unwrap_or_default();
        let cursor = if keeps_cursor { ",C=1" } else { "" };
        let _ = match index {
            0 => write!(text, "\x1b_Ga=T,f=100,q=2,c={columns},r={rows}{cursor},m={more};{piece}\x1b\\"),
            _ => write!(text, "\x1b_Gm={more};{piece}\x1b\\"),
        };
    }
    text
}

fn iterm(png: &[u8], columns: usize) -> String {
    let (size, data) = (png.len(), BASE64_STANDARD.encode(png));
    format!("\x1b]1337;File=inline=1;size={size};width={columns};preserveAspectRatio=1:{data}\x07")
}

/// Each sequence in one of tmux's, in which escapes are doubled.
fn passed_through(text: &str) -> String {
    let sequence = |sequence: &str| format!("\x1bPtmux;{}\x1b\\", sequence.replace('\x1b', "\x1b\x1b"));
    text.split_inclusive("\x1b\\").map(sequence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::BarChart;

    fn chart() -> Chart {
        BarChart::new("Next token").bar("·the", 0.5).into()
    }

    #[test]
    fn terminals_are_known_by_what_they_say_of_themselves() {
        let with = |name: &'static str, value: &'static str| {
            named(move |asked| (asked == name).then(|| value.to_owned()))
        };
        assert_eq!(with("TERM", "xterm-kitty"), Some(Protocol::Kitty));
        assert_eq!(with("TERM_PROGRAM", "WezTerm"), Some(Protocol::Iterm));
        assert_eq!(with("TERM", "foot"), Some(Protocol::Sixel));
        assert_eq!(with("TERM", "xterm-256color"), None);
        assert_eq!(answered("\x1b_Gi=31;OK\x1b\\\x1b[?62;c"), Some(Protocol::Kitty));
        assert_eq!(answered("\x1b[?62;4;22c"), Some(Protocol::Sixel));
        assert_eq!(answered("\x1b[?4;1;2c"), None);
        assert_eq!(answered(""), None);
    }

    #[test]
    fn a_picture_is_the_charts_png_in_the_terminals_protocol() {
        let png = chart().png(crate::render::chart::SCALE).unwrap();
        let kitty = Graphics { protocol: Protocol::Kitty, through_tmux: false };
        let text = kitty.picture(&chart(), 100, CellSize::USUAL).unwrap();
        let data: String = text
            .split("\x1b\\")
            .filter(|piece| !piece.is_empty())
            .map(|piece| {
                assert!(piece.starts_with("\x1b_G") && piece.len() < 4096 + 64);
                piece.split_once(';').unwrap().1
            })
            .collect();
        assert_eq!(BASE64_STANDARD.decode(data).unwrap(), png);
        assert!(text.starts_with("\x1b_Ga=T,f=100,q=2,c=80,r=8,m="), "{}", &text[..40]);
        // Narrow cells make it lower: its shape stays.
        let (width, height) = chart().size().unwrap();
        assert!((width / height - 80.0 / (8.0 * 2.0)).abs() < 0.4, "{width} × {height}");
        let text = kitty.picture(&chart(), 100, CellSize { width: 8.0, height: 20.0 }).unwrap();
        assert!(text.starts_with("\x1b_Ga=T,f=100,q=2,c=80,r=6,m="), "{}", &text[..40]);

        let iterm = Graphics { protocol: Protocol::Iterm, through_tmux: false };
        let text = iterm.picture(&chart(), 40, CellSize::USUAL).unwrap();
        let (head, data) = text.trim_end_matches('\x07').split_once(':').unwrap();
        assert!(head.starts_with("\x1b]1337;File=inline=1;") && head.contains(";width=40;"), "{head}");
        assert_eq!(BASE64_STANDARD.decode(data).unwrap(), png);
    }

    #[test]
    fn tmux_hands_pictures_on() {
        let tmux = Graphics { protocol: Protocol::Kitty, through_tmux: true };
        let text = tmux.picture(&chart(), 80, CellSize::USUAL).unwrap();
        assert!(text.contains("\x1bPtmux;\x1b\x1b_Ga=T,f=100,q=2,c=80,r=8,C=1,m="), "{}", &text[..80]);
        assert!(text.starts_with('\n') && text.ends_with('B'));
    }
}
