//! Text in lines of a width, broken between its words.

use unicode_width::UnicodeWidthStr;

/// Each line of a text in lines of at most `width` columns. A word that is longer than that stays whole, and so do the
/// blanks at a line's start, which its further lines begin with too.
pub fn wrapped(text: &str, width: usize) -> String {
    text.split('\n').map(|line| wrapped_line(line, width)).collect::<Vec<_>>().join("\n")
}

fn wrapped_line(line: &str, width: usize) -> String {
    if line.width() <= width {
        return line.to_owned();
    }
    let words = line.trim_start_matches(' ');
    let indent = &line[..line.len() - words.len()];
    let (mut wrapped, mut column) = (indent.to_owned(), indent.len());
    for (index, word) in words.split(' ').enumerate() {
        let columns = word.width();
        if index > 0 && column + 1 + columns > width {
            wrapped.truncate(wrapped.trim_end_matches(' ').len());
            wrapped.push('\n');
            wrapped.push_str(indent);
            column = indent.len();
        } else if index > 0 {
            wrapped.push(' ');
            column += 1;
        }
        wrapped.push_str(word);
        column += columns;
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_only() {
        assert_eq!(wrapped("one two three\nfour", 9), "one two\nthree\nfour");
        assert_eq!(wrapped("a long-unbreakable-word b", 6), "a\nlong-unbreakable-word\nb");
        assert_eq!(wrapped("  in `f`, called at [3]:1", 14), "  in `f`,\n  called at\n  [3]:1");
        assert_eq!(wrapped("short  blanks stay", 80), "short  blanks stay");
        // Two columns each.
        assert_eq!(wrapped("\u{4e2d}\u{6587} \u{4e2d}\u{6587}", 8), "\u{4e2d}\u{6587}\n\u{4e2d}\u{6587}");
        assert_eq!(wrapped("anything", usize::MAX), "anything");
    }
}
