"""Write a GPT-2 checkpoint of a published shape with random weights, for benchmarks only.

usage: python scripts/make_gpt2_random.py OUT [--size small|medium|large|xl]

OUT gets what transformers saves (float32: 0.5 GB for small, 6.2 GB for xl; never to be committed) and
GPT-2's tokenizer (vocab.json, merges.txt). Its text is noise, but it takes the same time and memory as the real model.
"""

import argparse
import json
from pathlib import Path

import torch
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.convert_slow_tokenizer import bytes_to_unicode

SHAPES = {
    "small": dict(n_layer=12, n_embd=768, n_head=12),
    "medium": dict(n_layer=24, n_embd=1024, n_head=16),
    "large": dict(n_layer=36, n_embd=1280, n_head=20),
    "xl": dict(n_layer=48, n_embd=1600, n_head=25),
}
MERGES = Path(__file__).parent.parent / "assets" / "gpt2-merges.txt"


def write_tokenizer(out):
    """The vocabulary that GPT-2's merges define: 256 bytes, one piece a merge, the end of text."""
    merges = MERGES.read_text(encoding="utf-8")
    pieces = [*bytes_to_unicode().values(), *(line.replace(" ", "") for line in merges.splitlines())]
    vocabulary = {piece: number for number, piece in enumerate([*pieces, "<|endoftext|>"])}
    (out / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    (out / "merges.txt").write_text("#version: 0.2\n" + merges, encoding="utf-8")


def main(out, size):
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(**SHAPES[size]))
    model.save_pretrained(out, max_shard_size="10GB")
    write_tokenizer(out)
    total = sum(path.stat().st_size for path in out.iterdir())
    print(f"{out}: {model.num_parameters():,} parameters, {total:,} bytes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", choices=SHAPES, default="small")
    arguments = parser.parse_args()
    main(arguments.out, arguments.size)
