#!/usr/bin/env python3
"""How much does each kernel of a class cost? Starts 1, 5 and 20 at once on one model, asks them all, reads the memory.

    pip install jupyter_client
    python scripts/make_gpt2_random.py /tmp/gpt2-random      # GPT-2 small's shape, if the real one is not at hand
    tokenscope kernel install --sys-prefix --name class --model /tmp/gpt2-random
    python scripts/measure_class.py class [COUNT…]

Memory is what Linux says in /proc/PID/smaps_rollup: `own` is what that kernel wrote and nobody can share
(Private_Dirty), `share` its part of everything, the mapped weights divided among those who map them (Pss).
"""

import os
import statistics
import sys
import threading
import time

from jupyter_client.manager import KernelManager

FIRST = 'next_probs("The capital of France is").top(3)'
NEXT = 'next_probs("Somewhere in the middle of the night she heard the sound of a").top(3)'
LONG = 'generate("Once upon a time", #{ max_new_tokens: 40 }).text'


def main(kernel, counts):
    print("| kernels | own, MB | share, MB | all together, MB | first answer, s | next answer, s | 40 tokens, s |")
    print("|---|---|---|---|---|---|---|")
    for count in counts:
        with Class(kernel, count) as students:
            first = students.all_at_once(lambda student: student.start())
            following = students.all_at_once(lambda student: student.ask(NEXT))
            long = students.all_at_once(lambda student: student.ask(LONG))
            memory = [student.memory() for student in students.students]
            own, share = ([one[key] / 1024 for one in memory] for key in ("own", "share"))
            print(
                f"| {count} | {statistics.median(own):.0f} | {statistics.median(share):.0f} | {sum(share):.0f} "
                f"| {span(first)} | {span(following)} | {span(long)} |",
                flush=True,
            )


def span(times):
    """The median, and the last one to get an answer."""
    return f"{statistics.median(times):.2f}" + (f" (last {max(times):.2f})" if len(times) > 1 else "")


class Class:
    def __init__(self, kernel, count):
        self.students = [Student(kernel) for _ in range(count)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.all_at_once(lambda student: student.leave())

    def all_at_once(self, work):
        """How long it took each of them."""
        times, failures = [0.0] * len(self.students), []

        def run(index, student):
            begun = time.monotonic()
            try:
                work(student)
            except Exception as failure:
                failures.append(failure)
            times[index] = time.monotonic() - begun

        threads = [threading.Thread(target=run, args=pair) for pair in enumerate(self.students)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        return times


class Student:
    def __init__(self, kernel):
        self.manager = KernelManager(kernel_name=kernel)
        self.client = None

    def start(self):
        self.manager.start_kernel()
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=120)
        self.ask(FIRST)

    def ask(self, code):
        reply = self.client.execute_interactive(code, output_hook=lambda _: None, timeout=300)["content"]
        assert reply["status"] == "ok", reply

    def memory(self):
        with open(f"/proc/{self.manager.provisioner.pid}/smaps_rollup") as rollup:
            lines = dict(line.split(":") for line in list(rollup)[1:])
        kilobytes = {key: int(value.split()[0]) for key, value in lines.items()}
        return {"own": kilobytes["Private_Dirty"], "share": kilobytes["Pss"]}

    def leave(self):
        if self.client:
            self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    os.environ.setdefault("JUPYTER_PLATFORM_DIRS", "1")
    main(sys.argv[1], [int(count) for count in sys.argv[2:]] or [1, 5, 20])
