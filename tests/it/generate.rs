//! How a text is continued: the same ids as Hugging Face transformers, and options that are checked.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use serde_json::Value as Json;
use tokenscope::distribution::Distribution;
use tokenscope::error::Result;
use tokenscope::generate::options::{Options, Value};
use tokenscope::generate::processors::{Processor, RuleOptions, SamplingOptions, Seen, Text};
use tokenscope::generate::{GenerateOptions, Generation, Stopped, generate};
use tokenscope::hub::{Hub, Settings};
use tokenscope::interrupt::Interrupt;
use tokenscope::model::{Context, Model};
use tokenscope::render::{Output, TextStyle};
use tokenscope::script::{self, Event, Origin, Session, Unit};
use tokenscope::tokenizer::Tokenizer;

fn read(path: &str) -> Json {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(path);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn load(fixture: &str) -> Model {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(fixture);
    let hub = Hub::new(Settings::new(&folder));
    let source = hub.resolve(folder.to_str().unwrap(), &mut (), &Interrupt::default()).unwrap();
    Model::load(fixture, &source).unwrap()
}

fn value(json: &Json) -> Value {
    match json {
        Json::Bool(flag) => Value::Flag(*flag),
        Json::Number(number) => {
            number.as_i64().map_or_else(|| Value::Number(number.as_f64().unwrap()), Value::Integer)
        }
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(values) => Value::List(values.iter().map(value).collect()),
        other => Value::Other(other.to_string()),
    }
}

/// transformers' names where ours are shorter.
fn name(theirs: &str) -> &str {
    match theirs {
        "bad_words_ids" => "bad_words",
        "forced_eos_token_id" => "forced_eos",
        "eos_token_id" => "eos",
        "negative_prompt_ids" => "negative_prompt",
        same => same,
    }
}

fn options<O: Options>(json: &Json) -> Result<O> {
    let mut options = O::default();
    for (theirs, given) in json.as_object().unwrap() {
        options.set(name(theirs), &value(given))?;
    }
    Ok(options)
}

fn ids(json: &Json) -> Vec<u32> {
    json.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

fn continued(model: &Model, prompt: &[u32], options: &Json) -> Result<Generation> {
    let prompt = model.tokenizer().tokens(prompt)?;
    let options: GenerateOptions = self::options(options)?;
    generate(&mut Context::new(model), &prompt, &options, &Interrupt::default(), |_, _| {})
}

#[test]
fn greedy_and_beam_search_give_the_ids_of_transformers() {
    let reference = read("fixtures/generation.json");
    let models = ["default", "untied"].map(|fixture| (fixture, load(fixture)));
    let mut wrong = Vec::new();
    for record in reference["generation"].as_array().unwrap() {
        let model = &models.iter().find(|(name, _)| record["fixture"] == *name).unwrap().1;
        let best = match continued(model, &ids(&record["prompt"]), &record["options"]) {
            Ok(best) => best,
            Err(error) => {
                wrong.push(format!("{}: {error}", record["options"]));
                continue;
            }
        };
        let all: Vec<&Generation> = std::iter::once(&best).chain(&best.others).collect();
        let found: Vec<Vec<u32>> = all.iter().map(|generation| generation.tokens.ids().to_vec()).collect();
        let expected: Vec<Vec<u32>> = record["ids"].as_array().unwrap().iter().map(ids).collect();
        let scores: Vec<f64> = record["sequences_scores"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|s| s.as_f64().unwrap())
            .collect();
        let is_near = |(score, found): (&f64, &&Generation)| {
            (score - f64::from(found.score.unwrap())).abs() < 1e-4 * score.abs()
        };
        if found != expected || !scores.iter().zip(&all).all(is_near) {
            wrong.push(format!("{} {}\n  {found:?}\n  {expected:?}", record["fixture"], record["options"]));
        }
    }
    assert!(wrong.is_empty(), "{} records differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// A chain of processors of a record, or none if it asks for something that the program does not have.
fn chain(record: &Json) -> Option<Vec<Processor>> {
    let tokenizer = Tokenizer::gpt2();
    let mut all = Vec::new();
    for rule in record["processors"].as_array().unwrap() {
        let theirs = rule["name"].as_str().unwrap();
        let whole = |key: &str| rule[key].as_u64().unwrap_or(0) as usize;
        let ends = rule["eos_token_id"].as_array().map(|_| ids(&rule["eos_token_id"])).unwrap_or_default();
        let (prompt, length) = (whole("prompt_length"), whole("max_length"));
        let text = Text { tokenizer: &tokenizer, prompt, length, ends: &ends };
        match (theirs, &rule["value"]) {
            ("top_h" | "renormalize_logits" | "remove_invalid_values", _) => return None,
            ("top_p", p) if p.as_f64() == Some(0.0) => return None,
            // Both keep everything there are.
            ("top_k", k) if k.as_u64() > Some(40) => continue,
            _ => {}
        }
        let given = serde_json::json!({ theirs: rule["value"] });
        match options::<SamplingOptions>(&given) {
            Ok(options) => all.extend(options.processors(40).unwrap()),
            Err(_) => all.extend(options::<RuleOptions>(&given).unwrap().processors(&text).unwrap()),
        }
    }
    Some(all)
}

#[test]
fn processors_give_the_scores_of_transformers() {
    let reference = read("fixtures/generation.json");
    let row = |json: &Json| -> Vec<f32> {
        let number = |value: &Json| value.as_f64().map_or(f32::NEG_INFINITY, |value| value as f32);
        json.as_array().unwrap().iter().map(number).collect()
    };
    let (mut checked, mut wrong) = (0, Vec::new());
    for record in reference["processors"].as_array().unwrap() {
        let Some(chain) = chain(record) else { continue };
        checked += 1;
        let least = record["processors"][0]["min_tokens_to_keep"].as_u64().unwrap_or(1) as usize;
        for index in 0..3 {
            let ids = ids(&record["input_ids"][index]);
            let mut scores = row(&record["scores"][index]);
            let seen = Seen { ids: &ids, unconditional: None, least };
            chain.iter().for_each(|processor| processor.apply(&mut scores, &seen));
            let is_near = |(a, b): (&f32, &f32)| a == b || (a - b).abs() <= 1e-6 * a.abs().max(1.0);
            let mut expected = row(&record["expected"][index]);
            // Which of several equal values across the limit of top_p is dropped depends on how torch sorts them.
            if record["processors"].as_array().unwrap().iter().any(|rule| rule["name"] == "top_p") {
                scores.sort_by(f32::total_cmp);
                expected.sort_by(f32::total_cmp);
            }
            if !scores.iter().zip(&expected).all(is_near) {
                wrong.push(format!("row {index} of {}", record["processors"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked >= 55, "only {checked} records were checked");
}

/// Why a published vector is about nothing that is here.
fn not_here(record: &Json) -> Option<&'static str> {
    let params = &record["params"];
    match record["source"].as_str()?.rsplit("::").next()? {
        "test_top_h_dist_warper" => Some("there is no top_h"),
        "test_remove_nan_inf_logits_processor" => Some("logits that are no numbers are refused instead"),
        "test_processor_list" if params["order_in_test"].is_array() => Some("it publishes no numbers"),
        _ => None,
    }
}

#[test]
fn processors_give_the_published_vectors() {
    let (mut checked, mut skipped) = (0, Vec::new());
    for record in read("golden/processors.json").as_array().unwrap() {
        if let Some(reason) = not_here(record) {
            skipped.push(reason);
            continue;
        }
        let params = &record["params"];
        match () {
            () if record["kind"] == "sampling_view" => gives_the_view(record),
            () if !params["min_new_tokens"].is_null() => bans_the_end_in_time(record),
            () => gives_the_vector(record),
        }
        checked += 1;
    }
    println!("skipped: {skipped:?}");
    assert_eq!((checked, skipped.len()), (22, 4));
}

fn numbers(json: &Json) -> Option<Vec<f32>> {
    Some(json.as_array()?.iter().map(|value| value.as_f64().unwrap() as f32).collect())
}

/// transformers' biases stand under their ids, written as text.
fn biases(json: &Json) -> Json {
    let pair =
        |(ids, bias): (&String, &Json)| serde_json::json!([serde_json::from_str::<Json>(ids).unwrap(), bias]);
    json.as_object().unwrap().iter().map(pair).collect()
}

/// A row of logits or probabilities, and what one rule makes of it.
fn gives_the_vector(record: &Json) {
    let (params, input, output) =
        (&record["params"], &record["expected"]["input"], &record["expected"]["output"]);
    let known = ["top_k", "top_p", "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff", "sequence_bias"];
    let mut known = known.into_iter().chain(["repetition_penalty", "no_repeat_ngram_size", "bad_words_ids"]);
    let rule = known.find(|rule| !params[*rule].is_null()).unwrap_or_else(|| panic!("no rule: {record}"));
    let seen = params["input_ids"].as_array().map(|_| ids(&params["input_ids"])).unwrap_or_default();
    let before = numbers(&input["logits"])
        .or(numbers(&input["probs"]).map(|row| row.into_iter().map(f32::ln).collect()))
        .or(input["vocab"].as_u64().map(|size| vec![0.0; size as usize]));
    let mut after = before.unwrap_or_else(|| panic!("no row: {record}"));
    let eos = serde_json::json!([params["eos_token_id"]]);
    let value = if rule == "sequence_bias" { biases(&params[rule]) } else { params[rule].clone() };
    let rules = serde_json::json!({
        "processors": [{ "name": rule, "value": value,
                         "eos_token_id": if params["eos_token_id"].is_null() { Json::Null } else { eos } }],
    });
    let least = params["min_tokens_to_keep"].as_u64().unwrap_or(1) as usize;
    let seen = Seen { ids: &seen, unconditional: None, least };
    chain(&rules).unwrap().iter().for_each(|processor| processor.apply(&mut after, &seen));
    let is_kept = |id: &usize| after[*id] > f32::NEG_INFINITY;
    let (kept, banned): (Vec<usize>, Vec<usize>) = (0..after.len()).partition(is_kept);
    let indices = |json: &Json| -> Vec<usize> { ids(json).into_iter().map(|id| id as usize).collect() };
    match output {
        _ if output["kept_indices"].is_array() => {
            assert_eq!(kept, indices(&output["kept_indices"]), "{record}");
        }
        _ if output["kept_count"].is_u64() => {
            assert_eq!(kept.len() as u64, output["kept_count"].as_u64().unwrap(), "{record}");
        }
        _ if output["banned"].is_array() => assert_eq!(banned, indices(&output["banned"]), "{record}"),
        _ if output["logits"].is_array() => assert_eq!(Some(after), numbers(&output["logits"]), "{record}"),
        _ => {
            let probabilities = numbers(&output["probs_unnormalised"]).unwrap();
            let expected: Vec<usize> =
                (0..probabilities.len()).filter(|id| probabilities[*id] > 0.0).collect();
            assert_eq!(kept, expected, "{record}");
        }
    }
}

/// At which lengths of the text the end is banned.
fn bans_the_end_in_time(record: &Json) {
    let (params, expected) = (&record["params"], &record["expected"]);
    let least =
        (params["prompt_len"].as_u64().unwrap() + params["min_new_tokens"].as_u64().unwrap()) as usize;
    let processor = Processor::MinNewTokens { least, ends: vec![0] };
    for (length, is_banned) in expected["input"]["cur_len"]
        .as_array()
        .unwrap()
        .iter()
        .zip(expected["output"]["eos_banned"].as_array().unwrap())
    {
        let text = vec![1; length.as_u64().unwrap() as usize];
        let mut logits = [0.0; 2];
        processor.apply(&mut logits, &Seen { ids: &text, unconditional: None, least: 1 });
        assert_eq!(
            (logits[0] == f32::NEG_INFINITY, logits[1]),
            (is_banned.as_bool().unwrap(), 0.0),
            "{record}"
        );
    }
}

/// What an interactive page shows for the logits that it publishes: temperature, top-k, and the shares of what is left.
fn gives_the_view(record: &Json) {
    let answers = read("../assets/golden/gpt2.json");
    let is_its = |other: &&Json| {
        other["kind"] == "next_token_logits"
            && ["source", "prompt"].iter().all(|key| other[key] == record[key])
    };
    let answer =
        answers.as_array().unwrap().iter().find(is_its).unwrap_or_else(|| panic!("no logits: {record}"));
    let top = answer["expected"]["top10"].as_array().unwrap();
    let mut logits: Vec<f32> = top.iter().map(|token| token["logit"].as_f64().unwrap() as f32).collect();
    let params = serde_json::json!({ "temperature": record["params"]["temperature"], "top_k": record["params"]["top_k"] });
    let rules: SamplingOptions = options(&params).unwrap();
    rules.processors(logits.len()).unwrap().iter().for_each(|rule| rule.apply(&mut logits, &Seen::default()));
    let shares = Distribution::from_logits(logits).unwrap();
    let expected = record["expected"]["renormalised"].as_array().unwrap();
    assert_eq!(shares.top(10).len(), expected.len());
    for (rank, token) in expected.iter().enumerate() {
        assert_eq!(token["id"], top[rank]["id"], "{record}");
        let (p, tolerance) = (token["p"].as_f64().unwrap(), record["tolerance"]["p_abs"].as_f64().unwrap());
        assert!((f64::from(shares.p(rank as u32).unwrap()) - p).abs() <= tolerance, "{record}");
    }
}

#[test]
fn a_text_ends_where_it_was_told_to() {
    let model = load("default");
    let prompt = [5, 6];
    let all = continued(&model, &prompt, &serde_json::json!({ "max_new_tokens": 12 })).unwrap();
    assert_eq!((all.steps.len(), all.stopped), (12, Stopped::Length));
    let piece = |id: &u32| String::from_utf8(model.tokenizer().piece(*id)).ok();
    let new = &all.tokens.ids()[prompt.len()..];
    let (position, text) =
        new.iter().enumerate().find_map(|(position, id)| Some((position, piece(id)?))).unwrap();
    let third = new[2];
    let stopped = continued(&model, &prompt, &serde_json::json!({ "max_new_tokens": 12, "stop": text }));
    let stopped = stopped.unwrap();
    assert!(stopped.steps.len() == position + 1 && stopped.stopped == Stopped::StopText, "{stopped:?}");
    let ended = continued(&model, &prompt, &serde_json::json!({ "eos": [third] })).unwrap();
    assert_eq!(ended.stopped, Stopped::EndOfText);
}

#[test]
fn an_interrupted_generation_returns_what_there_is() {
    let model = load("default");
    let prompt = model.tokenizer().tokens([5, 6]).unwrap();
    for options in [serde_json::json!({}), serde_json::json!({ "num_beams": 3 })] {
        let (interrupt, mut steps) = (Interrupt::default(), 0);
        let options: GenerateOptions = self::options(&options).unwrap();
        let stopped = generate(&mut Context::new(&model), &prompt, &options, &interrupt, |_, _| {
            steps += 1;
            if steps == 3 {
                interrupt.request();
            }
        });
        let stopped = stopped.unwrap();
        assert_eq!((stopped.steps.len(), stopped.stopped), (3, Stopped::Interrupted));
    }
}

#[test]
fn bad_options_are_refused_with_their_bounds() {
    let model = load("default");
    let refused = |options: Json| continued(&model, &[5, 6], &options).unwrap_err().to_string();
    let message = |options: Json, expected: &str| assert_eq!(refused(options), expected);
    message(serde_json::json!({ "top_p": 1.5 }), "`top_p` is 1.5, but must be above 0 and at most 1");
    message(
        serde_json::json!({ "top_k": 1000 }),
        "`top_k` is 1000, but must be at most 331, the size of the vocabulary",
    );
    message(
        serde_json::json!({ "min_length": 9, "max_length": 8 }),
        "`min_length` is 9, but must be at most 8, the longest that the text may be",
    );
    message(
        serde_json::json!({ "bad_words": [""] }),
        "`bad_words` is \"\", but must be at least one token long",
    );
    message(serde_json::json!({ "length_penalty": 2 }), "`length_penalty` is given, but needs `num_beams`");
    message(
        serde_json::json!({ "num_beams": 2, "temperature": 0.5 }),
        "`num_beams` and `temperature` cannot go together: beam search draws no tokens",
    );
    message(
        serde_json::json!({ "num_beams": 2, "num_return_sequences": 3 }),
        "`num_return_sequences` is 3, but must be at most 2, as many as there are beams",
    );
    message(
        serde_json::json!({ "early_stopping": "maybe" }),
        "`early_stopping` is \"maybe\", but must be `true`, `false` or `\"never\"`",
    );
    message(
        serde_json::json!({ "negative_prompt": [3] }),
        "`negative_prompt` is given, but needs `guidance_scale`",
    );
    message(
        serde_json::json!({ "suppress_tokens": [331] }),
        "`suppress_tokens` is 331, but must be an id of the vocabulary, at least 0 and at most 330",
    );
    message(
        serde_json::json!({ "bad_words": [[]] }),
        "`bad_words` is [], but must be at least one token long",
    );
    let word = serde_json::json!({ "eos": "\u{0}\u{0}" });
    message(word, "`eos` is \"\\0\\0\", but must be one token, and this is 2");
}

/// What a session tells and at last shows for code that must run.
fn heard(code: &str) -> (Vec<Event>, Option<Output>) {
    let events: Rc<RefCell<Vec<Event>>> = Rc::default();
    let hearing = events.clone();
    let sink = Box::new(move |event| hearing.borrow_mut().push(event));
    let out = tempfile::tempdir().unwrap();
    let (model, out) = ("pocket".into(), out.path().to_owned());
    let settings =
        script::Settings { model, backend: Default::default(), hub: None, out, allowed: Default::default() };
    let mut session = Session::new(settings, Interrupt::default(), sink);
    let origin = Origin { name: "test".into(), line: 1 };
    let last = session.eval(code, &origin).unwrap_or_else(|report| panic!("{code}\n{report:?}"));
    (events.take(), last)
}

/// All that a session shows for code that must run, without colour.
fn shown(code: &str) -> String {
    let (events, last) = heard(code);
    let output = |event| match event {
        Event::Output(output) => Some(output),
        _ => None,
    };
    let outputs = events.into_iter().filter_map(output).chain(last);
    outputs.map(|output| output.text(&TextStyle::plain(100))).collect()
}

#[test]
fn every_example_of_these_topics_runs() {
    use tokenscope::script::registry;
    let topics = ["predicting", "generating", "stepping"];
    for binding in registry::bindings().iter().filter(|binding| topics.contains(&binding.topic)) {
        for example in binding.examples() {
            let shown = shown(example);
            assert_ne!(shown, "false", "{}:\n{example}", binding.name);
        }
    }
}

#[test]
fn a_generation_knows_its_steps() {
    let table = shown("generate(\"Once upon a time\", #{ max_new_tokens: 3 }).steps");
    assert!(
        table.contains("Input") && table.contains("Choice 5") && table.matches('◂').count() == 4,
        "{table}"
    );
    let code = "let g = generate(\"Once\", #{ max_new_tokens: 3, temperature: 0.5, seed: 1 }); \
                g.probabilities.len() == 3 && g.sequences.len() == 1 && g.score == () && chart(g).title.len() > 0";
    assert_eq!(shown(code), "true");
}

#[test]
fn a_stream_is_the_text_of_the_generation() {
    let streamed = shown("stream(\"Once upon a time\", #{ max_new_tokens: 6, temperature: 2.0, seed: 3 });");
    let whole = shown(
        "print(generate(\"Once upon a time\", #{ max_new_tokens: 6, temperature: 2.0, seed: 3 }).text)",
    );
    assert_eq!(streamed, whole);
}

#[test]
fn a_generation_is_told_while_it_grows() {
    // The prompt ends within a character.
    let prompt = "let face = tokenize(\"Once upon a time 🙂\"); let prompt = face.slice(0, face.len() - 1);";
    let (events, last) = heard(&format!("{prompt} generate(prompt, #{{ max_new_tokens: 6 }})"));
    let written = |event: &Event| match event {
        Event::Wrote(text) => Some(text.clone()),
        _ => None,
    };
    let pieces: Vec<String> = events.iter().filter_map(written).collect();
    assert!(matches!(events.first(), Some(Event::Started { total: 6, unit: Unit::Tokens, .. })));
    assert_eq!(events.last(), Some(&Event::Finished));
    assert_eq!(events.iter().filter(|event| matches!(event, Event::Advanced(1))).count(), 6);
    assert!(pieces.len() > 3, "{pieces:?}");
    assert_eq!(last, Some(Output::Text(pieces.concat())));
}

#[test]
fn rules_can_be_chained_and_looked_into() {
    assert_eq!(shown("distribution([2.0, 1.0, 0.0]).temperature(0.5).top_k(2).top(3).len()"), "2");
    assert_eq!(shown("xray(distribution([2.0, 1.0, 0.0]), #{ top_k: 2 }).stages[1].kept"), "2");
    let chained = "next_probs(\"A\").temperature(0.8).top_k(40).p(argmax(\"A\"))";
    let options = "sample(next_probs(\"A\"), #{ seed: 4 }) == sample(next_probs(\"A\"), #{ seed: 4 })";
    let steered = "xray(\"He came home\", #{ guidance_scale: 2.0, negative_prompt: \"She\" }).stages[1]";
    assert_eq!(
        shown(&format!("let s = {steered}; s.rule == \"guidance_scale 2\" && s.entropy > 0.0")),
        "true"
    );
    // Rules that name tokens of the vocabulary do nothing to a row that lacks them.
    let toy = "xray(distribution([2.0, 1.0]), #{ min_length: 9, sequence_bias: #{ \" dog\": 2.0 }, \
               exponential_decay_length_penalty: [0, 2.0] }).stages[3].kept";
    assert_eq!(shown(toy), "2");
    assert!(shown(chained).parse::<f64>().unwrap() > 0.0);
    assert_eq!(shown(options), "true");
}

#[test]
fn a_stepper_goes_back_and_branches() {
    let code = "let hand = stepper(\"Once upon a\"); hand.choose(1); hand.branch(\"one\"); hand.undo(); \
                hand.append(\" dark\"); hand.checkout(\"one\"); hand.undo(); \
                [hand.text, tree(hand).len()]";
    assert_eq!(shown(code), "[\"Once upon a dark\", 2]");
}

#[test]
fn many_texts_share_their_beginnings_in_a_tree() {
    let code = "let many = samples(\"Once upon a\", 3, #{ max_new_tokens: 2, top_k: 1 }); \
                [many.runs.len(), many.runs[0].seed, tree(many).len()]";
    assert_eq!(shown(code), "[3, 0, 2]");
    let drawn = shown("tree(\"Once upon a\", #{ width: 2, depth: 2 })");
    assert_eq!(drawn.lines().count(), 2 + 2 + 4, "{drawn}");
}

#[test]
fn the_lessons_of_generation_run() {
    use tokenscope::script::cells::{Kind, parse};
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("lessons");
    let mine = ["05", "07", "08", "09", "10", "11", "12", "13", "14", "15", "24"];
    let mut found = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !mine.iter().any(|number| name.starts_with(number)) {
            continue;
        }
        found += 1;
        let text = std::fs::read_to_string(&path).unwrap();
        let code: Vec<String> =
            parse(&text).into_iter().filter(|cell| cell.kind == Kind::Code).map(|cell| cell.source).collect();
        // In one cell: a value that ends a cell must not be taken for the beginning of the next.
        shown(&code.iter().map(|cell| format!("{{}};\n{cell};\n")).collect::<String>());
    }
    assert_eq!(found, mine.len());
}
