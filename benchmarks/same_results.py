"""Proves that a change of the code changed no result: the same commands in two checkouts, and what each left, compared.

    python benchmarks/same_results.py record CHECKOUT OUT [--python PY] [--data SHARED_DATA] [--only NAME …]
    python benchmarks/same_results.py compare OUT_A OUT_B

`record` runs every command of the table below and keeps what it printed, what it wrote and, of live judges, what they
were asked. `compare` holds two such folders against each other, a line a command, and exits with 1 where they differ.
Numbers must be equal to the last digit; only what differs between two runs is set aside (VARYING, VARYING_KEYS).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from string import Template
from typing import Any

# A name, what is started (ENTRIES) and its arguments; an indented line goes on. $here is the command's own folder,
# $NAME that of another command, $inputs the made-up files, $data the folder of real data, $server a local server.
COMMANDS = """
# every recipe
bare                  run
tour                  run experiment=tour
x_judgebench          run experiment=judgebench
x_llmbar              run experiment=llmbar
x_pandalm             run experiment=pandalm
x_realmistake         run experiment=realmistake
x_realmistake_math    run experiment=realmistake_math
x_rb2_generative      run experiment=rewardbench2_generative
x_rb2_scalar          run experiment=rewardbench2_scalar
x_rmb_armorm          run experiment=rmb_armorm
x_rb2_samples         run experiment=rewardbench2_samples run.draws=20
x_math_prm            run experiment=rewardbench_math_prm
rewardmath            run task=rewardmath
rewardmath_pairs      run task=rewardmath_pairs
rewardmath_steps      run task=rewardmath judge.names=Math_Shepherd judge.steps=prod

# every strategy on recorded judgments
single                run strategy=single judge.names=[gpt4,claude] judge.pool=false
single_common         run strategy=single task=llmbar protocol=common run.limit=100
single_ties           run strategy=single task=rewardbench2 task.subsets=[Ties,Math] strategy.tie=zero
voting                run strategy=voting run.ks=[1,2,5,10]
voting_k              run strategy=voting strategy.k=3 task=realmistake judge.pool=false
voting_plurality      run strategy=voting strategy.unusable=plurality task=realmistake seed=2
voting_pool           run strategy=voting task=llmbar judge.pool=true task.subsets=[Neighbor]
voting_limit          run strategy=voting task=judgebench run.limit=60 judge.names=o1-mini-2024-09-12 strategy.tie=half
voting_common         run strategy=voting task=judgebench protocol=common
meta_logistic         run strategy=meta_voting strategy.k=6 strategy.k_meta=2
meta_oracle           run strategy=meta_voting strategy.meta=oracle run.limit=200
meta_random           run strategy=meta_voting strategy.meta=random seed=3 task=realmistake
meta_recorded         run strategy=meta_voting strategy.meta=recorded task=custom engine.path=$import_jsonl/set.parquet
elo                   run strategy=elo task=vicuna80_best_of_5 run.draws=50
elo_passes            run strategy=elo task=vicuna80_best_of_5 strategy.k=2 strategy.passes=3 strategy.step=16
elo_bradley_terry     run strategy=elo task=vicuna80_best_of_5 strategy.rating=bradley_terry strategy.k=4 run.draws=20
elo_wins              run strategy=elo task=vicuna80_best_of_5 strategy.rating=wins strategy.k=4 judge.pool=true
knockout              run strategy=knockout task=vicuna80_best_of_5 strategy.k=4 run.draws=50
knockout_judges       run strategy=knockout task=vicuna80_best_of_5 judge.pool=false seed=1
voting_aggregates     run -m strategy=voting strategy.aggregate=plurality,borda,median,trimmed_mean,davidson
                      strategy.k=6 task=rewardbench2 engine.path=results/recorded/rewardbench2_samples.parquet
                      run.limit=100 run.draws=20 'judge.names=[GPT-5.4 nano]'
voting_zscore         run strategy=voting strategy.aggregate=zscore task=vicuna80_pairs judge.pool=true
stopping              run -m strategy=stopping strategy.k=8 run.draws=20 run.limit=100 task=rewardbench2
                      engine.path=results/recorded/rewardbench2_samples.parquet 'judge.names=[GPT-5.4]'
                      strategy.rule=lead,adaptive_consistency,esc,sprt,msprt,bayes_factor,anytime
stopping_lone         run strategy=stopping strategy.lead=3 task=realmistake run.draws=20
budget                run strategy=budget strategy.k=4 task=rewardbench2 run.limit=100
                      engine.path=results/recorded/rewardbench2_samples.parquet 'judge.names=[GPT-5.4,GPT-5.4 nano]'
budget_apart          run strategy=budget strategy.k=4 strategy.apart=true strategy.share=.1 task=rewardbench2
                      engine.path=results/recorded/rewardbench2_samples.parquet 'judge.names=[GPT-5.4]' run.limit=100
swiss                 run strategy=swiss task=vicuna80_best_of_5 strategy.k=4 run.draws=50
double_elimination    run strategy=double_elimination task=vicuna80_best_of_5 strategy.k=4 run.draws=50
information_gain      run strategy=information_gain task=vicuna80_best_of_5 strategy.k=4 run.draws=20
swiss_alone           run strategy=swiss task=rewardmath judge.names=internlm2 run.draws=20 run.limit=100
compare               run strategy=meta_voting strategy.k_meta=2 run.limit=300
                      'compare=[["strategy=voting","strategy.k=3"],["strategy=single"]]'
compare_protocols     run task=judgebench 'compare=[["protocol=common"],["strategy=single"]]'
sweep                 run -m strategy=single,voting,knockout task=vicuna80_best_of_5
sweep_k               run -m strategy=single,voting strategy.k=1,4

# live judges that guess
live_sanity           run judge=random task=sanity
live_sanity_more      run judge=random task=sanity run.store=$live_sanity/store.sqlite strategy.k=4 run.samples=6
live_sanity_meta      run judge=random task=sanity task.responses=4 task.size=40 strategy=meta_voting strategy.k=4
                      strategy.meta=oracle
live_llmbar           run judge=random task=llmbar task.path=$data/llmbar run.limit=30 strategy=single
live_llmbar_voting    run judge=random task=llmbar task.path=$data/llmbar/Neighbor/dataset.json strategy.k=6
live_judgebench       run judge=random task=judgebench task.path=$data/judgebench run.limit=30 strategy.k=4
live_rmb              run judge=random task=rmb task.path=$data/rmb run.limit=30 strategy.k=2
live_rmb_bon          run judge=random task=rmb_bon task.path=$data/rmb/BoN_set run.limit=30 strategy=knockout
                      strategy.k=2
live_pandalm          run judge=random task=pandalm task.path=$data/pandalm run.limit=30
live_rm_bench         run judge=random task=rm_bench task.path=$data/rm_bench run.limit=30 strategy.k=3
live_vicuna_elo       run judge=random task=vicuna80_best_of_5 task.path=$vicuna strategy=elo strategy.k=2 run.limit=20
live_vicuna_knockout  run judge=random task=vicuna80_best_of_5 task.path=$vicuna strategy=knockout strategy.k=2
live_rewardbench      run judge=random task=rewardbench task.path=$inputs/rewardbench.jsonl strategy.k=2
live_rewardbench2     run judge=random task=rewardbench2 task.path=$inputs/rewardbench2.jsonl
live_preference       run judge=random task=ppe_preference task.path=$inputs/ppe_preference.jsonl
live_correctness      run judge=random task=ppe_correctness task.path=$inputs/ppe strategy.k=2
live_best_of_k        run judge=random task=ppe_best_of_k task.path=$inputs/ppe strategy=knockout strategy.k=1
live_realmistake      run judge=random task=realmistake task.path=$inputs/realmistake strategy.k=3
live_custom           run judge=random task=custom task.path=$inputs/items.jsonl protocol=common strategy.k=2
live_stopping         run judge=random task=sanity strategy=stopping strategy.k=6
live_budget           run judge=random task=sanity strategy=budget strategy.k=3 strategy.share=.2
live_swiss            run judge=random task=sanity task.responses=6 task.size=40 strategy=swiss strategy.k=2
replay_stopping       run task=sanity engine.path=$live_stopping/run/recorded.parquet strategy=stopping
replay                run task=sanity engine.path=$live_sanity_more/run/recorded.parquet strategy=voting
replay_elo            run task=vicuna80_best_of_5 engine.path=$live_vicuna_elo/run/recorded.parquet strategy=elo
replay_meta           run task=llmbar engine.path=$live_llmbar_voting/run/recorded.parquet strategy=meta_voting

# live judges behind a server
server_pairwise       run judge=pairwise $openai task=judgebench task.path=$data/judgebench run.limit=12 strategy.k=4
                      'judge.price={input: 2.5, cached: 1, output: 10}'
server_pairwise_more  run judge=pairwise $openai task=judgebench task.path=$data/judgebench run.limit=16 strategy.k=8
                      run.store=$server_pairwise/store.sqlite
server_pointwise      run judge=pointwise $openai task=llmbar task.path=$data/llmbar run.limit=15 strategy.k=4
server_rating         run judge=rating $openai task=rewardbench2 task.path=$inputs/rewardbench2.jsonl
server_choice         run judge=choice $openai task=rmb_bon task.path=$data/rmb/BoN_set run.limit=12 strategy.k=2
                      engine.many=false judge.active_parameters=1000000
server_knockout       run judge=choice $openai task=sanity task.responses=5 task.size=12 strategy=knockout strategy.k=2
server_elo            run judge=pairwise $openai task=sanity task.responses=3 task.size=8 strategy=elo strategy.k=2
server_direct         run judge=direct $openai task=sanity task.size=20 engine.constrain=json_schema
server_token_prob     run judge=token_prob $openai task=sanity task.size=20
server_detection      run judge=detection $openai task=custom task.path=$inputs/lone.jsonl strategy.k=3
server_scalar         run judge=scalar $openai task=sanity task.size=20 strategy=single
server_critique       run judge=critique_scalar $openai task=sanity task.size=10 strategy.k=2
                      engine@judge.scorer.engine=openai judge.scorer.engine.base_url=$server/v1
                      judge.scorer.engine.provider=local judge.scorer.engine.concurrency=1
server_meta           run judge=pairwise $openai task=sanity task.size=16 strategy=meta_voting strategy.k=4
                      meta=generative $openai_meta
server_meta_scalar    run judge=pointwise $openai task=sanity task.size=16 strategy=meta_voting strategy.k=4
                      meta=scalar $openai_meta
server_limits         run judge=pairwise $openai task=sanity strategy.k=2 run.budget.tokens=3000
                      judge.sampling.max_tokens=40
replay_server_meta    run task=sanity engine.path=$server_meta/run/recorded.parquet strategy=meta_voting
                      strategy.meta=recorded
dry                   run --dry judge=pairwise $openai task=llmbar task.path=$data/llmbar strategy.k=4
                      'judge.price={input: 2.5, output: 10}'
dry_meta              run --dry judge=pairwise $openai task=sanity strategy=meta_voting meta=generative $openai_meta
                      'compare=[["strategy=single"]]'

# suites
suite_grm             run judge=random task=grm_suite strategy.k=2 task.paths.rewardbench=$inputs/rewardbench.jsonl
                      task.paths.ppe_preference=$inputs/ppe_preference.jsonl task.paths.ppe_correctness=$inputs/ppe
                      task.paths.rmb=$data/rmb/BoN_set task.paths.realmistake=$inputs/realmistake run.limit=24
suite_rrm             run judge=random task=rrm_suite task.paths.rewardbench=$inputs/rewardbench.jsonl
                      task.paths.pandalm=$data/pandalm task.paths.ppe_correctness=$inputs/ppe
                      task.paths.ppe_best_of_k=$inputs/ppe run.limit=24
suite_own             run task=grm_suite 'task.suite=[["task=llmbar"],["task=judgebench"],["task=realmistake"]]'
                      'task.mean=[llmbar,judgebench]' task.metrics=null task.published=null
                      task.paths=null task.sets=null judge.pool=true protocol=common

# recorded sets
import_jsonl          recorded import jsonl $inputs/mine.jsonl --out $here/set.parquet
import_judgebench     recorded import judgebench $data/judgebench/outputs --out $here/set.parquet
import_llmbar         recorded import llmbar $data/llmbar --out $here/set.parquet
import_rewardbench2   recorded import rewardbench2 $data/rewardbench2/generative --out $here/set.parquet
import_rb2_scores     recorded import rewardbench2 $data/rewardbench2/scalar --out $here/set.parquet
import_realmistake    recorded import realmistake $data/realmistake/self_consistency_predictions.jsonl.gz
                      --out $here/set.parquet
import_pandalm        recorded import pandalm $data/pandalm --out $here/set.parquet
import_rmb            recorded import rmb $data/rmb/armorm_result --out $here/set.parquet
import_tournament     recorded import tournament $vicuna --out $here/set.parquet
import_mismatch       recorded import llmbar $data/pandalm --out $here/set.parquet
import_help           recorded import --help
import_jsonl_help     recorded import jsonl --help
build                 recorded build --data $data --out $here/sets
show_all              recorded show
show_judgebench       recorded show judgebench
show_llmbar           recorded show llmbar
show_pandalm          recorded show pandalm
show_realmistake      recorded show realmistake
show_realmistake_math recorded show realmistake_math
show_rb2_generative   recorded show rewardbench2_generative
show_rb2_scalar       recorded show rewardbench2_scalar
show_rmb_armorm       recorded show rmb_armorm
show_vicuna80         recorded show vicuna80
show_rb2_samples      recorded show rewardbench2_samples
show_rewardmath       recorded show rewardmath
show_rewardmath_pairs recorded show rewardmath_pairs
show_math_prm         recorded show rewardbench_math_prm
show_own              recorded show $server_meta/run/recorded.parquet

# the store
store_show            store show $server_meta/store.sqlite
store_export          store export $server_pairwise/store.sqlite $here/answers.parquet
store_import          store import $store_export/answers.parquet $here/store.sqlite
store_nowhere         store show $here/nowhere.sqlite

# help and errors
help                  run --help
help_options          run judge=pairwise engine=openai task=judgebench --help
config                run judge=pointwise judge.model=m engine=openai strategy=elo task=vicuna80_best_of_5 --cfg job
no_option             run strategy.kk=3
no_choice             run strategy=knockot
no_set                run task=custom
no_judge              run judge.names=[gpt5]
no_file               run engine.path=nowhere.parquet
no_texts              run judge=random task=rmb
no_pool               run task=rewardbench2 judge.pool=true
no_such_field         run strategy=elo +strategy.colour=red
k_too_large           run strategy.k=11
wrong_set             run task=judgebench engine.path=results/recorded/pandalm.parquet
wrong_strategy        run strategy=voting task=vicuna80_best_of_5
wrong_value           run strategy.tie=banana

# lm-evaluation-harness
lm_eval_dummy         lm_eval --include_path tasks --tasks judgescale_llmbar --model dummy
                      --metadata task.path=$data/llmbar run.limit=20
lm_eval_pairs         lm_eval --include_path tasks --tasks judgescale_llmbar $lm_eval_model
                      --metadata task.path=$data/llmbar run.limit=15 seed=1 strategy.k=2 --output_path $here/results
lm_eval_best          lm_eval --include_path tasks --tasks judgescale_rmb_bon $lm_eval_model
                      --metadata task.path=$data/rmb/BoN_set run.limit=12 judge=pointwise --output_path $here/results
lm_eval_nowhere       lm_eval --include_path tasks --tasks judgescale_rmb --model dummy --metadata task.path=/nowhere
no_such_lm            run judge=direct judge.model=m engine=lm_eval engine.lm=nothing task=sanity
"""
SHORT = {  # for what many commands say
    "openai": "judge.model=m engine=openai engine.base_url=$server/v1 engine.provider=local engine.concurrency=1",
    "openai_meta": "meta.model=rm engine@meta.engine=openai meta.engine.base_url=$server/v1 meta.engine.provider=local"
    " meta.engine.concurrency=1",
    "lm_eval_model": "--model local-chat-completions --apply_chat_template"
    " --model_args base_url=$server/v1/chat/completions,model=local",
    "vicuna": "$data/prd_vicuna80/data/vicuna80",
}
ENTRIES = {  # how each is started: the first way whose file the checkout has
    "run": (("run.py", "run.py"),),
    "recorded": (
        ("judgescale/harness/recorded/__main__.py", "-m judgescale.harness.recorded"),
        ("harness/recorded/__main__.py", "-m harness.recorded"),
    ),
    "store": (
        ("judgescale/harness/store/__main__.py", "-m judgescale.harness.store"),
        ("harness/store/__main__.py", "-m harness.store"),
    ),
    "lm_eval": ((".", "-m lm_eval"),),
}
VARYING = (  # in texts: what differs from one run to the next, or says where a piece of the code lies
    (r"\bin [\d,]+\.\d s\b", "in SECONDS s"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
    (r"\d{4}-\d\d-\d\d[T:]\d\d[:-]\d\d[:-]\d\d(\.\d+)?", "DATE"),  # lm-eval's log and the names of its files
    (r"\[judgescale:\d+\]", "[judgescale:LINE]"),  # … and the line of ours that says something in it
    # "python -m harness.recorded" and "judgescale recorded" are one command, and a class is itself in every module
    (r"\b(?:python -m (?:\w+\.)*|judgescale )(recorded|store)\b", r"COMMAND \1"),
    (r"\b(?:judgescale|harness|tasks)(?:\.[a-z_0-9]+)+\.(\w+)\b", r"MODULE.\1"),
)
# … and in JSON and tables: times, a digest over a row with its time, and the commit
VARYING_KEYS = {
    "made_of",
    "seconds",
    "run_seconds",
    "created",
    "digest",
    "date",
    "git_hash",
    "total_evaluation_time_seconds",
}
ADVICE = re.compile(r"^next  .*(?:\n {6}.*)*\n?", re.MULTILINE)  # which command to try after a run is no result
PROGRESS = re.compile(r"\d+%\|.*(it/s|s/it|\?it)")
TEXTS = (".txt", ".csv", ".md", ".tex", ".jsonl")  # compared line by line; of files with other endings only the names
TIMEOUT = 300  # seconds a command
SHOWN = 6  # differences of a command that are printed
LONG = 150  # characters of a text that differs
Places = tuple[tuple[str, str], ...]  # what each folder is called in place of its path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    recording = commands.add_parser("record", help="run every command in a checkout and keep what it leaves")
    recording.add_argument("checkout", type=Path)
    recording.add_argument("out", type=Path)
    recording.add_argument("--python", default=sys.executable, help="the interpreter (default: this one)")
    recording.add_argument("--data", type=Path, help="the folder of real data (default: ../shared/data)")
    recording.add_argument("--only", nargs="+", metavar="NAME", help="these commands, and those whose files they read")
    comparing = commands.add_parser("compare", help="say for each command whether two recordings are equal")
    comparing.add_argument("out_a", type=Path)
    comparing.add_argument("out_b", type=Path)
    given = parser.parse_args()
    if given.command == "compare":
        return compare(given.out_a, given.out_b)
    checkout = given.checkout.resolve()
    data = (given.data or checkout.parent / "shared/data").absolute()
    return record(checkout, given.out.resolve(), given.python, data, given.only)


def table() -> dict[str, list[str]]:
    """Read COMMANDS: each name's words, of which the first says what is started."""
    lines = re.sub(r"\n +", " ", re.sub(r"(?m)^#.*\n", "", COMMANDS))
    rows = [line.split(maxsplit=1) for line in lines.splitlines() if line]
    return {name: shlex.split(Template(words).safe_substitute(SHORT)) for name, words in rows}


# recording


def record(checkout: Path, out: Path, python: str, data: Path, only: Sequence[str] | None) -> int:
    """Run the commands one after another, each in a fresh folder of its own."""
    commands = table()
    if unknown := [name for name in only or () if name not in commands]:
        sys.exit(f"--only {unknown[0]}: there are {', '.join(commands)}")
    if not data.is_dir():
        sys.exit(f"--data {data}: there is no such folder")
    if out.exists() and any(out.iterdir()) and not (out / "about.json").exists():
        sys.exit(f"{out}: holds something else than a recording")
    out.mkdir(parents=True, exist_ok=True)
    prefix = Path(python).absolute().parent.parent
    about = {"OUT": str(out), "PYTHON": str(prefix), "CHECKOUT": str(checkout), "DATA": str(data)}
    (out / "about.json").write_text(json.dumps(about, indent=2))
    write_inputs(out / "inputs")
    begun = time.perf_counter()
    chosen = list(dict.fromkeys(each for name in (only or commands) for each in needed(commands, name)))
    with serving() as server:
        folders = {name: str(out / name) for name in commands}
        folders |= {"inputs": f"{out}/inputs", "data": str(data), "server": f"http://127.0.0.1:{server.server_port}"}
        for name in chosen:
            here = out / name
            shutil.rmtree(here, ignore_errors=True)
            here.mkdir()
            words = [Template(word).safe_substitute(folders | {"here": str(here)}) for word in commands[name]]
            start = time.perf_counter()
            code = run([python, *command_line(checkout, here, words)], checkout, here)
            (here / "exit.json").write_text(json.dumps({"code": code}))
            if asked := server.take():
                (here / "requests.jsonl").write_text("\n".join(asked) + "\n", encoding="utf-8")
            print(f"{time.perf_counter() - start:6.1f} s  exit {code}  {name}", flush=True)
    print(f"{len(chosen)} commands in {time.perf_counter() - begun:.0f} s")
    return 0


def needed(commands: Mapping[str, Sequence[str]], name: str) -> list[str]:
    """Find a command and, before it, those whose files its arguments name."""
    named = [other for word in commands[name] for other in re.findall(r"\$(\w+)", word) if other in commands]
    return list(dict.fromkeys([before for other in named for before in needed(commands, other)] + [name]))


def command_line(checkout: Path, here: Path, words: Sequence[str]) -> list[str]:
    """Put together what the interpreter is given; what run.py leaves goes into the command's folder."""
    entry, *arguments = words
    ways = [way for file, way in ENTRIES[entry] if (checkout / file).exists()]
    if not ways:
        sys.exit(f"{checkout}: has none of {', '.join(file for file, _ in ENTRIES[entry])}")
    start = ways[0].split()
    if entry != "run":
        return start + arguments
    ours = [f"hydra.run.dir={here}/run", f"hydra.sweep.dir={here}/run"]
    if "-m" not in arguments and not any(argument.startswith("run.store=") for argument in arguments):
        ours.append(f"run.store={here}/store.sqlite")  # a sweep names its folders after what it is told
    flags = sum(argument.startswith("-") for argument in arguments[:1])  # overrides must stand together
    return start + arguments[:flags] + ours + arguments[flags:]


def run(command: Sequence[str], checkout: Path, here: Path) -> int | str:
    """Run one command and keep what it prints; its exit code, or that it took too long."""
    dropped = ("JUDGESCALE_DEBUG", "HYDRA_FULL_ERROR", "OPENAI_API_KEY", "FORCE_COLOR")
    env = {name: value for name, value in os.environ.items() if name not in dropped}
    env |= {"PYTHONPATH": str(checkout), "HF_HUB_OFFLINE": "1", "COLUMNS": "200", "PYTHONIOENCODING": "utf-8"}
    with (here / "stdout.txt").open("w") as stdout, (here / "stderr.txt").open("w") as stderr:
        try:
            return subprocess.run(
                command, cwd=checkout, env=env, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, timeout=TIMEOUT
            ).returncode
        except subprocess.TimeoutExpired:
            return f"still running after {TIMEOUT} s"


def write_inputs(folder: Path) -> None:
    """Write small made-up files, of the shapes that the real data do not cover."""
    shutil.rmtree(folder, ignore_errors=True)
    numbers = range(12)
    write(folder / "mine.jsonl", list(recorded_rows()))
    custom = [
        {"id": f"i{i}", "subset": f"s{i % 2}", "prompt": f"q{i}", "responses": [f"{i} a", f"{i} b", f"{i} c"]}
        for i in numbers
    ]
    write(folder / "items.jsonl", [row | {"best": i % 3} for i, row in enumerate(custom)])
    write(folder / "lone.jsonl", [{"prompt": f"q{i}", "response": f"answer {i}", "error": i % 3 == 0} for i in numbers])
    pairs = [{"id": i, "prompt": f"q{i}", "chosen": f"good {i}", "rejected": f"bad {i}"} for i in numbers]
    subsets = ("alpacaeval-easy", "llmbar-natural", "donotanswer", "math-prm", "hep-cpp", "mt-bench-hard")
    write(folder / "rewardbench.jsonl", [row | {"subset": subsets[i % len(subsets)]} for i, row in enumerate(pairs)])
    write(folder / "rewardbench2.jsonl", list(rewardbench2_rows()))
    votes = ("model_a", "model_b", "tie")
    said: dict[str, Any] = {"model_a": "m", "model_b": "n", "language": "English"}
    said |= {f"{kind}_prompt": kind == "hard" for kind in ("easy", "hard", "if", "math")} | {"is_code": False}
    write(
        folder / "ppe_preference.jsonl",
        [
            said
            | {"question_id": f"{i}", "prompt": f"q{i}", "response_1": f"{i} a", "response_2": f"{i} b"}
            | {"winner": votes[i % len(votes)]}
            for i in numbers
        ],
    )
    for name in ("MMLU-Pro", "MATH", "GPQA", "MBPP-Plus", "IFEval"):
        answers = {f"response_{j + 1}": f"answer {j}" for j in range(32)} | {"model_name": "m"}
        scores = {"scores": [j % 3 == 0 for j in range(32)], "sampled_conflict_pairs": [[0, 1], [3, 2], [4, 6]]}
        rows = [answers | scores | {"question_id": f"{i}", "prompt": f"{name} {i}"} for i in range(4)]
        write(folder / f"ppe/{name}.jsonl", rows)
    for task in ("math_word_problem_generation", "finegrained_fact_verification", "answerability_classification"):
        rows = []
        for i in range(8):
            about = {"id": f"{task}_{i}_gpt-4-0613", "llm_response_model": "gpt-4-0613"}
            label = "error" if i % 2 else "no_error"
            rows.append({"input": f"q{i}", "llm_response": f"answer {i}", "label": label, "metadata": about})
        write(folder / f"realmistake/{task}/gpt-4-0613.jsonl", rows)


def recorded_rows() -> Iterator[dict[str, Any]]:
    """Make up judgments of two judges, with ties, failures, both orders, a meta RM's scores and token counts."""
    for i in range(16):
        for judge in ("one", "two"):
            for sample in range(4):
                draw = number(f"{i} {judge} {sample}")
                row: dict[str, Any] = {"prompt": f"q{i}", "responses": ["a", "b"], "best": "ab"[i % 2], "judge": judge}
                row |= {"subset": f"s{i % 3}", "shown": ["a", "b"] if sample % 2 else ["b", "a"]}
                row |= {"meta": draw % 97 / 97, "prompt_tokens": 100 + draw % 50, "completion_tokens": draw % 40}
                if draw % 10 == 0:
                    row["status"] = "unparsed"
                elif judge == "one":
                    row["scores"] = [draw % 7, draw // 7 % 7]
                else:
                    row["winner"] = ("a", "b", "tie")[draw % 3]
                yield row


def rewardbench2_rows() -> Iterator[dict[str, Any]]:
    """Make up two items of each subset; in Ties these are the two of one prompt."""
    for subset in ("Factuality", "Precise IF", "Math", "Safety", "Focus"):
        for i in range(2):
            row = {"id": f"{i}", "subset": subset, "prompt": f"{subset} {i}", "chosen": [f"good {i}"]}
            yield row | {"rejected": [f"bad {i} {j}" for j in range(3)]}
    for name, chosen in (("ref:1", ["red"]), ("tied:1", ["red", "blue", "green"])):
        yield {"id": name, "subset": "Ties", "prompt": "a colour?", "chosen": chosen, "rejected": ["seven", "Monday"]}


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write JSON Lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


# the local server


class Server(ThreadingHTTPServer):
    """An OpenAI-compatible server whose answers depend on the messages and the seed alone; it remembers requests."""

    daemon_threads = True
    asked: list[str]

    def take(self) -> list[str]:
        """Give the requests since the last call, in alphabetical order."""
        asked, self.asked = self.asked, []
        return sorted(asked)  # a judge and its meta RM are asked at the same time


class Handler(BaseHTTPRequestHandler):
    """Answers chat completions, and /classify for scalar heads."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        assert isinstance(self.server, Server)
        self.server.asked.append(body)
        answer = classified if self.path.endswith("/classify") else completed
        data = json.dumps(answer(json.loads(body))).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def serving() -> Iterator[Server]:
    """Start the server on a free port of this machine, and stop it at the end."""
    with Server(("127.0.0.1", 0), Handler) as server:
        server.asked = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def completed(body: Mapping[str, Any]) -> dict[str, Any]:
    """Answer a chat completion; one in sixteen answers says nothing, one is cut, and one comes with a thought."""
    prompt = "\n".join(message["content"] for message in body["messages"])
    choices, written = [], 0
    for i in range(body.get("n", 1)):
        draw = number(f"{body.get('seed', 0) + i} {prompt}")
        kind, draw = draw % 16, draw // 16
        text = "I cannot tell." if kind == 0 else f"I looked at it. {verdict(prompt, draw)}"
        if "response_format" in body:
            text = json.dumps({"answer": verdict(prompt, draw)})
        message = {"role": "assistant", "content": text} | ({"reasoning_content": "So, then."} if kind == 1 else {})
        choice = {"index": i, "message": message, "finish_reason": "length" if kind == 2 else "stop"}
        if body.get("logprobs"):
            choice["logprobs"] = {"content": [first_token(draw)]}
        choices.append(choice)
        written += len(text.split())
    return {"choices": choices, "usage": {"prompt_tokens": len(prompt.split()), "completion_tokens": written}}


def verdict(prompt: str, draw: int) -> str:
    """Give a verdict in the form that the prompt's last section asks for."""
    told = prompt.rpartition("\n## ")[2]
    boxes = re.findall(r"\\boxed\{([^}]*)\}", told)
    if len(boxes) > 1:  # \boxed{error} or \boxed{no error}
        return rf"\boxed{{{boxes[draw % len(boxes)]}}}"
    if boxes:  # \boxed{score of response 1, score of response 2}
        return rf"\boxed{{{', '.join(str(1 + draw // 10**i % 10) for i in range(boxes[0].count(',') + 1))}}}"
    if last := re.search("letter of the best response, from A to ([A-Z])", told):
        return f"[[{chr(ord('A') + draw % (ord(last[1]) - ord('A') + 1))}]]"
    if letters := re.search(r"its letter alone: (.*)\.", told):
        return re.split(", | or ", letters[1])[draw % 2]
    return "No more than that."


def first_token(draw: int) -> dict[str, Any]:
    """Make up how probable each first token was."""
    top = [{"token": token, "logprob": -0.1 - draw // 10**i % 10} for i, token in enumerate("ABCDE12345")]
    return {**top[0], "top_logprobs": top}


def classified(body: Mapping[str, Any]) -> dict[str, Any]:
    """Answer as a scalar head."""
    prompt = "\n".join(message["content"] for message in body["messages"])
    score = {"index": 0, "probs": [number(prompt) % 1000 / 100 - 5], "num_classes": 1}
    return {"data": [score], "usage": {"prompt_tokens": len(prompt.split())}}


def number(text: str) -> int:
    """Draw a number that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:12])


# comparing


def compare(out_a: Path, out_b: Path) -> int:
    """Print a line for each command of either recording, and the first differences below it."""
    found = {out: {path.parent.name for path in out.glob("*/exit.json")} for out in (out_a, out_b)}
    for out, of_out in found.items():
        if not of_out:
            sys.exit(f"{out}: no recording")
    names = [name for name in table() if name in found[out_a] | found[out_b]]
    unequal = 0
    for name in names:
        a, b = (left(out / name, places(out)) for out in (out_a, out_b))
        shown = list(islice(differences(a, b), SHOWN))
        unequal += bool(shown)
        print(f"{'DIFFERENT' if shown else 'equal':10} {name}", *shown, sep="\n           ")
    print(f"{len(names) - unequal} of {len(names)} commands are equal")
    return 1 if unequal else 0


def places(out: Path) -> Places:
    """Read where a recording was made, the longest path first."""
    about = json.loads((out / "about.json").read_text())
    return tuple(sorted(about.items(), key=lambda item: -len(item[1])))


def left(folder: Path, known: Places) -> dict[str, Any]:
    """Read all that a command left, by file, without what may vary."""
    files = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if ".sqlite" not in name or name.endswith(".sqlite"):  # not what SQLite and its locks keep beside a store
            files[plain(name, known)] = content(path, known)
    return files


def content(path: Path, known: Places) -> Any:
    """Read what is compared of a file: None where it is enough that it is there."""
    if path.suffix == ".json":
        return cleaned(json.loads(path.read_text(encoding="utf-8")), known)
    if path.suffix == ".parquet":
        return cleaned(parquet(path), known)
    if path.suffix not in TEXTS:
        return None
    lines = ADVICE.sub("", plain(path.read_text(encoding="utf-8"), known)).splitlines()
    return [line for line in lines if not PROGRESS.search(line)]


def parquet(path: Path) -> dict[str, Any]:
    """Read a table's columns, rows and metadata."""
    import pyarrow.parquet as pq

    found = pq.read_table(path)
    about = {key.decode(): value.decode() for key, value in (found.schema.metadata or {}).items()}
    read = {key: json.loads(value) if value.startswith("{") else value for key, value in about.items()}
    columns = [f"{field.name}: {field.type}" for field in found.schema]
    return {"columns": columns, "metadata": read, "rows": found.to_pylist()}


def cleaned(value: Any, known: Places, key: str = "") -> Any:
    """Take out what varies; of versions, the names stay, and of other things, what kind of value it was."""
    if key in VARYING_KEYS:
        return type(value).__name__
    if isinstance(value, Mapping):
        return list(value) if key == "versions" else {k: cleaned(v, known, k) for k, v in value.items()}
    if isinstance(value, list):
        return [cleaned(each, known) for each in value]
    return plain(value, known) if isinstance(value, str) else value


@cache
def plain(text: str, known: Places) -> str:
    """Put placeholders where a text names a place or a time."""
    for name, place in known:
        text = text.replace(place, name)
    for pattern, instead in VARYING:
        text = re.sub(pattern, instead, text)
    return text


def differences(a: Any, b: Any, place: str = "") -> Iterator[str]:
    """Walk through two values and say where they are not the same."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in [*a, *(key for key in b if key not in a)]:
            within = f"{place} {key}".strip()
            if key in a and key in b:
                yield from differences(a[key], b[key], within)
            else:
                yield f"{within}: only in the {'first' if key in a else 'second'}"
    elif isinstance(a, list) and isinstance(b, list):
        for i, (one, other) in enumerate(zip(a, b), 1):
            yield from differences(one, other, f"{place} {i}")
        if len(a) != len(b):
            yield f"{place}: {len(a)} in the first, {len(b)} in the second"
    elif type(a) is not type(b) or not (a == b or isinstance(a, float) and math.isnan(a) and math.isnan(b)):
        yield f"{place}: {apart(a, b)} | {apart(b, a)}"


def apart(value: Any, other: Any) -> str:
    """Show a value; of a long text, the part where it leaves the other."""
    if not isinstance(value, str) or not isinstance(other, str) or len(value) <= LONG:
        return repr(value)
    start = max(0, len(os.path.commonprefix([value, other])) - LONG // 3)
    return f"{'…' * (start > 0)}{value[start : start + LONG]!r}{'…' * (start + LONG < len(value))}"


if __name__ == "__main__":
    sys.exit(main())
