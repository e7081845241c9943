"""Buy 4,000 judgments from a server that goes wrong in every way we know; count what became of each answer.

    python benchmarks/faults.py [--items 1000] [--k 4] [--share 0.012]

Prints a Markdown table of the faults, and whether anything was lost, bought twice or miscounted; exits with 1 if so.
The first command meets all faults; the same command once more, on a server that is well again, buys what was given up.
"""

from __future__ import annotations

import argparse
import json
import logging
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from faulty_server import FAULTS, FaultyServer  # noqa: E402

from judgescale.harness.store import Store  # noqa: E402

COUNTED_AS = {  # what the run calls a fault, where not by the server's name for it
    "cut": "reset", "bad_gzip": "reset", "huge": "too_large", "bomb": "too_large", "fewer": "wrong_n",
    "more": "wrong_n", "retry_nonsense": "429",
} | dict.fromkeys(
    ("bad_utf8", "deep", "error_200", "html", "no_choices", "null_json", "unknown_finish", "wrong_types"), "bad_json"
)  # fmt: skip
ANSWERS = (  # answers all the same
    "", "empty", "more", "fewer", "packed", "slow", "no_usage", "zero_usage", "nan_usage", "negative_usage",
    "text_usage", "float_usage", "cached_over", "float_index", "same_index", "parts", "refusal", "content_filter",
    "length", "escapes",
)  # fmt: skip
RUN = """
import re, sys
from judgescale.harness.command import main
try:
    main(sys.argv[1:])
finally:
    print("peak", int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1]) // 1024)
"""


def run(server: FaultyServer, folder: Path, items: int, k: int) -> tuple[dict, int]:
    """Run the command line in a process of its own; return its summary and the most memory it held, in MB."""
    command = [
        "judge=pairwise", "judge.model=local", "engine=openai", f"engine.base_url={server.url}", "engine.many=true",
        "engine.provider=faults", "engine.timeout=2", "engine.retries=15", "engine.backoff=0.02",
        "engine.max_reply_bytes=1000000", "judge.sampling.max_tokens=64", "task=sanity", f"task.size={items}",
        f"strategy.k={k}", "protocol.order=as_is", "run.max_failures=4000", f"run.store={folder}/store.sqlite",
        f"hydra.run.dir={folder}/out",
    ]  # fmt: skip
    done = subprocess.run([sys.executable, "-c", RUN, *command], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    peak = re.search(r"peak (\d+)", done.stdout)
    return json.loads((folder / "out" / "summary.json").read_text()), int(peak[1]) if peak else 0


def count_faults(server: FaultyServer) -> Counter[str]:
    """Count what a run must have counted: requests that went wrong, and answers without content."""
    counts: Counter[str] = Counter()
    for entry in server.log:
        if entry.fault == "empty":
            counts["empty"] += entry.body.get("n", 1)
        elif entry.fault not in ANSWERS or entry.fault in ("fewer", "more"):
            counts[COUNTED_AS.get(entry.fault, entry.fault)] += 1
    return counts


def count_twice(server: FaultyServer) -> int:
    """Count the answers that the server gave more than once for the same prompt and seed."""
    given: Counter[tuple[str, int]] = Counter()
    for entry in server.log:
        if entry.fault in ANSWERS:
            n = entry.body.get("n", 1) - (entry.fault == "fewer")
            for i in range(n):
                given[json.dumps(entry.body["messages"]), entry.body["seed"] + i] += 1
    return sum(count - 1 for count in given.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--k", type=int, default=4)
    parser.add_argument("--share", type=float, default=0.012, help="of the requests, for each kind of fault")
    options = parser.parse_args()
    wanted = options.items * options.k
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # of clients that hang up on it
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with FaultyServer(
            answer=lambda messages, seed: rf"Weighed. \boxed{{Assistant {1 + (seed >> 7) % 2}}}",
            faults=dict.fromkeys(FAULTS, options.share),
            retry_after="0.05",
        ) as server:
            first, peak = run(server, folder, options.items, options.k)
            met = Counter(entry.fault for entry in server.log if entry.fault)
            requests, twice, due = server.requests, count_twice(server), count_faults(server)
        failed = first["health"]["failed"]
        with Store(folder / "store.sqlite", readonly=True) as store:
            kept = store.count_answers()
        with FaultyServer(answer=lambda messages, seed: r"\boxed{Assistant 1}") as server:
            second, _ = run(server, folder, options.items, options.k)
            again = sum(entry.body.get("n", 1) for entry in server.log)
        with Store(folder / "store.sqlite", readonly=True) as store:
            whole = store.count_answers()
    counted = first["health"]["faults"]
    print("| fault | requests | fault | requests | fault | requests |\n|---|---:|---|---:|---|---:|")
    names = [f"{name} | {met[name]}" for name in sorted(FAULTS)]
    for row in zip(*[iter(names)] * 3, strict=True):
        print(f"| {' | '.join(row)} |")
    mismatch = "" if counted == due else f" ({counted}, not {dict(due)})"
    print(f"\n{len(met)} of {len(FAULTS)} kinds of fault in {requests:,} requests; failures counted by the run:")
    print(f"{sum(counted.values()):,}, by the server: {sum(due.values()):,}{mismatch}. Of {wanted:,} judgments")
    print(f"{kept:,} were kept and {failed:,} given up; the same command on a sound server bought {again:,}, and then")
    print(f"the store held {whole:,}. Bought twice: {twice}. Most memory: {peak} MB.")
    sound = kept + failed == wanted == whole and again == failed and not twice and len(met) >= 30
    sys.exit(not (sound and counted == due))


if __name__ == "__main__":
    main()
