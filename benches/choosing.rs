//! What do the rules and beam search add to the time of a decoded token? The bound is 5 %.
//!
//! `cargo bench --bench choosing`, with `TOKENSCOPE_BENCH_MODEL=FOLDER` for another model than the built-in one. All
//! ways of choosing take turns, so that what else the machine does falls on each of them alike; figures are medians,
//! and the last column compares each way with the greedy run just before it. Guidance is left out: it reads a second
//! prompt, and costs what that costs.

use std::time::Instant;

use tokenscope::generate::options::{Options, Value};
use tokenscope::generate::{GenerateOptions, generate};
use tokenscope::hub::{Hub, Settings};
use tokenscope::interrupt::Interrupt;
use tokenscope::model::{Context, Model};
use tokenscope::tokenizer::Tokens;

const PROMPT: &str = include_str!("../assets/pocket/README.md");
const PROMPT_TOKENS: usize = 100;
const NEW_TOKENS: usize = 16;
const ROUNDS: usize = 25;

type Given = (&'static str, Value);

fn main() -> tokenscope::error::Result<()> {
    let model = match std::env::var("TOKENSCOPE_BENCH_MODEL") {
        Ok(name) => {
            let source = Hub::new(Settings::from_env()?).resolve(&name, &mut (), &Interrupt::default())?;
            Model::load(&name, &source)?
        }
        Err(_) => Model::pocket()?,
    };
    let prompt = model.tokenizer().tokenize(PROMPT).slice(0..PROMPT_TOKENS);
    let mut context = Context::new(&model);
    let ways = ways();
    let mut times = vec![(Vec::new(), Vec::new()); ways.len()];
    for _ in 0..ROUNDS {
        for ((_, options, beams), (own, shares)) in ways.iter().zip(&mut times) {
            let greedy = seconds_per_token(&mut context, &prompt, &ways[0].1, 1)?;
            let time = seconds_per_token(&mut context, &prompt, options, *beams)?;
            own.push(time);
            shares.push(time / greedy);
        }
    }
    println!("{}: {NEW_TOKENS} tokens after {PROMPT_TOKENS}, median of {ROUNDS} rounds", model.name());
    for ((name, ..), (own, shares)) in ways.iter().zip(times) {
        let (milliseconds, share) = (1e3 * median(own), 100.0 * (median(shares) - 1.0));
        println!("{name:<28} {milliseconds:>8.3} ms a token {share:>+7.1} %");
    }
    Ok(())
}

/// The name, the options and how many texts are read at each step.
fn ways() -> Vec<(&'static str, GenerateOptions, usize)> {
    let number = Value::Number;
    let list = |values: &[i64]| Value::List(values.iter().map(|id| Value::Integer(*id)).collect());
    let seed = ("seed", Value::Integer(1));
    let sampling = vec![
        ("temperature", number(0.8)),
        ("top_k", Value::Integer(50)),
        ("top_p", number(0.95)),
        ("min_p", number(0.01)),
        ("typical_p", number(0.95)),
        ("epsilon_cutoff", number(3e-4)),
        ("eta_cutoff", number(3e-4)),
        seed.clone(),
    ];
    let others = vec![
        ("repetition_penalty", number(1.2)),
        ("no_repeat_ngram_size", Value::Integer(3)),
        ("sequence_bias", Value::Map(vec![(" the".to_owned(), number(-1.0))])),
        ("bad_words", Value::List(vec![Value::Text(" foo".to_owned())])),
        ("suppress_tokens", list(&[1, 2, 3])),
        ("begin_suppress_tokens", list(&[4])),
    ];
    let one = |name, value: Value| vec![(name, value), seed.clone()];
    vec![
        ("greedy", options(vec![]), 1),
        ("greedy again (the noise)", options(vec![]), 1),
        ("a seed alone", options(vec![seed.clone()]), 1),
        ("top_k 50", options(one("top_k", Value::Integer(50))), 1),
        ("top_p 0.95", options(one("top_p", number(0.95))), 1),
        ("typical_p 0.95", options(one("typical_p", number(0.95))), 1),
        ("eta_cutoff 3e-4", options(one("eta_cutoff", number(3e-4))), 1),
        ("all rules", options(sampling.into_iter().chain(others).collect()), 1),
        ("4 beams", options(vec![("num_beams", Value::Integer(4))]), 4),
    ]
}

fn options(given: Vec<Given>) -> GenerateOptions {
    let mut options = GenerateOptions::default();
    let length = [("max_new_tokens", NEW_TOKENS), ("min_new_tokens", NEW_TOKENS)];
    let length = length.map(|(name, count)| (name, Value::Integer(count as i64)));
    for (name, value) in given.into_iter().chain(length) {
        options.set(name, &value).expect("the options are within their bounds");
    }
    options
}

/// Of a search, how long each of the tokens took that it read, over all its texts.
fn seconds_per_token(
    context: &mut Context,
    prompt: &Tokens,
    options: &GenerateOptions,
    beams: usize,
) -> tokenscope::error::Result<f64> {
    let interrupt = Interrupt::default();
    context.read(prompt.ids(), &interrupt)?;
    let begin = Instant::now();
    let steps = generate(context, prompt, options, &interrupt, |_, _| {})?.steps.len();
    // The prompt is read already, so the first token costs no reading.
    Ok(begin.elapsed().as_secs_f64() / ((steps - 1) * beams) as f64)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
