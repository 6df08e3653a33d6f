//! Where do the paragraphs of a Markdown source end? termimad's parser takes each line for one.

/// The source with each paragraph, list item and quote on one line, however its author broke it.
pub fn joined(source: &str) -> String {
    let mut joined = String::with_capacity(source.len());
    let mut in_code = false;
    let mut continues = false;
    for line in source.lines() {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        let code = fence || in_code;
        let plain = !code && !starts_a_block(line);
        if continues && plain {
            joined.push(' ');
            joined.push_str(line.trim());
        } else {
            if !joined.is_empty() {
                joined.push('\n');
            }
            joined.push_str(if code { line } else { line.trim_end() });
        }
        continues = !code && takes_more(line);
    }
    joined
}

/// Whether a line stands for itself or begins something new.
fn starts_a_block(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with(['#', '>', '|']) || is_rule(line) || is_list_item(line)
}

/// Whether the text of a line goes on in the next one.
fn takes_more(line: &str) -> bool {
    let line = line.trim_start();
    !line.is_empty() && !line.starts_with(['#', '|']) && !is_rule(line)
}

fn is_list_item(line: &str) -> bool {
    let after_number = line.trim_start_matches(|character: char| character.is_ascii_digit());
    let numbered = after_number.len() < line.len() && after_number.starts_with(". ");
    numbered || ["* ", "- ", "+ "].iter().any(|bullet| line.starts_with(bullet))
}

fn is_rule(line: &str) -> bool {
    line.len() >= 3 && line.bytes().all(|byte| byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_one_paragraph_are_one() {
        let source = "# Title\nA line\nand its end.\n\n* an item\n  that goes on\n* another\n\n1. one\n   more\n---\n\
            | a | b |\n|---|---|\nafter\n> quoted\nand more\n```\nlet x = 1;\n\nlet y = 2;\n```\nend";
        assert_eq!(
            joined(source),
            "# Title\nA line and its end.\n\n* an item that goes on\n* another\n\n1. one more\n---\n\
            | a | b |\n|---|---|\nafter\n> quoted and more\n```\nlet x = 1;\n\nlet y = 2;\n```\nend"
        );
    }
}
