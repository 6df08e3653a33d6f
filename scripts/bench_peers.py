"""The same work through tokenscope, transformers, CTranslate2 and llama.cpp, as one Markdown table a precision.

    python scripts/make_gpt2_random.py /tmp/gpt2-random
    python scripts/bench_peers.py /tmp/gpt2-random [--rounds 3] [--precision f32 bf16 int8]
                                  [--program target/release/tokenscope]

All run with one thread a core; int8 is `Q8_0` for llama.cpp. Each round starts every engine once, one after the other, so that all meet the
same machine; a figure is the median over the rounds, and a ratio is the median of the rounds' ratios. An engine that
is not installed, or has no such precision, is skipped and named
(`pip install torch transformers ctranslate2 llama-cpp-python gguf`; the last two need a C++ compiler and cmake).

cold        from the start of a process to the printed five likeliest tokens after 12, its files in the page cache
12, 1000    the logits after a prompt of that many tokens, model loaded
decode      one token of 30, greedily, after a prompt of 100 that was read before
"""

import argparse
import datetime
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Each of these words is one token; the first differs from run to run, so that nothing can be remembered.
FIRST = [" a", " of", " in", " to"]
REPEATS = 3
NEW = 30


def prompt(length, repeat=0):
    return FIRST[repeat] + " the" * (length - 1)


def timed(work):
    work(0)  # the first run pays for what is set up once
    times = []
    for repeat in range(1, REPEATS + 1):
        start = time.perf_counter()
        work(repeat)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def tokenscope(folder, program, precision, cold):
    command = [program, "--model", folder, "--threads", str(os.cpu_count()), "--precision", precision]
    if cold:
        subprocess.run([*command, "eval", f'next_probs("{prompt(12)}").table(5)'], check=True, capture_output=True)
        return {}
    script = "let times = #{};\n"
    for name, length in [("12", 12), ("1000", 1000)]:
        script += f'next_probs("{prompt(length)}");\nlet all = [];\n'
        for repeat in range(1, REPEATS + 1):
            script += f'let t = timestamp(); next_probs("{prompt(length, repeat)}"); all.push(t.elapsed);\n'
        script += f'all.sort(); times["{name}"] = all[{REPEATS // 2}];\n'
    script += "let all = [];\n"
    for repeat in range(1, REPEATS + 1):
        text = prompt(100, repeat)
        script += f'next_probs("{text}"); let t = timestamp(); '
        script += f'generate("{text}", #{{ max_new_tokens: {NEW} }}); all.push(t.elapsed);\n'
    script += f'all.sort(); times["decode"] = all[{REPEATS // 2}] / {NEW};\nprint(json(times));\n'
    with tempfile.NamedTemporaryFile("w", suffix=".rhai") as file:
        file.write(script)
        file.flush()
        output = subprocess.run([*command, "run", file.name], check=True, capture_output=True, text=True).stdout
    return json.loads(output)


def transformers(folder, precision, cold):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(os.cpu_count())
    torch.set_grad_enabled(False)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype={"f32": torch.float32, "bf16": torch.bfloat16}[precision]).eval()

    def ids(length, repeat):
        ids = tokenizer(prompt(length, repeat), return_tensors="pt").input_ids
        assert ids.shape[1] == length
        return ids

    def read(length, repeat):
        return model(ids(length, repeat), use_cache=True, logits_to_keep=1)

    if cold:
        top = read(12, 0).logits[0, -1].float().softmax(-1).topk(5)
        print([tokenizer.decode(id) for id in top.indices], top.values, file=sys.stderr)
        return {}

    def decode(repeat):
        output = read(100, repeat)
        start = time.perf_counter()
        for _ in range(NEW):
            next_id = output.logits[:, -1:].argmax(-1)
            output = model(next_id, past_key_values=output.past_key_values, use_cache=True)
        return (time.perf_counter() - start) / NEW

    times = {str(length): timed(lambda repeat: read(length, repeat)) for length in (12, 1000)}
    times["decode"] = statistics.median([decode(repeat) for repeat in range(REPEATS + 1)][1:])
    return times


def ctranslate2(folder, precision, cold):
    import ctranslate2
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
    generator = ctranslate2.Generator(
        converted(folder),
        compute_type={"f32": "float32", "int8": "int8"}[precision],
        inter_threads=1,
        intra_threads=os.cpu_count(),
    )

    def read(length, repeat):
        tokens = tokenizer.encode(prompt(length, repeat)).tokens
        assert len(tokens) == length
        return generator.generate_batch(
            [tokens], max_length=1, sampling_topk=1, include_prompt_in_result=False, return_scores=True
        )

    if cold:
        print(read(12, 0), file=sys.stderr)
        return {}

    def write(repeat):
        tokens = tokenizer.encode(prompt(100, repeat)).tokens
        generator.generate_batch(
            [tokens], max_length=NEW + 1, min_length=NEW + 1, sampling_topk=1, include_prompt_in_result=False
        )

    times = {str(length): timed(lambda repeat: read(length, repeat)) for length in (12, 1000)}
    # It reads a prompt and writes in one call: one token's call is taken off.
    times["decode"] = (timed(write) - timed(lambda repeat: read(100, repeat))) / NEW
    return times


def converted(folder):
    """CTranslate2's own form of the checkpoint, made once."""
    name = f"tokenscope-ct2-{Path(folder).resolve().name}"
    target = Path(tempfile.gettempdir()) / name
    if not target.exists():
        from ctranslate2.converters import TransformersConverter

        TransformersConverter(folder).convert(str(target))
    return str(target)


def llama_cpp(folder, precision, cold):
    from llama_cpp import Llama

    threads = os.cpu_count()
    model = Llama(
        written(folder, precision),
        n_ctx=1024,
        n_batch=1024,
        n_threads=threads,
        n_threads_batch=threads,
        verbose=False,
    )

    def read(length, repeat):
        tokens = model.tokenize(prompt(length, repeat).encode(), add_bos=False)
        assert len(tokens) == length
        model.reset()
        model.eval(tokens)

    if cold:
        read(12, 0)
        print(model.sample(temp=0), file=sys.stderr)
        return {}

    def decode(repeat):
        read(100, repeat)
        start = time.perf_counter()
        for _ in range(NEW):
            model.eval([model.sample(temp=0)])
        return (time.perf_counter() - start) / NEW

    times = {str(length): timed(lambda repeat: read(length, repeat)) for length in (12, 1000)}
    times["decode"] = statistics.median([decode(repeat) for repeat in range(REPEATS + 1)][1:])
    return times


def written(folder, precision):
    """The checkpoint as GGUF, made once."""
    kind = {"int8": "q8_0"}.get(precision, precision)
    target = Path(tempfile.gettempdir()) / f"tokenscope-{Path(folder).resolve().name}-{kind}.gguf"
    if not target.exists():
        from make_gguf_fixtures import BENCHMARKED, write

        write(target, Path(folder), BENCHMARKED[kind])
    return str(target)


ENGINES = {"transformers": transformers, "ctranslate2": ctranslate2, "llama_cpp": llama_cpp}
PRECISIONS = {
    "f32": ["transformers", "ctranslate2", "llama_cpp"],
    "bf16": ["transformers", "llama_cpp"],
    "int8": ["ctranslate2", "llama_cpp"],
}
COLUMNS = ["cold", "12", "1000", "decode"]


def measure(engine, folder, program, precision):
    """One round of one engine, in processes of its own."""

    def run(cold):
        if engine == "tokenscope":
            return tokenscope(folder, program, precision, cold)
        command = [sys.executable, __file__, folder, "--worker", engine, "--precision", precision]
        done = subprocess.run([*command, *(["--cold"] if cold else [])], capture_output=True, text=True)
        if done.returncode:
            last = (done.stderr.splitlines() or [f"exit status {done.returncode}"])[-1]
            raise RuntimeError(f"{engine} failed in {precision} ({done.returncode}): {last}")
        return json.loads(done.stdout.splitlines()[-1])

    times = run(cold=False)
    start = time.perf_counter()
    run(cold=True)
    return {"cold": time.perf_counter() - start, **times}


def table(rounds, folder, precision):
    date = datetime.date.today().isoformat()
    yield f"{processor()}, {os.cpu_count()} cores, {date}; {Path(folder).name}, {precision}, {len(rounds)} rounds"
    yield ""
    yield "| engine | cold, s | 12 tokens, ms | 1000 tokens, s | decode, tokens/s |"
    yield "|---|---|---|---|---|"
    engines = [engine for engine in rounds[0] if all(engine in figures for figures in rounds)]
    for engine in engines:
        cold, short, long, decode = (statistics.median(r[engine][column] for r in rounds) for column in COLUMNS)
        yield f"| {engine} | {cold:.2f} | {short * 1e3:.0f} | {long:.2f} | {1 / decode:.1f} |"
    for engine in engines[1:]:
        ratios = [statistics.median(r[engine][c] / r["tokenscope"][c] for r in rounds) for c in COLUMNS]
        yield f"| tokenscope is faster than {engine} | " + " | ".join(f"{ratio:.2f} ×" for ratio in ratios) + " |"


def processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="a GPT-2 in Hugging Face's form with a tokenizer.json")
    parser.add_argument("--program", default="target/release/tokenscope")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", nargs="+", choices=PRECISIONS, default=list(PRECISIONS))
    parser.add_argument("--worker", choices=ENGINES, help=argparse.SUPPRESS)
    parser.add_argument("--cold", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    folder = arguments.folder
    if arguments.worker:
        print(json.dumps(ENGINES[arguments.worker](folder, arguments.precision[0], arguments.cold)))
        return
    installed = [engine for engine in ENGINES if importlib.util.find_spec(engine)]
    for engine in ENGINES:
        if engine not in installed:
            print(f"skipped: {engine} is not installed", file=sys.stderr)
    for precision in arguments.precision:
        peers = [engine for engine in PRECISIONS[precision] if engine in installed]
        if "ctranslate2" in peers:
            converted(folder)
        if "llama_cpp" in peers:
            written(folder, precision)
        rounds = []
        for index in range(arguments.rounds):
            figures = {"tokenscope": measure("tokenscope", folder, arguments.program, precision)}
            for peer in list(peers):
                try:
                    figures[peer] = measure(peer, folder, arguments.program, precision)
                except RuntimeError as error:
                    print(f"left out: {error}", file=sys.stderr)
                    peers.remove(peer)
            rounds.append(figures)
            print(f"{precision}, round {index + 1}: {figures}", file=sys.stderr)
        print("\n".join(table(rounds, folder, precision)), end="\n\n")


if __name__ == "__main__":
    main()
