//! `config.json`: the shape of a GPT-2 model, checked before anything is built on it.

use std::path::Path;

use serde::Deserialize;

use crate::error::{Error, Result};

/// The fields of `config.json` that say how to compute, under their published names.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Config {
    #[serde(default = "gpt2")]
    pub model_type: String,
    /// Tokens in the vocabulary.
    pub vocab_size: usize,
    /// The context: how many positions there are.
    pub n_positions: usize,
    /// The width of the residual stream.
    pub n_embd: usize,
    pub n_layer: usize,
    pub n_head: usize,
    /// The width inside the MLP, if not four times `n_embd`.
    #[serde(default)]
    pub n_inner: Option<usize>,
    #[serde(default)]
    pub activation_function: Activation,
    #[serde(default = "epsilon")]
    pub layer_norm_epsilon: f32,
    /// Whether attention scores are divided by the square root of the head's width.
    #[serde(default = "yes")]
    pub scale_attn_weights: bool,
    /// Whether they are divided by the layer's number (from 1) as well.
    #[serde(default)]
    pub scale_attn_by_inverse_layer_idx: bool,
    /// Whether the head that makes logits is the token embedding.
    #[serde(default = "yes")]
    pub tie_word_embeddings: bool,
    #[serde(default)]
    pub add_cross_attention: bool,
    #[serde(default)]
    pub eos_token_id: Option<u32>,
}

/// The non-linearity inside the MLP, as transformers names them (`ACT2FN`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// GPT-2's own: GELU by its tanh approximation (Hendrycks & Gimpel 2016).
    #[default]
    #[serde(alias = "gelu_pytorch_tanh", alias = "gelu_fast")]
    GeluNew,
    /// GELU by the error function.
    Gelu,
    Relu,
    /// x · sigmoid(x).
    #[serde(alias = "swish")]
    Silu,
    Tanh,
}

fn gpt2() -> String {
    "gpt2".to_owned()
}

fn epsilon() -> f32 {
    1e-5
}

fn yes() -> bool {
    true
}

impl Config {
    /// Reads and checks the text of a `config.json`; `path` only names it in errors.
    pub fn parse(text: &str, path: &Path) -> Result<Config> {
        let broken = |reason: String| Error::BrokenConfig { path: path.to_owned(), reason };
        // The type comes first: another kind of model lacks our fields, and that is not its fault.
        let json: serde_json::Value =
            serde_json::from_str(text).map_err(|source| broken(source.to_string()))?;
        match json.get("model_type").and_then(|value| value.as_str()) {
            Some(other) if other != "gpt2" => {
                return Err(Error::NotGpt2 { place: path.display().to_string(), found: other.to_owned() });
            }
            _ => {}
        }
        // From the text once more: a value in between would lose the line that an error names.
        let config: Config = serde_json::from_str(text).map_err(|source| broken(source.to_string()))?;
        config.check().map_err(broken)?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("n_positions", self.n_positions),
            ("n_embd", self.n_embd),
            ("n_layer", self.n_layer),
            ("n_head", self.n_head),
            ("n_inner", self.inner()),
        ];
        for (field, size) in sizes {
            if !(1..=1 << 24).contains(&size) {
                return Err(format!("`{field}` is {size}, but must be at least 1 and at most {}", 1 << 24));
            }
        }
        if !self.n_embd.is_multiple_of(self.n_head) {
            let Config { n_embd, n_head, .. } = self;
            return Err(format!("`n_embd` is {n_embd}, but must be a multiple of `n_head`, {n_head}"));
        }
        if !(self.layer_norm_epsilon > 0.0 && self.layer_norm_epsilon < 1.0) {
            let epsilon = self.layer_norm_epsilon;
            return Err(format!("`layer_norm_epsilon` is {epsilon}, but must be above 0 and below 1"));
        }
        if self.add_cross_attention {
            return Err("`add_cross_attention` is true: a decoder of a pair cannot write alone".to_owned());
        }
        Ok(())
    }

    /// The width of one attention head.
    pub fn head_size(&self) -> usize {
        self.n_embd / self.n_head
    }

    /// The width inside the MLP.
    pub fn inner(&self) -> usize {
        self.n_inner.unwrap_or(4 * self.n_embd)
    }

    /// What attention scores are multiplied with in layer `layer` (from 0).
    pub fn attention_scale(&self, layer: usize) -> f32 {
        let by_width = if self.scale_attn_weights { (self.head_size() as f32).sqrt() } else { 1.0 };
        let by_layer = if self.scale_attn_by_inverse_layer_idx { (layer + 1) as f32 } else { 1.0 };
        1.0 / (by_width * by_layer)
    }

    /// How many numbers the model has learnt.
    pub fn parameters(&self) -> u64 {
        let [vocabulary, positions, width, inner] =
            [self.vocab_size, self.n_positions, self.n_embd, self.inner()].map(|size| size as u64);
        let attention = width * 3 * width + 3 * width + width * width + width;
        let mlp = width * inner + inner + inner * width + width;
        let block = attention + mlp + 4 * width;
        let head = if self.tie_word_embeddings { 0 } else { vocabulary * width };
        (vocabulary + positions) * width + self.n_layer as u64 * block + 2 * width + head
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"{"model_type": "gpt2", "vocab_size": 50257, "n_positions": 1024, "n_embd": 768,
        "n_layer": 12, "n_head": 12, "activation_function": "gelu_new", "resid_pdrop": 0.1}"#;

    fn parse(text: &str) -> Result<Config> {
        Config::parse(text, Path::new("config.json"))
    }

    #[test]
    fn gpt2_small_has_its_published_number_of_parameters() {
        assert_eq!(parse(SMALL).unwrap().parameters(), 124_439_808);
    }

    #[test]
    fn another_architecture_is_named() {
        let error = parse(r#"{"model_type": "llama", "hidden_size": 4096}"#).unwrap_err();
        assert_eq!(error.to_string(), "`config.json` is a `llama` model, but only `gpt2` models can be read");
    }

    #[test]
    fn a_width_that_heads_cannot_share_is_refused() {
        let error = parse(&SMALL.replace("768", "770")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot use `config.json`: `n_embd` is 770, but must be a multiple of `n_head`, 12"
        );
    }

    #[test]
    fn an_unknown_activation_is_named() {
        let error = parse(&SMALL.replace("gelu_new", "mish")).unwrap_err();
        assert!(error.to_string().contains("unknown variant `mish`"), "{error}");
    }
}
