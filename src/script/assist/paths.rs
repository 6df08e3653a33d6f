//! Files and folders by the beginning of their paths.

use std::path::{Path, PathBuf};

use super::{Offer, OfferKind};

/// What a path that begins so may be: folders, and files of the given endings, or of any if none is given. Hidden ones
/// are offered to whoever types their dot.
pub fn paths(typed: &str, endings: &[&str]) -> Vec<Offer> {
    let (folder, name) =
        typed.rsplit_once('/').map_or(("", typed), |(folder, name)| (&typed[..=folder.len()], name));
    let place = match folder {
        "" => PathBuf::from("."),
        folder => expand(folder),
    };
    let Ok(entries) = std::fs::read_dir(place) else { return Vec::new() };
    let offer = |entry: std::fs::DirEntry| {
        let file = entry.file_name().into_string().ok()?;
        let is_folder = entry.path().is_dir();
        let is_asked_for =
            is_folder || endings.is_empty() || endings.iter().any(|ending| file.ends_with(ending));
        let is_shown = file.starts_with(name) && (name.starts_with('.') || !file.starts_with('.'));
        let offer = Offer::new(format!("{folder}{file}"), "", OfferKind::Path);
        (is_asked_for && is_shown).then(|| if is_folder { offer.closed("/") } else { offer })
    };
    entries.flatten().filter_map(offer).collect()
}

/// The lessons in the folder `lessons`, by the beginning of their names.
pub fn lessons(typed: &str) -> Vec<Offer> {
    match typed.contains('/') {
        true => Vec::new(),
        false => {
            let lessons = paths(&format!("lessons/{typed}"), &[".rhai"]).into_iter();
            lessons.map(|offer| Offer { kind: OfferKind::Lesson, ..offer }).collect()
        }
    }
}

/// `~` is the home folder, as in a shell.
pub fn expand(path: &str) -> PathBuf {
    let rest = path.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/'));
    match (rest, dirs::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest.trim_start_matches('/')),
        _ => Path::new(path).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_by_its_beginning() {
        let texts = |typed: &str, endings: &[&str]| {
            let mut texts: Vec<String> =
                paths(typed, endings).into_iter().map(|offer| offer.text + offer.closing.as_str()).collect();
            texts.sort();
            texts
        };
        assert_eq!(texts("src/script/assist/pa", &[]), ["src/script/assist/paths.rs"]);
        assert_eq!(texts("src/scri", &[]), ["src/script/"]);
        assert_eq!(texts("Cargo.", &[".lock"]), ["Cargo.lock"]);
        assert_eq!(texts("nowhere/", &[]), [""; 0]);
        assert!(texts("", &[]).iter().all(|name| !name.starts_with('.')));
        assert_eq!(lessons("05-").len(), 1);
    }
}
