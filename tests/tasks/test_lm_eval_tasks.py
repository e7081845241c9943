"""Benchmarks as lm-eval tasks: the same prompts and the same figures as the harness's own live run."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

pytest.importorskip("lm_eval")
pytest.importorskip("aiohttp")

from faulty_server import FaultyServer  # noqa: E402
from hydra import compose, initialize_config_dir  # noqa: E402
from hydra.core.global_hydra import GlobalHydra  # noqa: E402
from lm_eval import simple_evaluate  # noqa: E402
from lm_eval.api.model import LM  # noqa: E402
from lm_eval.api.registry import register_model  # noqa: E402
from lm_eval.tasks import TaskManager  # noqa: E402
from shapes import best_of, put  # noqa: E402

from judgescale.harness.plan.common import load_rules  # noqa: E402
from judgescale.harness.runner import run  # noqa: E402
from judgescale.harness.types import JudgescaleError  # noqa: E402
from judgescale.tasks.lm_eval_tasks import JudgeTask  # noqa: E402

pytestmark = pytest.mark.lm_eval

YAMLS = {path.stem.removeprefix("judgescale_"): path for path in sorted(ROOT.glob("tasks/*/judgescale_*.yaml"))}
ODD = (
    "plain",
    "two\n\nlines, and a space ",
    "{{ braces }} {% raw %}",
    "quotes \"' \\n",
    "ß漢字😀",
    "[[A]] \\boxed{B}",
    "</s>",
)


def verdict(asked: str) -> str:
    """A judge whose answer depends on its prompt alone; now and then one that says nothing."""
    draw = int(hashlib.sha256(asked.encode()).hexdigest(), 16)
    if draw % 4 == 0:
        return "I cannot tell."
    if "Assistant 1" in asked:
        return rf"\boxed{{Assistant {1 + draw // 4 % 2}}}"
    return rf"\boxed{{{1 + draw // 4 % 10}}}" if "whole number" in asked else f"[[{'ABC'[draw // 4 % 3]}]]"


def answer(messages, seed) -> str:
    return verdict("".join(m["content"] for m in messages))


def llmbar(folder: Path) -> Path:
    """Files of LLMBar's documented shape; its repository was not reached."""
    for subset in ("Natural", "Adversarial/Neighbor"):
        put(
            folder / subset / "dataset.json",
            [{"input": f"{subset} {a}", "output_1": a, "output_2": f"{a}?", "label": 1 + len(a) % 2} for a in ODD],
        )
    return folder


def rmb_bon(folder: Path) -> Path:
    """Files of RMB's documented shape; its repository was not reached."""
    for half in ("Helpfulness/Chat", "Harmlessness/S1"):
        put(
            (folder / half).with_suffix(".json"),
            [
                best_of(
                    i,
                    2 + i % 3,
                    f"BoN_set/{half}",
                    bon_best={"llm_name": "top", "answer": text},
                    conversation_input=[
                        {"role": r, "content": f"{half} {text}"} for r in ("user", "assistant", "user")
                    ],
                )
                for i, text in enumerate(ODD)
            ],
        )
    return folder


def asked(server: FaultyServer) -> list[list[tuple[str, str]]]:
    return sorted([(m["role"], m["content"]) for m in entry.body["messages"]] for entry in server.log)


def command(name: str, *metadata: str, **options: str) -> subprocess.CompletedProcess[str]:
    """lm-eval's own command line."""
    more = [word for option, value in options.items() for word in (f"--{option}", value)]
    line = ["--include_path", "tasks", "--tasks", f"judgescale_{name}", "--apply_chat_template", *more, "--metadata"]
    return subprocess.run(
        [sys.executable, "-m", "lm_eval", *line, *metadata], cwd=ROOT, capture_output=True, text=True, timeout=300
    )


@pytest.mark.parametrize("name, files", [("llmbar", llmbar), ("rmb_bon", rmb_bon)])
def test_lm_eval_and_the_harness_ask_the_same_and_find_the_same(name, files, composed, tmp_path):
    meta = yaml.safe_load(YAMLS[name].read_text().replace("!function ", ""))["metadata"]
    path = files(tmp_path / "dätä")
    more = ["judge.sampling.temperature=0", "seed=3"]
    more += ["task.release=false"] if name == "llmbar" else []
    with FaultyServer(answer=answer) as theirs:
        model = f"base_url={theirs.url}/chat/completions,model=local"
        options = {"model": "local-chat-completions", "model_args": model, "output_path": f"{tmp_path}/out"}
        done = command(name, f"task.path={path}", *more, **options)
    assert done.returncode == 0, done.stderr
    found = json.loads(next((tmp_path / "out").rglob("results*.json")).read_text())
    figures = found["results"][f"judgescale_{name}"]
    with FaultyServer(answer=answer) as ours:
        here = [f"task={name}", f"task.path='{path}'", f"judge={meta['judge']}", f"strategy.k={meta['strategy.k']}"]
        live = ["judge.model=local", "engine=openai", f"engine.base_url={ours.url}", f"run.store={tmp_path}/store"]
        cfg = composed(*here, *more, *live)
        (result,) = run([cfg], tmp_path / "run", show=False)
    assert asked(theirs) == asked(ours) and len(theirs.log) == result.health["judgments"] >= 14
    assert figures["accuracy,none"] == result.headline.value and 0 < result.headline.value < 1
    assert (figures["ci_low,none"], figures["ci_high,none"]) == result.headline.ci
    assert {section: figures[f"{section},none"] for section in result.sections} == {
        section: e.value for section, e in result.sections.items()
    }
    assert figures["unusable,none"] == result.health["unparseable"] / result.health["judgments"] > 0
    signature = found["configs"][f"judgescale_{name}"]["metadata"]["signature"]
    assert signature == result.signature.replace("engine:openai", "engine:lm_eval")


@register_model("judgescale-verdicts")
class Verdicts(LM):
    """Answers as `verdict` does, and notes its prompts."""

    prompts: list[str] = []
    tokenizer_name = "none"

    def __init__(self, model=None, batch_size=None, **others):
        super().__init__()

    def apply_chat_template(self, chat_history, add_generation_prompt=True):
        return "".join(f"<{m['role']}>{m['content']}" for m in chat_history)

    def generate_until(self, requests, disable_tqdm=False):
        self.prompts.extend(r.args[0] for r in requests)
        return [verdict(r.args[0]) for r in requests]

    def loglikelihood(self, requests, disable_tqdm=False):
        raise NotImplementedError

    def loglikelihood_rolling(self, requests):
        raise NotImplementedError


def manager(metadata=None) -> TaskManager:
    return TaskManager(include_path=str(ROOT / "tasks"), include_defaults=False, metadata=metadata)


def by_lm_eval(name: str, metadata: dict, **options):
    """What lm-eval reports of a task: its figures, its config, and the prompts that it asked."""
    Verdicts.prompts.clear()
    task, model = f"judgescale_{name}", "judgescale-verdicts"
    options |= {"apply_chat_template": True, "bootstrap_iters": 0, "task_manager": manager(metadata)}
    found = simple_evaluate(model, {}, [task], **options)
    return found["results"][task], found["configs"][task], sorted(Verdicts.prompts)


@pytest.mark.parametrize("judge", ["choice", "rating", "pairwise"])
def test_votes_and_judges_that_rate_each_response_alone(judge, composed, tmp_path):
    options = {
        "task.size": 12,
        "task.responses": 2 if judge == "pairwise" else 3,
        "judge": judge,
        "strategy.k": 3,
        "judge.sampling.temperature": 0,
        "seed": 5,
    }
    figures, _, prompts = by_lm_eval("sanity", options)
    cfg = composed(
        "task=sanity",
        "engine=lm_eval",
        "engine.lm=judgescale-verdicts",
        "judge.model=local",
        f"run.store={tmp_path}/store",
        *(f"{name}={value}" for name, value in options.items()),
    )
    Verdicts.prompts.clear()
    (result,) = run([cfg], tmp_path / "run", show=False)
    assert figures["accuracy,none"] == result.headline.value and 0 < result.headline.value < 1
    assert set(prompts) == set(Verdicts.prompts)
    assert len(prompts) == 12 * 3 * (3 if judge == "rating" else 1)


def test_system_turns_are_the_judges_own_after_lm_evals(tmp_path):
    (tmp_path / "system.txt").write_text("Be fair.")
    options = {"task.size": 4, "judge.system": f"{tmp_path}/system.txt"}
    *_, prompts = by_lm_eval("sanity", options, system_instruction="Be brief.")
    assert len(prompts) == 4 and all(p.startswith("<system>Be brief.\n\nBe fair.<user>") for p in prompts)
    *_, prompts = by_lm_eval("sanity", {"task.size": 4})
    assert all(p.startswith("<user>") for p in prompts)


def test_gen_kwargs_stand_above_the_judges_sampling():
    _, config, _ = by_lm_eval("sanity", {"task.size": 4}, gen_kwargs={"temperature": 1.0})
    assert config["generation_kwargs"] == {
        "until": [],
        "max_gen_toks": 2048,
        "do_sample": True,
        "temperature": 1.0,
        "top_p": 1.0,
    }
    assert "|temperature:1.0|" in config["metadata"]["signature"]


def test_a_limit_takes_all_judgments_of_an_item_or_none(tmp_path):
    options = {"task.path": str(llmbar(tmp_path)), "task.release": False}
    figures, _, prompts = by_lm_eval("llmbar", options, limit=4)
    assert len(prompts) == 4 and "Natural,none" in figures and "Neighbor,none" not in figures
    with pytest.raises(JudgescaleError, match=r"1 of the 2 of Natural/1 cannot be scored.*run\.limit"):
        by_lm_eval("llmbar", options, limit=3)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"task.path": "/nowhere"}, "task.path=/nowhere: there is no such file or folder"),
        ({"task.pth": 1}, "task.pth: no such option; did you mean task.path?"),
        ({"judge": "token_prob"}, "judge format token_prob needs more of a model than a text"),
        ({"judge": "scalar"}, "judge.kind=score: engine=lm_eval does not answer such requests"),
        ({"judge": "no", "task.path": 1}, "judge=no: no such choice"),
        ({"judge": "pairwise", "strategy": "knockout"}, "strategy=knockout asks by what it was answered"),
        ({"seed": -1}, "seed=-1: must be a whole number"),
        ({"protocol": "llmbra"}, "protocol=llmbra: no such choice; did you mean llmbar?"),
    ],
)
def test_what_cannot_be_run_is_one_line(options, message, tmp_path):
    path = tmp_path / "items.jsonl"
    path.write_text(json.dumps({"prompt": "q", "responses": ["a", "b"], "best": 0}))
    metadata = {"task": "custom", "judge": "choice", "strategy.k": 1, "task.path": str(path)} | options
    with pytest.raises(JudgescaleError) as error:
        JudgeTask({"task": "judgescale_custom", "metadata": metadata})
    assert isinstance(error.value, SystemExit) and error.value.code.startswith(f"error: {message}")
    assert "\n" not in error.value.code


def test_a_program_may_have_a_hydra_config_of_its_own(tmp_path):
    (tmp_path / "config.yaml").write_text("mine: 1\n")
    before = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(tmp_path), version_base="1.3"):
            load_rules.cache_clear()
            made = JudgeTask({"task": "mine", "metadata": {"task": "sanity", "judge": "choice", "strategy.k": 1}})
            assert [rules.name for rules in made.plan.arm.owners_rules] == ["sanity"]
            assert compose("config") == {"mine": 1}
    finally:
        GlobalHydra.instance().hydra = before


def test_the_command_line_says_it_in_one_line():
    done = command("rmb", "task.path=/nowhere", model="dummy")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1] == "error: task.path=/nowhere: there is no such file or folder"


def test_every_benchmark_is_a_task_of_its_name(composed):
    known = {path.stem for path in (ROOT / "conf/task").glob("*.yaml") if "suite:" not in path.read_text()}
    assert set(YAMLS) == known
    assert {f"judgescale_{name}" for name in known} == set(manager().all_tasks)
    for name, path in YAMLS.items():
        meta = yaml.safe_load(path.read_text().replace("!function ", ""))["metadata"]
        cfg = composed(*(f"{option}={value}" for option, value in meta.items() if option != "version"))
        assert meta["task"] == name and cfg.strategy.k == meta["strategy.k"]
        assert cfg.task["_target_"].startswith(f"judgescale.tasks.{path.parent.name}.")
