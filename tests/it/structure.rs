//! The house stays as it was laid out: modules depend one way, and each outside crate has one home.

use std::path::{Path, PathBuf};

/// From the bottom to the top: a module may name those of the lines above its own, and none beside it.
const FLOORS: &[&[&str]] = &[
    &["memory", "parallel", "suggest", "vector"],
    &["error"],
    &["interrupt"],
    &["distribution", "hub", "render", "tokenizer"],
    &["model"],
    &["generate"],
    &["analyse"],
    &["check"],
    &["script"],
    &["terminal"],
    &["kernel", "repl"],
    &["export"],
    &["cli"],
    &["main", "lib"],
];

/// Modules that plain data goes into, and which know nothing but how to fail and to compute.
const PURE: &[&str] = &["distribution", "render"];

const HOMES: &[(&str, &[&str])] = &[
    ("rhai", &["script", "repl"]),
    ("rustyline", &["repl"]),
    ("hf_hub", &["hub"]),
    ("ureq", &["hub"]),
    ("tokenizers", &["tokenizer"]),
    ("tabled", &["render"]),
    ("plotters", &["render"]),
    ("candle_core", &["error", "model", "analyse"]),
    ("candle_nn", &["model", "analyse"]),
    ("rand_chacha", &["generate"]),
    ("clap", &["cli", "repl", "terminal"]),
    ("ctrlc", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("toml", &["cli"]),
    ("rustix", &["terminal"]),
    ("cap", &["memory"]),
    ("hmac", &["kernel"]),
    ("sha2", &["kernel"]),
    ("base64", &["kernel", "export", "terminal"]),
    ("indicatif", &["terminal"]),
];

/// Every source file with the module on the top level that it belongs to.
fn sources() -> Vec<(String, PathBuf)> {
    fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    let module = |path: &Path| {
        let first = path.strip_prefix(&root).unwrap().components().next().unwrap();
        first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
    };
    files.into_iter().map(|path| (module(&path), path)).collect()
}

/// The words that follow `prefix` in a file.
fn words_after(path: &Path, prefix: &str) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let word = |rest: &str| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    code.join("\n").split(prefix).skip(1).map(word).collect()
}

fn floor(module: &str) -> usize {
    let found = FLOORS.iter().position(|floor| floor.contains(&module));
    found.unwrap_or_else(|| panic!("`{module}` has no place in FLOORS"))
}

#[test]
fn modules_depend_one_way() {
    for (module, path) in sources() {
        for used in words_after(&path, "crate::").into_iter().filter(|used| *used != module) {
            // Macros and the crate's own name in paths of the binary are no modules.
            if FLOORS.iter().any(|floor| floor.contains(&used.as_str())) {
                let is_below = floor(&used) < floor(&module);
                assert!(is_below, "{}: `{module}` must not know `{used}`", path.display());
                let is_pure = PURE.contains(&module.as_str());
                assert!(
                    !is_pure || ["error", "vector"].contains(&used.as_str()),
                    "{}: `{module}` knows `{used}`",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn each_outside_crate_has_one_home() {
    for (module, path) in sources() {
        let text = std::fs::read_to_string(&path).unwrap();
        for (name, homes) in HOMES {
            let is_used = text.lines().any(|line| {
                let line = line.trim_start();
                !line.starts_with("//")
                    && (line.contains(&format!("{name}::")) || line.starts_with(&format!("use {name}")))
            });
            assert!(
                !is_used || homes.contains(&module.as_str()),
                "{}: `{name}` belongs into {homes:?}",
                path.display()
            );
        }
    }
}
