//! Models that are broken in some way: each is refused with what is wrong and what to do, and none panics.

use std::fmt::Write as _;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};
use tokenscope::distribution::Distribution;
use tokenscope::interrupt::Interrupt;
use tokenscope::model::{Context, Model};

use super::helpers::{fixture, load};

/// A copy of a fixture that may be damaged.
fn copy(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(fixture(name)).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    folder
}

/// A tensor as it will be written.
struct Stored {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    data: Vec<u8>,
}

/// Rewrites the tensors of a checkpoint.
fn rewrite(folder: &Path, change: impl Fn(&mut Vec<Stored>)) {
    let path = folder.join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let stored = |(name, view): (String, TensorView)| Stored {
        name,
        dtype: view.dtype(),
        shape: view.shape().to_vec(),
        data: view.data().to_vec(),
    };
    let mut tensors: Vec<Stored> =
        SafeTensors::deserialize(&bytes).unwrap().tensors().into_iter().map(stored).collect();
    change(&mut tensors);
    let view = |stored: &Stored| {
        let view = TensorView::new(stored.dtype, stored.shape.clone(), &stored.data).unwrap();
        (stored.name.clone(), view.data().to_vec(), stored.shape.clone(), stored.dtype)
    };
    let views: Vec<_> = tensors.iter().map(view).collect();
    let views = views.iter().map(|(name, data, shape, dtype)| {
        (name.as_str(), TensorView::new(*dtype, shape.clone(), data).unwrap())
    });
    let bytes = serialize(views, None).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn tensor<'a>(tensors: &'a mut [Stored], name: &str) -> &'a mut Stored {
    tensors.iter_mut().find(|tensor| tensor.name.trim_start_matches("transformer.") == name).unwrap()
}

fn replace(folder: &Path, file: &str, from: &str, to: &str) {
    let path = folder.join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} has no {from}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

fn truncate(folder: &Path, file: &str, bytes: u64) {
    let file = std::fs::OpenOptions::new().write(true).open(folder.join(file)).unwrap();
    file.set_len(bytes).unwrap();
}

/// Something that is done to a copy of a fixture.
type Damage = fn(&Path);

const DAMAGES: &[(&str, Damage)] = &[
    ("no folder", |folder| std::fs::remove_dir_all(folder).unwrap()),
    ("no config.json", |folder| std::fs::remove_file(folder.join("config.json")).unwrap()),
    ("no weights", |folder| std::fs::remove_file(folder.join("model.safetensors")).unwrap()),
    ("no tokenizer", |folder| std::fs::remove_file(folder.join("tokenizer.json")).unwrap()),
    ("config.json is no JSON", |folder| {
        std::fs::write(folder.join("config.json"), "{\"n_layer\": 3,").unwrap()
    }),
    ("config.json is empty", |folder| std::fs::write(folder.join("config.json"), "").unwrap()),
    ("config.json is no text", |folder| std::fs::write(folder.join("config.json"), [0xff, 0xfe]).unwrap()),
    ("another architecture", |folder| replace(folder, "config.json", "\"gpt2\"", "\"llama\"")),
    ("a field is missing", |folder| replace(folder, "config.json", "\"n_head\"", "\"heads\"")),
    ("a field is no number", |folder| {
        replace(folder, "config.json", "\"n_layer\": 3", "\"n_layer\": \"three\"")
    }),
    ("no layers", |folder| replace(folder, "config.json", "\"n_layer\": 3", "\"n_layer\": 0")),
    ("heads that do not divide the width", |folder| {
        replace(folder, "config.json", "\"n_head\": 4", "\"n_head\": 5")
    }),
    ("more layers than weights", |folder| replace(folder, "config.json", "\"n_layer\": 3", "\"n_layer\": 4")),
    ("another width than the weights", |folder| {
        replace(folder, "config.json", "\"n_embd\": 32", "\"n_embd\": 64")
    }),
    ("an unknown activation", |folder| replace(folder, "config.json", "\"gelu_new\"", "\"mish\"")),
    ("weights that are noise", |folder| std::fs::write(folder.join("model.safetensors"), [7; 4096]).unwrap()),
    ("empty weights", |folder| truncate(folder, "model.safetensors", 0)),
    ("weights cut in the header", |folder| truncate(folder, "model.safetensors", 500)),
    ("weights cut in the data", |folder| truncate(folder, "model.safetensors", 200_000)),
    ("a missing tensor", |folder| {
        rewrite(folder, |tensors| tensors.retain(|tensor| !tensor.name.ends_with("ln_f.bias")))
    }),
    ("a tensor of another shape", |folder| {
        rewrite(folder, |tensors| tensor(tensors, "h.1.mlp.c_fc.weight").shape.reverse());
    }),
    ("a tensor of another type", |folder| {
        rewrite(folder, |tensors| tensor(tensors, "h.0.ln_1.weight").dtype = Dtype::I32);
    }),
    ("a tokenizer that is no JSON", |folder| std::fs::write(folder.join("tokenizer.json"), "{").unwrap()),
    ("a tokenizer of another model", |folder| {
        std::fs::remove_file(folder.join("tokenizer.json")).unwrap();
        std::fs::write(folder.join("vocab.json"), "{\"a\": 0, \"b\": 400}").unwrap();
        std::fs::write(folder.join("merges.txt"), "").unwrap();
    }),
    ("merges that are no pairs", |folder| {
        std::fs::remove_file(folder.join("tokenizer.json")).unwrap();
        std::fs::write(folder.join("vocab.json"), "{\"a\": 0, \"b\": 1}").unwrap();
        std::fs::write(folder.join("merges.txt"), "#version: 0.2\nab\n").unwrap();
    }),
];

fn described(error: &tokenscope::error::Error, folder: &Path) -> String {
    let hint = error.hint().map_or(String::new(), |hint| format!("\nhint: {hint}"));
    format!("error: {error}{hint}").replace(folder.to_str().unwrap(), "FOLDER")
}

#[test]
fn each_broken_checkpoint_is_refused_with_a_reason_and_a_way_out() {
    let mut transcript = String::new();
    for (what, damage) in DAMAGES {
        let folder = copy("default");
        damage(folder.path());
        let error = load(folder.path()).map(|_| ()).expect_err(what);
        assert!(error.hint().is_some(), "{what}: `{error}` says nothing of what to do");
        writeln!(transcript, "# {what}\n{}\n", described(&error, folder.path())).unwrap();
    }
    insta::assert_snapshot!(transcript);
}

#[test]
fn prompts_that_a_model_cannot_read_are_refused() {
    let model = load(&fixture("default")).unwrap();
    let read = |ids: &[u32]| Context::new(&model).read(ids, &Interrupt::default()).map(|_| ());
    let mut transcript = String::new();
    for (what, ids) in [("empty", vec![]), ("over the context", vec![1; 65]), ("outside", vec![1, 331])] {
        let error = read(&ids).unwrap_err();
        writeln!(transcript, "# {what}\n{}\n", described(&error, Path::new("FOLDER"))).unwrap();
        assert_eq!(model.logits(&ids, &Interrupt::default()).unwrap_err().to_string(), error.to_string());
    }
    insta::assert_snapshot!(transcript);
    assert!(read(&[1; 64]).is_ok());
}

#[test]
fn weights_that_are_no_numbers_are_noticed_when_they_are_used() {
    let folder = copy("default");
    rewrite(folder.path(), |tensors| {
        for bytes in tensor(tensors, "ln_f.weight").data.as_chunks_mut::<4>().0 {
            *bytes = f32::NAN.to_le_bytes();
        }
    });
    let model = load(folder.path()).unwrap();
    let error = Context::new(&model).read(&[1, 2, 3], &Interrupt::default()).unwrap_err();
    assert_eq!(error.to_string(), "the logit of id 0 is NaN");
    assert_eq!(
        error.hint().unwrap(),
        "the model's weights may be damaged: delete its files and fetch them again"
    );
}

fn distribution(model: &Model) -> Distribution {
    Context::new(model).read(&[5, 6, 7, 8], &Interrupt::default()).unwrap()
}

#[test]
fn tensors_that_nothing_asks_for_change_nothing() {
    let expected = distribution(&load(&fixture("default")).unwrap());
    let folder = copy("default");
    rewrite(folder.path(), |tensors| {
        assert!(
            tensors.iter().any(|tensor| tensor.name.ends_with(".attn.bias")),
            "the fixture has mask buffers"
        );
        let noise = |name: &str, shape: &[usize]| Stored {
            name: name.to_owned(),
            dtype: Dtype::F32,
            shape: shape.to_vec(),
            data: vec![0x55; 4 * shape.iter().product::<usize>()],
        };
        for (name, shape) in
            [("lm_head.weight", vec![331, 32]), ("h.0.attn.masked_bias", vec![1]), ("other", vec![3, 3])]
        {
            tensors.retain(|tensor| tensor.name != name);
            tensors.push(noise(name, &shape));
        }
    });
    assert_eq!(distribution(&load(folder.path()).unwrap()), expected);
    let folder = copy("default");
    rewrite(folder.path(), |tensors| tensors.retain(|tensor| !tensor.name.ends_with(".attn.bias")));
    assert_eq!(distribution(&load(folder.path()).unwrap()), expected);
}
