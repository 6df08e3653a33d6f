//! Which files a script may touch: it writes below the output folder and reads nothing, unless more is allowed.

use std::cell::Cell;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use super::limits;
use crate::error::{Error, Result};

/// What a script may do beyond computing, showing, and writing below the output folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// Folders whose files it may read.
    pub read: Vec<PathBuf>,
    /// Folders that it may write into, beside the output folder.
    pub write: Vec<PathBuf>,
    /// Bytes that its values may take.
    pub memory: usize,
}

impl Default for Allowed {
    fn default() -> Allowed {
        Allowed { read: Vec::new(), write: Vec::new(), memory: limits::MEMORY }
    }
}

/// The files of one session.
pub struct Files {
    out: PathBuf,
    allowed: Allowed,
    /// Whether the working folder may be read too: what a person types is no stranger's script.
    pub working_folder: Cell<bool>,
}

impl Files {
    pub fn new(out: PathBuf, allowed: Allowed) -> Files {
        Files { out, allowed, working_folder: Cell::new(false) }
    }

    /// The place for a file that a script writes: a plain path lies below the output folder, any other must lie below
    /// a folder that is allowed. The folders on the way to it are made.
    pub fn to_write(&self, name: &str) -> Result<PathBuf> {
        let is_inside = |part: Component| matches!(part, Component::Normal(_) | Component::CurDir);
        let is_plain = Path::new(name).components().all(is_inside);
        let path = if is_plain { self.out.join(name) } else { PathBuf::from(name) };
        let outside = || Error::OutsideOutputFolder { name: name.to_owned() };
        let (Some(folder), Some(_)) = (path.parent(), Path::new(name).file_name()) else {
            return Err(outside());
        };
        let allowed = self.allowed.write.iter().chain(is_plain.then_some(&self.out));
        // A link inside the folder may lead out of it.
        if path.is_symlink() || !lies_below(folder, allowed) {
            return Err(outside());
        }
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        Ok(path)
    }

    /// Whether a file or folder lies below a folder that may be read.
    pub fn may_read(&self, path: &Path) -> bool {
        let here = PathBuf::from(".");
        let allowed = self.allowed.read.iter().chain(self.working_folder.get().then_some(&here));
        lies_below(path, allowed)
    }

    /// The text of a file below a folder that may be read.
    ///
    /// # Errors
    /// When the file lies elsewhere, cannot be read, is larger than [`limits::FILE`], or is not UTF-8.
    pub fn read_text(&self, name: &str) -> Result<String> {
        let path = PathBuf::from(name);
        if !self.may_read(&path) {
            return Err(Error::NotAllowedToRead { path });
        }
        let read = || Error::io("read", &path);
        // Opening a pipe would wait for whoever writes into it.
        let kind = std::fs::metadata(&path).map_err(read())?;
        if !kind.is_file() {
            return Err(Error::NoFile { path });
        }
        let mut bytes = Vec::new();
        let file = std::fs::File::open(&path).map_err(read())?;
        file.take(limits::FILE + 1).read_to_end(&mut bytes).map_err(read())?;
        if bytes.len() as u64 > limits::FILE {
            return Err(Error::FileTooLarge { path, bytes: kind.len(), limit: limits::FILE });
        }
        String::from_utf8(bytes).map_err(|error| Error::NoText { path, at: error.utf8_error().valid_up_to() })
    }
}

/// Whether a path, of which the end may not exist yet, leads below one of the folders when links are followed.
fn lies_below<'a>(path: &Path, folders: impl Iterator<Item = &'a PathBuf>) -> bool {
    let Some(path) = resolved(path) else { return false };
    folders.filter_map(|folder| folder.canonicalize().ok()).any(|folder| path.starts_with(folder))
}

/// The path without links: of what exists of it as the system knows it, then the rest, which must be plain.
fn resolved(path: &Path) -> Option<PathBuf> {
    if let Ok(real) = path.canonicalize() {
        return Some(real);
    }
    // A link that leads nowhere is no place for anything.
    let name = path.file_name().filter(|_| !path.is_symlink())?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Some(resolved(parent)?.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(out: &Path, read: &[&Path], write: &[&Path]) -> Files {
        let folders = |paths: &[&Path]| paths.iter().map(|path| path.to_path_buf()).collect();
        let allowed = Allowed { read: folders(read), write: folders(write), ..Allowed::default() };
        Files::new(out.to_owned(), allowed)
    }

    #[test]
    fn nothing_is_read_unless_its_folder_is_allowed() {
        let (open, shut) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (mine, secret) = (open.path().join("a.txt"), shut.path().join("b.txt"));
        std::fs::write(&mine, "mine").unwrap();
        std::fs::write(&secret, "secret").unwrap();
        let name = |path: &Path| path.to_str().unwrap().to_owned();
        let files = files(open.path(), &[open.path()], &[]);
        assert_eq!(files.read_text(&name(&mine)).unwrap(), "mine");
        let refused = |path: &Path| {
            let error = files.read_text(&name(path)).unwrap_err();
            assert!(matches!(error, Error::NotAllowedToRead { .. }), "{}: {error}", path.display());
        };
        refused(&secret);
        // Whether it is there is nobody's business either.
        refused(&shut.path().join("nothing.txt"));
        refused(&open.path().join("..").join(shut.path().file_name().unwrap()).join("b.txt"));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&secret, open.path().join("link.txt")).unwrap();
            std::os::unix::fs::symlink(shut.path(), open.path().join("folder")).unwrap();
            refused(&open.path().join("link.txt"));
            refused(&open.path().join("folder/b.txt"));
            refused(&open.path().join("folder/nothing.txt"));
        }
        let said = |name: &str| files.read_text(&open.path().join(name).display().to_string()).unwrap_err();
        assert!(matches!(said("nothing.txt"), Error::Io { .. }));
        assert!(matches!(said(""), Error::NoFile { .. }));
        std::fs::write(open.path().join("picture"), b"ab\xff").unwrap();
        assert!(matches!(said("picture"), Error::NoText { at: 2, .. }));
        let large = std::fs::File::create(open.path().join("large")).unwrap();
        large.set_len(limits::FILE + 1).unwrap();
        assert!(matches!(said("large"), Error::FileTooLarge { .. }));
    }

    #[test]
    fn nothing_is_written_unless_its_folder_is_allowed() {
        let (out, open, shut) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let files = files(out.path(), &[], &[open.path()]);
        assert_eq!(files.to_write("deep/er/a.csv").unwrap(), out.path().join("deep/er/a.csv"));
        assert!(out.path().join("deep/er").is_dir());
        let inside = open.path().join("b.csv");
        assert_eq!(files.to_write(inside.to_str().unwrap()).unwrap(), inside);
        let refused = |name: &str| {
            assert!(matches!(files.to_write(name), Err(Error::OutsideOutputFolder { .. })), "{name}");
        };
        for name in ["", ".", "..", "../a.csv", "/a.csv"] {
            refused(name);
        }
        refused(shut.path().join("new/c.csv").to_str().unwrap());
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(shut.path(), out.path().join("folder")).unwrap();
            refused("folder/new/c.csv");
        }
        // What was refused left no folder behind.
        assert!(std::fs::read_dir(shut.path()).unwrap().next().is_none());
    }
}
