"""Write a GPT-2 checkpoint of a published shape with random weights, for benchmarks only.

usage: python scripts/make_gpt2_random.py OUT [--size small|medium|large|xl]

OUT gets what transformers saves (float32: 0.5 GB for small, 6.2 GB for xl; never to be committed) and
GPT-2's tokenizer.json. Its text is noise, but it takes the same time and memory as the real model.
"""

import argparse
import shutil
from pathlib import Path

import torch
from transformers import GPT2Config, GPT2LMHeadModel

SHAPES = {
    "small": dict(n_layer=12, n_embd=768, n_head=12),
    "medium": dict(n_layer=24, n_embd=1024, n_head=16),
    "large": dict(n_layer=36, n_embd=1280, n_head=20),
    "xl": dict(n_layer=48, n_embd=1600, n_head=25),
}
TOKENIZER = Path(__file__).parent.parent / "assets" / "pocket" / "tokenizer.json"


def main(out, size):
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(**SHAPES[size]))
    model.save_pretrained(out, max_shard_size="10GB")
    shutil.copyfile(TOKENIZER, out / "tokenizer.json")
    total = sum(path.stat().st_size for path in out.iterdir())
    print(f"{out}: {model.num_parameters():,} parameters, {total:,} bytes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", choices=SHAPES, default="small")
    arguments = parser.parse_args()
    main(arguments.out, arguments.size)
