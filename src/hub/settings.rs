//! What the environment says about the hub: the variables that Python's huggingface_hub reads
//! (huggingface_hub/constants.py), so that both share one cache and one login.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, Result};

/// Where models are fetched from and kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// The folder of `models--owner--name`: `HF_HUB_CACHE`, else `HF_HOME/hub`.
    pub cache: PathBuf,
    /// `HF_ENDPOINT`, without a final slash.
    pub endpoint: String,
    /// `HF_TOKEN`, else what the token file holds.
    pub token: Option<String>,
    /// `HF_HUB_OFFLINE`: nothing is fetched.
    pub offline: bool,
    /// For `~` in a folder's path.
    pub home: Option<PathBuf>,
    /// Certificates (PEM) to trust instead of the ones built in: `REQUESTS_CA_BUNDLE` or `SSL_CERT_FILE`.
    pub certificates: Option<PathBuf>,
    /// How long a server may send nothing: `HF_HUB_DOWNLOAD_TIMEOUT` seconds.
    pub patience: Duration,
}

/// A token never reaches a log.
impl std::fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        formatter
            .debug_struct("Settings")
            .field("cache", &self.cache)
            .field("endpoint", &self.endpoint)
            .field("token", &self.token.as_ref().map(|_| "…"))
            .field("offline", &self.offline)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// The hub as it is when no variable is set.
    pub fn new(cache: impl Into<PathBuf>) -> Settings {
        Settings {
            cache: cache.into(),
            endpoint: "https://huggingface.co".to_owned(),
            token: None,
            offline: false,
            home: None,
            certificates: None,
            patience: Duration::from_secs(30),
        }
    }

    /// What this process's environment says.
    pub fn from_env() -> Result<Settings> {
        Settings::from_lookup(std::env::var_os, dirs::home_dir())
    }

    /// What an environment says: `lookup` gives a variable's value. An empty value counts as none.
    pub fn from_lookup(
        lookup: impl Fn(&'static str) -> Option<OsString>,
        home: Option<PathBuf>,
    ) -> Result<Settings> {
        let first = |variables: &[&'static str]| {
            variables
                .iter()
                .find_map(|&variable| Some((variable, lookup(variable).filter(|v| !v.is_empty())?)))
        };
        let path = |variables: &[&'static str]| {
            first(variables).map(|(_, value)| expand_home(PathBuf::from(value), home.as_deref()))
        };
        let text = |variables: &[&'static str]| {
            first(variables).map(|(variable, value)| (variable, value.to_string_lossy().trim().to_owned()))
        };

        let base = path(&["HF_HOME"])
            .or_else(|| path(&["XDG_CACHE_HOME"]).map(|cache| cache.join("huggingface")))
            .or_else(|| home.as_ref().map(|home| home.join(".cache/huggingface")))
            .ok_or_else(|| Error::BadSetting {
                variable: "HF_HOME",
                value: String::new(),
                bound: "without a home folder it must say where models are kept".to_owned(),
            })?;
        let cache = path(&["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"]).unwrap_or_else(|| base.join("hub"));
        let token_file = path(&["HF_TOKEN_PATH"]).unwrap_or_else(|| base.join("token"));
        let token = text(&["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"]);
        let patience = text(&["HF_HUB_DOWNLOAD_TIMEOUT"]).map(seconds).transpose()?;
        let offline = text(&["HF_HUB_OFFLINE"]).or_else(|| text(&["TRANSFORMERS_OFFLINE"]));
        let defaults = Settings::new(absolute(cache)?);

        Ok(Settings {
            endpoint: text(&["HF_ENDPOINT"]).map(endpoint).transpose()?.unwrap_or(defaults.endpoint),
            token: match token {
                Some((variable, token)) => check_token(variable, token)?,
                None => std::fs::read_to_string(token_file)
                    .map_or(Ok(None), |token| check_token("the token file", token.trim().to_owned()))?,
            },
            offline: offline.is_some_and(|(_, value)| is_true(&value)),
            certificates: path(&["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"]).filter(|path| path.is_file()),
            patience: patience.unwrap_or(defaults.patience),
            cache: defaults.cache,
            home,
        })
    }
}

fn expand_home(path: PathBuf, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path,
    }
}

/// The cache outlives a change of the working folder.
fn absolute(cache: PathBuf) -> Result<PathBuf> {
    std::path::absolute(&cache).map_err(Error::io("find", cache))
}

fn endpoint((variable, value): (&'static str, String)) -> Result<String> {
    let value = value.trim_end_matches('/');
    let has_host = ["http://", "https://"]
        .iter()
        .any(|scheme| value.strip_prefix(scheme).is_some_and(|host| !host.is_empty()));
    if has_host && value.parse::<ureq::http::Uri>().is_ok() {
        return Ok(value.to_owned());
    }
    let bound = "must be an address that begins with `http://` or `https://`".to_owned();
    Err(Error::BadSetting { variable, value: value.to_owned(), bound })
}

/// A token goes into a header; its value is not repeated in the error.
fn check_token(variable: &'static str, token: String) -> Result<Option<String>> {
    if !token.chars().all(|c| c.is_ascii_graphic()) {
        let bound = "a token is letters, digits and `_` without spaces".to_owned();
        return Err(Error::BadSetting { variable, value: "…".to_owned(), bound });
    }
    Ok(Some(token).filter(|token| !token.is_empty()))
}

fn seconds((variable, value): (&'static str, String)) -> Result<Duration> {
    let bound = || "must be a number of seconds above 0".to_owned();
    value
        .parse()
        .ok()
        .filter(|&seconds: &f64| seconds > 0.0)
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| Error::BadSetting { variable, value: value.clone(), bound: bound() })
}

/// As huggingface_hub reads a yes.
fn is_true(value: &str) -> bool {
    ["1", "true", "yes", "on"].contains(&value.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Result<Settings> {
        let lookup = |name: &str| {
            variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| OsString::from(value))
        };
        Settings::from_lookup(lookup, Some(PathBuf::from("/home/me")))
    }

    #[test]
    fn without_variables_it_is_the_public_hub_and_the_usual_cache() {
        let settings = settings(&[]).unwrap();
        assert_eq!(settings.cache, Path::new("/home/me/.cache/huggingface/hub"));
        assert_eq!(settings.endpoint, "https://huggingface.co");
        assert_eq!((settings.token, settings.offline), (None, false));
    }

    #[test]
    fn the_nearest_variable_names_the_cache() {
        let cache = |variables: &[(&str, &str)]| settings(variables).unwrap().cache;
        assert_eq!(cache(&[("XDG_CACHE_HOME", "/x")]), Path::new("/x/huggingface/hub"));
        assert_eq!(cache(&[("XDG_CACHE_HOME", "/x"), ("HF_HOME", "/h")]), Path::new("/h/hub"));
        assert_eq!(cache(&[("HF_HOME", "/h"), ("HF_HUB_CACHE", "~/c")]), Path::new("/home/me/c"));
        assert_eq!(cache(&[("HF_HOME", "")]), Path::new("/home/me/.cache/huggingface/hub"));
    }

    #[test]
    fn offline_is_said_as_python_says_it() {
        for (value, offline) in
            [("1", true), ("TRUE", true), ("yes", true), ("on", true), ("0", false), ("", false)]
        {
            assert_eq!(settings(&[("HF_HUB_OFFLINE", value)]).unwrap().offline, offline, "{value}");
        }
    }

    #[test]
    fn the_variable_goes_before_the_token_file() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("token"), "from_file\n").unwrap();
        let home = home.path().to_str().unwrap();
        assert_eq!(settings(&[("HF_HOME", home)]).unwrap().token.as_deref(), Some("from_file"));
        let both = settings(&[("HF_HOME", home), ("HF_TOKEN", " from_variable\n")]).unwrap();
        assert_eq!(both.token.as_deref(), Some("from_variable"));
        assert!(!format!("{both:?}").contains("from_variable"));
    }

    #[test]
    fn a_setting_that_means_nothing_is_an_error() {
        let error = |variable, value| settings(&[(variable, value)]).unwrap_err().to_string();
        assert_eq!(
            error("HF_ENDPOINT", "huggingface.co"),
            "`HF_ENDPOINT` is `huggingface.co`, but must be an address that begins with `http://` or `https://`"
        );
        assert_eq!(
            error("HF_HUB_DOWNLOAD_TIMEOUT", "soon"),
            "`HF_HUB_DOWNLOAD_TIMEOUT` is `soon`, but must be a number of seconds above 0"
        );
        assert_eq!(
            error("HF_TOKEN", "a b"),
            "`HF_TOKEN` is `…`, but a token is letters, digits and `_` without spaces"
        );
    }

    #[test]
    fn an_endpoint_loses_its_final_slash() {
        assert_eq!(
            settings(&[("HF_ENDPOINT", "http://mirror:8080/hf/")]).unwrap().endpoint,
            "http://mirror:8080/hf"
        );
    }
}
