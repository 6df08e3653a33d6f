"""Write a fixture as GGUF, in the form of llama.cpp's converter, and what transformers computes with its numbers.

usage: python scripts/make_gguf_fixtures.py        (needs scripts/requirements.txt; writes into tests/fixtures/gguf)

`f32.gguf`, `f16.gguf` and `q8_0.gguf` hold tests/fixtures/default: names, shapes, metadata and the kind of each tensor
as `convert_hf_to_gguf.py` writes them for GPT-2 (embeddings of positions, norms and biases stay F32, the weights of
linear layers are transposed). `reference.safetensors` holds, for the ids of prompt 1, `<kind>.logits`: what
transformers gives when the weights are those numbers, read back from the file.
"""

import json
from pathlib import Path

import gguf
import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import GPT2LMHeadModel

FIXTURES = Path(__file__).parent.parent / "tests" / "fixtures"
KINDS = {
    "f32": gguf.GGMLQuantizationType.F32,
    "f16": gguf.GGMLQuantizationType.F16,
    "q8_0": gguf.GGMLQuantizationType.Q8_0,
}
BENCHMARKED = {**KINDS, "bf16": gguf.GGMLQuantizationType.BF16}
PARTS = {
    "wte": "token_embd",
    "wpe": "position_embd",
    "ln_f": "output_norm",
    "ln_1": "attn_norm",
    "attn.c_attn": "attn_qkv",
    "attn.c_proj": "attn_output",
    "ln_2": "ffn_norm",
    "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down",
}


def written_name(name):
    *path, kind = name.split(".")
    if path[0] == "h":
        return f"blk.{path[1]}.{PARTS['.'.join(path[2:])]}.{kind}"
    return f"{PARTS[path[0]]}.{kind}"


def is_transposed(name):
    return ".c_" in name and name.endswith("weight")


def write(path, folder, kind):
    """Writes one file; returns the numbers that its tensors stand for, under their published names."""
    config = json.loads((folder / "config.json").read_text())
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    writer = gguf.GGUFWriter(path, "gpt2")
    writer.add_block_count(config["n_layer"])
    writer.add_context_length(config["n_positions"])
    writer.add_embedding_length(config["n_embd"])
    writer.add_feed_forward_length(4 * config["n_embd"])
    writer.add_head_count(config["n_head"])
    writer.add_layer_norm_eps(config["layer_norm_epsilon"])
    pieces = {**tokenizer["model"]["vocab"], **{t["content"]: t["id"] for t in tokenizer["added_tokens"]}}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(sorted(pieces, key=pieces.get))
    merges = tokenizer["model"]["merges"]
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    writer.add_eos_token_id(config["eos_token_id"])
    numbers = {}
    for name, tensor in load_file(folder / "model.safetensors").items():
        name = name.removeprefix("transformer.")
        if name.endswith((".attn.bias", ".attn.masked_bias")) or name == "lm_head.weight":
            continue
        rows = tensor.numpy().T if is_transposed(name) else tensor.numpy()
        rows = np.ascontiguousarray(rows)
        plain = rows.ndim == 1 or name == "wpe.weight"
        written = KINDS["f32"] if plain else kind
        data = gguf.quants.quantize(rows, written)
        writer.add_tensor(written_name(name), data, raw_dtype=written)
        back = gguf.quants.dequantize(data, written).reshape(rows.shape)
        numbers[name] = torch.from_numpy(np.ascontiguousarray(back.T if is_transposed(name) else back))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return numbers


def main():
    folder, out = FIXTURES / "default", FIXTURES / "gguf"
    out.mkdir(exist_ok=True)
    ids = load_file(folder / "reference.safetensors")["1.ids"]
    model = GPT2LMHeadModel.from_pretrained(folder).eval()
    logits = {}
    for name, kind in KINDS.items():
        numbers = write(out / f"{name}.gguf", folder, kind)
        model.transformer.load_state_dict(numbers, strict=True)
        with torch.no_grad():
            logits[f"{name}.logits"] = model(ids[None]).logits[0]
    save_file({"ids": ids, **logits}, out / "reference.safetensors")


if __name__ == "__main__":
    main()
