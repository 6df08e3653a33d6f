"""How many bits per byte does a GPT-2 folder need for a text, and how does it go on?

    python scripts/evaluate_pocket.py FOLDER TEXT [--prompts]

Documents are separated by <|endoftext|>, and each is read behind one. Windows of 512 tokens move on by 256, as
transformers' documentation of perplexity has it: every token is counted once, with at least 256 tokens before it but
for the beginning of a document. FOLDER is a Hugging Face folder with its tokenizer.json; for the built-in model's
packed form see `pack_pocket.py --expand`. `perplexity(text, #{ window: 512, stride: 256, start: true })` in tokenscope gives the
same figure for one document.
"""

import argparse
import math
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import GPT2LMHeadModel

WINDOW, STRIDE, END_OF_TEXT = 512, 256, 50256
PROMPTS = [
    "Once upon a time", "The capital of", "She opened the", "A language model predicts the next", "My dear children,",
    "The old man looked at the sea and", "It was a dark and", "\"Where are you going?\" asked", "In the middle of the",
    "The king said to his", "There was once a little girl who", "The dog ran after the", "He did not know what to",
    "The sun was shining and the", "They lived in a small house near", "To install the package, run", "This function returns a",
    "If the file does not exist,", "The birds were singing in", "At last they came to the",
]


def windows(ids):
    """(start, end, first to count) of each window."""
    counted = 1
    while counted < len(ids):
        end = min(len(ids), max(counted + STRIDE, WINDOW))
        yield max(0, end - WINDOW), end, counted
        counted = end


def bits_per_byte(model, tokenizer, text):
    bits = tokens = size = 0
    documents = [d for d in (d.strip() for d in text.split("<|endoftext|>")) if d]
    for number, document in enumerate(documents, 1):
        ids = torch.tensor([END_OF_TEXT] + tokenizer.encode(document).ids)
        size += len(document.encode())
        tokens += len(ids) - 1
        for start, end, first in windows(ids):
            logits = model(ids[None, start : end - 1]).logits[0, first - 1 - start :]
            bits += torch.nn.functional.cross_entropy(logits, ids[first:end], reduction="sum").item() / math.log(2)
        print(f"{number} of {len(documents)} documents: {bits / size:.4f} bits per byte so far", file=sys.stderr)
    return bits / size, 2 ** (bits / tokens), tokens, size


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder")
    arguments.add_argument("text", type=Path)
    arguments.add_argument("--prompts", action="store_true", help="continue twenty prompts too")
    args = arguments.parse_args()
    model = GPT2LMHeadModel.from_pretrained(args.folder, dtype=torch.float32).eval()
    tokenizer = Tokenizer.from_file(args.folder + "/tokenizer.json")
    with torch.no_grad():
        result = bits_per_byte(model, tokenizer, args.text.read_text(encoding="utf-8"))
        print("{:.4f} bits per byte, perplexity {:.1f} per token, {} tokens, {} bytes".format(*result))
        if args.prompts:
            show_prompts(model, tokenizer)


def show_prompts(model, tokenizer):
    for prompt in PROMPTS:
        ids = torch.tensor([tokenizer.encode(prompt).ids])
        likeliest = torch.softmax(model(ids).logits[0, -1], -1).topk(4)
        how = dict(max_new_tokens=24, pad_token_id=END_OF_TEXT, attention_mask=torch.ones_like(ids))
        greedy = model.generate(ids, do_sample=False, **how)[0, ids.shape[1] :]
        torch.manual_seed(0)
        sampled = model.generate(ids, do_sample=True, temperature=0.8, top_k=40, **how)[0, ids.shape[1] :]
        named = ", ".join(f"{tokenizer.decode([i])!r} {p:.2f}" for p, i in zip(likeliest.values, likeliest.indices.tolist()))
        print(f"{prompt!r}: {named}\n  greedy:  {tokenizer.decode(greedy.tolist())!r}\n  sampled: {tokenizer.decode(sampled.tolist())!r}")


if __name__ == "__main__":
    main()
