//! Which font of this machine draws a character that the embedded ones lack?
//!
//! Fonts for Chinese, Japanese, Korean and emoji are larger than this program. Where the machine has one, a PNG uses
//! it; it is read when the first such character is drawn.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ab_glyph::{Font, FontRef, GlyphId};

/// The fonts that are looked for, the one to prefer first: how their files' names begin, in letters and digits alone.
const FAMILIES: [&str; 22] = [
    "notosanscjk",
    "sourcehansans",
    "notosanssc",
    "notosansjp",
    "notosanskr",
    "wqyzenhei",
    "wqymicrohei",
    "droidsansfallback",
    "pingfang",
    "hiraginosansgb",
    "applesdgothicneo",
    "arialunicode",
    "msyh",
    "yugoth",
    "msgothic",
    "malgun",
    "simsun",
    "nanumgothic",
    "notoemoji",
    "symbola",
    "seguiemj",
    "seguisym",
];

/// Folders within folders of fonts.
const DEEPEST: usize = 4;

/// A font's file, read when it is needed.
struct Candidate {
    path: PathBuf,
    font: OnceLock<Option<FontRef<'static>>>,
}

/// The glyph of a character, if a font of this machine has an outline of it.
pub fn glyph(character: char) -> Option<(&'static FontRef<'static>, GlyphId)> {
    static CANDIDATES: OnceLock<Vec<Candidate>> = OnceLock::new();
    let candidates = CANDIDATES.get_or_init(|| {
        let paths = preferred(folders().iter().flat_map(|folder| files(folder, DEEPEST)).collect());
        paths.into_iter().map(|path| Candidate { path, font: OnceLock::new() }).collect()
    });
    candidates.iter().filter_map(Candidate::font).find_map(|font| {
        let id = font.glyph_id(character);
        // Emoji are often pictures in pixels, which have no outline.
        (id.0 != 0 && font.outline(id).is_some()).then_some((font, id))
    })
}

impl Candidate {
    fn font(&self) -> Option<&FontRef<'static>> {
        let read = || {
            let bytes: &'static [u8] = std::fs::read(&self.path).ok()?.leak();
            FontRef::try_from_slice_and_index(bytes, 0).ok()
        };
        self.font.get_or_init(read).as_ref()
    }
}

/// Where Linux, macOS and Windows keep fonts.
fn folders() -> Vec<PathBuf> {
    let home = |folder: &str| std::env::home_dir().map(|home| home.join(folder));
    let windows = std::env::var_os("WINDIR").map(|windows| Path::new(&windows).join("Fonts"));
    let everywhere =
        ["/usr/share/fonts", "/usr/local/share/fonts", "/System/Library/Fonts", "/Library/Fonts"];
    let own = [".local/share/fonts", ".fonts", "Library/Fonts"].map(home);
    everywhere.map(|folder| Some(folder.into())).into_iter().chain(own).chain([windows]).flatten().collect()
}

fn files(folder: &Path, depth: usize) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let below = |path: PathBuf| match path.is_dir() {
        true if depth > 0 => files(&path, depth - 1),
        true => Vec::new(),
        false => vec![path],
    };
    paths.flat_map(below).collect()
}

/// The files of the families that are looked for, in their order, the plainest style of each first.
fn preferred(paths: Vec<PathBuf>) -> Vec<PathBuf> {
    let rank = |path: &PathBuf| {
        let is_font = path
            .extension()
            .is_some_and(|end| ["ttf", "otf", "ttc"].iter().any(|font| end.eq_ignore_ascii_case(font)));
        let stem = path.file_stem()?.to_str()?.to_lowercase();
        let name: String = stem.chars().filter(char::is_ascii_alphanumeric).collect();
        let family = FAMILIES.iter().position(|family| name.starts_with(family)).filter(|_| is_font)?;
        let is_plain = name.len() == FAMILIES[family].len() || name.contains("regular");
        Some((family, !is_plain, path.clone()))
    };
    let mut ranked: Vec<_> = paths.iter().filter_map(rank).collect();
    ranked.sort();
    ranked.into_iter().map(|(_, _, path)| path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_style_of_the_first_family_comes_first_and_other_files_not_at_all() {
        let paths = [
            "a/NotoEmoji-Regular.ttf",
            "a/DejaVuSans.ttf",
            "b/NotoSansCJK-Bold.ttc",
            "b/readme.txt",
            "c/NotoSansCJK-Regular.ttc",
            "wqy-zenhei.ttc",
            "wqy-zenhei.conf",
        ];
        let expected = [
            "c/NotoSansCJK-Regular.ttc",
            "b/NotoSansCJK-Bold.ttc",
            "wqy-zenhei.ttc",
            "a/NotoEmoji-Regular.ttf",
        ];
        assert_eq!(preferred(paths.map(PathBuf::from).into()), expected.map(PathBuf::from));
    }

    #[test]
    fn a_glyph_of_this_machine_has_an_outline() {
        match glyph('中') {
            Some((font, id)) => assert!(font.outline(id).is_some()),
            None => eprintln!("skipped: no font of this machine has 中"),
        }
        assert!(glyph('\u{10ffff}').is_none());
    }
}
