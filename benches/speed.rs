//! How long does each part take, and how near is decoding to the speed of memory?
//!
//! `cargo bench` measures the built-in model. A Hugging Face folder of GPT-2's shape is measured by
//! `TOKENSCOPE_BENCH_MODEL=FOLDER cargo bench`; `scripts/make_gpt2_random.py` makes one with random weights. Decoding
//! reads every weight once a token, so its GB/s stand beside those of `memory`, which only adds up the same bytes.
//! On a shared machine compare figures of one run alone.

use std::sync::LazyLock;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use tokenscope::analyse::next_token::NextToken;
use tokenscope::generate::processors::candidates::Candidates;
use tokenscope::generate::processors::sampling;
use tokenscope::hub::{Hub, Settings};
use tokenscope::interrupt::Interrupt;
use tokenscope::model::{Context, Model};
use tokenscope::render::chart::{Chart, SCALE};
use tokenscope::script::{self, Origin, Session};
use tokenscope::tokenizer::Tokenizer;

const TEXT: &str = include_str!("../assets/pocket/README.md");

static MODEL: LazyLock<Model> = LazyLock::new(|| load().expect("the model to measure can be loaded"));

fn main() {
    tokenscope::memory::keep();
    LazyLock::force(&MODEL);
    divan::main();
}

fn load() -> tokenscope::error::Result<Model> {
    let Ok(name) = std::env::var("TOKENSCOPE_BENCH_MODEL") else { return Model::pocket() };
    let source = Hub::new(Settings::from_env()?).resolve(&name, &mut (), &Interrupt::default())?;
    Model::load(&name, &source)
}

/// Ids that look random and are always the same; as many as asked for or as the model's context leaves room for.
fn prompt(len: usize) -> Vec<u32> {
    let config = MODEL.config();
    let next = |state: &usize| Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    let ids = std::iter::successors(Some(1), next).map(|state| ((state >> 33) % config.vocab_size) as u32);
    ids.take(len.min(config.n_positions - 1)).collect()
}

/// The speed of memory: all threads read as many bytes as the weights have.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn memory(bencher: Bencher) {
    let words = vec![1_u64; MODEL.bytes() as usize / 8];
    bencher.counter(BytesCount::of_slice(&words)).bench_local(|| {
        std::thread::scope(|scope| {
            let threads = std::thread::available_parallelism().map_or(1, usize::from);
            let shares = words.chunks(words.len().div_ceil(threads));
            let readers: Vec<_> =
                shares.map(|share| scope.spawn(|| share.iter().fold(0, |sum, word| sum ^ word))).collect();
            readers.into_iter().map(|reader| reader.join().unwrap_or(0)).fold(0, |sum, word| sum ^ word)
        })
    });
}

/// The logits after a prompt's last position.
#[divan::bench(args = [12, 1000], sample_count = 10, sample_size = 1)]
fn read_prompt(bencher: Bencher, len: usize) {
    let ids = prompt(len);
    let bencher = bencher.counter(ItemsCount::new(ids.len()));
    bencher.bench_local(|| Context::new(&MODEL).read(&ids, &Interrupt::default()));
}

/// One more token after so many: the forward pass and the logits.
#[divan::bench(args = [100, 1000], sample_count = 50, sample_size = 1)]
fn decode(bencher: Bencher, past: usize) {
    let (gpt2, interrupt) = (MODEL.gpt2(), Interrupt::default());
    let ids = prompt(past);
    let mut cache = MODEL.empty_cache();
    gpt2.forward(&ids, &mut cache, &interrupt, None).expect("the prompt can be read");
    let bencher = bencher.counter(ItemsCount::new(1_usize)).counter(BytesCount::new(MODEL.bytes()));
    bencher.bench_local(|| {
        cache.truncate(ids.len());
        gpt2.logits(&gpt2.forward(&[11], &mut cache, &interrupt, None)?)
    });
}

/// `next_probs` of a text that has grown by one token.
#[divan::bench(args = [100, 1000], sample_count = 50, sample_size = 1)]
fn next_probs_of_one_more(bencher: Bencher, past: usize) {
    let mut ids = prompt(past);
    let mut context = Context::new(&MODEL);
    context.read(&ids, &Interrupt::default()).expect("the prompt can be read");
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        let last = ids.len() - 1;
        ids[last] ^= 1;
        context.read(&ids, &Interrupt::default())
    });
}

/// A draw from a distribution that is there, through the script's binding.
#[divan::bench]
fn sample(bencher: Bencher) {
    let mut session = session();
    let code = r#"sample("Once upon a time", #{ temperature: 0.8, top_k: 40, top_p: 0.9, seed: 1 });"#;
    bencher.bench_local(|| session.eval(code, &Origin { name: "bench".into(), line: 1 }).is_ok());
}

/// What each rule that looks at the whole row leaves of the model's own distribution.
#[divan::bench(args = ["top_p", "typical_p", "eta_cutoff", "top_k"])]
fn rule(bencher: Bencher, name: &str) {
    let row = Context::new(&MODEL).read(&prompt(12), &Interrupt::default()).expect("the prompt can be read");
    let cut: fn(&mut Candidates) = match name {
        "top_p" => |row| sampling::keep_top_p(row, 0.95, 1),
        "typical_p" => |row| sampling::keep_typical(row, 0.95, 1),
        "eta_cutoff" => |row| sampling::cut_eta(row, 3e-4, 1),
        _ => |row| sampling::keep_top_k(row, 50, 1),
    };
    bencher.with_inputs(|| Candidates::from(&row)).bench_local_refs(cut);
}

/// A new session and its first sum; no model is needed.
#[divan::bench]
fn start_session() -> bool {
    session().eval("1 + 1", &Origin { name: "bench".into(), line: 1 }).is_ok()
}

/// Its weights: the tokenizer is there already.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn load_built_in_model() -> Model {
    Model::pocket().expect("the built-in model can be loaded")
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn load_built_in_tokenizer() -> Tokenizer {
    Tokenizer::gpt2_anew()
}

#[divan::bench]
fn tokenize(bencher: Bencher) {
    let tokenizer = Tokenizer::gpt2();
    bencher.counter(BytesCount::of_str(TEXT)).bench_local(|| tokenizer.tokenize(black_box(TEXT)));
}

#[divan::bench]
fn chart_png(bencher: Bencher) {
    let chart = chart();
    bencher.bench_local(|| chart.png(SCALE));
}

#[divan::bench]
fn chart_svg(bencher: Bencher) {
    let chart = chart();
    bencher.bench_local(|| chart.svg());
}

fn chart() -> Chart {
    let text = "Once upon a time".to_owned();
    let tokenizer = MODEL.tokenizer().clone();
    let ids = tokenizer.tokenize(&text);
    let distribution = Context::new(&MODEL).read(ids.ids(), &Interrupt::default());
    let distribution = distribution.expect("the prompt can be read");
    NextToken { distribution, tokenizer: Some(tokenizer), text, rules: Vec::new() }.chart(10)
}

fn session() -> Session {
    let settings = script::Settings {
        model: "pocket".into(),
        backend: Default::default(),
        hub: None,
        out: ".".into(),
        allowed: Default::default(),
    };
    Session::new(settings, Interrupt::default(), Box::new(|_| ()))
}
