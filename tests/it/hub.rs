//! A model's name becomes files: from a folder, from the cache, from a hub that works and from one that does not.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokenscope::error::{Error, Result};
use tokenscope::hub::{Hub, KNOWN_MODELS, ModelFiles, Place, Progress, Settings, Source, TokenizerFiles};
use tokenscope::interrupt::Interrupt;

use crate::mirror::{Fault, Mirror, etag};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const WEIGHTS: &str = "model.safetensors";

/// A mirror, an empty cache, and the settings that bring them together.
struct Setting {
    mirror: Mirror,
    cache: TempDir,
    settings: Settings,
}

impl Setting {
    /// The mirror has `me/tiny`, whole.
    fn new() -> Setting {
        let (mirror, cache) = (Mirror::start(), TempDir::new().unwrap());
        mirror.publish("me/tiny", COMMIT, &tiny());
        let mut settings = Settings::new(cache.path());
        settings.endpoint = mirror.endpoint.clone();
        settings.patience = Duration::from_millis(400);
        Setting { mirror, cache, settings }
    }

    fn resolve(&self, name: &str) -> Result<Source> {
        Hub::new(self.settings.clone()).resolve(name, &mut (), &Interrupt::default())
    }

    fn files(&self, name: &str) -> ModelFiles {
        files(self.resolve(name).unwrap())
    }

    fn error(&self, name: &str) -> Error {
        self.resolve(name).expect_err("there is something wrong")
    }

    /// Every file and link below the repository's folder in the cache, a link with where it leads.
    fn tree(&self) -> BTreeMap<String, String> {
        let (root, mut found) = (self.cache.path().join("models--me--tiny"), BTreeMap::new());
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(&root).unwrap().display().to_string();
                match fs::read_link(&path) {
                    Ok(target) => drop(found.insert(name, format!("-> {}", target.display()))),
                    Err(_) if path.is_dir() => folders.push(path),
                    Err(_) => drop(found.insert(name, String::new())),
                }
            }
        }
        found
    }

    fn offline(mut self) -> Setting {
        self.settings.offline = true;
        self
    }
}

fn files(source: Source) -> ModelFiles {
    match source {
        Source::Files(files) => files,
        other => panic!("{other:?} is no folder"),
    }
}

/// Weights of 6,000 numbers and an attention mask of 4, which nobody learnt.
fn weights() -> Vec<u8> {
    let wte: Vec<u8> = (0..6_000).flat_map(|x| (x as f32).to_le_bytes()).collect();
    let view = |dtype, shape, data| safetensors::tensor::TensorView::new(dtype, shape, data).unwrap();
    let tensors = [
        ("wte.weight", view(safetensors::Dtype::F32, vec![3_000, 2], &wte)),
        ("h.0.attn.bias", view(safetensors::Dtype::U8, vec![4], &[1; 4])),
    ];
    safetensors::serialize(tensors, None).unwrap()
}

fn config() -> Vec<u8> {
    br#"{"model_type": "gpt2", "n_layer": 1}"#.to_vec()
}

fn tiny() -> Vec<(&'static str, Vec<u8>)> {
    vec![("config.json", config()), ("tokenizer.json", b"{}".to_vec()), (WEIGHTS, weights())]
}

fn without(name: &str) -> Vec<(&'static str, Vec<u8>)> {
    tiny().into_iter().filter(|(file, _)| *file != name).collect()
}

fn folder(contents: &[(&str, Vec<u8>)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (file, bytes) in contents {
        fs::write(folder.path().join(file), bytes).unwrap();
    }
    folder
}

fn text(error: &Error) -> String {
    format!("{error}\nhint: {}", error.hint().unwrap_or_default())
}

// Names and folders

#[test]
fn the_built_in_model_needs_no_network() {
    let setting = Setting::new();
    assert_eq!(setting.resolve("pocket").unwrap(), Source::BuiltIn(&KNOWN_MODELS[0]));
    assert_eq!(setting.mirror.asked().len(), 0);
}

#[test]
fn a_folder_is_used_as_it_is() {
    let (setting, folder) = (Setting::new(), folder(&tiny()));
    let path = folder.path();
    let files = setting.files(path.to_str().unwrap());
    assert_eq!(files.config, path.join("config.json"));
    assert_eq!(files.weights, [path.join(WEIGHTS)]);
    assert_eq!(files.tokenizer, TokenizerFiles::Json(path.join("tokenizer.json")));
    assert_eq!(files.commit, None);
    assert_eq!(setting.mirror.asked().len(), 0);
}

#[test]
fn a_tilde_is_the_home_folder() {
    let home = TempDir::new().unwrap();
    fs::rename(folder(&tiny()).keep(), home.path().join("mine")).unwrap();
    let mut setting = Setting::new();
    setting.settings.home = Some(home.path().to_owned());
    assert_eq!(setting.files("~/mine").folder, home.path().join("mine"));
}

#[test]
fn a_folder_that_lacks_a_file_is_told_which() {
    let setting = Setting::new();
    let lacking = |file: &str| {
        let folder = folder(&without(file));
        let place = folder.path().to_str().unwrap();
        setting.error(place).to_string().replace(place, "FOLDER")
    };
    assert_eq!(lacking("config.json"), "`FOLDER` has no configuration (looked for `config.json`)");
    assert_eq!(
        lacking(WEIGHTS),
        "`FOLDER` has no weights (looked for `model.safetensors`, `model.safetensors.index.json`)"
    );
    assert_eq!(
        lacking("tokenizer.json"),
        "`FOLDER` has no tokenizer (looked for `tokenizer.json`, or `vocab.json` with `merges.txt`)"
    );
    assert_eq!(setting.error("./nowhere").to_string(), "there is no folder `./nowhere`");
}

#[test]
fn a_folder_with_a_cut_file_of_weights_is_refused() {
    let cut = weights()[..1_000].to_vec();
    let folder = folder(&[("config.json", config()), ("tokenizer.json", b"{}".to_vec()), (WEIGHTS, cut)]);
    let error = Setting::new().error(folder.path().to_str().unwrap()).to_string();
    assert!(error.ends_with("bytes, but the file has 1000"), "{error}");
}

#[test]
fn an_index_cannot_reach_outside_its_folder() {
    let index = br#"{"weight_map": {"wte.weight": "../../secret.safetensors"}}"#.to_vec();
    let folder = folder(&[
        ("config.json", config()),
        ("tokenizer.json", b"{}".to_vec()),
        ("model.safetensors.index.json", index),
    ]);
    let error = Setting::new().error(folder.path().to_str().unwrap()).to_string();
    assert!(error.ends_with("`../../secret.safetensors` is no name for a shard"), "{error}");
}

// Downloads

#[test]
fn a_download_lays_the_cache_out_as_python_does() {
    let setting = Setting::new();
    let files = setting.files("me/tiny");
    assert_eq!(files.name, "me/tiny");
    assert_eq!(files.commit.as_deref(), Some(COMMIT));
    assert_eq!(fs::read(&files.weights[0]).unwrap(), weights());

    let mut expected = BTreeMap::from([("refs/main".to_owned(), String::new())]);
    for (file, bytes) in tiny() {
        let blob = etag(&bytes);
        expected.insert(format!("snapshots/{COMMIT}/{file}"), format!("-> ../../blobs/{blob}"));
        expected.insert(format!("blobs/{blob}"), String::new());
    }
    assert_eq!(setting.tree(), expected);
    let noted = fs::read_to_string(setting.cache.path().join("models--me--tiny/refs/main")).unwrap();
    assert_eq!(noted, COMMIT);
}

#[test]
fn what_is_cached_is_not_asked_for_again() {
    let setting = Setting::new();
    let first = setting.files("me/tiny");
    let asked = setting.mirror.asked().len();
    assert!(asked > 0);
    assert_eq!(setting.files("me/tiny"), first);
    assert_eq!(setting.mirror.asked().len(), asked);
    assert_eq!(setting.offline().files("me/tiny"), first);
}

#[test]
fn a_cached_vocabulary_with_merges_needs_no_request_either() {
    let setting = Setting::new();
    let mut contents = without("tokenizer.json");
    contents.extend([("vocab.json", b"{}".to_vec()), ("merges.txt", b"#version\n".to_vec())]);
    setting.mirror.publish("me/tiny", COMMIT, &contents);
    let first = setting.files("me/tiny");
    assert!(matches!(first.tokenizer, TokenizerFiles::VocabAndMerges { .. }));
    let asked = setting.mirror.asked().len();
    assert_eq!(setting.files("me/tiny"), first);
    assert_eq!(setting.mirror.asked().len(), asked);
}

#[test]
fn a_known_name_is_found_under_the_name_that_python_cached_it_by() {
    let setting = Setting::new().offline();
    let snapshot = setting.cache.path().join("models--gpt2/snapshots").join(COMMIT);
    fs::create_dir_all(setting.cache.path().join("models--gpt2/refs")).unwrap();
    fs::write(setting.cache.path().join("models--gpt2/refs/main"), COMMIT).unwrap();
    fs::create_dir_all(snapshot.parent().unwrap()).unwrap();
    fs::rename(folder(&tiny()).keep(), &snapshot).unwrap();
    assert_eq!(setting.files("gpt2").folder, snapshot);
    assert_eq!(setting.files("gpt2").name, "gpt2");
}

#[test]
fn a_known_name_is_downloaded_from_its_repository() {
    let setting = Setting::new();
    setting.mirror.publish("openai-community/gpt2", COMMIT, &tiny());
    assert!(
        setting.files("gpt2").folder.ends_with(format!("models--openai-community--gpt2/snapshots/{COMMIT}"))
    );
}

#[test]
fn offline_only_the_cache_is_read() {
    let setting = Setting::new().offline();
    let error = setting.error("me/tiny");
    let cache = setting.cache.path().display();
    assert_eq!(
        text(&error),
        format!(
            "the cache `{cache}` holds no whole `me/tiny`, and offline mode allows no download\n\
             hint: unset `HF_HUB_OFFLINE` to download it once; `pocket` is built in and needs no network"
        )
    );
    assert_eq!(setting.mirror.asked().len(), 0);
}

#[test]
fn a_revision_is_kept_apart() {
    let setting = Setting::new();
    let pinned = format!("me/tiny@{COMMIT}");
    assert!(setting.files(&pinned).folder.ends_with(COMMIT));
    assert!(setting.mirror.asked().iter().all(|asked| asked.path.contains(COMMIT)));
    // A commit needs no ref, and does not say what `main` is.
    assert!(setting.tree().keys().all(|path| !path.starts_with("refs")));
    let asked = setting.mirror.asked().len();
    setting.files(&pinned);
    assert_eq!(setting.mirror.asked().len(), asked);
    assert_eq!(
        setting.error("me/tiny@v9").to_string(),
        format!("{} has no model `me/tiny` at revision `v9`", setting.mirror.endpoint)
    );
}

#[test]
fn shards_come_in_the_order_of_their_names() {
    let setting = Setting::new();
    let index = br#"{"weight_map": {"b": "model-00002-of-00002.safetensors",
        "a": "model-00001-of-00002.safetensors", "c": "model-00002-of-00002.safetensors"}}"#;
    let mut contents = without(WEIGHTS);
    contents.extend([
        ("model.safetensors.index.json", index.to_vec()),
        ("model-00001-of-00002.safetensors", weights()),
        ("model-00002-of-00002.safetensors", weights()),
    ]);
    setting.mirror.publish("me/tiny", COMMIT, &contents);
    let files = setting.files("me/tiny");
    let names: Vec<_> =
        files.weights.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]);
    assert_eq!(setting.offline().files("me/tiny"), files);
}

#[test]
fn the_token_goes_to_the_hub_and_not_to_its_storage() {
    let mut setting = Setting::new();
    let storage = Mirror::start();
    storage.publish("me/tiny", COMMIT, &tiny());
    setting.mirror.keep_weights_at(&storage);
    setting.mirror.require_token("secret");
    setting.settings.token = Some("secret".to_owned());
    assert_eq!(fs::read(&setting.files("me/tiny").weights[0]).unwrap(), weights());
    let asked = setting.mirror.asked();
    assert!(asked.iter().all(|asked| asked.authorization.as_deref() == Some("Bearer secret")));
    assert_eq!(storage.asked().len(), 1);
    assert_eq!(storage.asked()[0].authorization, None);
}

#[derive(Default)]
struct Heard(Vec<String>, u64);

impl Progress for Heard {
    fn started(&mut self, file: &str, bytes: u64) {
        self.0.push(format!("{file} {bytes}"));
        self.1 = 0;
    }
    fn advanced(&mut self, bytes: u64) {
        self.1 += bytes;
    }
    fn finished(&mut self) {
        self.0.push(format!("all {}", self.1));
    }
}

#[test]
fn progress_is_told_file_by_file() {
    let setting = Setting::new();
    let mut heard = Heard::default();
    Hub::new(setting.settings.clone()).resolve("me/tiny", &mut heard, &Interrupt::default()).unwrap();
    let length = |bytes: Vec<u8>| bytes.len();
    let (config, weights) = (length(config()), length(weights()));
    let expected = [
        format!("config.json {config}"),
        format!("all {config}"),
        "tokenizer.json 2".to_owned(),
        "all 2".to_owned(),
        format!("model.safetensors {weights}"),
        format!("all {weights}"),
    ];
    assert_eq!(heard.0, expected);
}

// What goes wrong

/// The last request for bytes, not for a description.
fn last_range(setting: &Setting) -> String {
    let asked = setting.mirror.asked();
    asked.iter().filter_map(|asked| asked.range.clone()).rfind(|range| range != "bytes=0-0").unwrap()
}

/// No try that failed leaves something that looks like the model.
fn assert_nothing_usable(setting: &Setting) {
    let mut settings = setting.settings.clone();
    settings.offline = true;
    let found = Hub::new(settings).resolve("me/tiny", &mut (), &Interrupt::default());
    assert!(matches!(found, Err(Error::NotCached { .. })), "{found:?}");
    let tree = setting.tree();
    assert!(!tree.contains_key(&format!("snapshots/{COMMIT}/{WEIGHTS}")), "{tree:?}");
    assert!(!tree.contains_key(&format!("blobs/{}", etag(&weights()))), "{tree:?}");
}

/// After the fault is mended the next try succeeds, and leaves nothing but the model.
fn assert_next_try_succeeds(setting: &Setting) {
    setting.mirror.mend();
    assert_eq!(fs::read(&setting.files("me/tiny").weights[0]).unwrap(), weights());
    let tree = setting.tree();
    assert!(tree.keys().all(|path| !path.ends_with("part")), "{tree:?}");
}

#[test]
fn a_cut_download_continues_where_it_stopped() {
    let setting = Setting::new();
    setting.mirror.break_file(WEIGHTS, Fault::CutOnceAfter(10_000));
    let error = setting.error("me/tiny");
    assert_eq!(
        text(&error),
        format!(
            "the connection was cut while downloading `model.safetensors`: 10000 of {} bytes arrived\n\
             hint: try again: the download continues where it stopped",
            weights().len()
        )
    );
    assert_nothing_usable(&setting);
    assert_next_try_succeeds(&setting);
    assert_eq!(last_range(&setting), "bytes=10000-");
}

#[test]
fn a_server_without_ranges_is_read_from_the_start_again() {
    let setting = Setting::new();
    setting.mirror.break_file(WEIGHTS, Fault::CutOnceAfter(10_000));
    setting.error("me/tiny");
    setting.mirror.break_file(WEIGHTS, Fault::NoRanges);
    assert_eq!(fs::read(&setting.files("me/tiny").weights[0]).unwrap(), weights());
}

#[test]
fn a_file_shorter_than_its_content_length_is_cut() {
    let setting = Setting::new();
    setting.mirror.break_file(WEIGHTS, Fault::Truncated(7));
    assert!(matches!(setting.error("me/tiny"), Error::Cut { .. }));
    assert_nothing_usable(&setting);
    assert_next_try_succeeds(&setting);
    assert_eq!(last_range(&setting), format!("bytes={}-", weights().len() - 7));
}

#[test]
fn a_file_of_another_size_than_announced_is_not_kept() {
    let setting = Setting::new();
    setting.mirror.break_file(WEIGHTS, Fault::AnnouncedLonger(5));
    let length = weights().len();
    assert_eq!(
        setting.error("me/tiny").to_string(),
        format!("`model.safetensors` is damaged: the hub announced {} bytes, but sent {length}", length + 5)
    );
    assert_nothing_usable(&setting);
    assert_next_try_succeeds(&setting);
}

#[test]
fn weights_of_another_length_than_their_header_says_are_not_kept() {
    let setting = Setting::new();
    let mut contents = without(WEIGHTS);
    contents.push((WEIGHTS, [weights(), b"more".to_vec()].concat()));
    setting.mirror.publish("me/tiny", COMMIT, &contents);
    let length = weights().len();
    assert_eq!(
        setting.error("me/tiny").to_string(),
        format!(
            "`model.safetensors` is damaged: its header declares {length} bytes, but the file has {}",
            length + 4
        )
    );
    assert_nothing_usable(&setting);
    setting.mirror.publish("me/tiny", COMMIT, &tiny());
    assert_next_try_succeeds(&setting);
}

#[test]
fn a_damaged_file_in_the_cache_is_fetched_again() {
    let setting = Setting::new();
    let blob = fs::canonicalize(&setting.files("me/tiny").weights[0]).unwrap();
    fs::write(&blob, &weights()[..500]).unwrap();
    assert_next_try_succeeds(&setting);
}

#[test]
fn a_link_that_leads_nowhere_is_mended() {
    let setting = Setting::new();
    let blob = fs::canonicalize(&setting.files("me/tiny").weights[0]).unwrap();
    fs::remove_file(blob).unwrap();
    assert_next_try_succeeds(&setting);
}

#[test]
fn a_stalled_download_ends_and_continues_at_the_next_try() {
    let setting = Setting::new();
    setting.mirror.break_file(WEIGHTS, Fault::StallAfter(5_000));
    let begun = Instant::now();
    assert_eq!(
        setting.error("me/tiny").to_string(),
        "the download of `model.safetensors` stalled: nothing arrived for 0.4 s"
    );
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_nothing_usable(&setting);
    assert_next_try_succeeds(&setting);
    assert_eq!(last_range(&setting), "bytes=5000-");
}

#[test]
fn a_server_that_never_answers_is_left() {
    let setting = Setting::new();
    setting.mirror.break_file("config.json", Fault::Silent);
    assert!(matches!(setting.error("me/tiny"), Error::Stalled { .. }));
}

/// Asks to stop as soon as some bytes have arrived.
struct StopAfter(u64, Interrupt, Option<Instant>);

impl Progress for StopAfter {
    fn started(&mut self, _file: &str, _bytes: u64) {}
    fn advanced(&mut self, bytes: u64) {
        self.0 = self.0.saturating_sub(bytes);
        if self.0 == 0 && self.2.is_none() {
            self.1.request();
            self.2 = Some(Instant::now());
        }
    }
    fn finished(&mut self) {}
}

#[test]
fn an_interrupt_ends_a_slow_and_a_stalled_download_at_once() {
    for fault in [Fault::Slow, Fault::StallAfter(5_000)] {
        let mut setting = Setting::new();
        setting.settings.patience = Duration::from_secs(60);
        setting.mirror.break_file(WEIGHTS, fault);
        let interrupt = Interrupt::default();
        let mut progress = StopAfter(1_000, interrupt.clone(), None);
        let hub = Hub::new(setting.settings.clone());
        let result = hub.resolve("me/tiny", &mut progress, &interrupt);
        assert!(matches!(result, Err(Error::Interrupted)), "{result:?}");
        assert!(progress.2.unwrap().elapsed() < Duration::from_millis(500), "{fault:?}");
        assert_nothing_usable(&setting);
        assert_next_try_succeeds(&setting);
        assert_ne!(last_range(&setting), "bytes=0-");
    }
}

#[test]
fn two_downloads_at_once_do_not_disturb_each_other() {
    let setting = Setting::new();
    setting.mirror.break_file(WEIGHTS, Fault::Slow);
    std::thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| setting.files("me/tiny")));
        let [first, second] = both.map(|thread| thread.join().unwrap());
        assert_eq!(first, second);
    });
    let bodies = setting.mirror.asked();
    let bodies = bodies
        .iter()
        .filter(|asked| asked.path.ends_with(WEIGHTS) && asked.range.as_deref() == Some("bytes=0-"));
    assert_eq!(bodies.count(), 1);
    assert_next_try_succeeds(&setting);
}

#[test]
fn each_refusal_says_what_to_do() {
    let mut setting = Setting::new();
    let endpoint = setting.mirror.endpoint.clone();
    assert_eq!(
        text(&setting.error("me/tinny")),
        format!(
            "{endpoint} has no model `me/tinny` at revision `main`\n\
             hint: check the name; if the model is private, set `HF_TOKEN`"
        )
    );
    let refused = |status: u16| {
        setting.mirror.break_file("config.json", Fault::Status(status));
        text(&setting.error("me/tiny"))
    };
    assert_eq!(
        refused(404),
        format!(
            "{endpoint} has no model `me/tiny` at revision `main`\n\
             hint: check the name; if the model is private, set `HF_TOKEN`"
        )
    );
    assert_eq!(
        refused(401),
        format!(
            "{endpoint} refused `me/tiny` (HTTP 401)\n\
             hint: the name may be wrong, or the model private or gated: for those set `HF_TOKEN`"
        )
    );
    assert_eq!(
        refused(429),
        format!(
            "{endpoint} could not deliver `config.json` (HTTP 429)\n\
             hint: the server limits how often it is asked: wait some minutes and try again"
        )
    );
    assert_eq!(
        refused(503),
        format!(
            "{endpoint} could not deliver `config.json` (HTTP 503)\n\
             hint: the trouble is the server's: try again later"
        )
    );
    setting.settings.token = Some("old".to_owned());
    setting.mirror.break_file("config.json", Fault::Status(403));
    assert_eq!(
        text(&setting.error("me/tiny")),
        format!(
            "{endpoint} refused `me/tiny` (HTTP 403)\n\
             hint: check `HF_TOKEN`; a gated model's terms are accepted at {endpoint}/me/tiny"
        )
    );
    assert_eq!(setting.tree(), BTreeMap::new());
}

#[test]
fn a_repository_that_lacks_a_file_is_told_which() {
    let setting = Setting::new();
    let place = format!("{}/me/tiny", setting.mirror.endpoint);
    setting.mirror.publish("me/tiny", COMMIT, &without(WEIGHTS));
    assert_eq!(
        setting.error("me/tiny").to_string(),
        format!("`{place}` has no weights (looked for `model.safetensors`, `model.safetensors.index.json`)")
    );
    let mut contents = without(WEIGHTS);
    contents.push(("pytorch_model.bin", b"pickle".to_vec()));
    setting.mirror.publish("me/tiny", COMMIT, &contents);
    assert_eq!(
        text(&setting.error("me/tiny")),
        format!(
            "`{place}` has only `pytorch_model.bin`, but weights are read from safetensors files\n\
             hint: in Python, `from_pretrained(…).save_pretrained(folder)` writes safetensors; then name that folder"
        )
    );
    setting.mirror.publish("me/tiny", COMMIT, &without("config.json"));
    assert_eq!(
        setting.error("me/tiny").to_string(),
        format!("`{place}` has no configuration (looked for `config.json`)")
    );
}

#[test]
fn a_model_of_another_kind_is_refused_before_its_weights_come() {
    let setting = Setting::new();
    let mut contents = without("config.json");
    contents.push(("config.json", br#"{"model_type": "llama"}"#.to_vec()));
    setting.mirror.publish("me/tiny", COMMIT, &contents);
    assert_eq!(
        setting.error("me/tiny").to_string(),
        format!(
            "`{}/me/tiny` is a `llama` model, but only `gpt2` models can be read",
            setting.mirror.endpoint
        )
    );
    assert!(setting.mirror.asked().iter().all(|asked| !asked.path.ends_with(WEIGHTS)));
}

#[test]
fn without_a_connection_the_endpoint_is_named() {
    let mut setting = Setting::new();
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    setting.settings.endpoint = format!("http://{free}");
    let error = text(&setting.error("me/tiny"));
    assert!(error.starts_with(&format!("cannot reach http://{free}: ")), "{error}");
    assert!(error.ends_with("`pocket` is built in and needs none"), "{error}");
}

#[test]
fn a_cache_that_cannot_be_written_is_named() {
    let mut setting = Setting::new();
    let file = setting.cache.path().join("file");
    fs::write(&file, "").unwrap();
    setting.settings.cache = file.clone();
    let error = setting.error("me/tiny").to_string();
    assert!(error.starts_with(&format!("cannot create `{}", file.display())), "{error}");
}

// The list

fn row<'a>(listed: &'a [tokenscope::hub::ListedModel], name: &str) -> &'a tokenscope::hub::ListedModel {
    listed.iter().find(|model| model.name == name).unwrap_or_else(|| panic!("no `{name}` in {listed:?}"))
}

#[test]
fn the_list_has_the_known_models_and_what_else_the_cache_holds() {
    let setting = Setting::new();
    let hub = Hub::new(setting.settings.clone());
    let known: Vec<_> = hub.list().unwrap().into_iter().map(|model| model.name).collect();
    assert_eq!(known, KNOWN_MODELS.iter().map(|known| known.name).collect::<Vec<_>>());

    setting.mirror.publish("openai-community/gpt2", COMMIT, &tiny());
    let (tiny, gpt2) = (setting.files("me/tiny"), setting.files("gpt2"));
    let asked = setting.mirror.asked().len();
    let listed = hub.list().unwrap();
    assert_eq!(listed.len(), KNOWN_MODELS.len() + 1);
    assert_eq!(row(&listed, "pocket").place, Place::BuiltIn);
    assert_eq!(row(&listed, "gpt2-xl").place, Place::NotHere);
    assert_eq!(row(&listed, "gpt2").place, Place::Here(gpt2.folder));
    let bytes = row(&listed, "me/tiny").bytes;
    assert_eq!(bytes, size(&tiny.config) + size(&tiny.weights[0]) + 2);
    assert_eq!(row(&listed, "me/tiny").place, Place::Here(tiny.folder));
    assert_eq!(row(&listed, "me/tiny").parameters, Some(6_000));
    assert_eq!(setting.mirror.asked().len(), asked);
}

#[test]
fn what_is_no_whole_gpt2_is_not_listed() {
    let setting = Setting::new();
    setting.mirror.break_file(WEIGHTS, Fault::CutOnceAfter(10));
    setting.error("me/tiny");
    let llama: PathBuf = setting.cache.path().join("models--me--llama/snapshots").join(COMMIT);
    fs::create_dir_all(&llama).unwrap();
    fs::write(llama.join("config.json"), r#"{"model_type": "llama"}"#).unwrap();
    let listed = Hub::new(setting.settings.clone()).list().unwrap();
    assert_eq!(listed.len(), KNOWN_MODELS.len(), "{listed:?}");
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}
