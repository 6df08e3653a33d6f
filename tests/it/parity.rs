//! The same numbers as Hugging Face transformers, on checkpoints that it wrote (`scripts/make_fixtures.py`).

use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use tokenscope::hub::{Hub, Settings};
use tokenscope::interrupt::Interrupt;
use tokenscope::model::{Context, Model};

const FIXTURES: [&str; 11] = [
    "bf16",
    "default",
    "f16",
    "inner-gelu",
    "inner-relu",
    "odd",
    "prefixed",
    "sharded",
    "tanh-gelu",
    "unscaled",
    "untied",
];

/// Relative to the largest logit.
const TOLERANCE: f32 = 1e-4;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn load(name: &str) -> Model {
    let folder = folder(name);
    let hub = Hub::new(Settings::new(&folder));
    let source = hub.resolve(folder.to_str().unwrap(), &mut (), &Interrupt::default()).unwrap();
    Model::load(name, &source).unwrap()
}

/// One prompt of a fixture's `reference.safetensors`.
struct Reference {
    ids: Vec<u32>,
    /// The positions that `logits` has rows for.
    positions: Vec<usize>,
    logits: Vec<Vec<f32>>,
}

fn references(name: &str) -> Vec<Reference> {
    let bytes = std::fs::read(folder(name).join("reference.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let whole = |name: &str| -> Option<Vec<i64>> {
        let tensor = file.tensor(name).ok()?;
        Some(tensor.data().as_chunks::<8>().0.iter().map(|b| i64::from_le_bytes(*b)).collect())
    };
    let reference = |prompt: usize| {
        let ids: Vec<u32> = whole(&format!("{prompt}.ids")).unwrap().iter().map(|id| *id as u32).collect();
        let positions = whole(&format!("{prompt}.positions"))
            .map_or((0..ids.len()).collect(), |all| all.iter().map(|position| *position as usize).collect());
        let tensor = file.tensor(&format!("{prompt}.logits")).unwrap();
        let numbers: Vec<f32> =
            tensor.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        let logits = numbers.chunks(tensor.shape()[1]).map(<[f32]>::to_vec).collect();
        Reference { ids, positions, logits }
    };
    (0..3).map(reference).collect()
}

fn assert_same(name: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    let largest = expected.iter().fold(0.0f32, |largest, logit| largest.max(logit.abs()));
    let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= TOLERANCE * largest, "{name}: {worst} apart where the largest logit is {largest}");
}

#[test]
fn every_checkpoint_gives_the_logits_of_transformers() {
    for name in FIXTURES {
        let model = load(name);
        for Reference { ids, positions, logits } in references(name) {
            let all = model.logits(&ids, &Interrupt::default()).unwrap();
            for (position, expected) in positions.into_iter().zip(&logits) {
                assert_same(name, &all[position], expected);
            }
        }
    }
}

#[test]
fn reading_token_by_token_or_in_pieces_changes_nothing() {
    for name in FIXTURES {
        let model = load(name);
        for Reference { ids, positions, logits } in references(name) {
            for step in [1, 5] {
                let mut context = Context::new(&model);
                for end in (1..=ids.len()).filter(|end| end % step == 0 || *end == ids.len()) {
                    let found = context.read(&ids[..end], &Interrupt::default()).unwrap();
                    if let Some(row) = positions.iter().position(|position| position + 1 == end) {
                        assert_same(name, found.logits(), &logits[row]);
                    }
                }
            }
        }
    }
}

#[test]
fn a_context_forgets_what_a_new_text_does_not_share() {
    let model = load("default");
    let mut context = Context::new(&model);
    let read = |context: &mut Context, ids: &[u32]| context.read(ids, &Interrupt::default()).unwrap();
    let first = read(&mut context, &[1, 2, 3, 4, 5]);
    read(&mut context, &[1, 2, 9]);
    assert_eq!(context.len(), 3);
    assert_same("default", read(&mut context, &[1, 2, 3, 4, 5]).logits(), first.logits());
    assert_same(
        "default",
        read(&mut context, &[1, 2, 3, 4]).logits(),
        read(&mut Context::new(&model), &[1, 2, 3, 4]).logits(),
    );
}

#[test]
fn an_interrupted_reading_can_be_taken_up_again() {
    let model = load("default");
    let mut context = Context::new(&model);
    let interrupt = Interrupt::default();
    interrupt.request();
    assert!(context.read(&[1, 2, 3], &interrupt).is_err());
    assert!(context.is_empty());
    interrupt.clear();
    let expected = Context::new(&model).read(&[1, 2, 3], &interrupt).unwrap();
    assert_eq!(context.read(&[1, 2, 3], &interrupt).unwrap(), expected);
}
