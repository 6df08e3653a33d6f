//! Files of llama.cpp: written by its own Python package, answered as transformers answers with the same numbers
//! (`scripts/make_gguf_fixtures.py`).

use std::path::PathBuf;

use safetensors::SafeTensors;
use tokenscope::error::Error;
use tokenscope::interrupt::Interrupt;

use crate::helpers::{fixture, load};

fn file(name: &str) -> PathBuf {
    fixture("gguf").join(name)
}

/// What transformers wrote: the ids, and the logits under each of these names.
fn reference(name: &str, kinds: &[&str]) -> (Vec<u32>, Vec<Vec<f32>>) {
    let bytes = std::fs::read(file(name)).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let ids = tensors
        .tensor("ids")
        .unwrap()
        .data()
        .as_chunks::<8>()
        .0
        .iter()
        .map(|b| i64::from_le_bytes(*b) as u32)
        .collect();
    let logits = kinds.iter().map(|kind| {
        let tensor = tensors.tensor(kind).unwrap();
        tensor.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
    });
    (ids, logits.collect())
}

/// The logits of a file, which are those that transformers gave.
fn checked_logits(name: &str, ids: &[u32], expected: &[f32]) -> Vec<f32> {
    let logits = load(&file(name)).unwrap().logits(ids, &Interrupt::default()).unwrap().concat();
    assert_eq!(logits.len(), expected.len());
    let worst = logits.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let largest = expected.iter().fold(0.0f32, |largest, logit| largest.max(logit.abs()));
    assert!(worst <= 1e-4 * largest, "{name}: {worst} apart where the largest logit is {largest}");
    logits
}

#[test]
fn every_kind_of_file_gives_the_logits_of_transformers() {
    let (ids, expected) = reference("reference.safetensors", &["f32.logits", "f16.logits", "q8_0.logits"]);
    let files = ["f32.gguf", "f16.gguf", "q8_0.gguf"].iter().zip(&expected);
    let answers: Vec<_> = files.map(|(file, expected)| checked_logits(file, &ids, expected)).collect();
    assert!(answers[0] != answers[1] && answers[1] != answers[2], "each kind has numbers of its own");
}

#[test]
fn a_file_that_llama_cpp_rounded_to_four_and_six_bits_is_read_too() {
    let (ids, expected) = reference("q4_k_m.safetensors", &["logits"]);
    checked_logits("q4_k_m.gguf", &ids, &expected[0]);
}

#[test]
fn configuration_and_tokenizer_are_those_of_the_checkpoint() {
    let (from_gguf, from_folder) = (load(&file("f32.gguf")).unwrap(), load(&fixture("default")).unwrap());
    let text = "Hello there, under the bridge in 2024!";
    assert_eq!(from_gguf.tokenizer().tokenize(text).ids(), from_folder.tokenizer().tokenize(text).ids());
    assert_eq!(from_gguf.tokenizer().end_of_text(), from_folder.tokenizer().end_of_text());
    let (gguf, folder) = (from_gguf.config(), from_folder.config());
    assert_eq!((gguf.n_layer, gguf.n_head, gguf.n_embd), (folder.n_layer, folder.n_head, folder.n_embd));
    assert_eq!((gguf.vocab_size, gguf.eos_token_id), (folder.vocab_size, folder.eos_token_id));
}

#[test]
fn a_file_that_is_missing_cut_off_or_something_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    assert!(matches!(load(&path), Err(Error::NoSuchFile { .. })));
    let whole = std::fs::read(file("q8_0.gguf")).unwrap();
    for length in [0, 3, 100, whole.len() / 8, whole.len() / 2, whole.len() - 100] {
        std::fs::write(&path, &whole[..length]).unwrap();
        let refused = load(&path).err().unwrap_or_else(|| panic!("{length} of {} bytes", whole.len()));
        assert!(matches!(refused, Error::BrokenWeights { .. } | Error::Io { .. }), "{length}: {refused:?}");
    }
    let foreign: Vec<u8> = {
        let at = whole.windows(4).position(|bytes| bytes == b"gpt2").unwrap();
        let mut bytes = whole.clone();
        bytes[at..at + 4].copy_from_slice(b"gemm");
        bytes
    };
    std::fs::write(&path, foreign).unwrap();
    assert!(matches!(load(&path), Err(Error::NotGpt2 { .. })));
}
