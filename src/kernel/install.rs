//! The kernelspec: the folder through which Jupyter clients find the kernel.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::logo;
use crate::error::{Error, Result};
use crate::render::write;

/// For whom the kernel is installed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// The user's own Jupyter folder.
    #[default]
    User,
    /// Below a prefix, as Python environments have it.
    Prefix(PathBuf),
    /// The environment that is active: `VIRTUAL_ENV` or `CONDA_PREFIX`.
    Environment,
}

/// What follows the program in the command that starts a kernel.
const RUN: [&str; 4] = ["kernel", "run", "--connection-file", "{connection_file}"];

/// The usual name, which needs not be said to users.
pub const NAME: &str = "tokenscope";

/// How the kernels are started.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// The model that they ask; without one their own environment decides.
    pub model: Option<String>,
    /// What else stands on their command line.
    pub arguments: Vec<String>,
}

/// Writes the kernelspec, and returns its folder. A kernel of ours of that name that was there is replaced.
///
/// # Errors
/// When the name cannot be a kernel's or is another program's, no environment is active, or the folder cannot be
/// written.
pub fn install(place: &Place, name: &str, start: &Start) -> Result<PathBuf> {
    let folder = folder(place, name)?;
    if folder.join("kernel.json").is_file() {
        check_ours(&folder, name)?;
    }
    let program = std::env::current_exe().map_err(Error::io("find", "tokenscope"))?;
    let mut arguments = vec![program.display().to_string()];
    arguments.extend(RUN.map(str::to_owned));
    if let Some(model) = &start.model {
        arguments.extend(["--model".to_owned(), model.clone()]);
    }
    arguments.extend(start.arguments.iter().cloned());
    let title = match start.model.as_deref().map(short_name) {
        Some(model) => format!("tokenscope ({model})"),
        None if name == NAME => "tokenscope".to_owned(),
        None => format!("tokenscope ({name})"),
    };
    let spec = json!({
        "argv": arguments,
        "display_name": title,
        "language": "rhai",
        "interrupt_mode": "message",
        "metadata": { "debugger": false },
    });
    let spec = serde_json::to_string_pretty(&spec).expect("plain data can be written") + "\n";
    std::fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
    write(&folder.join("logo-32x32.png"), &logo::png(1)?)?;
    write(&folder.join("logo-64x64.png"), &logo::png(2)?)?;
    write(&folder.join("logo-svg.svg"), logo::svg().as_bytes())?;
    // Last: with it the kernel is there.
    write(&folder.join("kernel.json"), spec.as_bytes())?;
    Ok(folder)
}

/// A folder's own name says enough.
fn short_name(model: &str) -> Cow<'_, str> {
    let path = Path::new(model);
    path.file_name().filter(|_| path.is_dir()).map_or(model.into(), |folder| folder.to_string_lossy())
}

/// Removes the kernelspec, and returns the folder that it was in.
///
/// # Errors
/// When there is none of that name, or it is another program's, or the folder cannot be removed.
pub fn uninstall(place: &Place, name: &str) -> Result<PathBuf> {
    let folder = folder(place, name)?;
    if !folder.join("kernel.json").is_file() {
        return Err(Error::NoSuchKernel { name: name.to_owned(), folder });
    }
    check_ours(&folder, name)?;
    std::fs::remove_dir_all(&folder).map_err(Error::io("remove", &folder))?;
    Ok(folder)
}

/// Fails unless the kernel in a folder is started as ours is.
fn check_ours(folder: &Path, name: &str) -> Result<()> {
    let path = folder.join("kernel.json");
    let text = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    let spec: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let is_ours = (1..).zip(RUN).all(|(at, word)| spec["argv"][at] == word);
    if is_ours {
        Ok(())
    } else {
        Err(Error::ForeignKernel { name: name.to_owned(), folder: folder.to_owned() })
    }
}

fn folder(place: &Place, name: &str) -> Result<PathBuf> {
    // What `jupyter kernelspec` accepts; it also keeps the name from leading elsewhere.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || name.starts_with('.') || !name.chars().all(is_plain) {
        return Err(Error::BadKernelName { name: name.to_owned() });
    }
    let data = match place {
        Place::User => user_folder()?,
        Place::Prefix(prefix) => prefix.join("share/jupyter"),
        Place::Environment => {
            let prefix = ["VIRTUAL_ENV", "CONDA_PREFIX"].iter().find_map(std::env::var_os);
            Path::new(&prefix.ok_or(Error::NoEnvironment)?).join("share/jupyter")
        }
    };
    // Jupyter itself looks names up in lower case.
    Ok(data.join("kernels").join(name.to_lowercase()))
}

/// Where Jupyter looks for what a user has installed.
fn user_folder() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("JUPYTER_DATA_DIR") {
        return Ok(PathBuf::from(folder));
    }
    let folder = match cfg!(target_os = "macos") {
        true => dirs::home_dir().map(|home| home.join("Library/Jupyter")),
        false => dirs::data_dir().map(|data| data.join("jupyter")),
    };
    folder.ok_or(Error::NoEnvironment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernelspec_comes_and_goes() {
        let prefix = tempfile::tempdir().unwrap();
        let place = Place::Prefix(prefix.path().to_owned());
        let arguments = ["--allow-read", "/lessons"].map(str::to_owned).to_vec();
        let start = Start { model: Some("gpt2".to_owned()), arguments };
        let folder = install(&place, "Scope", &start).unwrap();
        assert!(folder.ends_with("share/jupyter/kernels/scope"));
        let spec: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(folder.join("kernel.json")).unwrap()).unwrap();
        assert_eq!(spec["display_name"], "tokenscope (gpt2)");
        assert_eq!(spec["argv"][4], "{connection_file}");
        let said: Vec<_> = spec["argv"].as_array().unwrap()[5..].iter().collect();
        assert_eq!(said, ["--model", "gpt2", "--allow-read", "/lessons"]);
        install(&place, "scope", &Start::default()).unwrap();
        assert_eq!(uninstall(&place, "scope").unwrap(), folder);
        assert!(!folder.exists());
        assert!(matches!(uninstall(&place, "scope"), Err(Error::NoSuchKernel { .. })));
    }

    #[test]
    fn another_programs_kernel_is_left_alone() {
        let prefix = tempfile::tempdir().unwrap();
        let place = Place::Prefix(prefix.path().to_owned());
        let theirs = prefix.path().join("share/jupyter/kernels/python3");
        std::fs::create_dir_all(&theirs).unwrap();
        for spec in ["{\"argv\": [\"python\", \"-m\", \"ipykernel\"]}", "not JSON"] {
            std::fs::write(theirs.join("kernel.json"), spec).unwrap();
            assert!(matches!(
                install(&place, "python3", &Start::default()),
                Err(Error::ForeignKernel { .. })
            ));
            assert!(matches!(uninstall(&place, "python3"), Err(Error::ForeignKernel { .. })));
            assert_eq!(std::fs::read_to_string(theirs.join("kernel.json")).unwrap(), spec);
        }
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        let place = Place::Prefix(PathBuf::from("/nowhere"));
        for name in ["", "..", "a/b", "a b", ".hidden"] {
            assert!(matches!(uninstall(&place, name), Err(Error::BadKernelName { .. })), "{name}");
        }
    }
}
