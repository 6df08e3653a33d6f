"""Make tiny GPT-2 checkpoints, and what Hugging Face transformers computes with them, for the tests.

usage: python scripts/make_fixtures.py [OUT]        (OUT: tests/fixtures; needs scripts/requirements.txt)

Each folder OUT/<name>/ is a checkpoint saved by transformers (random weights, fixed seed) with a tiny
byte-level BPE tokenizer, and `reference.safetensors`: float32 results, eager attention, of loading that
very folder into float32. For the prompts i = 0, 1, 2 (1, 7 and all 64 positions of the context):

  i.ids            int64 [positions]
  i.logits         [positions, vocabulary]; for prompt 2 only the rows named by 2.positions
  2.positions      int64 [3]
  1.hidden_states  [layers + 1, positions, width]: the embedding, then the residual stream after each layer.
                   CAUTION: as always in transformers the LAST entry has the final layer norm applied already.
  1.attentions     [layers, heads, positions, positions], after the softmax
  1.loss           [1]: mean cross entropy of tokens 1..6 given those before

What happens to the last row of `1.logits` when a hook changes the pass, [changes, vocabulary] each:

  1.ablated        each layer, each layer's attention, each layer's MLP, then each head of each layer, set to zero
  1.ablated_mean   the same, set to the mean over the seven positions
  1.patched        the prompt with token 2 replaced by `1.corrupted` (int64 [1]), and the residual stream before each
                   layer put back at each position, one at a time: [layers · positions, vocabulary]
  1.gradients      [3, positions, width]: of the probability, the log-probability (base 2) and the logit of the token
                   `1.target` (int64 [1]) with respect to the token embeddings

The same versions give the same bytes on every run.
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import GPT2Config, GPT2LMHeadModel, logging

CONTEXT = 64
MERGES = 74
VOCABULARY = 256 + MERGES + 1
END_OF_TEXT = "<|endoftext|>"
PROMPT_LENGTHS = [1, 7, CONTEXT]
FULL_CONTEXT_POSITIONS = [0, 31, 63]
TOKENIZER_TEXT = """\
The river turned slowly under the old stone bridge, and the children threw sticks into it to see whose
would come out first on the other side. "There it is!" they shouted. It's a quiet town: the baker sells
his bread before six, the station has one train in the morning and another in the evening, and nobody
there remembers 1950 any better than 2024. When the rain comes, everyone stands in the doorway of the
inn and tells the others what the weather was like when they were young. We'll wait, they say; it has
never rained for more than three days. Then the sun comes out, and the water under the bridge is higher.
"""

# These fixtures have the tokenizer as vocab.json and merges.txt, the others as tokenizer.json.
SPLIT_TOKENIZER = {"prefixed"}

# name: (seed, shape and options for GPT2Config, how it is stored)
FIXTURES = {
    "default": (1, dict(n_layer=3, n_embd=32, n_head=4), dict(names="hub", masks=torch.float32)),
    "prefixed": (2, dict(n_layer=2, n_embd=24, n_head=3), {}),
    "sharded": (3, dict(n_layer=2, n_embd=24, n_head=2), dict(shard_size="40KB")),
    "bf16": (4, dict(n_layer=2, n_embd=24, n_head=3), dict(dtype=torch.bfloat16, masks=torch.bool, head_copy=True)),
    "f16": (5, dict(n_layer=2, n_embd=24, n_head=3), dict(dtype=torch.float16, names="hub", masks=torch.uint8)),
    "inner-gelu": (6, dict(n_layer=2, n_embd=24, n_head=4, n_inner=50, activation_function="gelu"), {}),
    "inner-relu": (7, dict(n_layer=2, n_embd=24, n_head=4, n_inner=40, activation_function="relu"), {}),
    "tanh-gelu": (8, dict(n_layer=1, n_embd=24, n_head=2, activation_function="gelu_pytorch_tanh"), {}),
    "untied": (9, dict(n_layer=2, n_embd=24, n_head=3, tie_word_embeddings=False), {}),
    "odd": (
        10,
        dict(
            n_layer=3,
            n_embd=20,
            n_head=5,
            n_inner=52,
            layer_norm_epsilon=1e-3,
            scale_attn_by_inverse_layer_idx=True,
        ),
        {},
    ),
    "unscaled": (11, dict(n_layer=2, n_embd=20, n_head=2, scale_attn_weights=False), {}),
}


def train_tokenizer():
    """GPT-2's kind of tokenizer, with the bytes first, then a few merges, and the end of text last."""
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = byte_level
    trained.train_from_iterator(
        [TOKENIZER_TEXT],
        trainers.BpeTrainer(
            vocab_size=VOCABULARY - 1,
            initial_alphabet=sorted(byte_level.alphabet()),
            show_progress=False,
        ),
    )
    model = json.loads(trained.to_str())["model"]
    vocabulary = {**model["vocab"], END_OF_TEXT: VOCABULARY - 1}
    assert len(vocabulary) == VOCABULARY

    tokenizer = Tokenizer(models.BPE(vocabulary, [tuple(pair) for pair in model["merges"]]))
    tokenizer.pre_tokenizer = byte_level
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.add_special_tokens([AddedToken(END_OF_TEXT, special=True, normalized=True)])
    assert tokenizer.decode(tokenizer.encode(TOKENIZER_TEXT).ids) == TOKENIZER_TEXT
    return tokenizer


def random_model(seed, options):
    """Weights large enough that attention is uneven and different tokens get visibly different logits."""
    config = GPT2Config(
        vocab_size=VOCABULARY,
        n_positions=CONTEXT,
        bos_token_id=VOCABULARY - 1,
        eos_token_id=VOCABULARY - 1,
        **options,
    )
    torch.manual_seed(seed)
    model = GPT2LMHeadModel(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".ln_" in name and name.endswith("weight"):
                parameter.copy_(1 + 0.25 * torch.randn_like(parameter))
            elif name.endswith("bias"):
                parameter.copy_(0.15 * torch.randn_like(parameter))
            elif name.endswith(("wte.weight", "wpe.weight", "lm_head.weight")):
                parameter.copy_(0.45 * torch.randn_like(parameter))
            else:
                parameter.copy_(0.25 * torch.randn_like(parameter))
    return model


def save_checkpoint(model, folder, dtype=torch.float32, shard_size="1GB", names="today", masks=None, head_copy=False):
    """Save with transformers, then, where asked, make the file look like one of an earlier version.

    names="hub"  no `transformer.` before each name, as in the published gpt2
    masks        the type of the buffers `attn.bias` (the causal mask) and `attn.masked_bias` that
                 earlier versions saved with the weights; a reader has to ignore them
    head_copy    also a copy of the tied embedding under the name `lm_head.weight`
    """
    model.to(dtype).save_pretrained(folder, max_shard_size=shard_size)
    path = folder / "model.safetensors"
    if names == "today" and masks is None and not head_copy:
        return
    tensors = load_file(path)
    if masks is not None:
        mask = torch.ones(CONTEXT, CONTEXT).tril().to(masks)[None, None]
        for layer in range(model.config.n_layer):
            tensors[f"transformer.h.{layer}.attn.bias"] = mask.clone()
            tensors[f"transformer.h.{layer}.attn.masked_bias"] = torch.tensor(-1e4, dtype=dtype)
    if head_copy:
        tensors["lm_head.weight"] = tensors["transformer.wte.weight"].clone()
    if names == "hub":
        tensors = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    save_file(tensors, path, metadata)


def save_tokenizer(tokenizer, folder):
    if folder.name in SPLIT_TOKENIZER:
        tokenizer.model.save(str(folder))
    else:
        tokenizer.save(str(folder / "tokenizer.json"), pretty=False)


@torch.no_grad()
def reference(folder, seed):
    model = GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    randomness = torch.Generator().manual_seed(1000 + seed)
    arrays = {}
    for prompt, length in enumerate(PROMPT_LENGTHS):
        ids = torch.randint(VOCABULARY, (1, length), generator=randomness)
        output = model(ids, labels=ids, output_hidden_states=True, output_attentions=True)
        logits = output.logits[0]
        arrays[f"{prompt}.ids"] = ids[0]
        if prompt == 2:
            positions = torch.tensor(FULL_CONTEXT_POSITIONS)
            arrays["2.positions"], logits = positions, logits[positions]
        if prompt == 1:
            arrays["1.hidden_states"] = torch.cat(output.hidden_states)
            arrays["1.attentions"] = torch.cat(output.attentions)
            arrays["1.loss"] = output.loss[None]
            arrays |= causes(model, ids, logits)
        arrays[f"{prompt}.logits"] = logits
    return {name: array.contiguous() for name, array in arrays.items()}


@torch.no_grad()
def last_logits(model, ids, changes):
    """The last row of logits with hooks: changes is a list of (module, whether its input is changed, function)."""
    handles = []
    for module, is_input, change in changes:
        if is_input:
            handles.append(module.register_forward_pre_hook(lambda _, args, f=change: (f(args[0]), *args[1:])))
        else:
            handles.append(
                module.register_forward_hook(
                    lambda _, args, out, f=change: (f(out[0]), *out[1:]) if isinstance(out, tuple) else f(out)
                )
            )
    logits = model(ids).logits[0, -1]
    for handle in handles:
        handle.remove()
    return logits


def ablated(model, ids, substitute):
    """See `1.ablated` above. `substitute` takes [1, positions, width]."""
    blocks = model.transformer.h
    size = model.config.n_embd // model.config.n_head

    def without_head(head):
        def change(x):
            x = x.clone()
            x[..., head * size : (head + 1) * size] = substitute(x)[..., head * size : (head + 1) * size]
            return x

        return change

    parts = [[(block.attn, False, substitute), (block.mlp, False, substitute)] for block in blocks]
    parts += [[(block.attn, False, substitute)] for block in blocks]
    parts += [[(block.mlp, False, substitute)] for block in blocks]
    parts += [[(block.attn.c_proj, True, without_head(h))] for block in blocks for h in range(model.config.n_head)]
    return torch.stack([last_logits(model, ids, part) for part in parts])


def patched(model, clean, corrupted):
    rows = []
    streams = model(clean, output_hidden_states=True).hidden_states
    for layer, block in enumerate(model.transformer.h):
        for position in range(clean.shape[1]):

            def restore(x):
                x = x.clone()
                x[:, position] = streams[layer][:, position]
                return x

            rows.append(last_logits(model, corrupted, [(block, True, restore)]))
    return torch.stack(rows)


def gradients(model, ids, target):
    embeddings = model.transformer.wte(ids).detach()
    rows = []
    for measure in [
        lambda logits: logits.softmax(-1)[target],
        lambda logits: logits.log_softmax(-1)[target] / torch.tensor(2.0).log(),
        lambda logits: logits[target],
    ]:
        with torch.enable_grad():
            x = embeddings.clone().requires_grad_()
            rows.append(torch.autograd.grad(measure(model(inputs_embeds=x).logits[0, -1]), x)[0][0])
    return torch.stack(rows)


def causes(model, ids, logits):
    """What a changed pass gives, and gradients, for one prompt [1, positions] with its logits."""
    corrupted = ids.clone()
    corrupted[0, 2] = (ids[0, 2] + 100) % VOCABULARY
    target = logits[-1].argsort()[-3]
    return {
        "1.ablated": ablated(model, ids, torch.zeros_like),
        "1.ablated_mean": ablated(model, ids, lambda x: x.mean(1, keepdim=True).expand_as(x)),
        "1.corrupted": corrupted[0, 2:3],
        "1.patched": patched(model, ids, corrupted),
        "1.target": target[None],
        "1.gradients": gradients(model, ids, target),
    }


def describe(arrays):
    """One line that shows that the fixture is neither flat nor saturated."""
    logits = arrays["1.logits"]
    likeliest = logits.softmax(-1).max(-1).values
    attention = arrays["1.attentions"][:, :, -1].max(-1).values
    return (
        f"logits {logits.min():6.2f} … {logits.max():5.2f}, likeliest token {likeliest.min():.2f} … "
        f"{likeliest.max():.2f}, largest attention {attention.min():.2f} … {attention.max():.2f}, "
        f"loss {arrays['1.loss'].item():.3f}"
    )


def main(out):
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    tokenizer = train_tokenizer()
    total = 0
    for name, (seed, options, storage) in FIXTURES.items():
        folder = out / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        save_checkpoint(random_model(seed, options), folder, **storage)
        save_tokenizer(tokenizer, folder)
        arrays = reference(folder, seed)
        save_file(arrays, folder / "reference.safetensors")
        for path in folder.iterdir():
            path.chmod(0o644)
        size = sum(path.stat().st_size for path in folder.iterdir())
        total += size
        print(f"{name:11} {size:>9,} bytes  {describe(arrays)}")
    print(f"{'together':11} {total:>9,} bytes")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1] if len(sys.argv) == 2 else "tests/fixtures"))
