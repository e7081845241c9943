"""Every shipped set x every strategy in one process: python benchmarks/replay.py [--only SET …] [--strategies NAME …].

Each row of SETS is swept with `-m strategy=…` over all strategies of conf/strategy, as the command line does it: Hydra
composes every job, the plan is checked, items are replayed at every k, and tables, figures and files are written. What
the harness refuses is skipped, with the line that says why. Seconds are of processor time, which other work on the
machine moves little; the last lines are their sum, the time on the clock, and the most memory that was in use.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

BEGUN = time.process_time(), time.perf_counter()
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # runs from a checkout too

from hydra.core.global_hydra import GlobalHydra  # noqa: E402
from hydra.core.singleton import Singleton  # noqa: E402
from hydra.experimental.callback import Callback  # noqa: E402

from judgescale.harness.command import main as run_command_line  # noqa: E402

SETS = {  # what is swept: overrides that choose a shipped set and the benchmark that it is scored by
    "judgebench": ["experiment=judgebench"],
    "llmbar": ["experiment=llmbar"],
    "pandalm": ["experiment=pandalm"],
    "realmistake": ["experiment=realmistake"],
    "realmistake_math": ["experiment=realmistake_math"],
    "rewardbench2_generative": ["experiment=rewardbench2_generative"],
    "rewardbench2_samples": ["experiment=rewardbench2_samples"],
    "rewardbench2_scalar": ["experiment=rewardbench2_scalar"],
    "rewardbench_math_prm": ["experiment=rewardbench_math_prm"],
    "rewardmath": ["experiment=rewardmath"],
    "rewardmath_pairs": ["experiment=rewardmath_pairs"],
    "rmb_armorm": ["experiment=rmb_armorm"],
    "vicuna80, pairs": ["task=vicuna80_pairs"],
    "vicuna80, best of 5": ["task=vicuna80_best_of_5"],
}


class Clock(Callback):
    """Note the processor time of every job of a sweep, and of what it does besides."""

    took: dict[str, float] = {}  # by strategy; "" = between jobs
    last = 0.0

    def on_multirun_start(self, config: Any, **kwargs: Any) -> None:
        """Begin a sweep."""
        Clock.took = {}

    def on_job_start(self, config: Any, **kwargs: Any) -> None:
        """Begin a job."""
        self.stop("")

    def on_job_end(self, config: Any, job_return: Any, **kwargs: Any) -> None:
        """End a job."""
        self.stop(config.hydra.runtime.choices.strategy)

    @staticmethod
    def stop(name: str) -> None:
        """Add the time since the last call to this name."""
        now = time.process_time()
        Clock.took[name] = Clock.took.get(name, 0.0) + now - Clock.last
        Clock.last = now


def main() -> None:
    every = sorted(path.stem for path in (ROOT / "conf/strategy").glob("*.yaml"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="SET", choices=list(SETS), default=list(SETS), help="these rows")
    parser.add_argument("--strategies", nargs="+", metavar="NAME", choices=every, default=every)
    parser.add_argument("--draws", type=int, default=200, help="replays of each item's pool (default: as config.yaml)")
    options = parser.parse_args()
    Clock.last, total = BEGUN[0], 0
    print(f"{'set':24}" + "".join(f"{name[:11]:>12}" for name in options.strategies) + f"{'besides':>12}")
    skipped: dict[str, list[str]] = {}  # strategies by the line that says why
    with tempfile.TemporaryDirectory() as folder:
        for number, name in enumerate(options.only):
            told = sweep(SETS[name], options.strategies, options.draws, Path(folder) / str(number))
            refused = {line.partition("strategy=")[2].partition(" ")[0].rstrip(":"): line for line in told}
            cells = ["-" if s in refused else f"{Clock.took[s]:.2f}" for s in options.strategies]
            print(f"{name:24}" + "".join(f"{cell:>12}" for cell in [*cells, f"{Clock.took['']:.2f}"]), flush=True)
            for strategy, line in refused.items():
                skipped.setdefault(f"{name}: {line.partition('error: ')[2].partition('; use ')[0]}", []).append(
                    strategy
                )
            total += len(options.strategies) - len(told)
    used = resource.getrusage(resource.RUSAGE_SELF)
    for why, strategies in skipped.items():
        print(f"- {why} ({', '.join(strategies)})")
    print(
        f"{total} jobs: {used.ru_utime + used.ru_stime:.1f} s of processor time, {time.perf_counter() - BEGUN[1]:.1f} s"
        f" on the clock; at most {used.ru_maxrss / 1024:.0f} MiB"
    )


def sweep(overrides: list[str], strategies: list[str], draws: int, folder: Path) -> list[str]:
    """Sweep one set over the strategies in this process; return what it said of the jobs that it refused."""
    arguments = ["-m", *overrides, f"strategy={','.join(strategies)}", f"run.draws={draws}"]
    ours = [f"hydra.sweep.dir={folder}", "+hydra.callbacks.clock._target_=__main__.Clock"]
    Singleton._instances.pop(GlobalHydra, None)
    said = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said), contextlib.suppress(SystemExit):
        run_command_line([*arguments, *ours])
    Clock.stop("")
    return [line for line in said.getvalue().splitlines() if "error: " in line]


if __name__ == "__main__":
    main()
