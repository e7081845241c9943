"""Answers a second that the store takes: python benchmarks/store.py [--answers N] [--samples N] [--at-once N].

Answers of 50 words to prompts of 200 arrive `--at-once` at a time, `--samples` of them to one question, as a run hands
them over, and every time are committed. The disk is that of the temporary folder (TMPDIR); closing writes the log into
the file.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # runs from a checkout too

from judgescale.harness.store import Question, Store  # noqa: E402
from judgescale.harness.types import Output, Request  # noqa: E402

PROMPT, ANSWER = "word " * 200, "word " * 50


def write(path: Path, answers: int, samples: int, at_once: int) -> tuple[float, float, float]:
    """Write so many answers to a new store; return seconds, seconds of processor time, and seconds of closing it."""
    questions = [Question.from_request("{}", Request((("user", f"{i} {PROMPT}"),))) for i in range(answers // samples)]
    made = [
        (question, rank, Output(ANSWER, prompt_tokens=200, completion_tokens=50, shared=rank > 0, seconds=0.02))
        for question in questions
        for rank in range(samples)
    ]
    with Store(path) as store:
        start, cpu = time.perf_counter(), time.process_time()
        for i in range(0, len(made), at_once):
            store.add_answers(made[i : i + at_once])
            store.flush()
        written, cpu = time.perf_counter() - start, time.process_time() - cpu
        start = time.perf_counter()
    return written, cpu, time.perf_counter() - start


def main() -> None:
    """Print the median of several new stores."""
    parser = argparse.ArgumentParser(description="answers a second that the store takes")
    parser.add_argument("--answers", type=int, default=48_000)
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--at-once", type=int, default=320)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = [
            write(Path(folder) / f"{i}.sqlite", options.answers, options.samples, options.at_once)
            for i in range(options.repeats)
        ]
    seconds, cpu, closing = (statistics.median(each) for each in zip(*runs))
    print(f"{options.answers:,} answers, {options.samples} a question, committed {options.at_once} at a time")
    print(f"{options.answers / seconds:,.0f} answers/s; {cpu / options.answers * 1e6:.1f} µs of CPU an answer")
    print(f"{closing:.3f} s to close the store; median of {options.repeats}")


if __name__ == "__main__":
    main()
