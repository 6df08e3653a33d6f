//! How is a token shown, so that a reader sees every byte of it?
//!
//! ```
//! use tokenscope::render::label::label;
//!
//! assert_eq!(label(b" programming"), "·programming");
//! assert_eq!(label(b"\n"), "↵");
//! assert_eq!(label(b"\xE4\xB8"), r"\xE4\xB8");
//! ```

use std::borrow::Cow;

/// The label of one token's bytes: one line, nothing invisible, no two pieces with the same label.
///
/// A space is `·`, a newline `↵`, a tab `⇥`, the empty piece `∅`. Other invisible characters and
/// bytes that are no UTF-8 on their own are escaped: `\r`, `\x07`, `\xE2`, `\u00a0`, `\U000e0001`.
pub fn label(piece: &[u8]) -> String {
    match piece {
        b"" => return "∅".into(),
        _ if piece == "∅".as_bytes() => return escape('∅'),
        _ => {}
    }
    let mut label = String::with_capacity(piece.len() + 8);
    for chunk in piece.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                ' ' => label.push('·'),
                '\n' => label.push('↵'),
                '\t' => label.push('⇥'),
                '\r' => label.push_str(r"\r"),
                '\\' => label.push_str(r"\\"),
                '·' | '↵' | '⇥' => label.push_str(&escape(character)),
                // A combining mark needs a letter to sit on.
                _ if is_hidden(character) || (label.is_empty() && has_no_width(character)) => {
                    label.push_str(&escape(character));
                }
                _ => label.push(character),
            }
        }
        for byte in chunk.invalid() {
            label.push_str(&format!(r"\x{byte:02X}"));
        }
    }
    label
}

/// Prose on one line: spaces, backslashes and labels stay as they are, a line's end is `↵`, and
/// what would be invisible or would move a terminal's cursor is escaped as in [`label`].
pub fn one_line(text: &str) -> Cow<'_, str> {
    let stays = |character: char| character == '\u{a0}' || !is_hidden(character);
    if text.chars().all(stays) {
        return text.into();
    }
    let mut line = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\n' => line.push('↵'),
            '\t' => line.push('⇥'),
            '\r' => line.push_str(r"\r"),
            _ if stays(character) => line.push(character),
            _ => line.push_str(&escape(character)),
        }
    }
    line.into()
}

/// What stays of a text that is too long.
#[derive(Clone, Copy)]
pub enum Keep {
    Start,
    End,
    Ends,
}

/// The longest form of `text` that is no wider than `room`, with `…` for what was left out.
pub fn shortened(text: &str, keep: Keep, room: f64, measure: impl Fn(&str) -> f64) -> String {
    if measure(text) <= room {
        return text.to_owned();
    }
    let characters: Vec<char> = text.chars().collect();
    let form = |count: usize| {
        let (before, after) = match keep {
            Keep::Start => (count, 0),
            Keep::End => (0, count),
            Keep::Ends => (count.div_ceil(2), count / 2),
        };
        let (before, after) = (&characters[..before], &characters[characters.len() - after..]);
        before.iter().chain(&['…']).chain(after).collect::<String>()
    };
    let (mut fits, mut too_long) = (0, characters.len());
    while fits + 1 < too_long {
        let middle = (fits + too_long) / 2;
        if measure(&form(middle)) <= room { fits = middle } else { too_long = middle }
    }
    form(fits)
}

/// `\x07`, `\u4e2d` or `\U0001f642`, as scripts write them.
pub fn escape(character: char) -> String {
    match u32::from(character) {
        code @ ..0x80 => format!(r"\x{code:02X}"),
        code @ ..0x1_0000 => format!(r"\u{code:04x}"),
        code => format!(r"\U{code:08x}"),
    }
}

/// Whether a reader would see nothing, or a blank that is not the space.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || (character.is_whitespace() && character != ' ')
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{e000}'..='\u{f8ff}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{10ffff}')
}

fn has_no_width(character: char) -> bool {
    unicode_width::UnicodeWidthChar::width(character) == Some(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_is_seen() {
        assert_eq!(label(b" programming"), "·programming");
        assert_eq!(label(b"\n\n"), "↵↵");
        assert_eq!(label(b"\t  if"), "⇥··if");
        assert_eq!(label(b"\r\n"), r"\r↵");
        assert_eq!(label(b""), "∅");
    }

    #[test]
    fn bytes_of_a_broken_character_are_written_in_hexadecimal() {
        assert_eq!(label(b"\xE2\x80"), r"\xE2\x80");
        assert_eq!(label(b" \xF0\x9F"), r"·\xF0\x9F");
        assert_eq!(label(b"\x07\x1b[0m\x7f"), r"\x07\x1B[0m\x7F");
    }

    #[test]
    fn what_is_invisible_is_named() {
        assert_eq!(label("\u{a0}".as_bytes()), r"\u00a0");
        assert_eq!(label("\u{feff}a\u{200d}\u{ad}".as_bytes()), r"\ufeffa\u200d\u00ad");
        assert_eq!(label("\u{3000}\u{2028}\u{85}".as_bytes()), r"\u3000\u2028\u0085");
        assert_eq!(label("\u{301}e\u{301}".as_bytes()), "\\u0301e\u{301}");
        assert_eq!(label("\u{e0041}".as_bytes()), r"\U000e0041");
    }

    #[test]
    fn no_two_pieces_share_a_label() {
        assert_eq!(label("·".as_bytes()), r"\u00b7");
        assert_eq!(label("↵⇥".as_bytes()), r"\u21b5\u21e5");
        assert_eq!(label("∅".as_bytes()), r"\u2205");
        assert_eq!(label(br"\n"), r"\\n");
        assert_eq!(label(br"\xE2"), r"\\xE2");
    }

    #[test]
    fn letters_of_the_world_stay_as_they_are() {
        for text in ["中文", "🙂", "naïve", "Ω", "שלום", "“", "\u{fffd}"] {
            assert_eq!(label(text.as_bytes()), text);
        }
    }

    #[test]
    fn what_is_too_long_is_shortened_where_it_matters_least() {
        let columns = |text: &str| text.chars().count() as f64;
        let short = |keep| shortened("abcdefgh", keep, 5.0, columns);
        assert_eq!([Keep::Start, Keep::End, Keep::Ends].map(short), ["abcd…", "…efgh", "ab…gh"]);
        assert_eq!(shortened("abc", Keep::Ends, 3.0, columns), "abc");
        assert_eq!(shortened("abc", Keep::Ends, 0.0, columns), "…");
    }

    #[test]
    fn a_line_of_prose_keeps_its_spaces_and_its_labels() {
        assert_eq!(one_line("a b·c \\ d"), "a b·c \\ d");
        assert_eq!(one_line("a\nb\t\u{1b}[31mred"), r"a↵b⇥\x1B[31mred");
    }
}
