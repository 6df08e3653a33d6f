//! What transformers computed for the fixture checkpoints (`scripts/make_fixtures.py`).

use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use tokenscope::hub::{Hub, Settings};
use tokenscope::interrupt::Interrupt;
use tokenscope::model::Model;

pub const FIXTURES: [&str; 9] =
    ["bf16", "default", "f16", "inner-gelu", "inner-relu", "odd", "sharded", "unscaled", "untied"];

pub fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

pub fn load(name: &str) -> Model {
    let folder = folder(name);
    let source =
        Hub::new(Settings::new(&folder)).resolve(folder.to_str().unwrap(), &mut (), &Interrupt::default());
    Model::load(name, &source.unwrap()).unwrap()
}

/// The numbers of one tensor of a fixture's `reference.safetensors`.
pub fn reference(fixture: &str, tensor: &str) -> Vec<f32> {
    let bytes = std::fs::read(folder(fixture).join("reference.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let data = file.tensor(tensor).unwrap().data().to_vec();
    data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

pub fn ids(fixture: &str) -> Vec<u32> {
    let bytes = std::fs::read(folder(fixture).join("reference.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let data = file.tensor("1.ids").unwrap().data().to_vec();
    data.as_chunks::<8>().0.iter().map(|b| i64::from_le_bytes(*b) as u32).collect()
}

pub fn whole(fixture: &str, tensor: &str) -> u32 {
    let bytes = std::fs::read(folder(fixture).join("reference.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    i64::from_le_bytes(file.tensor(tensor).unwrap().data().try_into().unwrap()) as u32
}

pub fn assert_same(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(1.0f32, |largest, x| largest.max(x.abs()));
    let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= 1e-4 * largest, "{what}: {worst} apart where the largest is {largest}");
}
