//! Every lesson runs on the built-in model and shows what it showed before.
//!
//! `INSTA_UPDATE=always cargo test --release lessons` takes a new output as the expected one: read the difference.

use std::path::{Path, PathBuf};

use tokenscope::export::{Format, Lesson, Shown};
use tokenscope::script::cells::Cell;

use super::helpers::{root, run};

/// The lessons, in their order.
fn lessons() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join("lessons")).unwrap();
    let mut lessons: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rhai"))
        .collect();
    lessons.sort();
    lessons
}

/// The text with every number at no more than 4 significant digits: the last ones differ between machines.
fn rounded(text: &str) -> String {
    let mut rounded = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(from.len());
        let number = from[..end].trim_end_matches('.');
        rounded.push_str(before);
        rounded.push_str(&to_four_digits(number));
        rest = &from[number.len()..];
    }
    rounded + rest
}

/// Whole numbers, which are ids and counts, stay as they are.
fn to_four_digits(number: &str) -> String {
    let Some((whole, decimals)) = number.split_once('.') else { return number.to_owned() };
    let significant = format!("{whole}{decimals}").trim_start_matches('0').len();
    match number.parse::<f64>() {
        Ok(value) => format!("{value:.*}", decimals.len().saturating_sub(significant.saturating_sub(4))),
        // Something like a version.
        Err(_) => number.to_owned(),
    }
}

/// What a lesson showed when its snapshot was taken.
fn expected(name: &str) -> Option<String> {
    let path = root().join(format!("tests/it/snapshots/it__lessons__{name}.snap"));
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.splitn(3, "---\n").nth(2)?.to_owned())
}

/// Whether two texts are the same but for the last digit of some numbers, which may be rounded up here and down there.
fn agree(a: &str, b: &str) -> bool {
    let is_part = |c: char| c.is_ascii_digit() || c == '.';
    let words = |text: &str| -> Vec<String> {
        let text = text.trim_end();
        let starts = text.char_indices().scan(None, |last, (at, c)| {
            let begins = last.replace(is_part(c)) != Some(is_part(c));
            Some((at, begins))
        });
        let starts: Vec<usize> =
            starts.filter(|(_, begins)| *begins).map(|(at, _)| at).chain([text.len()]).collect();
        starts.windows(2).map(|ends| text[ends[0]..ends[1]].to_owned()).collect()
    };
    let (a, b) = (words(a), words(b));
    let close = |a: &str, b: &str| match (a.split_once('.'), a.parse::<f64>(), b.parse::<f64>()) {
        (Some((_, decimals)), Ok(x), Ok(y)) => (x - y).abs() < 1.5 * 0.1_f64.powi(decimals.len() as i32),
        _ => false,
    };
    a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a == b || (a.len() == b.len() && close(a, b)))
}

/// How many colours a picture has: one that is blank has a single one.
fn colours(path: &Path) -> usize {
    let file = std::io::BufReader::new(std::fs::File::open(path).unwrap());
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size()];
    let info = reader.next_frame(&mut pixels).unwrap();
    let size = info.color_type.samples();
    assert!(info.width >= 800 && info.height >= 100, "{}: {info:?}", path.display());
    pixels[..info.buffer_size()].chunks(size).collect::<std::collections::HashSet<_>>().len()
}

#[test]
fn every_lesson_runs_and_shows_what_it_showed() {
    let lessons = lessons();
    assert!(!lessons.is_empty());
    for lesson in lessons {
        let folder = tempfile::tempdir().unwrap();
        let shown = run(folder.path(), &["run", lesson.to_str().unwrap()]).succeeded();
        for line in shown.lines().filter_map(|line| line.strip_prefix("chart saved as ")) {
            assert!(colours(&folder.path().join(line)) > 3, "{}: {line} is blank", lesson.display());
        }
        let name = lesson.file_stem().unwrap().to_string_lossy().into_owned();
        let shown = rounded(&shown);
        if !expected(&name).is_some_and(|expected| agree(&expected, &shown)) {
            insta::assert_snapshot!(name, shown);
        }
    }
}

#[test]
fn every_lesson_survives_the_way_to_a_notebook_and_back() {
    for path in lessons() {
        let text = std::fs::read_to_string(&path).unwrap();
        let lesson = Lesson::read(&path, &text).unwrap();
        let shown = |cell: &Cell| Shown { cell: cell.clone(), outputs: Vec::new(), result: Ok(None) };
        let shown: Vec<Shown> = lesson.cells.iter().map(shown).collect();
        assert!(shown.len() > 1, "{}", path.display());
        let notebook = lesson.write(&shown, Format::Notebook, "lesson");
        let back = Lesson::read(Path::new("lesson.ipynb"), &notebook).unwrap();
        assert_eq!(back.write(&[], Format::Script, "lesson"), text, "{}", path.display());
    }
}

#[test]
fn numbers_are_rounded_and_nothing_else() {
    assert_eq!(
        rounded("id 50257, 15.7593 %: 0.00012345 and 1.5 in v1.2.3."),
        "id 50257, 15.76 %: 0.0001234 and 1.5 in v1.2.3."
    );
    assert_eq!(rounded("entropy 9.3679 bits"), "entropy 9.368 bits");
}

#[test]
fn texts_that_differ_in_a_last_digit_agree_and_no_others() {
    assert!(agree("p 2.158, 3 tokens", "p 2.159, 3 tokens\n"));
    assert!(!agree("p 2.158, 3 tokens", "p 2.158, 4 tokens"));
    assert!(!agree("p 2.158", "p 2.161") && !agree("p 2.158", "q 2.158") && !agree("9.99 %", "10.00 %"));
}
