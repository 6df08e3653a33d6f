//! Which models have a name of their own, and what else a name may mean.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::suggest::did_you_mean;

/// A model that can be called by one word: one row a model.
#[derive(Debug, PartialEq, Eq)]
pub struct KnownModel {
    pub name: &'static str,
    /// Where it is on the hub; `None` if it is part of this program.
    pub repository: Option<&'static str>,
    /// How many numbers it learnt.
    pub parameters: u64,
    pub description: &'static str,
    /// Where that is known.
    pub held_out: Option<HeldOut>,
}

/// How well a model predicts a text that it was not trained on.
#[derive(Debug, PartialEq, Eq)]
pub struct HeldOut {
    /// As it is written.
    pub bits_per_byte: &'static str,
    /// Figures of different texts cannot be compared.
    pub text: &'static str,
}

impl HeldOut {
    /// What Radford et al. (2019), table 3, give for the published models.
    const fn enwik8(bits_per_byte: &'static str) -> Option<HeldOut> {
        Some(HeldOut { bits_per_byte, text: "enwik8" })
    }
}

impl std::fmt::Display for HeldOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bits per byte of {}", self.bits_per_byte, self.text)
    }
}

impl KnownModel {
    /// Its description with its figure.
    pub fn what_it_is(&self) -> String {
        let figure = self.held_out.iter().map(|held_out| format!("; {held_out}"));
        std::iter::once(self.description.to_owned()).chain(figure).collect()
    }
}

/// Every model with a name of its own.
pub const KNOWN_MODELS: &[KnownModel] = &[
    KnownModel {
        name: "pocket",
        repository: None,
        parameters: 9_979_040,
        description: "built in: small, trained from scratch; a little English, no facts",
        held_out: Some(HeldOut { bits_per_byte: "1.445", text: "held-out books" }),
    },
    KnownModel {
        name: "distilgpt2",
        repository: Some("distilbert/distilgpt2"),
        parameters: 81_912_576,
        description: "GPT-2 distilled to half its layers",
        held_out: None,
    },
    KnownModel {
        name: "gpt2",
        repository: Some("openai-community/gpt2"),
        parameters: 124_439_808,
        description: "the smallest GPT-2 that OpenAI published",
        held_out: HeldOut::enwik8("1.16"),
    },
    KnownModel {
        name: "gpt2-medium",
        repository: Some("openai-community/gpt2-medium"),
        parameters: 354_823_168,
        description: "GPT-2, 24 layers",
        held_out: HeldOut::enwik8("1.01"),
    },
    KnownModel {
        name: "gpt2-large",
        repository: Some("openai-community/gpt2-large"),
        parameters: 774_030_080,
        description: "GPT-2, 36 layers",
        held_out: HeldOut::enwik8("0.97"),
    },
    KnownModel {
        name: "gpt2-xl",
        repository: Some("openai-community/gpt2-xl"),
        parameters: 1_557_611_200,
        description: "the largest GPT-2, 48 layers",
        held_out: HeldOut::enwik8("0.93"),
    },
];

/// What a name means, before anything is looked up.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Name {
    BuiltIn(&'static KnownModel),
    Folder(PathBuf),
    Repository(RepositoryName),
}

/// A repository at a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RepositoryName {
    /// As it was typed, for messages.
    pub typed: String,
    pub repository: String,
    /// The one-word name that the hub still redirects, and under which Python may have cached it.
    pub former: Option<&'static str>,
    /// A branch, a tag, a commit, or `refs/pr/1`.
    pub revision: String,
}

impl RepositoryName {
    /// The names under which a cache may hold it, the present one first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.repository.as_str()).chain(self.former)
    }
}

/// Reads a name: the known ones first, then folders that exist or are written as paths, then `owner/name`.
pub(super) fn parse(name: &str, home: Option<&Path>) -> Result<Name> {
    let (stem, revision) = match name.split_once('@') {
        Some((stem, revision)) => (stem, Some(revision)),
        None => (name, None),
    };
    if let Some(known) = KNOWN_MODELS.iter().find(|known| known.name == stem) {
        return match (known.repository, revision) {
            (None, None) => Ok(Name::BuiltIn(known)),
            (None, Some(_)) => Err(bad_name(name, "the built-in model has no revisions")),
            (Some(repository), revision) => {
                repository_name(name, repository, Some(known.name), revision).map(Name::Repository)
            }
        };
    }
    if let Some(path) = folder(name, home) {
        return Ok(Name::Folder(path));
    }
    if is_repository(stem) {
        return repository_name(name, stem, None, revision).map(Name::Repository);
    }
    let known = KNOWN_MODELS.iter().map(|known| known.name);
    Err(Error::UnknownModel { name: name.to_owned(), suggestion: did_you_mean(stem, known) })
}

fn repository_name(
    typed: &str,
    repository: &str,
    former: Option<&'static str>,
    revision: Option<&str>,
) -> Result<RepositoryName> {
    let revision = revision.unwrap_or("main");
    if !is_revision(revision) {
        return Err(bad_name(typed, "after `@` comes a branch, a tag or a commit"));
    }
    Ok(RepositoryName {
        typed: typed.to_owned(),
        repository: repository.to_owned(),
        former,
        revision: revision.to_owned(),
    })
}

fn bad_name(name: &str, reason: &str) -> Error {
    Error::BadModelName { name: name.to_owned(), reason: reason.to_owned() }
}

/// A path, if `name` is one: `~` is the home folder.
fn folder(name: &str, home: Option<&Path>) -> Option<PathBuf> {
    if let (Some(rest), Some(home)) = (name.strip_prefix('~'), home)
        && (rest.is_empty() || rest.starts_with('/'))
    {
        return Some(home.join(rest.trim_start_matches('/')));
    }
    let path = PathBuf::from(name);
    let written_as_path = name.starts_with(['.', '/', '~']) || path.is_absolute() || is_gguf(&path);
    (written_as_path || (!name.is_empty() && path.is_dir())).then_some(path)
}

/// Whether it is called like a file of llama.cpp.
pub(super) fn is_gguf(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gguf"))
}

/// The hub's own rule (huggingface_hub/utils/_validators.py): two parts of letters, digits and `-_.`,
/// no `--` or `..`, no `-` or `.` at either end.
fn is_repository(name: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && part.len() <= 96
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
            && !part.starts_with(['-', '.'])
            && !part.ends_with(['-', '.'])
            && !part.contains("--")
            && !part.contains("..")
    };
    name.split_once('/').is_some_and(|(owner, model)| part(owner) && part(model))
}

/// What git allows in a name, narrowed to what is also a safe path below `refs/`.
fn is_revision(revision: &str) -> bool {
    revision.split('/').all(|part| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.+".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(name: &str) -> (String, String) {
        match parse(name, None) {
            Ok(Name::Repository(found)) => (found.repository, found.revision),
            other => panic!("`{name}` is {other:?}"),
        }
    }

    #[test]
    fn every_page_has_the_figure_of_the_built_in_model() {
        let pocket = KNOWN_MODELS.iter().find(|known| known.repository.is_none()).unwrap();
        let figure = format!("{} bits per byte", pocket.held_out.as_ref().unwrap().bits_per_byte);
        assert!(pocket.what_it_is().contains(&figure));
        for page in [include_str!("../../README.md"), include_str!("../../assets/pocket/README.md")] {
            assert!(page.contains(&figure), "{figure}: {}", page.lines().next().unwrap());
        }
    }

    #[test]
    fn every_known_name_means_itself() {
        for known in KNOWN_MODELS {
            match (parse(known.name, None).unwrap(), known.repository) {
                (Name::BuiltIn(found), None) => assert_eq!(found, known),
                (Name::Repository(found), Some(repository)) => assert_eq!(found.repository, repository),
                (other, _) => panic!("`{}` is {other:?}", known.name),
            }
        }
    }

    #[test]
    fn a_revision_follows_an_at_sign() {
        assert_eq!(repository("gpt2"), ("openai-community/gpt2".into(), "main".into()));
        assert_eq!(repository("gpt2@v1"), ("openai-community/gpt2".into(), "v1".into()));
        assert_eq!(repository("me/mine@refs/pr/1"), ("me/mine".into(), "refs/pr/1".into()));
    }

    #[test]
    fn a_revision_cannot_leave_the_cache() {
        for name in ["gpt2@", "gpt2@../../x", "me/mine@/etc", "me/mine@a b", "pocket@main"] {
            assert!(matches!(parse(name, None), Err(Error::BadModelName { .. })), "{name}");
        }
    }

    #[test]
    fn a_path_is_a_folder_whether_or_not_it_exists() {
        for name in ["./x", "../x", "/x/y", ".", "gpt2.gguf"] {
            assert_eq!(parse(name, None).unwrap(), Name::Folder(name.into()));
        }
        let home = Path::new("/home/me");
        assert_eq!(parse("~", Some(home)).unwrap(), Name::Folder("/home/me".into()));
        assert_eq!(parse("~/x", Some(home)).unwrap(), Name::Folder("/home/me/x".into()));
    }

    #[test]
    fn a_slip_is_answered_with_the_name_that_was_meant() {
        let error = parse("gpt2-meduim", None).unwrap_err();
        assert_eq!(error.to_string(), "unknown model `gpt2-meduim`");
        assert_eq!(
            error.hint().unwrap(),
            "did you mean `gpt2-medium`? `tokenscope models` lists the names; a folder works too"
        );
    }

    #[test]
    fn what_is_no_name_at_all_is_unknown() {
        for name in ["", "llama", "a/b/c", "a b/c", "-a/b", "a/b--c", "gpt2/", "/gpt2@"] {
            let known = parse(name, None);
            assert!(
                matches!(known, Err(Error::UnknownModel { .. }) | Ok(Name::Folder(_))),
                "`{name}` is {known:?}"
            );
        }
    }
}
