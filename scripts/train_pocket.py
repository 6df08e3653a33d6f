"""Train the built-in model, or any small GPT-2, from plain text: on a CPU or on one CUDA GPU.

    python scripts/train_pocket.py --text books.txt:2 technical.txt:4 --heldout heldout.txt \
        --tokenizer tokenizer.json --out FOLDER --tokens 30e6

A text file holds documents separated by <|endoftext|>; `:2` behind its name counts it twice. The folder gets what a
Hugging Face folder holds (config.json, model.safetensors, tokenizer.json), written at every evaluation, beside
checkpoint.pt, from which the same command goes on after it was stopped. `--init FOLDER` starts from a trained model
(the packed form too) in place of random numbers, and may add layers to it. `pack_pocket.py` makes the form that the program embeds.

The matrices of the layers are trained by Muon (Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural
networks"), everything else by AdamW. The learning rates rise for `--warmup` of the budget, then fall linearly to 0.
With `--average 0.2` the weights that are kept are the mean over the last fifth of the steps.

Only tokens seen at least `--min-count` times get an embedding. The others' rows stay zero, so that their logit is 0
everywhere: the loss counts them so, which keeps the probabilities those that the model gives over all 50,257 tokens.
"""

import argparse
import copy
import json
import math
import os
import shutil
import time

import numpy as np
import torch
import torch.nn.functional as F
from pack_pocket import EMBEDDING, ROWS, expand
from safetensors.numpy import load_file
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import nn
from torch.optim.swa_utils import AveragedModel

VOCABULARY, END_OF_TEXT = 50257, 50256


# The text


def encoded(path, tokenizer, cache):
    """The ids of a file, two bytes each; every document begins with <|endoftext|>."""
    kept = os.path.join(cache, os.path.basename(path) + ".npy")
    if os.path.exists(kept) and os.path.getmtime(kept) > os.path.getmtime(path):
        return np.load(kept)
    documents = [d.strip() for d in open(path, encoding="utf-8").read().split("<|endoftext|>")]
    documents = [d for d in documents if d]
    parts = []
    for start in range(0, len(documents), 64):
        for e in tokenizer.encode_batch(documents[start : start + 64]):
            parts.append(np.array([END_OF_TEXT] + e.ids, dtype=np.uint16))
    ids = np.concatenate(parts)
    np.save(kept, ids)
    return ids


class Windows:
    """Every window of a text once, in a random order and from a random offset; then again, in another order."""

    def __init__(self, ids, seed):
        self.ids, self.random = ids, np.random.default_rng(seed)
        self.length, self.starts, self.next = 0, [], 0

    def take(self, count, length):
        """[count, length + 1]: a window of inputs and the token behind it."""
        if length != self.length or self.next + count > len(self.starts):
            first = self.random.integers(length)
            self.starts = self.random.permutation(np.arange(first, len(self.ids) - length - 1, length))
            self.length, self.next = length, 0
        chosen = self.starts[self.next : self.next + count]
        self.next += count
        return torch.from_numpy(np.stack([self.ids[s : s + length + 1] for s in chosen]))


# The model: GPT-2 (Radford et al. 2019), weights as torch keeps them, [outputs, inputs]


class Block(nn.Module):
    def __init__(self, width, heads, dropout):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.c_attn, self.attn_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.c_fc, self.mlp_proj = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        batch, length, width = x.shape
        qkv = self.c_attn(self.ln_1(x)).view(batch, length, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        if x.device.type == "cpu":
            # In bfloat16 the way back through it takes twice as long there.
            with torch.autocast("cpu", enabled=False):
                mixed = F.scaled_dot_product_attention(q.float(), k.float(), v.float(), is_causal=True)
        else:
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        mixed = self.attn_proj(mixed.transpose(1, 2).reshape(batch, length, width))
        x = x + F.dropout(mixed, self.dropout, self.training)
        changed = self.mlp_proj(F.gelu(self.c_fc(self.ln_2(x)), approximate="tanh"))
        return x + F.dropout(changed, self.dropout, self.training)


class Gpt2(nn.Module):
    """`used` tokens with an embedding; one row more, always zero, stands for all the others."""

    def __init__(self, used, width, layers, heads, context, dropout):
        super().__init__()
        self.used, self.dropout, self.unused_mass = used, dropout, math.log(VOCABULARY - used)
        self.wte, self.wpe = nn.Embedding(used + 1, width), nn.Embedding(context, width)
        self.h = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))
        self.ln_f = nn.LayerNorm(width)
        for name, p in self.named_parameters():
            if p.dim() > 1:
                nn.init.normal_(p, std=0.02 / math.sqrt(2 * layers) if "_proj" in name else 0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(p)
        with torch.no_grad():
            self.wte.weight[-1].zero_()

    def hidden(self, ids):
        x = self.wte(ids) + self.wpe.weight[: ids.shape[1]]
        x = F.dropout(x, self.dropout, self.training)
        for block in self.h:
            x = block(x)
        return self.ln_f(x).flatten(0, 1)

    def loss(self, ids, targets, reduction="mean"):
        """-ln p of the targets; one without an embedding counts as all of these together, and not in the mean."""
        logits = F.linear(self.hidden(ids), self.wte.weight, self.biases(self.used)).float()
        ignored = self.used if reduction == "mean" else -1
        return F.cross_entropy(logits, targets.flatten(), ignore_index=ignored, reduction=reduction)

    def sampled_loss(self, ids, targets, negatives):
        """The same over the batch's own targets and some random other tokens, weighted to stand for all the rest."""
        targets = targets.flatten()
        seen = torch.zeros(self.used + 1, dtype=torch.bool, device=targets.device)
        seen[targets] = True
        seen[-1] = True
        positive, rest = seen.nonzero()[:, 0], (~seen).nonzero()[:, 0]
        drawn = rest[torch.randint(len(rest), (negatives,), device=rest.device)]
        chosen = torch.cat([drawn, positive])
        biases = self.biases(len(chosen) - 1)
        biases[:negatives] = math.log(len(rest) / negatives)
        place = torch.zeros(self.used + 1, dtype=torch.long, device=targets.device)
        place[positive] = negatives + torch.arange(len(positive), device=targets.device)
        logits = F.linear(self.hidden(ids), self.wte.weight[chosen], biases).float()
        return F.cross_entropy(logits, place[targets], ignore_index=len(chosen) - 1)

    def biases(self, others):
        """Zeros, and behind them what makes one row of zeros weigh as much as all tokens without an embedding."""
        biases = torch.zeros(others + 1, device=self.wte.weight.device)
        biases[-1] = self.unused_mass
        return biases


# Between the model and a Hugging Face folder


def published(model):
    """Every weight but the embedding: its name in the folder, the parameter, and whether it is kept transposed."""
    yield "wpe.weight", model.wpe.weight, False
    for layer, block in enumerate(model.h):
        names = [("ln_1", block.ln_1), ("attn.c_attn", block.c_attn), ("attn.c_proj", block.attn_proj),
                 ("ln_2", block.ln_2), ("mlp.c_fc", block.c_fc), ("mlp.c_proj", block.mlp_proj)]
        for name, module in names:
            yield f"h.{layer}.{name}.weight", module.weight, isinstance(module, nn.Linear)
            yield f"h.{layer}.{name}.bias", module.bias, False
    yield "ln_f.weight", model.ln_f.weight, False
    yield "ln_f.bias", model.ln_f.bias, False


def save(model, used_ids, shape, tokenizer, folder):
    tensors = {name: p.t() if transposed else p for name, p, transposed in published(model)}
    tensors[EMBEDDING] = torch.zeros(VOCABULARY, shape["n_embd"])
    tensors[EMBEDDING][torch.from_numpy(used_ids)] = model.wte.weight[:-1].detach().float().cpu()
    tensors = {name: t.detach().cpu().half().contiguous() for name, t in tensors.items()}
    save_file(tensors, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(shape, f, indent=2)
    shutil.copy(tokenizer, os.path.join(folder, "tokenizer.json"))


def start_from(model, used_ids, folder):
    """Copies a trained model's weights. Layers that it lacks are spread among its own: copies that add nothing yet."""
    tensors = load_file(os.path.join(folder, "model.safetensors"))
    if ROWS in tensors:
        tensors = expand(tensors, VOCABULARY)
    theirs = 1 + max(int(name.split(".")[1]) for name in tensors if name.startswith("h."))
    source = [layer * theirs // len(model.h) for layer in range(len(model.h))]
    with torch.no_grad():
        rows = torch.from_numpy(tensors[EMBEDDING][used_ids]).float()
        fresh = rows.abs().sum(1) == 0
        rows[fresh] = model.wte.weight[:-1].cpu()[fresh]
        model.wte.weight[:-1].copy_(rows)
        for name, parameter, transposed in published(model):
            if name.startswith("h."):
                _, layer, rest = name.split(".", 2)
                name = f"h.{source[int(layer)]}.{rest}"
            theirs = torch.from_numpy(tensors[name]).float()
            theirs = theirs.t() if transposed else theirs
            # A longer context keeps its own new positions.
            parameter[: len(theirs)].copy_(theirs[: len(parameter)])
        for layer, block in enumerate(model.h):
            if layer and source[layer] == source[layer - 1]:
                for parameter in [*block.attn_proj.parameters(), *block.mlp_proj.parameters()]:
                    parameter.zero_()


# The optimiser of the layers' matrices


class Muon(torch.optim.Optimizer):
    """Momentum, made nearly orthogonal. Queries, keys and values are three matrices; equal shapes go together."""

    def __init__(self, parameters, lr, momentum=0.95, decay=0.0):
        super().__init__(list(parameters), dict(lr=lr, momentum=momentum, decay=decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            of_shape = {}
            for p in group["params"]:
                kept = self.state[p].setdefault("momentum", torch.zeros_like(p))
                kept.lerp_(p.grad, 1 - group["momentum"])
                update = p.grad.lerp(kept, group["momentum"])
                for part, to in zip(square_parts(update), square_parts(p)):
                    tall = part.shape[0] > part.shape[1]
                    part = part.t() if tall else part
                    of_shape.setdefault(part.shape, []).append((part, to, tall))
            for members in of_shape.values():
                directions = orthogonal(torch.stack([part for part, _, _ in members]))
                for direction, (_, to, tall) in zip(directions, members):
                    direction = direction.t() if tall else direction
                    scale = math.sqrt(max(1, to.shape[0] / to.shape[1]))
                    to.mul_(1 - group["lr"] * group["decay"]).add_(direction, alpha=-group["lr"] * scale)


def square_parts(matrix):
    outputs, inputs = matrix.shape
    return matrix.split(inputs) if outputs == 3 * inputs else [matrix]


def orthogonal(stack, steps=5):
    """Newton-Schulz's iteration for U Vᵀ of each matrix; the coefficients are those of Jordan et al."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = stack / (stack.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.transpose(1, 2)
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


# Training


def arguments():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--text", nargs="+", required=True, help="text files; FILE:N counts one N times")
    a.add_argument("--heldout", required=True)
    a.add_argument("--tokenizer", required=True)
    a.add_argument("--out", required=True)
    a.add_argument("--init", help="a model's folder to start from")
    a.add_argument("--tokens", type=float, default=30e6, help="how many to train on")
    a.add_argument("--minutes", type=float, help="stop at the next evaluation after so long, to go on later")
    a.add_argument("--width", type=int, default=160)
    a.add_argument("--layers", type=int, default=6)
    a.add_argument("--heads", type=int, default=5)
    a.add_argument("--context", type=int, default=512)
    a.add_argument("--batch-tokens", type=int, default=8192, help="tokens in a step")
    a.add_argument("--dropout", type=float, default=0.0)
    a.add_argument("--min-count", type=int, default=40)
    a.add_argument("--optimiser", choices=["muon", "adamw"], default="muon")
    a.add_argument("--matrix-rate", type=float, default=0.02, help="Muon's learning rate, for the layers' matrices")
    a.add_argument("--rate", type=float, default=3e-3, help="AdamW's learning rate, for everything else")
    a.add_argument("--decay", type=float, default=0.1, help="weight decay of the matrices")
    a.add_argument("--warmup", type=float, default=0.02, help="share of the budget in which the rates rise")
    a.add_argument("--level", type=float, default=0.0, help="share of the budget after which they begin to fall")
    a.add_argument("--negatives", type=int, default=1500, help="random tokens in the sampled softmax")
    a.add_argument("--short", type=int, default=256, help="tokens in a window, but for the finish")
    a.add_argument("--finish", type=float, default=0.15,
                   help="last share of the budget, with windows as long as the context and the whole softmax")
    a.add_argument("--average", type=float, default=0.0, help="last share of the budget whose weights are averaged")
    a.add_argument("--precision", choices=["float32", "bfloat16"],
                   help="of the products while training: bfloat16 if not given on a GPU, float32 on a CPU")
    a.add_argument("--every", type=int, default=500, help="steps between evaluations")
    a.add_argument("--seed", type=int, default=0)
    return a.parse_args()


def rate_at(done, args):
    rise = min(1.0, (done + 1e-9) / max(args.warmup, 1e-9))
    return rise * min(1.0, (1 - done) / (1 - max(args.level, args.warmup)))


def main():
    args = arguments()
    os.makedirs(args.out, exist_ok=True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    precision = args.precision or ("bfloat16" if device == "cuda" else "float32")
    torch.manual_seed(args.seed)

    tokenizer = Tokenizer.from_file(args.tokenizer)
    parts = []
    for name in args.text:
        path, _, times = name.partition(":")
        parts += [encoded(path, tokenizer, args.out)] * int(times or 1)
    text, held = np.concatenate(parts), encoded(args.heldout, tokenizer, args.out)
    counts = np.bincount(text, minlength=VOCABULARY)
    every = np.arange(VOCABULARY)
    used_ids = np.flatnonzero((counts >= args.min_count) | (every == END_OF_TEXT) | (every < 256))
    place = np.full(VOCABULARY, len(used_ids), dtype=np.int64)
    place[used_ids] = np.arange(len(used_ids))
    text, held = place[text], place[held]
    held_bytes = sum(len(d.strip().encode()) for d in open(args.heldout, encoding="utf-8").read().split("<|endoftext|>"))
    bits_per_token = len(held) / held_bytes / math.log(2)

    model = Gpt2(len(used_ids), args.width, args.layers, args.heads, args.context, args.dropout).to(device)
    if args.init:
        start_from(model, used_ids, args.init)
    matrices = [p for n, p in model.named_parameters() if n.startswith("h.") and p.dim() == 2]
    others = [p for n, p in model.named_parameters() if not (n.startswith("h.") and p.dim() == 2)]
    if args.optimiser == "muon":
        optimisers = [Muon(matrices, args.matrix_rate, decay=args.decay)]
        optimisers += [torch.optim.AdamW(others, args.rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True)]
    else:
        groups = [dict(params=matrices, weight_decay=args.decay), dict(params=others, weight_decay=0.0)]
        optimisers = [torch.optim.AdamW(groups, args.rate, betas=(0.9, 0.95), fused=True)]
    peaks = [[g["lr"] for g in o.param_groups] for o in optimisers]

    windows, mean = Windows(text, args.seed), AveragedModel(model)
    step, seen, average = 0, 0, None
    checkpoint = os.path.join(args.out, "checkpoint.pt")
    if os.path.exists(checkpoint):
        kept = torch.load(checkpoint, weights_only=False)
        model.load_state_dict(kept["model"])
        mean.load_state_dict(kept["mean"])
        for o, state in zip(optimisers, kept["optimisers"]):
            o.load_state_dict(state)
        windows = kept["windows"]
        windows.ids = text
        step, seen = kept["step"], kept["seen"]
        print(f"going on from step {step}", flush=True)

    trained = sum(p.numel() for p in model.parameters())
    print(f"{len(text) / 1e6:.2f} M tokens of text, {len(used_ids)} with an embedding "
          f"({np.mean(text == len(used_ids)):.2%} of the text lacks one); "
          f"{trained / 1e6:.2f} M parameters on {device}; budget {args.tokens / 1e6:.1f} M tokens", flush=True)

    def result():
        """The weights to keep."""
        return mean.module if mean.n_averaged > 0 else model

    def evaluate(model, batches=16):
        """-ln p per held-out token, from evenly spread windows: quick, and higher than sliding windows give."""
        model.eval()
        starts = np.linspace(0, len(held) - args.context - 1, batches * 8).astype(int)
        total = 0.0
        with torch.no_grad():
            for at in np.split(starts, batches):
                w = torch.from_numpy(np.stack([held[s : s + args.context + 1] for s in at])).to(device)
                inputs, targets = w[:, :-1], w[:, 1:].flatten()
                total += model.loss(inputs, targets, "none").sum().item()
                total += (targets == model.used).sum().item() * model.unused_mass
        model.train()
        return total / (len(starts) * args.context)

    def keep():
        save(result(), used_ids, shape_of(args), args.tokenizer, args.out)
        place_in_text = copy.copy(windows)
        place_in_text.ids = None
        state = dict(model=model.state_dict(), mean=mean.state_dict(), optimisers=[o.state_dict() for o in optimisers],
                     windows=place_in_text, step=step, seen=seen)
        torch.save(state, checkpoint + ".new")
        os.replace(checkpoint + ".new", checkpoint)

    began, first = time.time(), seen
    print(f"before: {(nll := evaluate(model)):.4f} nats per held-out token, about {nll * bits_per_token:.4f} bits per byte", flush=True)
    while seen < args.tokens:
        done = seen / args.tokens
        for o, of in zip(optimisers, peaks):
            for group, peak in zip(o.param_groups, of):
                group["lr"] = peak * rate_at(done, args)
        finishing = done >= 1 - args.finish
        length = args.context if finishing else args.short
        batch = windows.take(args.batch_tokens // length, length).to(device)
        with torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bfloat16"):
            if finishing:
                loss = model.loss(batch[:, :-1], batch[:, 1:])
            else:
                loss = model.sampled_loss(batch[:, :-1], batch[:, 1:], args.negatives)
        for o in optimisers:
            o.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(others, 1.0)
        model.wte.weight.grad[-1].zero_()
        for o in optimisers:
            o.step()
        if done >= 1 - args.average:
            mean.update_parameters(model)
        step, seen = step + 1, seen + args.batch_tokens
        average = loss.item() if average is None else 0.98 * average + 0.02 * loss.item()
        if step % 20 == 0:
            speed = (seen - first) / (time.time() - began)
            print(f"step {step}  {seen / 1e6:.2f} M tokens  {speed:.0f} tokens/s  loss {average:.4f}  "
                  f"{(args.tokens - seen) / speed / 60:.0f} min left", flush=True)
        if step % args.every == 0 or seen >= args.tokens:
            nll = evaluate(result())
            print(f"held out: {nll:.4f} nats per token, about {nll * bits_per_token:.4f} bits per byte", flush=True)
            keep()
            if args.minutes and time.time() - began > 60 * args.minutes:
                print("stopped at its time; the same command goes on", flush=True)
                break


def shape_of(args):
    return dict(model_type="gpt2", architectures=["GPT2LMHeadModel"], activation_function="gelu_new",
                vocab_size=VOCABULARY, n_positions=args.context, n_ctx=args.context, n_embd=args.width,
                n_layer=args.layers, n_head=args.heads, n_inner=None, layer_norm_epsilon=1e-5,
                bos_token_id=END_OF_TEXT, eos_token_id=END_OF_TEXT, tie_word_embeddings=True, torch_dtype="float16")


if __name__ == "__main__":
    main()
