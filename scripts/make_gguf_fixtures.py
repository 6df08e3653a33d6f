"""Write a fixture as GGUF, in the form of llama.cpp's converter, and what transformers computes with its numbers.

usage: python scripts/make_gguf_fixtures.py        (needs scripts/requirements.txt; writes into tests/fixtures/gguf)

`f32.gguf`, `f16.gguf` and `q8_0.gguf` hold tests/fixtures/default: names, shapes, metadata and the kind of each tensor
as `convert_hf_to_gguf.py` writes them for GPT-2 (embeddings of positions, norms and biases stay F32, the weights of
linear layers are transposed). `reference.safetensors` holds, for the ids of prompt 1, `<kind>.logits`: what
transformers gives when the weights are those numbers, read back from the file.

`q4_k_m.gguf` is a model of its own with random weights, since blocks of 256 numbers need rows of as many. llama.cpp
itself rounds it (`pip install llama-cpp-python`; skipped without), to Q4_K and Q6_K; `q4_k_m.safetensors` holds ids and
logits.
"""

import ctypes
import importlib.util
import json
import tempfile
from pathlib import Path

import gguf
import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import GPT2Config, GPT2LMHeadModel

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


def read_back(path):
    """The numbers that a file's tensors stand for, under their published names."""
    parts = {written: name for name, written in PARTS.items()}
    numbers = {}
    for tensor in gguf.GGUFReader(path).tensors:
        *layer, part, kind = tensor.name.removeprefix("blk.").split(".")
        name = ".".join([*(["h"] + layer if layer else []), parts[part], kind])
        rows = gguf.quants.dequantize(tensor.data, tensor.tensor_type).reshape(tuple(reversed(tensor.shape)))
        numbers[name] = torch.from_numpy(np.array(rows.T if is_transposed(name) else rows))
    return numbers


def write_rounded_by_llama_cpp(out, fixture, ids):
    if not importlib.util.find_spec("llama_cpp"):
        return print("skipped: q4_k_m.gguf (llama-cpp-python is not installed)")
    import llama_cpp

    config = json.loads((fixture / "config.json").read_text())
    same = {key: config[key] for key in ("n_positions", "vocab_size", "bos_token_id", "eos_token_id")}
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(n_layer=1, n_embd=256, n_head=4, **same)).eval()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        model.save_pretrained(folder)
        (folder / "tokenizer.json").write_text((fixture / "tokenizer.json").read_text())
        write(folder / "f32.gguf", folder, KINDS["f32"])
        parameters = llama_cpp.llama_model_quantize_default_params()
        parameters.ftype = llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_M
        source, target = (str(path).encode() for path in (folder / "f32.gguf", out / "q4_k_m.gguf"))
        if llama_cpp.llama_model_quantize(source, target, ctypes.byref(parameters)):
            raise RuntimeError("llama.cpp could not round the model")
    model.transformer.load_state_dict(read_back(out / "q4_k_m.gguf"), strict=True)
    with torch.no_grad():
        save_file({"ids": ids, "logits": model(ids[None]).logits[0]}, out / "q4_k_m.safetensors")


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
    write_rounded_by_llama_cpp(out, folder, ids)


if __name__ == "__main__":
    main()
