"""Record what transformers' own `generate` and logits processors answer, for the tests.

usage: python scripts/make_generation_reference.py [FIXTURES]
       (FIXTURES: tests/fixtures, made by make_fixtures.py; needs scripts/requirements.txt)

Writes FIXTURES/generation.json, an object with

  transformers  the version
  generation    records {fixture, prompt, options, ids, sequences_scores}: greedy and beam search without
                sampling. `options` are transformers' generation options; `eos_token_id` is 330 where not
                given. `ids` holds the returned sequences, prompt included and padding cut off (after the
                first end token that was generated); `sequences_scores` is null for greedy search.
  processors    records {processors, input_ids, scores, expected}: three rows of logits before and after a
                chain of processors, each {name, value} plus what else that processor needs to know. null
                stands for minus infinity. A record with a `note` depends on the order of equal logits.

Guidance and beams are not combined: transformers does not reorder the unconditional cache with the beams.
Every result was found again in float64, so that none hangs on the last bit of a float32.
"""

import json
import sys
from collections import Counter
from itertools import count
from pathlib import Path

import numpy as np
import torch
import transformers
from transformers import GPT2LMHeadModel
from transformers.generation import logits_process as rules

FIXTURES = ["default", "untied"]
VOCABULARY = 331
END_OF_TEXT = VOCABULARY - 1
# Options that set the frame; every other one is left out once to see whether it changed the result.
FRAME = {"max_length", "max_new_tokens", "num_beams", "num_return_sequences"}


# ---------------------------------------------------------------- generation


def generate(model, prompt, options):
    """The sequences without padding, and the scores of beams or None."""
    arguments = dict(options)
    if "negative_prompt_ids" in arguments:
        arguments["negative_prompt_ids"] = torch.tensor([arguments["negative_prompt_ids"]])
    output = model.generate(
        torch.tensor([prompt]),
        attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
        do_sample=False,
        pad_token_id=END_OF_TEXT,
        return_dict_in_generate=True,
        output_scores=True,
        **arguments,
    )
    ends = options.get("eos_token_id", END_OF_TEXT)
    ends = ends if isinstance(ends, list) else [ends]
    sequences = [cut_after_end(ids, len(prompt), ends) for ids in output.sequences.tolist()]
    scores = getattr(output, "sequences_scores", None)
    return sequences, None if scores is None else floats(scores)


def cut_after_end(ids, prompt_length, ends):
    for position in range(prompt_length, len(ids)):
        if ids[position] in ends:
            return ids[: position + 1]
    return ids


def new_tokens(model, prompt, length):
    return generate(model, prompt, {"max_new_tokens": length})[0][0][len(prompt) :]


def option_sets(model, prompt):
    """Options around what the model says without any, so that they have something to change."""
    n = len(prompt)
    plain = new_tokens(model, prompt, 24)
    first = plain[0]
    often = Counter(plain).most_common(1)[0][0]
    late = list(dict.fromkeys(plain))[-1]
    middle = next(token for token in plain[6:] if token not in plain[:6])
    beyond = plain.index(middle) + 4  # so many new tokens, and `middle` would have ended it
    pair, triple = plain[3:5], plain[7:10]
    other = [(token + 5) % VOCABULARY for token in prompt[:4]]

    greedy = {"max_new_tokens": 24}
    stops = {"max_new_tokens": 24, "eos_token_id": middle}
    yield from [
        greedy,
        {"max_length": 30},
        {"max_length": 64},
        stops,
        {"max_new_tokens": 24, "eos_token_id": [late, middle]},
        {**stops, "min_length": n + beyond},
        {**stops, "min_new_tokens": beyond},
        {**stops, "min_length": n + 4, "min_new_tokens": beyond + 2},
        {**greedy, "repetition_penalty": 1.2},
        {**greedy, "repetition_penalty": 2.5},
        {**greedy, "repetition_penalty": 0.7},
        {**greedy, "no_repeat_ngram_size": 1},
        {**greedy, "no_repeat_ngram_size": 2},
        {**greedy, "no_repeat_ngram_size": 3},
        {**greedy, "bad_words_ids": [[often]]},
        {**greedy, "bad_words_ids": [pair, triple]},
        {**greedy, "bad_words_ids": [[first], pair, [middle, late]]},
        {**greedy, "sequence_bias": [[[often], -3.5], [[middle], 1.25]]},
        {**greedy, "sequence_bias": [[pair, -10.0], [[pair[0], late], 6.0]]},
        {**greedy, "forced_eos_token_id": 7},
        {"max_length": n + 9, "forced_eos_token_id": [END_OF_TEXT]},
        {"max_new_tokens": 40, "exponential_decay_length_penalty": [6, 1.4], "eos_token_id": 9},
        {"max_new_tokens": 40, "exponential_decay_length_penalty": [3, 1.08], "eos_token_id": late},
        {**greedy, "suppress_tokens": [often, late]},
        {**greedy, "begin_suppress_tokens": [first]},
        {**greedy, "guidance_scale": 1.5},
        {**greedy, "guidance_scale": 3.0},
        {**greedy, "guidance_scale": 0.6, "negative_prompt_ids": other},
        {**greedy, "guidance_scale": 2.0, "negative_prompt_ids": other},
        {**greedy, "guidance_scale": 1.7, "negative_prompt_ids": [END_OF_TEXT], "repetition_penalty": 1.3},
        {**greedy, "repetition_penalty": 1.3, "no_repeat_ngram_size": 2, "suppress_tokens": [first]},
        {**stops, "min_new_tokens": beyond, "no_repeat_ngram_size": 2, "bad_words_ids": [[often]]},
        {
            "max_new_tokens": 20,
            "sequence_bias": [[[often], -2.0], [pair, 3.0]],
            "begin_suppress_tokens": [first],
            "repetition_penalty": 1.15,
            "forced_eos_token_id": END_OF_TEXT,
        },
        {
            **stops,
            "guidance_scale": 1.4,
            "bad_words_ids": [pair],
            "min_length": n + beyond,
            "exponential_decay_length_penalty": [10, 1.2],
        },
    ]

    def beams(num_beams, num_return_sequences=1, length=16, **others):
        return {
            "max_new_tokens": length,
            "num_beams": num_beams,
            "num_return_sequences": num_return_sequences,
            **others,
        }

    ends = [middle, often]
    yield from [
        beams(2),
        beams(3, 3),
        beams(6, 2, length=20),
        {"max_length": 64, "num_beams": 4},
        beams(3, 3, eos_token_id=middle),
        beams(4, 4, eos_token_id=ends),
        *[beams(4, 2, eos_token_id=ends, length_penalty=penalty) for penalty in [-1.0, 0.0, 0.5, 2.0]],
        *[
            beams(5, 2, length=30, eos_token_id=ends, early_stopping=early_stopping, length_penalty=penalty)
            for early_stopping in [True, False, "never"]
            for penalty in [1.0, 2.0]
        ],
        beams(3, 3, eos_token_id=often, early_stopping=True, length_penalty=2.0),
        beams(5, 2, eos_token_id=often, early_stopping=True, length_penalty=0.5),
        beams(5, 2, eos_token_id=often, early_stopping="never", length_penalty=0.0),
        beams(4, 1, eos_token_id=late, early_stopping=False, length_penalty=-1.0, min_new_tokens=10),
        beams(4, 2, eos_token_id=ends, min_length=n + 10),
        beams(3, 2, repetition_penalty=1.4),
        beams(4, 2, no_repeat_ngram_size=2),
        beams(3, 2, bad_words_ids=[[often], pair]),
        beams(3, 2, sequence_bias=[[[often], -2.5], [[middle], 1.0]]),
        beams(3, 3, forced_eos_token_id=END_OF_TEXT, length=8),
        beams(4, 2, length=24, exponential_decay_length_penalty=[4, 1.1], eos_token_id=9),
        beams(2, 2, suppress_tokens=[often, late], begin_suppress_tokens=[first]),
        beams(6, 3, eos_token_id=ends, no_repeat_ngram_size=2, min_new_tokens=9, length_penalty=2.0),
        beams(
            5,
            5,
            eos_token_id=ends,
            repetition_penalty=1.2,
            bad_words_ids=[triple],
            early_stopping=True,
            forced_eos_token_id=middle,
            length=12,
        ),
    ]


def prompts(fixture):
    """A medium one, a single token, and one that begins as documents do."""
    randomness = torch.Generator().manual_seed(FIXTURES.index(fixture))
    draw = torch.randint(END_OF_TEXT, (16,), generator=randomness).tolist()
    return [draw[:6], draw[6:7], [END_OF_TEXT, *draw[7:16]]]


def changed_by(model, prompt, options, sequences):
    """The options without which the result would have been another."""
    for name in options.keys() - FRAME:
        others = {key: value for key, value in options.items() if key != name}
        if name == "guidance_scale":
            others.pop("negative_prompt_ids", None)
        if generate(model, prompt, others)[0] != sequences:
            yield name


def generation_records(folder):
    """Each set of options with one of the prompts, in turn."""
    used, mattered = Counter(), Counter()
    for fixture in FIXTURES:
        model = GPT2LMHeadModel.from_pretrained(folder / fixture, attn_implementation="eager").eval()
        double = GPT2LMHeadModel.from_pretrained(
            folder / fixture, attn_implementation="eager", dtype=torch.float64
        ).eval()
        starts = prompts(fixture)
        choices = [list(option_sets(model, prompt)) for prompt in starts]
        for number in range(len(choices[0])):
            which = (number + FIXTURES.index(fixture)) % len(starts)
            prompt, options = starts[which], choices[which][number]
            sequences, scores = generate(model, prompt, options)
            if generate(double, prompt, options)[0] != sequences:
                print("left out, float64 answers otherwise:", fixture, options)
                continue
            assert scores is None or min(scores) > -1e8, "a beam that never finished"
            used.update(options.keys() - FRAME)
            mattered.update(changed_by(model, prompt, options, sequences))
            yield {
                "fixture": fixture,
                "prompt": prompt,
                "options": options,
                "ids": sequences,
                "sequences_scores": scores,
            }
    for name, times in sorted(used.items()):
        print(f"  {name:33} in {times:3} records, decisive in {mattered[name]:3}")


# ---------------------------------------------------------------- processors


def floats(tensor):
    """The shortest decimals that give the same float32 back; None for minus infinity."""
    values = tensor.float().numpy()
    return [None if value == -np.inf else float(str(value)) for value in values]


def keep(rule):
    return rule.get("min_tokens_to_keep", 1)


# In the order in which transformers applies them (GenerationMixin._get_logits_processor).
PROCESSORS = {
    "sequence_bias": lambda rule: rules.SequenceBiasLogitsProcessor(rule["value"]),
    "repetition_penalty": lambda rule: rules.RepetitionPenaltyLogitsProcessor(rule["value"]),
    "no_repeat_ngram_size": lambda rule: rules.NoRepeatNGramLogitsProcessor(rule["value"]),
    "bad_words_ids": lambda rule: rules.NoBadWordsLogitsProcessor(rule["value"], rule["eos_token_id"]),
    "min_length": lambda rule: rules.MinLengthLogitsProcessor(rule["value"], rule["eos_token_id"]),
    "min_new_tokens": lambda rule: rules.MinNewTokensLengthLogitsProcessor(
        rule["prompt_length"], rule["value"], rule["eos_token_id"]
    ),
    "forced_eos_token_id": lambda rule: rules.ForcedEOSTokenLogitsProcessor(rule["max_length"], rule["value"]),
    "remove_invalid_values": lambda rule: rules.InfNanRemoveLogitsProcessor(),
    "exponential_decay_length_penalty": lambda rule: rules.ExponentialDecayLengthPenalty(
        rule["value"], rule["eos_token_id"], rule["prompt_length"]
    ),
    "suppress_tokens": lambda rule: rules.SuppressTokensLogitsProcessor(rule["value"]),
    "begin_suppress_tokens": lambda rule: rules.SuppressTokensAtBeginLogitsProcessor(
        rule["value"], rule["prompt_length"]
    ),
    "temperature": lambda rule: rules.TemperatureLogitsWarper(rule["value"]),
    "top_h": lambda rule: rules.TopHLogitsWarper(rule["value"]),
    "top_k": lambda rule: rules.TopKLogitsWarper(rule["value"], min_tokens_to_keep=keep(rule)),
    "top_p": lambda rule: rules.TopPLogitsWarper(rule["value"], min_tokens_to_keep=keep(rule)),
    "min_p": lambda rule: rules.MinPLogitsWarper(rule["value"], min_tokens_to_keep=keep(rule)),
    "typical_p": lambda rule: rules.TypicalLogitsWarper(rule["value"], min_tokens_to_keep=keep(rule)),
    "epsilon_cutoff": lambda rule: rules.EpsilonLogitsWarper(rule["value"], min_tokens_to_keep=keep(rule)),
    "eta_cutoff": lambda rule: rules.EtaLogitsWarper(rule["value"], min_tokens_to_keep=keep(rule)),
    "renormalize_logits": lambda rule: rules.LogitNormalization(),
}
ORDER = list(PROCESSORS)
# From here on a processor sees only the scores, so that its columns can be permuted.
FIRST_WARPER = ORDER.index("temperature")


def rule(name, value, **others):
    return {"name": name, "value": value, **others}


INPUT_IDS = [
    [5, 9, 12, 5, 9, 30, 5, 9],
    [1, 2, 3, 1, 2, 3, 1, 2],
    [7, 7, 7, 20, 31, 7, 7, 39],
]
LENGTH = len(INPUT_IDS[0])

CHAINS = [
    [rule("temperature", 0.5)],
    [rule("temperature", 0.7)],
    [rule("temperature", 1.9)],
    [rule("top_h", 0.4)],
    [rule("top_h", 0.8)],
    [rule("top_k", 1)],
    [rule("top_k", 5)],
    [rule("top_k", 39)],
    [rule("top_k", 100)],
    [rule("top_k", 2, min_tokens_to_keep=6)],
    [rule("top_p", 0.0)],
    [rule("top_p", 0.3)],
    [rule("top_p", 0.9)],
    [rule("top_p", 0.99)],
    [rule("top_p", 0.2, min_tokens_to_keep=3)],
    [rule("min_p", 0.02)],
    [rule("min_p", 0.3)],
    [rule("min_p", 1.0)],
    [rule("min_p", 0.9, min_tokens_to_keep=1)],
    [rule("typical_p", 0.2)],
    [rule("typical_p", 0.6)],
    [rule("typical_p", 0.95)],
    [rule("epsilon_cutoff", 0.01)],
    [rule("epsilon_cutoff", 0.05)],
    [rule("epsilon_cutoff", 0.9)],
    [rule("eta_cutoff", 0.01)],
    [rule("eta_cutoff", 0.1)],
    [rule("repetition_penalty", 1.3)],
    [rule("repetition_penalty", 0.6)],
    [rule("no_repeat_ngram_size", 1)],
    [rule("no_repeat_ngram_size", 2)],
    [rule("no_repeat_ngram_size", 3)],
    [rule("bad_words_ids", [[4], [9, 11], [2, 14], [39, 0]], eos_token_id=[3])],
    [rule("bad_words_ids", [[3], [5, 9, 15], [8, 9, 16], [1, 2, 3]], eos_token_id=[3])],
    [rule("sequence_bias", [[[4], 2.5], [[9, 11], -1.75], [[2, 14], 3.0]])],
    [rule("sequence_bias", [[[1, 2, 6], -5.0], [[6], 1.5], [[7, 39, 6], 0.25]])],
    [rule("min_length", LENGTH + 1, eos_token_id=[3, 17])],
    [rule("min_length", LENGTH, eos_token_id=[3, 17])],
    [rule("min_new_tokens", 5, prompt_length=4, eos_token_id=[3])],
    [rule("min_new_tokens", 4, prompt_length=4, eos_token_id=[3])],
    [rule("forced_eos_token_id", [3], max_length=LENGTH + 1)],
    [rule("forced_eos_token_id", [3, 8], max_length=LENGTH + 1)],
    [rule("forced_eos_token_id", [3], max_length=LENGTH + 2)],
    [rule("exponential_decay_length_penalty", [2, 1.5], prompt_length=4, eos_token_id=[3])],
    [rule("exponential_decay_length_penalty", [4, 1.5], prompt_length=4, eos_token_id=[3, 8])],
    [rule("suppress_tokens", [0, 7, 39])],
    [rule("begin_suppress_tokens", [0, 7, 39], prompt_length=LENGTH)],
    [rule("begin_suppress_tokens", [0, 7, 39], prompt_length=LENGTH - 1)],
    [rule("renormalize_logits", True)],
    [rule("temperature", 0.8), rule("top_k", 12)],
    [rule("temperature", 1.3), rule("top_p", 0.85)],
    [rule("top_k", 10), rule("top_p", 0.7)],
    [rule("top_k", 8), rule("renormalize_logits", True)],
    [rule("temperature", 0.7), rule("top_k", 20), rule("top_p", 0.9)],
    [rule("temperature", 1.5), rule("top_k", 25), rule("top_p", 0.95), rule("min_p", 0.1)],
    [rule("top_p", 0.9), rule("typical_p", 0.8)],
    [rule("top_k", 15), rule("typical_p", 0.7), rule("epsilon_cutoff", 0.03)],
    [rule("min_p", 0.05), rule("eta_cutoff", 0.05), rule("renormalize_logits", True)],
    [rule("temperature", 0.9), rule("top_h", 0.6), rule("top_k", 6)],
    [rule("repetition_penalty", 1.2), rule("temperature", 0.8), rule("top_k", 10), rule("top_p", 0.9)],
    [rule("repetition_penalty", 1.5), rule("no_repeat_ngram_size", 2), rule("top_p", 0.8)],
    [
        rule("sequence_bias", [[[4], 2.5], [[9, 11], 4.0]]),
        rule("repetition_penalty", 1.1),
        rule("bad_words_ids", [[4], [2, 14]], eos_token_id=[3]),
        rule("top_k", 7),
    ],
    [rule("suppress_tokens", [0, 7]), rule("temperature", 0.6), rule("typical_p", 0.9)],
    [
        rule("min_length", LENGTH + 1, eos_token_id=[3]),
        rule("exponential_decay_length_penalty", [2, 1.5], prompt_length=4, eos_token_id=[3]),
        rule("temperature", 2.0),
        rule("top_p", 0.5),
    ],
    [rule("no_repeat_ngram_size", 1), rule("remove_invalid_values", True)],
]

TIED_CHAINS = [
    [rule("top_p", 0.5)],
    [rule("temperature", 0.9), rule("top_k", 20), rule("top_p", 0.6)],
]
# torch.sort without `stable=True` keeps no order among equal values: in some of these rows it dropped higher ids first.
TIE_NOTE = "equal logits lie across the threshold; torch's sort is not stable, so compare the values that are left, not their ids"


def random_rows(seed):
    """A peaked row, a flat one, and one with many equal values."""
    randomness = torch.Generator().manual_seed(seed)
    rows = torch.randn(3, 40, generator=randomness, dtype=torch.float64) * torch.tensor([[2.5], [0.6], [1.5]])
    rows[2] = (rows[2] * 2).round() / 2
    return (rows * 1e4).round() / 1e4 + 0.0


def apply(chain, scores):
    for step in chain:
        scores = PROCESSORS[step["name"]](step)(torch.tensor(INPUT_IDS), scores)
    return scores


def split(chain):
    cut = next((i for i, step in enumerate(chain) if ORDER.index(step["name"]) >= FIRST_WARPER), len(chain))
    return chain[:cut], chain[cut:]


def settled(chain, rows):
    """Does float64 drop the same tokens as float32?"""
    return torch.equal(apply(chain, rows).isinf(), apply(chain, rows.float()).isinf())


def depends_on_ties(chain, rows):
    """Do the warpers drop other tokens when the columns are in another order?"""
    before, warpers = split(chain)
    scores = apply(before, rows.float())
    return not torch.equal(apply(warpers, scores), apply(warpers, scores.flip(-1)).flip(-1))


def processor_records():
    for number, chain in enumerate(CHAINS + TIED_CHAINS):
        names = [ORDER.index(step["name"]) for step in chain]
        assert names == sorted(names), f"not in transformers' order: {chain}"
        tied = number >= len(CHAINS)
        rows = next(
            rows
            for rows in (random_rows(1000 * number + attempt) for attempt in count())
            if settled(chain, rows) and (depends_on_ties(chain, rows) == tied)
        )
        record = {
            "processors": chain,
            "input_ids": INPUT_IDS,
            "scores": [floats(row) for row in rows],
            "expected": [floats(row) for row in apply(chain, rows.float())],
        }
        yield {**record, "note": TIE_NOTE} if tied else record


# ---------------------------------------------------------------- output


def write(path, document):
    """JSON with one record on each line."""
    parts = []
    for name, value in document.items():
        if isinstance(value, list):
            lines = ",\n".join(json.dumps(record, separators=(",", ":")) for record in value)
            parts.append(f'"{name}":[\n{lines}\n]')
        else:
            parts.append(f'"{name}":{json.dumps(value)}')
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n")


def main(folder):
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    document = {
        "transformers": transformers.__version__,
        "generation": list(generation_records(folder)),
        "processors": list(processor_records()),
    }
    path = folder / "generation.json"
    write(path, document)
    counts = {name: len(document[name]) for name in ["generation", "processors"]}
    print(f"{path}: {counts}, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1] if len(sys.argv) == 2 else "tests/fixtures"))
