//! Every lesson runs on the built-in model and shows what it showed before.
//!
//! `INSTA_UPDATE=always cargo test --release lessons` takes a new output as the expected one: read the difference.

use std::path::{Path, PathBuf};

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
        insta::assert_snapshot!(name, rounded(&shown));
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
