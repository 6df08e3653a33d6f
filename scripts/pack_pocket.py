"""Pack the pocket model into the form that tokenscope embeds.

usage: python scripts/pack_pocket.py FOLDER OUT

FOLDER is a Hugging Face GPT-2 folder (config.json, model.safetensors) with GPT-2's own vocabulary, in
which many embedding rows are all zero: tokens that training hardly ever saw. OUT gets

  model.safetensors  `wte.weight` [vocabulary, width] becomes `wte.rows` (uint32 [n]: the ids, ascending,
                     of the rows that are not all zero) and `wte.weight` [n, width] (only those rows);
                     every other tensor is unchanged
  config.json        unchanged

The tokenizer is not packed: the program has GPT-2's built in (assets/gpt2-merges.txt).

What was written is read back, expanded and compared with FOLDER bit for bit.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

EMBEDDING, ROWS = "wte.weight", "wte.rows"
FILES = ["config.json", "model.safetensors"]


def pack(tensors):
    """Keep only the embedding rows with a set bit (so that -0.0 counts as something)."""
    embedding = tensors[EMBEDDING]
    bits = embedding.view(np.uint8).reshape(len(embedding), -1)
    rows = np.flatnonzero(bits.any(axis=1)).astype(np.uint32)
    return {**tensors, ROWS: rows, EMBEDDING: np.ascontiguousarray(embedding[rows])}


def expand(tensors, vocabulary):
    """Undo `pack`: put the kept rows back into a table of zeros."""
    kept = tensors[EMBEDDING]
    full = np.zeros((vocabulary, kept.shape[1]), kept.dtype)
    full[tensors[ROWS]] = kept
    return {**{name: t for name, t in tensors.items() if name != ROWS}, EMBEDDING: full}


def assert_same_tensors(left, right):
    assert left.keys() == right.keys(), left.keys() ^ right.keys()
    for name, tensor in left.items():
        other = right[name]
        assert (tensor.dtype, tensor.shape) == (other.dtype, other.shape), name
        assert tensor.tobytes() == other.tobytes(), name


def read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


def main(folder, out):
    out.mkdir(parents=True, exist_ok=True)
    with safe_open(folder / "model.safetensors", "numpy") as file:
        metadata = file.metadata()
    original = load_file(folder / "model.safetensors")
    packed = pack(original)
    save_file(packed, out / "model.safetensors", metadata)

    shutil.copyfile(folder / "config.json", out / "config.json")

    vocabulary = read_json(out / "config.json")["vocab_size"]
    assert_same_tensors(original, expand(load_file(out / "model.safetensors"), vocabulary))

    print(f"kept {len(packed[ROWS])} of {vocabulary} embedding rows; expands back bit for bit")
    for name in FILES:
        before, after = (folder / name).stat().st_size, (out / name).stat().st_size
        print(f"{name:18} {before:>11,} -> {after:>11,} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
