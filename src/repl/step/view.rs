//! How a text under somebody's hands looks: the text, its candidates with their bars, and what the keys do.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::field::Field;
use super::stepping::{Mode, Stepping};
use crate::analyse::next_token::Candidate;
use crate::generate::stream::WholeCharacters;
use crate::render::blocks;
use crate::render::label::{Keep, label, one_line, shortened};
use crate::render::number::{grouped, percent};

/// What each key does while a candidate is being chosen: the key, in a word, in a sentence.
const KEYS: [(&str, &str, &str); 10] = [
    ("↑↓", "choose", "move over the candidates; PageUp, PageDown, Home and End go further"),
    ("Enter", "append", "appends the candidate that is marked; so does →"),
    ("u", "take back", "takes the last step back; so do ← and Backspace"),
    ("q", "done", "returns to the prompt, with the stepper as the result; so does Esc"),
    ("?", "keys", "shows this list"),
    ("s", "sample", "draws a candidate by its probability and appends it"),
    ("t k p", "rules", "change temperature, top-k, top-p: type a value, or ↑ and ↓; an empty line is off"),
    ("i", "type", "opens a line for text to append; so does /, and a space begins it with a space"),
    ("b", "mark", "gives this place a name"),
    ("g", "go", "goes to a place that has a name"),
];

/// Columns and rows.
type Size = (usize, usize);

/// The screen from its first line on: no line wider and no more lines than there is room for.
pub fn lines(stepping: &Stepping, (width, height): Size, colour: bool) -> Vec<String> {
    let pen = Pen { width, colour };
    if stepping.mode == Mode::Help {
        return help(&pen, height);
    }
    let foot = foot(stepping, &pen);
    let mut lines = text(stepping, &pen, (height / 3).clamp(1, 8));
    if height >= 12 {
        lines.push(String::new());
    }
    lines.push(pen.line(&rules(stepping), DIM));
    let room = height.saturating_sub(lines.len() + foot.len() + usize::from(height >= 12));
    lines.extend(candidates(stepping, &pen, room.max(1)));
    // The foot stands at the foot, and goes last where there is no room for all.
    lines.resize(height.saturating_sub(foot.len()).max(lines.len().min(height)), String::new());
    lines.truncate(height.saturating_sub(foot.len()));
    lines.extend(foot);
    lines.truncate(height);
    lines
}

const BOLD: &str = "1";
const DIM: &str = "2";
/// As charts have it.
const MARKED: &str = "1;38;5;166";
const BAR: &str = "34";

/// Writes lines that fit.
struct Pen {
    width: usize,
    colour: bool,
}

impl Pen {
    fn paint(&self, code: &str, text: &str) -> String {
        match self.colour && !text.is_empty() && !code.is_empty() {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }

    /// A line of one style, its end left out if it is too long.
    fn line(&self, text: &str, code: &str) -> String {
        self.paint(code, &shortened(&one_line(text), Keep::Start, self.width as f64, columns))
    }
}

fn columns(text: &str) -> f64 {
    text.width() as f64
}

/// The last lines of the text; what was appended is bold, and the marked candidate stands dim behind it.
fn text(stepping: &Stepping, pen: &Pen, most: usize) -> Vec<String> {
    let tokenizer = stepping.stepper.start().tokenizer();
    let mut whole = WholeCharacters::default();
    let mut parts = vec![(whole.push(&stepping.stepper.start().bytes()), "")];
    for id in stepping.stepper.appended() {
        parts.push((whole.push(&tokenizer.piece(id)), BOLD));
    }
    // Half a character that is still to be completed.
    parts.push((whole.finish().replace('\u{fffd}', "…"), BOLD));
    let marked = stepping.candidates.get(stepping.selected).filter(|_| pen.colour);
    let behind = marked.map_or("▏".to_owned(), |candidate| label(&candidate.piece).replace('·', " "));
    parts.push((behind, DIM));

    let mut lines = vec![String::new()];
    let mut column = 0;
    for (part, code) in parts {
        let mut run = String::new();
        for character in part.chars() {
            let written = match character {
                '\n' => "↵".to_owned(),
                character => one_line(character.encode_utf8(&mut [0; 4])).into_owned(),
            };
            let written = shortened(&written, Keep::Start, pen.width as f64, columns);
            let wide = written.chars().filter_map(UnicodeWidthChar::width).sum::<usize>();
            if column + wide > pen.width {
                lines
                    .last_mut()
                    .expect("there is a line")
                    .push_str(&pen.paint(code, &std::mem::take(&mut run)));
                lines.push(String::new());
                column = 0;
            }
            run.push_str(&written);
            column += wide;
            if character == '\n' {
                lines
                    .last_mut()
                    .expect("there is a line")
                    .push_str(&pen.paint(code, &std::mem::take(&mut run)));
                lines.push(String::new());
                column = 0;
            }
        }
        lines.last_mut().expect("there is a line").push_str(&pen.paint(code, &run));
    }
    lines.split_off(lines.len().saturating_sub(most))
}

/// The rules, and what they leave.
fn rules(stepping: &Stepping) -> String {
    let options = stepping.stepper.options();
    let rule = |field: Field| {
        format!("{} {}", field.prompt(), field.value(options).unwrap_or_else(|| "off".to_owned()))
    };
    let [temperature, top_k, top_p] = [Field::Temperature, Field::TopK, Field::TopP].map(rule);
    let all = stepping.next.distribution.len();
    let left = stepping.next.possible();
    let left = if left == all { grouped(all) } else { format!("{} of {}", grouped(left), grouped(all)) };
    let entropy = stepping.next.distribution.entropy();
    format!("{temperature} · {top_k} · {top_p} · {left} tokens can come, entropy {entropy:.2} bits")
}

/// A row for each candidate around the marked one, below their heading.
fn candidates(stepping: &Stepping, pen: &Pen, room: usize) -> Vec<String> {
    let heads = usize::from(room > 3);
    let count = room - heads;
    let first = (stepping.selected + 1).saturating_sub(count);
    let shown: Vec<(usize, &Candidate)> =
        stepping.candidates.iter().enumerate().skip(first).take(count).collect();
    let table = Layout::of(stepping, &shown, pen.width);
    let head = (heads > 0).then(|| pen.line(&table.head(), DIM));
    let rows = shown.iter().map(|(index, candidate)| {
        let is_marked = *index == stepping.selected;
        let row = table.row(stepping, candidate, is_marked);
        match is_marked {
            true => pen.line(&row, MARKED),
            false => {
                let line = shortened(&row, Keep::Start, pen.width as f64, columns);
                line.replacen(&table.bar(candidate), &pen.paint(BAR, &table.bar(candidate)), 1)
            }
        }
    });
    head.into_iter().chain(rows).collect()
}

/// Which columns there is room for, and how wide they are.
struct Layout {
    token: usize,
    /// None where rules change nothing, or there is no room for it.
    raw: bool,
    id: bool,
    bar: usize,
    note: bool,
    largest: f32,
}

const P: usize = 10;
const ID: usize = 6;
const NOTE: usize = 24;
const LONGEST_BAR: usize = 32;
const WIDEST_TOKEN: usize = 20;

impl Layout {
    fn of(stepping: &Stepping, shown: &[(usize, &Candidate)], width: usize) -> Layout {
        let widths = shown.iter().map(|(_, candidate)| label(&candidate.piece).width());
        let token = widths.max().unwrap_or(0).clamp(5, WIDEST_TOKEN);
        let largest = stepping.candidates.first().map_or(1.0, |candidate| candidate.p);
        let has_rules = !stepping.next.rules.is_empty();
        // The mark, the token and its probability come first; then whatever fits, in this order.
        let mut left = width.saturating_sub(2 + token + 1 + P);
        let mut take = |columns: usize, is_wanted: bool| {
            let fits = is_wanted && left > columns;
            left -= if fits { columns + 1 } else { 0 };
            fits
        };
        let has_bar = take(6, true);
        let id = take(ID, true);
        let raw = take(P, has_rules);
        let note = take(NOTE, true);
        let bar = if has_bar { (6 + left).min(LONGEST_BAR) } else { 0 };
        Layout { token, raw, id, bar, note, largest }
    }

    fn head(&self) -> String {
        let mut head =
            format!("  {:<1$} {2:>P$}", "token", self.token, if self.raw { "processed" } else { "p" });
        if self.raw {
            head += &format!(" {:>P$}", "raw p");
        }
        if self.id {
            head += &format!(" {:>ID$}", "id");
        }
        head
    }

    fn bar(&self, candidate: &Candidate) -> String {
        blocks(f64::from(candidate.p / self.largest.max(f32::MIN_POSITIVE)), self.bar)
    }

    fn row(&self, stepping: &Stepping, candidate: &Candidate, is_marked: bool) -> String {
        let token = shortened(&label(&candidate.piece), Keep::Ends, self.token as f64, columns);
        let padding = " ".repeat(self.token.saturating_sub(token.width()));
        let mark = if is_marked { "▸" } else { " " };
        let mut row = format!("{mark} {token}{padding} {:>P$}", percent(f64::from(candidate.p)));
        if self.raw {
            let raw = stepping.stepper.raw().distribution.p(candidate.id).unwrap_or(f32::NAN);
            row += &format!(" {:>P$}", percent(f64::from(raw)));
        }
        if self.id {
            row += &format!(" {:>ID$}", candidate.id);
        }
        if self.bar > 0 {
            let bar = self.bar(candidate);
            row += &format!(" {bar}{}", " ".repeat(self.bar - bar.width().min(self.bar)));
        }
        if self.note {
            row += &format!(" {}", shortened(&note(stepping, candidate), Keep::Start, NOTE as f64, columns));
        }
        row.trim_end().to_owned()
    }
}

/// What a reader may not see: that a token is a part of something, or blank.
fn note(stepping: &Stepping, candidate: &Candidate) -> String {
    let Ok(piece) = std::str::from_utf8(&candidate.piece) else { return "part of a character".to_owned() };
    if stepping.stepper.start().tokenizer().end_of_text() == Some(candidate.id) {
        return "ends the text".to_owned();
    }
    if piece.chars().all(char::is_whitespace) {
        return "white space".to_owned();
    }
    let text = &stepping.stepper.raw().text;
    let word = text.rsplit(|character: char| !character.is_alphanumeric()).next().unwrap_or_default();
    match piece.chars().next().is_some_and(char::is_alphanumeric) && !word.is_empty() {
        true => format!("goes on: {word}{}", piece.trim_end()),
        false => String::new(),
    }
}

/// What was told, and the line that is typed or what the keys do.
fn foot(stepping: &Stepping, pen: &Pen) -> Vec<String> {
    let message = stepping.message.iter().map(|message| pen.line(message, "31"));
    let last = match &stepping.mode {
        Mode::Typing(entry) => {
            let text = one_line(&entry.text);
            // What is typed goes where the cursor is: before an offer, which it replaces.
            let line = if entry.is_offer { format!("▏{text}") } else { format!("{text}▏") };
            let typed = format!("{}: {line}", entry.field.prompt());
            let keys = match entry.field {
                Field::Temperature | Field::TopK | Field::TopP => "  ↑↓ turn it, Enter keeps, Esc does not",
                Field::GoTo => "  ↑↓ other places, Enter goes, Esc does not",
                Field::Text => "  Enter, or Esc",
                Field::Branch => "  Enter, or type another name, or Esc",
            };
            let typed = shortened(&typed, Keep::End, pen.width as f64, columns);
            let room = pen.width.saturating_sub(typed.width());
            let keys = if keys.width() <= room { keys } else { "" };
            format!("{}{}", pen.paint(BOLD, &typed), pen.paint(DIM, keys))
        }
        _ => {
            let mut line = String::new();
            for (key, word, _) in KEYS {
                let more = format!("{}{key} {word}", if line.is_empty() { "" } else { " · " });
                if line.width() + more.width() > pen.width {
                    break;
                }
                line += &more;
            }
            pen.paint(DIM, &line)
        }
    };
    message.chain([last]).collect()
}

fn help(pen: &Pen, height: usize) -> Vec<String> {
    let row = |(key, _, sentence): (&str, &str, &str)| {
        let padding = " ".repeat(6_usize.saturating_sub(key.width()));
        pen.line(&format!("{padding}{key}  {sentence}"), "")
    };
    let marks = [
        "",
        "While a line is typed, letters are letters: Enter keeps it, Esc does not.",
        "· is a space, ↵ a new line; `goes on` shows the word that a token lengthens.",
        "Any key leads back.",
    ];
    let mut lines = vec![pen.line("What the keys do", BOLD), String::new()];
    lines.extend(KEYS.map(row));
    lines.extend(marks.map(|line| pen.line(line, DIM)));
    lines.truncate(height);
    lines
}
