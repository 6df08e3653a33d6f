//! What is seen inside a model is what transformers sees there (`scripts/make_fixtures.py`).

use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use tokenscope::analyse::ablation::{AblationOptions, next_token};
use tokenscope::analyse::attention::attention;
use tokenscope::analyse::attribution::attribution;
use tokenscope::analyse::comparison::Comparison;
use tokenscope::analyse::contributions::contributions;
use tokenscope::analyse::embeddings::{EmbeddingMap, Positions};
use tokenscope::analyse::lens::{Shade, lens};
use tokenscope::analyse::measure::Measure;
use tokenscope::analyse::neighbours::{neighbours, similarity};
use tokenscope::analyse::patching::{Stage, patch};
use tokenscope::analyse::perplexity::{Windows, perplexity};
use tokenscope::analyse::report::report;
use tokenscope::analyse::surprisal::{Start, surprisal};
use tokenscope::error::Error;
use tokenscope::generate::options::{Options, Value};
use tokenscope::hub::{Hub, Settings};
use tokenscope::interrupt::Interrupt;
use tokenscope::model::Model;
use tokenscope::model::hook::Place;
use tokenscope::script::{Origin, Session, Settings as ScriptSettings, registry};

const FIXTURES: [&str; 9] =
    ["bf16", "default", "f16", "inner-gelu", "inner-relu", "odd", "sharded", "unscaled", "untied"];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn load(name: &str) -> Model {
    let folder = folder(name);
    let source =
        Hub::new(Settings::new(&folder)).resolve(folder.to_str().unwrap(), &mut (), &Interrupt::default());
    Model::load(name, &source.unwrap()).unwrap()
}

/// The numbers of one tensor of a fixture's `reference.safetensors`.
fn reference(fixture: &str, tensor: &str) -> Vec<f32> {
    let bytes = std::fs::read(folder(fixture).join("reference.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let data = file.tensor(tensor).unwrap().data().to_vec();
    data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

fn ids(fixture: &str) -> Vec<u32> {
    let bytes = std::fs::read(folder(fixture).join("reference.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let data = file.tensor("1.ids").unwrap().data().to_vec();
    data.as_chunks::<8>().0.iter().map(|b| i64::from_le_bytes(*b) as u32).collect()
}

fn whole(fixture: &str, tensor: &str) -> u32 {
    let bytes = std::fs::read(folder(fixture).join("reference.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    i64::from_le_bytes(file.tensor(tensor).unwrap().data().try_into().unwrap()) as u32
}

fn assert_same(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(1.0f32, |largest, x| largest.max(x.abs()));
    let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= 1e-4 * largest, "{what}: {worst} apart where the largest is {largest}");
}

#[test]
fn a_trace_holds_the_residual_stream_of_transformers() {
    for fixture in FIXTURES {
        let (model, ids) = (load(fixture), ids(fixture));
        let trace = model.trace(&ids, &[Place::Before], &Interrupt::default()).unwrap();
        let mut found: Vec<f32> = Vec::new();
        let mut add =
            |x: &candle_core::Tensor| found.extend(x.flatten_all().unwrap().to_vec1::<f32>().unwrap());
        (0..trace.layers()).for_each(|layer| add(trace.at(Place::Before, layer)));
        add(&model.gpt2().normalise(trace.last()).unwrap());
        assert_same(fixture, &found, &reference(fixture, "1.hidden_states"));
    }
}

#[test]
fn a_trace_holds_the_attention_patterns_of_transformers() {
    for fixture in FIXTURES {
        let trace = load(fixture).trace(&ids(fixture), &[Place::Qkv], &Interrupt::default()).unwrap();
        let layers = (0..trace.layers()).map(|layer| trace.patterns(layer).unwrap());
        let found: Vec<f32> = layers.flatten().flatten().flatten().collect();
        assert_same(fixture, &found, &reference(fixture, "1.attentions"));
    }
}

#[test]
fn what_the_parts_add_is_what_the_stream_gains() {
    for fixture in FIXTURES {
        let model = load(fixture);
        let trace = model
            .trace(
                &ids(fixture),
                &[Place::Before, Place::Mixed, Place::Attention, Place::Middle],
                &Interrupt::default(),
            )
            .unwrap();
        for layer in 0..trace.layers() {
            let row = |place| trace.at(place, layer).get(3).unwrap().to_vec1::<f32>().unwrap();
            let heads = model.gpt2().head_outputs(layer, &row(Place::Mixed)).unwrap();
            assert_eq!(heads.len(), trace.heads() + 1);
            let sum = |column: usize| heads.iter().map(|head| head[column]).sum::<f32>();
            let attention: Vec<f32> = (0..heads[0].len()).map(sum).collect();
            assert_same(fixture, &attention, &row(Place::Attention));
            let middle: Vec<f32> =
                row(Place::Before).iter().zip(&row(Place::Attention)).map(|(a, b)| a + b).collect();
            assert_same(fixture, &middle, &row(Place::Middle));
        }
    }
}

#[test]
fn mean_surprisal_is_the_loss_of_transformers() {
    for fixture in FIXTURES {
        let (model, ids) = (load(fixture), ids(fixture));
        let tokens = model.tokenizer().tokens(ids.clone()).unwrap();
        let found = surprisal(&model, &tokens, Start::Bare, None, &Interrupt::default()).unwrap();
        let loss = found.mean().unwrap() * std::f64::consts::LN_2;
        assert_same(fixture, &[loss as f32], &reference(fixture, "1.loss"));
        assert_eq!((found.predictions.len(), found.predictions[0]), (ids.len(), None));

        let windows = Windows { window: None, stride: None, start: Start::Bare };
        let whole = perplexity(&model, &tokens, &windows, &Interrupt::default(), |_| {}).unwrap();
        assert!((whole.bits_per_token() - found.mean().unwrap()).abs() < 1e-9);
    }
}

#[test]
fn a_sliding_window_scores_each_token_once_with_the_context_that_it_has() {
    let model = load("default");
    let ids: Vec<u32> = (0..23).map(|n| (n * 37 + 5) % 300).collect();
    let tokens = model.tokenizer().tokens(ids.clone()).unwrap();
    for (window, stride) in [(8, 3), (8, 8), (5, 1), (16, 8), (23, 10)] {
        // What transformers' documentation computes, window by window.
        let (mut bits, mut scored, mut windows, mut done, mut begin) = (0.0, 0, 0, 0, 0);
        loop {
            let end = (begin + window).min(ids.len());
            let read = model.tokenizer().tokens(&ids[begin..end]).unwrap();
            let found = surprisal(&model, &read, Start::Bare, None, &Interrupt::default()).unwrap();
            let new = found.predictions[done - begin..].iter().flatten();
            bits += new.clone().map(|prediction| prediction.bits).sum::<f64>();
            scored += new.count();
            (windows, done) = (windows + 1, end);
            if end == ids.len() {
                break;
            }
            begin += stride;
        }
        let options = Windows { window: Some(window), stride: Some(stride), start: Start::Bare };
        let mut advanced = 0;
        let found = perplexity(&model, &tokens, &options, &Interrupt::default(), |tokens| advanced += tokens)
            .unwrap();
        assert_eq!((found.scored, found.windows, advanced), (scored, windows, ids.len()));
        assert!((found.bits - bits).abs() < 1e-3, "{window} {stride}: {} and {bits}", found.bits);
    }
}

#[test]
fn windows_that_make_no_sense_are_refused_with_their_bounds() {
    let model = Model::pocket().unwrap();
    let tokens = model.tokenizer().tokenize("The cat sat on the mat.");
    let error = |window, stride| {
        let windows = Windows { window, stride, start: Start::Bare };
        perplexity(&model, &tokens, &windows, &Interrupt::default(), |_| {}).unwrap_err().to_string()
    };
    assert_eq!(error(Some(513), None), "`window` is 513, but must be at least 2 and at most the model's 512");
    assert_eq!(error(Some(8), Some(9)), "`stride` is 9, but must be at least 1 and at most the window's 8");
    let one = model.tokenizer().tokenize("The");
    let read = |start| surprisal(&model, &one, start, None, &Interrupt::default()).unwrap().predictions.len();
    assert_eq!([Start::Bare, Start::AfterEndOfText].map(read), [1, 1]);
    let empty = model.tokenizer().tokenize("");
    assert!(surprisal(&model, &empty, Start::AfterEndOfText, None, &Interrupt::default()).is_err());
}

#[test]
fn contributions_sum_to_the_logit_that_transformers_has() {
    for fixture in FIXTURES {
        let (model, ids) = (load(fixture), ids(fixture));
        let tokens = model.tokenizer().tokens(ids.clone()).unwrap();
        let logits = reference(fixture, "1.logits");
        let last = &logits[logits.len() - model.config().vocab_size..];
        let largest = last.iter().fold(1.0f32, |largest, x| largest.max(x.abs()));
        for (token, other) in [(3, None), (7, Some(200)), (0, Some(0))] {
            let found = contributions(&model, &tokens, token, other, &Interrupt::default()).unwrap();
            let sum: f64 = found.parts.iter().map(|(_, share)| share).sum();
            let expected = last[token as usize] - other.map_or(0.0, |other| last[other as usize]);
            for value in [sum, found.logit, found.by_layer().iter().map(|(_, share)| share).sum()] {
                assert!((value as f32 - expected).abs() <= 1e-4 * largest, "{fixture}: {value}, {expected}");
            }
            let (layers, heads) = (model.config().n_layer, model.config().n_head);
            assert_eq!(found.parts.len(), 2 + layers * (heads + 2) + 1);
        }
    }
}

#[test]
fn the_lens_at_the_last_layer_is_the_prediction_itself() {
    for fixture in FIXTURES {
        let (model, ids) = (load(fixture), ids(fixture));
        let tokens = model.tokenizer().tokens(ids.clone()).unwrap();
        let found = lens(&model, &tokens, &Interrupt::default(), |_| {}).unwrap();
        let size = model.config().vocab_size;
        for (position, logits) in reference(fixture, "1.logits").chunks(size).enumerate() {
            let expected = tokenscope::distribution::Distribution::from_logits(logits).unwrap();
            let last = found.reading(found.layers() as i64 - 1, position as i64).unwrap();
            assert!((last.p - f64::from(expected.p(last.id).unwrap())).abs() < 1e-4);
            assert!((last.entropy - expected.entropy()).abs() < 1e-3);
            assert_eq!((last.final_rank, last.p, last.divergence), (1, last.final_p, 0.0));
            let embedding = found.reading(-1, position as i64).unwrap();
            assert!(embedding.final_rank >= 1 && embedding.divergence >= 0.0);
        }
        let error = |layer, position| found.reading(layer, position).unwrap_err().to_string();
        let layers = model.config().n_layer;
        assert_eq!(error(layers as i64, 0), format!("`layer` is {layers}, but there are {layers}"));
        assert_eq!(error(0, 7), "the index is 7, but there are 7 tokens");
    }
}

/// The parts in the order in which the reference cuts them.
fn parts(model: &Model) -> Vec<String> {
    let (layers, heads) = (model.config().n_layer, model.config().n_head);
    let each = |what: &'static str| (0..layers).map(move |layer| format!("layer {layer}{what}"));
    let head = move |layer| (0..heads).map(move |head| format!("layer {layer} head {head}"));
    each("").chain(each(" attention")).chain(each(" MLP")).chain((0..layers).flat_map(head)).collect()
}

fn cut(parts: &[&str], by: &str) -> Result<AblationOptions, Error> {
    let mut options = AblationOptions::default();
    let parts = parts.iter().map(|part| Value::Text((*part).to_owned())).collect();
    options.set("ablate", &Value::List(parts))?;
    options.set("by", &Value::Text(by.to_owned()))?;
    Ok(options)
}

#[test]
fn a_model_with_a_part_cut_out_says_what_transformers_says_with_a_hook() {
    for fixture in FIXTURES {
        let (model, ids) = (load(fixture), ids(fixture));
        for (by, tensor) in [("zero", "1.ablated"), ("mean", "1.ablated_mean")] {
            let mut found = Vec::new();
            for part in parts(&model) {
                let options = cut(&[&part], by).unwrap();
                let mut ablation = options.ablation(model.config()).unwrap().unwrap();
                found.extend(model.logits_with(&ids, &mut ablation, &Interrupt::default()).unwrap());
            }
            assert_same(&format!("{fixture} {by}"), &found, &reference(fixture, tensor));
        }
    }
}

#[test]
fn the_surprisal_of_a_cut_model_is_that_of_its_predictions() {
    let (model, ids, go) = (load("default"), ids("default"), &Interrupt::default());
    let tokens = model.tokenizer().tokens(ids.clone()).unwrap();
    let ablation = || cut(&["layer 1 head 2", "layer 0 MLP"], "zero").unwrap().ablation(model.config());
    let found = surprisal(&model, &tokens, Start::Bare, ablation().unwrap().as_mut(), go).unwrap();
    let (last, before) = ids.split_last().unwrap();
    let logits = model.logits_with(before, &mut ablation().unwrap().unwrap(), go).unwrap();
    let bits = -Measure::LogProbability.of(&logits, *last);
    assert!((found.predictions.last().unwrap().unwrap().bits - bits).abs() < 1e-4);
    assert_eq!(found.cut.as_deref(), Some("cutting layer 1 head 2, layer 0 MLP"));
    let whole = surprisal(&model, &tokens, Start::Bare, None, go).unwrap();
    assert!((found.total() - whole.total()).abs() > 0.1);
}

#[test]
fn cutting_every_head_leaves_the_bias_and_cutting_nothing_leaves_all() {
    let (model, go) = (load("default"), &Interrupt::default());
    let tokens = model.tokenizer().tokens(ids("default")).unwrap();
    let said = |parts: &[&str], by| {
        let mut ablation = cut(parts, by).unwrap().ablation(model.config()).unwrap().unwrap();
        next_token(&model, &tokens, &mut ablation, go).unwrap()
    };
    let plain = model.logits_with(tokens.ids(), &mut (), go).unwrap();
    assert_eq!(said(&[], "zero").distribution.logits(), plain.as_slice());
    let heads: Vec<String> = (0..model.config().n_head).map(|head| format!("layer 1 head {head}")).collect();
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    let (all, attention) = (said(&heads, "mean"), said(&["layer 1 attention"], "mean"));
    // The projection is linear: the mean of what it writes is what it writes of the mean.
    assert_same("mean", all.distribution.logits(), attention.distribution.logits());
    assert_ne!(said(&heads, "zero").distribution, said(&["layer 1 attention"], "zero").distribution);
    assert_eq!(said(&["layer 2 MLP"], "zero").rules, ["cutting layer 2 MLP"]);
}

#[test]
fn a_part_that_is_not_there_is_refused_with_its_bounds() {
    let model = Model::pocket().unwrap();
    let error = |parts: &[&str]| match cut(parts, "zero") {
        Ok(options) => options.ablation(model.config()).err().unwrap().to_string(),
        Err(error) => error.to_string(),
    };
    assert_eq!(error(&["layer 6"]), "`layer` is 6, but there are 6");
    assert_eq!(error(&["layer 0 head 5"]), "`head` is 5, but there are 5");
    assert!(error(&["layr 2"]).starts_with("`ablate` is [\"layr 2\"], but must be a list of parts"));
    let mut alone = AblationOptions::default();
    alone.set("by", &Value::Text("mean".into())).unwrap();
    let alone = alone.ablation(model.config()).err().unwrap();
    assert_eq!(alone.to_string(), "`by` is given, but needs `ablate`");
}

#[test]
fn what_patching_restores_is_what_transformers_has_with_a_hook() {
    for fixture in FIXTURES {
        let (model, ids, go) = (load(fixture), ids(fixture), &Interrupt::default());
        let mut changed = ids.clone();
        changed[2] = whole(fixture, "1.corrupted");
        let [clean, corrupted] = [ids, changed].map(|ids| model.tokenizer().tokens(ids).unwrap());
        let (token, other) = (whole(fixture, "1.target"), 3);
        let mut heard = 0;
        let found =
            patch(&model, [&clean, &corrupted], (token, Some(other)), Stage::Stream, go, |n| heard += n);
        let found = found.unwrap();
        let (layers, size) = (model.config().n_layer, model.config().vocab_size);
        assert_eq!(heard, layers * clean.len());
        let logits = reference(fixture, "1.patched");
        let expected: Vec<f32> = logits
            .chunks(size)
            .map(|row| (row[token as usize] - row[other as usize]) / std::f32::consts::LN_2)
            .collect();
        let effects = |layer: usize| found.effects.iter().map(move |row| row[layer]);
        let scores: Vec<f32> =
            (0..layers).flat_map(effects).map(|effect| (effect + found.corrupted_score) as f32).collect();
        assert_same(fixture, &scores, &expected);
        // The whole stream of the first layer at the changed position is the clean text itself.
        assert!((found.effects[2][0] + found.corrupted_score - found.clean_score).abs() < 1e-4);
        assert!(found.effects[1].iter().all(|effect| *effect == 0.0));
        let alone = patch(&model, [&clean, &corrupted], (token, None), Stage::Mlp, go, |_| {}).unwrap();
        assert!(alone.clean_score < 0.0 && alone.effects.iter().flatten().any(|effect| *effect != 0.0));
    }
}

#[test]
fn texts_of_different_length_cannot_be_patched() {
    let model = Model::pocket().unwrap();
    let [a, b] = ["The cat sat", "The cat"].map(|text| model.tokenizer().tokenize(text));
    let error = patch(&model, [&a, &b], (5, None), Stage::Stream, &Interrupt::default(), |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "the clean text has 3 tokens, but the corrupted one 2");
    let empty = model.tokenizer().tokenize("");
    let error = patch(&model, [&empty, &empty], (5, None), Stage::Stream, &Interrupt::default(), |_| {});
    assert_eq!(error.unwrap_err().to_string(), "the prompt is empty");
}

const MEASURES: [Measure; 3] = [Measure::Probability, Measure::LogProbability, Measure::Logit];

#[test]
fn gradients_are_those_of_torch() {
    for fixture in FIXTURES.into_iter().chain(["tanh-gelu"]) {
        let (model, ids, target) = (load(fixture), ids(fixture), whole(fixture, "1.target"));
        let expected = reference(fixture, "1.gradients");
        for (measure, expected) in MEASURES.into_iter().zip(expected.chunks(expected.len() / 3)) {
            let found = model
                .input_gradient(&ids, &Interrupt::default(), |logits| measure.of_tensor(logits, target))
                .unwrap();
            let gradient = found.gradient.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert_same(&format!("{fixture} {measure:?}"), &gradient, expected);
            let logits = reference(fixture, "1.logits");
            assert_same(fixture, &found.logits, &logits[logits.len() - found.logits.len()..]);
        }
    }
}

#[test]
fn the_pass_for_gradients_is_the_fast_one_for_the_built_in_model_too() {
    let (model, go) = (Model::pocket().unwrap(), &Interrupt::default());
    let tokens = model.tokenizer().tokenize("The old man went down to the river and");
    let slow = model.input_gradient(tokens.ids(), go, |logits| Measure::Logit.of_tensor(logits, 5)).unwrap();
    assert_same("pocket", &slow.logits, &model.logits_with(tokens.ids(), &mut (), go).unwrap());
}

#[test]
fn a_token_left_out_is_a_text_without_it() {
    let (model, go) = (load("default"), &Interrupt::default());
    let tokens = model.tokenizer().tokens(ids("default")).unwrap();
    for measure in MEASURES {
        let found = attribution(&model, &tokens, 7, measure, go, |_| {}).unwrap();
        let without = |position: usize| {
            let ids: Vec<u32> = tokens
                .ids()
                .iter()
                .enumerate()
                .filter(|(at, _)| *at != position)
                .map(|(_, id)| *id)
                .collect();
            measure.of(&model.logits_with(&ids, &mut (), go).unwrap(), 7)
        };
        for (position, effect) in found.left_out.iter().enumerate() {
            assert!((effect.unwrap() - (found.value - without(position))).abs() < 1e-9);
        }
        // The gradient says what a small step does.
        assert!(found.gradient.iter().any(|x| *x != 0.0));
    }
    let one = model.tokenizer().tokens(vec![5]).unwrap();
    let found = attribution(&model, &one, 7, Measure::Probability, go, |_| {}).unwrap();
    assert_eq!(found.left_out, [None]);
}

#[test]
fn two_models_are_compared_on_one_text_and_only_over_the_same_tokens() {
    let go = &Interrupt::default();
    let models = [load("default"), load("untied")];
    let both = Comparison::of_models(&models, "the river", go).unwrap();
    let swapped = Comparison::of_models(&[load("untied"), load("default")], "the river", go).unwrap();
    assert!(both.js() > 0.0 && (both.js() - swapped.js()).abs() < 1e-9 && both.kl() > 0.0);
    let same = Comparison::of_models(&[load("default"), load("default")], "the river", go).unwrap();
    assert!(same.js() < 1e-9 && same.kl() < 1e-6);
    let error = Comparison::of_models(&[load("default"), Model::pocket().unwrap()], "the", go).err().unwrap();
    assert_eq!(error.to_string(), "the first prediction is over 331 tokens, but the second over 50257");
}

#[test]
fn a_map_of_words_has_each_once_and_positions_a_picture() {
    let model = Model::pocket().unwrap();
    let id = |text: &str| model.tokenizer().tokenize(text).ids()[0];
    let ids = [" one", " two", " three", " cat", " dog", " bird"].map(id);
    let map = EmbeddingMap::new(&model, &ids).unwrap();
    assert_eq!(map.points.len(), 6);
    assert!(map.explained[0] >= map.explained[1] && map.explained[0] + map.explained[1] <= 1.0);
    assert!(map.chart().png(1.0).is_ok());
    let error = EmbeddingMap::new(&model, &ids[..2]).unwrap_err();
    assert_eq!(error.to_string(), "`words` is a list of 2, but must be one of at least 3 tokens");
    let positions = Positions::new(&model);
    assert_eq!(positions.count(), 512);
    assert!(positions.chart().png(1.0).is_ok() && positions.similarity().png(1.0).is_ok());
}

#[test]
fn a_head_that_is_not_there_is_refused_with_its_bounds() {
    let model = Model::pocket().unwrap();
    let tokens = model.tokenizer().tokenize("The cat sat on the mat");
    let seen = attention(&model, &tokens, &Interrupt::default()).unwrap();
    let error = seen.head(0, 5).unwrap_err();
    assert_eq!(error.to_string(), "`head` is 5, but there are 5");
    assert_eq!(error.hint().unwrap(), "each head has a number from 0 to 4");
    assert!(seen.head(-1, 0).is_err() && seen.head(6, 0).is_err());
    let pattern = seen.head(5, 4).unwrap();
    for (position, row) in pattern.weights.iter().enumerate() {
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        assert!(row[position + 1..].iter().all(|weight| *weight == 0.0));
    }
    let long = model.tokenizer().tokens(vec![5; 513]).unwrap();
    assert!(attention(&model, &long, &Interrupt::default()).is_err());
}

#[test]
fn a_tokens_nearest_neighbour_is_nearer_than_any_other() {
    let model = Model::pocket().unwrap();
    let id = |text: &str| model.tokenizer().tokenize(text).ids()[0];
    let near = neighbours(&model, id(" cat"), 4).unwrap();
    assert_eq!(near.nearest.len(), 4);
    assert!(
        near.nearest.is_sorted_by(|a, b| a.1 >= b.1) && near.nearest.iter().all(|(id, _)| *id != near.token)
    );
    assert_eq!(similarity(&model, near.token, near.nearest[0].0).unwrap(), near.nearest[0].1);
    assert!((similarity(&model, 5, 5).unwrap() - 1.0).abs() < 1e-6);
}

/// Each picture of an analysis can be drawn, at every length up to 60 tokens and beyond.
#[test]
fn every_analysis_draws_itself() {
    let model = Model::pocket().unwrap();
    for length in [1, 2, 60, 90] {
        let tokens = model.tokenizer().tokens((1000..1000 + length).collect::<Vec<_>>()).unwrap();
        let go = &Interrupt::default();
        let seen = attention(&model, &tokens, go).unwrap();
        let look = lens(&model, &tokens, go, |_| {}).unwrap();
        let parts = contributions(&model, &tokens, 5, Some(6), go).unwrap();
        let other = model.tokenizer().tokens((1001..1001 + length).collect::<Vec<_>>()).unwrap();
        let restored = patch(&model, [&tokens, &other], (5, None), Stage::Stream, go, |_| {}).unwrap();
        let causes = attribution(&model, &tokens, 5, Measure::LogProbability, go, |_| {}).unwrap();
        let charts = [
            restored.chart(),
            causes.chart(),
            causes.gradient_chart(),
            seen.chart().unwrap(),
            seen.sink().unwrap(),
            seen.head(0, 0).unwrap().chart(),
            look.chart(Shade::Probability, true),
            look.chart(Shade::Rank, false),
            parts.chart(parts.by_layer()),
            parts.heads(),
            surprisal(&model, &tokens, Start::Bare, None, go).unwrap().chart(),
        ];
        for chart in charts {
            let png = chart.png(1.0).unwrap_or_else(|error| panic!("{}: {error}", chart.title()));
            let mut reader = png::Decoder::new(png.as_slice()).read_info().unwrap();
            let mut pixels = vec![0; reader.output_buffer_size()];
            let frame = reader.next_frame(&mut pixels).unwrap();
            let width = frame.width as usize;
            let blank = |pixels: &[u8]| pixels.iter().all(|part| *part == 255);
            for row in pixels[..frame.buffer_size()].chunks(width * 3) {
                assert!(
                    blank(&row[..3 * 20]) && blank(&row[3 * (width - 20)..]),
                    "{} {length}",
                    chart.title()
                );
            }
            assert!(chart.svg().unwrap().trim_end().ends_with("</svg>"));
            assert!(!chart.text(&tokenscope::render::TextStyle::plain(80)).contains('\u{1b}'));
        }
    }
}

#[test]
fn a_report_holds_everything_and_needs_nothing() {
    let (model, go) = (Model::pocket().unwrap(), &Interrupt::default());
    let tokens = model.tokenizer().tokenize("Once upon a <b>time</b> there was");
    let mut heard = 0;
    let page = report(&model, &tokens, go, |n| heard += n).unwrap();
    assert_eq!(heard, 2 * tokens.len());
    let html = page.html();
    for section in
        ["Tokens", "Next tokens", "Surprisal", "Attention", "Logit lens", "Contributions", "Attribution"]
    {
        let at = html.find(&format!("<h2>{section}</h2>")).unwrap_or_else(|| panic!("{section}"));
        let rest = &html[at + 4..];
        let part = &rest[..rest.find("<h2>").unwrap_or(rest.len())];
        assert!(
            part.contains("<p>")
                && (part.contains("<svg") || part.contains("<table") || part.contains("<span"))
        );
    }
    assert!(!html.contains("<b>time") && !html.contains("<script") && !html.contains("src=\"http"));
    let long = model.tokenizer().tokens(vec![5; 129]).unwrap();
    let error = report(&model, &long, go, |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "the text has 129 tokens, but a report holds at most 128");
}

#[test]
fn the_examples_of_what_looks_inside_run_and_hold() {
    let out = tempfile::tempdir().unwrap();
    for binding in registry::bindings()
        .iter()
        .filter(|b| ["surprise", "inside", "parts", "causes", "embeddings"].contains(&b.topic))
    {
        for example in binding.examples() {
            let settings = ScriptSettings {
                model: "pocket".into(),
                hub: None,
                out: out.path().to_owned(),
                allowed: Default::default(),
            };
            let mut session = Session::new(settings, Interrupt::default(), Box::new(|_| {}));
            let origin = Origin { name: binding.name.clone(), line: 1 };
            let shown =
                session.eval(example, &origin).unwrap_or_else(|report| panic!("{}", report.text(false)));
            let text = shown.map(|output| output.text(&tokenscope::render::TextStyle::plain(80)));
            assert!(text.as_deref() != Some("false"), "{example}");
        }
    }
}
