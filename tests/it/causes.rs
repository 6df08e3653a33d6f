//! What a changed pass gives, and gradients, are what transformers has with a hook and torch (`scripts/make_fixtures.py`).

use tokenscope::analyse::ablation::{AblationOptions, next_token};
use tokenscope::analyse::attribution::attribution;
use tokenscope::analyse::comparison::Comparison;
use tokenscope::analyse::embeddings::{EmbeddingMap, Positions};
use tokenscope::analyse::measure::Measure;
use tokenscope::analyse::patching::{Stage, patch};
use tokenscope::analyse::surprisal::{Start, surprisal};
use tokenscope::error::Error;
use tokenscope::generate::options::{Options, Value};
use tokenscope::interrupt::Interrupt;
use tokenscope::model::Model;

use super::reference::{FIXTURES, assert_same, ids, load, reference, whole};
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
    assert_eq!(error(&["layer 8"]), "`layer` is 8, but there are 8");
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
