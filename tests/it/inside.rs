//! What is seen inside a model is what transformers sees there (`scripts/make_fixtures.py`).

use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use tokenscope::hub::{Hub, Settings};
use tokenscope::interrupt::Interrupt;
use tokenscope::model::Model;
use tokenscope::model::trace::Place;

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
        let trace = model.trace(&ids, &Interrupt::default()).unwrap();
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
        let trace = load(fixture).trace(&ids(fixture), &Interrupt::default()).unwrap();
        let layers = (0..trace.layers()).map(|layer| trace.patterns(layer).unwrap());
        let found: Vec<f32> = layers.flatten().flatten().flatten().collect();
        assert_same(fixture, &found, &reference(fixture, "1.attentions"));
    }
}

#[test]
fn what_the_parts_add_is_what_the_stream_gains() {
    for fixture in FIXTURES {
        let model = load(fixture);
        let trace = model.trace(&ids(fixture), &Interrupt::default()).unwrap();
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
