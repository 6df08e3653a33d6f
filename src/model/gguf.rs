//! GGUF files of GPT-2, as llama.cpp's converter writes them: configuration, weights and tokenizer in one.
//!
//! Names and places of what is inside follow llama.cpp's `gguf-py/gguf/constants.py`; each weight of a linear layer
//! lies there as [outputs, inputs].

use std::io::Cursor;
use std::path::Path;

use candle_core::quantized::gguf_file::{Content, Value};
use serde_json::json;

use super::config::Config;
use super::weights::{Checkpoint, Mapped};
use crate::error::{Error, Result};
use crate::tokenizer::Tokenizer;

/// An opened file; its weights stay where they are until a model is built of them.
pub struct Gguf<'a> {
    path: &'a Path,
    content: Content,
    file: Mapped,
}

impl<'a> Gguf<'a> {
    /// Maps the file and reads its header.
    pub fn open(path: &'a Path) -> Result<Gguf<'a>> {
        let file = Mapped::open(path)?;
        let content = Content::read(&mut Cursor::new(file.as_slice()))
            .map_err(|source| Error::BrokenWeights { path: path.to_owned(), reason: source.to_string() })?;
        Ok(Gguf { path, content, file })
    }

    /// The shape of the model, checked as that of a `config.json`.
    pub fn config(&self) -> Result<Config> {
        let architecture = self.value("general.architecture", |value| value.to_string().ok().cloned())?;
        if architecture != "gpt2" {
            return Err(Error::NotGpt2 { place: self.path.display().to_string(), found: architecture });
        }
        let number = |name: &str| self.value(&format!("gpt2.{name}"), whole);
        let epsilon = |value: &Value| value.to_f32().ok();
        let config = json!({
            "model_type": "gpt2",
            "vocab_size": self.rows("token_embd.weight")?,
            "n_positions": number("context_length")?,
            "n_embd": number("embedding_length")?,
            "n_layer": number("block_count")?,
            "n_head": number("attention.head_count")?,
            "n_inner": number("feed_forward_length")?,
            "layer_norm_epsilon": self.value("gpt2.attention.layer_norm_epsilon", epsilon)?,
            "tie_word_embeddings": !self.content.tensor_infos.contains_key("output.weight"),
            "eos_token_id": self.content.metadata.get("tokenizer.ggml.eos_token_id").and_then(whole),
        });
        Config::parse(&config.to_string(), self.path)
    }

    /// The weights under GPT-2's published names.
    pub fn checkpoint(self) -> Result<Checkpoint> {
        let Content { tensor_infos, tensor_data_offset, .. } = &self.content;
        let tensors = tensor_infos.iter().filter_map(|(name, info)| {
            let start = tensor_data_offset.saturating_add(info.offset);
            Some((published_name(name)?, info.ggml_dtype, info.shape.dims().to_vec(), start))
        });
        Checkpoint::of_blocks(self.path, self.file, tensors)
    }

    /// The tokenizer that the file carries; the one built in if it is GPT-2's own.
    pub fn tokenizer(&self) -> Result<Tokenizer> {
        let texts = |value: &Value| -> Option<Vec<String>> {
            value.to_vec().ok()?.iter().map(|text| text.to_string().ok().cloned()).collect()
        };
        let kind = self.value("tokenizer.ggml.model", |value| value.to_string().ok().cloned())?;
        if kind != "gpt2" {
            let reason = format!("its tokenizer is of the kind `{kind}`, not `gpt2`");
            return Err(Error::BrokenTokenizer { path: self.path.to_owned(), reason });
        }
        let (pieces, merges) =
            (self.value("tokenizer.ggml.tokens", texts)?, self.value("tokenizer.ggml.merges", texts)?);
        Tokenizer::from_pieces(pieces, &merges)
            .map_err(|reason| Error::BrokenTokenizer { path: self.path.to_owned(), reason })
    }

    fn rows(&self, tensor: &str) -> Result<usize> {
        let info = self.content.tensor_infos.get(tensor).and_then(|info| info.shape.dims().first().copied());
        info.ok_or_else(|| Error::MissingTensor { tensor: tensor.to_owned(), path: self.path.to_owned() })
    }

    fn value<T>(&self, key: &str, read: impl Fn(&Value) -> Option<T>) -> Result<T> {
        self.content.metadata.get(key).and_then(read).ok_or_else(|| Error::BrokenConfig {
            path: self.path.to_owned(),
            reason: format!("it has no `{key}`, or not one of the kind it should be"),
        })
    }
}

fn whole(value: &Value) -> Option<u64> {
    value.to_u64().ok().or_else(|| value.to_u32().ok().map(u64::from))
}

/// `blk.3.ffn_up.weight` is what GPT-2 calls `h.3.mlp.c_fc.weight`; nothing for what the model does not have.
fn published_name(name: &str) -> Option<String> {
    let (rest, kind) = name.rsplit_once('.')?;
    let published = match rest {
        "token_embd" => "wte".to_owned(),
        "position_embd" => "wpe".to_owned(),
        "output_norm" => "ln_f".to_owned(),
        "output" => "lm_head".to_owned(),
        block => {
            let (layer, part) = block.strip_prefix("blk.")?.split_once('.')?;
            let part = match part {
                "attn_norm" => "ln_1",
                "attn_qkv" => "attn.c_attn",
                "attn_output" => "attn.c_proj",
                "ffn_norm" => "ln_2",
                "ffn_up" => "mlp.c_fc",
                "ffn_down" => "mlp.c_proj",
                _ => return None,
            };
            format!("h.{layer}.{part}")
        }
    };
    Some(format!("{published}.{kind}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_get_their_published_names() {
        for (name, published) in [
            ("token_embd.weight", Some("wte.weight")),
            ("output_norm.bias", Some("ln_f.bias")),
            ("blk.11.attn_qkv.bias", Some("h.11.attn.c_attn.bias")),
            ("blk.0.ffn_down.weight", Some("h.0.mlp.c_proj.weight")),
            ("blk.0.attn_rot", None),
            ("rope_freqs.weight", None),
        ] {
            assert_eq!(published_name(name).as_deref(), published);
        }
    }
}
