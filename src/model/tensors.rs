//! GPT-2's layers in candle's own operations, which run on every device and can be differentiated. On the CPU the loops
//! of [`super::kernels`] do the same, faster; tests hold the two together.

use candle_core::{D, DType, Device, Tensor};

use super::config::Activation;
use crate::error::Result;

/// xW + b: [positions, inputs] → [positions, outputs]. The product is made in the weight's own numbers.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let y = x.to_dtype(weight.dtype())?.matmul(weight)?.to_dtype(DType::F32)?; // [positions, outputs]
    Ok(match bias {
        Some(bias) => y.broadcast_add(bias)?,
        None => y,
    })
}

/// [positions, width] → the same.
pub fn layer_norm(x: &Tensor, gain: &Tensor, bias: &Tensor, epsilon: f64) -> Result<Tensor> {
    let x = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let deviation = (x.sqr()?.mean_keepdim(D::Minus1)? + epsilon)?.sqrt()?; // [positions, 1]
    Ok(x.broadcast_div(&deviation)?.broadcast_mul(gain)?.broadcast_add(bias)?)
}

/// Columns to their places among others that are zero: [positions, kept] → [positions, columns].
pub fn spread(x: &Tensor, kept: &[u32], columns: usize) -> Result<Tensor> {
    let places = Tensor::from_slice(kept, kept.len(), x.device())?;
    let zeros = Tensor::zeros((x.dim(0)?, columns), x.dtype(), x.device())?;
    Ok(zeros.index_add(&places, x, 1)?) // [positions, columns]
}

/// Element by element.
pub fn activate(activation: Activation, x: &Tensor) -> Result<Tensor> {
    Ok(match activation {
        Activation::GeluNew => x.gelu()?,
        Activation::Gelu => x.gelu_erf()?,
        Activation::Relu => x.relu()?,
        Activation::Silu => x.silu()?,
        Activation::Tanh => x.tanh()?,
    })
}

/// Queries, keys and values of each head, [n_head, positions, head size] each, out of [positions, 3 · n_embd].
pub fn by_head(qkv: &Tensor, head_size: usize) -> Result<[Tensor; 3]> {
    let (positions, columns) = qkv.dims2()?;
    let heads = columns / 3 / head_size;
    let part = |part: usize| -> Result<Tensor> {
        let part = qkv.narrow(1, part * heads * head_size, heads * head_size)?; // [positions, n_embd]
        Ok(part.reshape((positions, heads, head_size))?.transpose(0, 1)?.contiguous()?)
    };
    Ok([part(0)?, part(1)?, part(2)?])
}

/// Attention of the last positions over all: queries [n_head, new positions, head size], keys and values
/// [n_head, positions, head size] → [new positions, n_embd].
pub fn attend(queries: &Tensor, keys: &Tensor, values: &Tensor, scale: f32) -> Result<Tensor> {
    let (heads, new, size) = queries.dims3()?;
    let mask = causal_mask(new, keys.dim(1)?, queries.device())?; // [new positions, positions]
    let scores = (queries.matmul(&keys.t()?.contiguous()?)? * f64::from(scale))?; // [n_head, new positions, positions]
    let weights = softmax(&scores.broadcast_add(&mask)?)?; // [n_head, new positions, positions]
    let mixed = weights.matmul(values)?.transpose(0, 1)?.contiguous()?; // [new positions, n_head, head size]
    Ok(mixed.reshape((new, heads * size))?)
}

/// Over the last dimension.
fn softmax(scores: &Tensor) -> Result<Tensor> {
    // A constant may be taken away, so that no exponential is too large.
    let scores = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?.detach())?;
    let weights = scores.exp()?;
    Ok(weights.broadcast_div(&weights.sum_keepdim(D::Minus1)?)?)
}

/// For the last `new` of all positions, 0 for what each may look at, -∞ for what comes later: [new, positions].
fn causal_mask(new: usize, positions: usize, device: &Device) -> Result<Tensor> {
    let row = |row: usize| {
        let seen = positions - new + row;
        (0..positions).map(move |column| if column > seen { f32::NEG_INFINITY } else { 0.0 })
    };
    let mask: Vec<f32> = (0..new).flat_map(row).collect();
    Ok(Tensor::from_vec(mask, (new, positions), device)?)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::interrupt::Interrupt;
    use crate::model::Model;
    use crate::model::config::Config;
    use crate::model::device::Backend;
    use crate::model::gpt2::Gpt2;
    use crate::model::hook::{Hook, Place, change_rows};
    use crate::model::precision::Precision;
    use crate::model::weights::Checkpoint;
    use crate::vector::testing::assert_close;

    /// A fixture's weights for the fast loops, and again for candle's operations.
    fn both(name: &str, precision: Precision) -> (Config, [Gpt2; 2]) {
        let folder = Path::new("tests/fixtures").join(name);
        let path = folder.join("config.json");
        let text = std::fs::read_to_string(&path).expect("the fixture has a configuration");
        let config = Config::parse(&text, &path).expect("the configuration is sound");
        let checkpoint =
            Checkpoint::open(&[folder.join("model.safetensors")]).expect("the weights are there");
        let models = [None, Some(&Device::Cpu)]
            .map(|device| Gpt2::new(&config, &checkpoint, precision, device).expect("the weights fit"));
        (config, models)
    }

    /// Doubles what attention adds at one position of one layer.
    struct Doubling;

    impl Hook for Doubling {
        fn visit(&mut self, place: Place, layer: usize, x: &Tensor) -> Result<()> {
            match (place, layer) {
                (Place::Attention, 1) => change_rows(x, |position, row| {
                    row.iter_mut().filter(|_| position == 2).for_each(|x| *x *= 2.0);
                }),
                _ => Ok(()),
            }
        }
    }

    fn logits(gpt2: &Gpt2, config: &Config, parts: &[&[u32]], hook: bool) -> Vec<f32> {
        let mut cache = gpt2.empty_cache(config);
        let mut all = Vec::new();
        for (index, ids) in parts.iter().enumerate() {
            let mut doubling = Doubling;
            let hook = (hook && index == 0).then_some(&mut doubling as &mut dyn Hook);
            // A fork goes its own way: what it reads leaves no trace.
            let mut fork = cache.fork();
            gpt2.forward(&[9], &mut fork, &Interrupt::default(), None).expect("the fork can be read on");
            let x = gpt2.forward(ids, &mut cache, &Interrupt::default(), hook).expect("the ids can be read");
            let logits = gpt2.logits(&x).and_then(|logits| Ok(logits.flatten_all()?.to_vec1::<f32>()?));
            all.extend(logits.expect("logits are numbers"));
        }
        all
    }

    #[test]
    fn candles_operations_give_what_the_fast_loops_give() {
        for name in ["default", "untied", "inner-gelu", "inner-relu", "tanh-gelu", "unscaled"] {
            let (config, [fast, plain]) = both(name, Precision::F32);
            let parts: [&[u32]; 3] = [&[3, 1, 4, 1, 5], &[9], &[2, 6]];
            for hook in [false, true] {
                let (fast, plain) =
                    (logits(&fast, &config, &parts, hook), logits(&plain, &config, &parts, hook));
                assert_close(&plain, &fast, 2e-5);
            }
            let whole = logits(&plain, &config, &[&parts.concat()], false);
            assert_close(&whole, &logits(&plain, &config, &parts, false), 2e-5);
        }
        let (config, [fast, rounded]) = both("default", Precision::Bf16);
        let (fast, rounded) =
            (logits(&fast, &config, &[&[3, 1, 4]], false), logits(&rounded, &config, &[&[3, 1, 4]], false));
        assert_close(&rounded, &fast, 0.05);
    }

    #[test]
    fn rows_that_the_built_in_model_leaves_out_have_logits_of_zero_here_too() {
        let model = Model::pocket().expect("it is built in");
        assert_eq!(model.backend(), Backend::default());
        let checkpoint =
            Checkpoint::built_in("pocket", include_bytes!("../../assets/pocket/model.safetensors"));
        let plain =
            Gpt2::new(model.config(), &checkpoint.expect("it is whole"), Precision::F32, Some(&Device::Cpu));
        let ids: &[u32] = &[7454, 2402, 257];
        let plain = logits(&plain.expect("the weights fit"), model.config(), &[ids], false);
        assert_close(&plain, &logits(model.gpt2(), model.config(), &[ids], false), 1e-4);
    }
}
