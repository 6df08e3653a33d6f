"""Pack a trained model into the form that tokenscope embeds, and back.

    python scripts/pack_pocket.py FOLDER OUT            a Hugging Face GPT-2 folder into the packed form
    python scripts/pack_pocket.py --expand PACKED OUT   the packed form into a Hugging Face folder, float32

Packing keeps the rows of the embedding that are not all zero (`wte.rows`, uint32: their ids, ascending), and turns
every matrix into int8 with a scale for each output, the largest weight of which becomes 127 or -127: `….scales`,
float32, is [rows, 1] for the embedding and [1, outputs] for a layer's matrix, to be multiplied with the int8
`….weight`. Positions, biases and layer norms stay as they are. The expanded folder holds exactly the numbers that the
program computes with, so that transformers can be asked about the same model.

The tokenizer is not packed: the program has GPT-2's built in (assets/gpt2-merges.txt).
"""

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

EMBEDDING, ROWS = "wte.weight", "wte.rows"


def pack(tensors):
    packed = {}
    for name, tensor in tensors.items():
        tensor = tensor.astype(np.float32)
        if name == EMBEDDING:
            rows = np.flatnonzero(tensor.any(axis=1)).astype(np.uint32)
            packed[ROWS] = rows
            packed.update(scaled(name, tensor[rows], axis=1))
        elif tensor.ndim == 2 and name != "wpe.weight":
            packed.update(scaled(name, tensor, axis=0))
        else:
            packed[name] = tensor.astype(np.float16)
    return packed


def scaled(name, matrix, axis):
    scales = np.abs(matrix).max(axis=axis, keepdims=True) / np.float32(127)
    numbers = np.rint(matrix / np.where(scales == 0, 1, scales)).astype(np.int8)
    return {name: numbers, name.replace(".weight", ".scales"): scales}


def expand(packed, vocabulary):
    tensors = {}
    for name, tensor in packed.items():
        if name == ROWS or name.endswith(".scales"):
            continue
        tensor = tensor.astype(np.float32)
        scales = packed.get(name.replace(".weight", ".scales")) if name.endswith(".weight") else None
        tensor = tensor if scales is None else tensor * scales
        if name == EMBEDDING:
            kept, tensor = tensor, np.zeros((vocabulary, tensor.shape[1]), np.float32)
            tensor[packed[ROWS]] = kept
        tensors[name] = tensor
    return tensors


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--expand", action="store_true")
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("out", type=Path)
    args = arguments.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    config = json.loads((args.folder / "config.json").read_text(encoding="utf-8"))
    original = load_file(args.folder / "model.safetensors")
    if args.expand:
        made = expand(original, config["vocab_size"])
        config["torch_dtype"] = "float32"
    else:
        made = pack(original)
        back = expand(made, config["vocab_size"])
        assert back.keys() == original.keys(), back.keys() ^ original.keys()
        off = max(np.abs(back[n] - original[n].astype(np.float32)).max() / max(1e-9, np.abs(original[n]).max()) for n in back)
        print(f"kept {len(made[ROWS])} of {config['vocab_size']} embedding rows; "
              f"no number is off by more than {off:.2%} of its tensor's largest")
    save_file(made, args.out / "model.safetensors", {"format": "pt"})
    (args.out / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    if args.expand and (args.folder / "tokenizer.json").exists():
        shutil.copyfile(args.folder / "tokenizer.json", args.out / "tokenizer.json")
    print(f"{(args.out / 'model.safetensors').stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
