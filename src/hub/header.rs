//! What the head of a safetensors file says about it: enough to know that the file is whole.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;

use crate::error::{Error, Result};

/// The format's own bound on its header (safetensors, `MAX_HEADER_SIZE`).
const LONGEST_HEADER: u64 = 100_000_000;

/// The head of a file whose length is the one it declares.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// How many numbers the model learnt: mask buffers and the tied output matrix are not counted.
    pub parameters: u64,
}

#[derive(Deserialize)]
struct Tensor {
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

/// Reads the head of `path` and compares the length it declares with the file's.
///
/// # Errors
/// [`Error::Damaged`] if they differ or there is no such head.
pub(super) fn read(path: &Path) -> Result<Header> {
    let damaged = |reason: String| Error::Damaged { file: path.display().to_string(), reason };
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let length = file.metadata().map_err(Error::io("read", path))?.len();

    let mut size = [0; 8];
    file.read_exact(&mut size).map_err(|_| damaged(format!("{length} bytes are no safetensors file")))?;
    let size = u64::from_le_bytes(size);
    if size > LONGEST_HEADER || size > length - 8 {
        return Err(damaged(format!(
            "its header should be {size} bytes long, but the file has {length} bytes"
        )));
    }
    let mut header = Vec::new();
    file.take(size).read_to_end(&mut header).map_err(Error::io("read", path))?;
    let tensors = tensors(&header).map_err(|error| damaged(format!("its header cannot be read: {error}")))?;

    let end = tensors.iter().map(|(_, tensor)| tensor.data_offsets.1).max().unwrap_or(0);
    let declared = (8 + size).saturating_add(end);
    if declared != length {
        return Err(damaged(format!("its header declares {declared} bytes, but the file has {length}")));
    }
    let learnt = tensors.iter().filter(|(name, _)| is_learnt(name));
    let count = |shape: &[u64]| shape.iter().fold(1u64, |product, &side| product.saturating_mul(side));
    Ok(Header { parameters: learnt.map(|(_, tensor)| count(&tensor.shape)).sum() })
}

fn tensors(header: &[u8]) -> serde_json::Result<Vec<(String, Tensor)>> {
    let entries: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(header)?;
    entries
        .into_iter()
        .filter(|(name, _)| name != "__metadata__")
        .map(|(name, value)| Ok((name, serde_json::from_value(value)?)))
        .collect()
}

/// Old checkpoints carry the attention's mask, and some a second copy of `wte`.
fn is_learnt(name: &str) -> bool {
    !name.ends_with(".attn.bias") && !name.ends_with(".attn.masked_bias") && name != "lm_head.weight"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        file
    }

    fn small() -> Vec<u8> {
        let wte: Vec<u8> = [0f32; 6].iter().flat_map(|x| x.to_le_bytes()).collect();
        let mask = [0u8; 4];
        let view = |dtype, shape, data| safetensors::tensor::TensorView::new(dtype, shape, data).unwrap();
        let tensors = [
            ("wte.weight", view(safetensors::Dtype::F32, vec![3, 2], &wte)),
            ("h.0.attn.bias", view(safetensors::Dtype::U8, vec![4], &mask)),
        ];
        safetensors::serialize(tensors, None).unwrap()
    }

    #[test]
    fn a_whole_file_counts_what_was_learnt() {
        assert_eq!(read(file(&small()).path()).unwrap(), Header { parameters: 6 });
    }

    #[test]
    fn a_file_of_another_length_is_damaged() {
        let whole = small();
        let longer = [&whole[..], b"x"].concat();
        for bytes in [&whole[..whole.len() - 1], &longer, &whole[..20], b"", b"<html>not a model</html>"] {
            assert!(matches!(read(file(bytes).path()), Err(Error::Damaged { .. })), "{} bytes", bytes.len());
        }
    }
}
