"""The papers' tables as experiments: they compose, live and on recorded judgments, and --dry prices them by judge."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import ROOT, run
from omegaconf import OmegaConf
from shapes import answers, best_of, panda, put
from simulated_judges import SimulatedJudge, make_records, write_simulated_set
from test_suite import grm_files

from judgescale.harness.dry import list_judges, list_rows, quote_judge, write_notes
from judgescale.harness.live.buying import add_estimates
from judgescale.harness.plan import plan_arms, read_limits
from judgescale.harness.plan.overrides import compose_arms
from judgescale.harness.plan.recorded import refuse_unread_options
from judgescale.harness.published.find import OPTIONS, find_printed, spell_judge
from judgescale.harness.published.lists import read_printed
from judgescale.harness.recorded import write_set
from judgescale.harness.suite import read_suite
from judgescale.harness.types import JudgescaleError

FOLDER = ROOT / "conf/experiment"
PAPERS = sorted(p.stem for p in FOLDER.glob("*.yaml") if p.stem.startswith(("grm_", "rrm_")))


def read(name):
    return OmegaConf.load(FOLDER / f"{name}.yaml")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A few made-up rows for every benchmark of the tables: task -> file or folder."""
    folder = tmp_path_factory.mktemp("data")
    files = grm_files(folder)
    right = [i == 3 for i in range(32)]
    for name in ("MMLU-Pro", "MATH", "GPQA"):
        rows = [answers(right, [[0, 3]], question_id=f"{i}", prompt=f"{name} {i}") for i in range(2)]
        put(folder / f"best/{name}.jsonl", rows)
    for kind in ("Helpfulness", "Harmlessness"):
        put(folder / f"bon/{kind}.jsonl", [best_of(i, 2, f"BoN_set/{kind}/X") for i in range(2)])
    put(folder / "panda.json", [panda(i) for i in range(4)])
    return files | {"ppe_best_of_k": folder / "best", "rmb_bon": folder / "bon", "pandalm": folder / "panda.json"}


def compose(composed, *given):
    """The configs of a run, and its suite's members, as the command line makes them."""
    cfg = composed(*given)
    suite = read_suite(cfg)
    return cfg, compose_arms(cfg, list(given), suite.members if suite else None)


def give(composed, data, name):
    """The options that give an experiment the made-up rows."""
    task = composed(f"experiment={name}").task
    if "suite" in task:
        return [f"task.paths.{member}={data[member]}" for member in task.paths]
    return [f"task.path={data[task._target_.split('.')[-2]]}"]


def test_these_are_the_papers_tables():
    assert {name.split("_")[0] for name in PAPERS} == {"grm", "rrm"} and len(PAPERS) >= 14


@pytest.mark.parametrize("name", PAPERS)
def test_its_scorecard_names_printed_numbers_and_judges_that_there_are(name):
    card = OmegaConf.to_container(read(name).scorecard)
    assert list(card) == ["title", "printed", "columns", "judges"]
    assert re.search(r"arXiv 250[45]\.\d{5}", card["title"]) and card["columns"] in ("benchmark", "section", "k")
    assert set(card["printed"]) <= set(OPTIONS) and all(isinstance(words, list) for words in card["printed"].values())
    rows = find_printed(read_printed(), card["printed"])
    assert len(rows) >= 8
    models = {spell_judge(row.model) for row, _ in rows}
    for word in card["printed"].get("judge", []):
        assert any(spell_judge(word) in model for model in models), word
    for judge in card["judges"]:
        assert (ROOT / f"conf/judge/{judge}.yaml").is_file(), judge


@pytest.mark.parametrize("name", PAPERS)
def test_its_head_says_what_was_not_run_and_how_to_run_it(name):
    head = (FOLDER / f"{name}.yaml").read_text().split("defaults:")[0]
    assert "Not run by us" in head and "arXiv 250" in head
    for command in (f"python run.py experiment={name}", "--dry", "judge=recorded"):
        assert command in head


@pytest.mark.parametrize("name", PAPERS)
def test_every_arm_of_it_can_be_planned_for_its_judge(composed, data, name):
    cfg, cfgs = compose(composed, f"experiment={name}", "run.dry=true", *give(composed, data, name))
    arms = [arm for one in cfgs for arm in plan_arms(one)]
    assert arms and all(arm.purchase.items for arm in arms)
    assert not any("meta RM is not asked" in note for arm in arms for note in arm.notes)  # another arm asks it
    greedy = [arm for arm in arms if arm.arm.strategy.name == "single" and arm.purchase.spec.sampling.temperature == 0]
    assert bool(greedy) == any("judge.sampling.temperature=0" in over for over in cfg.compare)
    settings = {(a.arm.strategy, a.purchase.name, a.purchase.spec.sampling) for a in arms}
    assert len(settings) == len(arms)  # no arm twice


@pytest.mark.parametrize("name", PAPERS)
def test_it_composes_for_recorded_judgments(composed, capsys, name):
    """What is said of a live judge is not theirs; arms that draw judgments in another way are left out, and told."""
    cfg, cfgs = compose(composed, f"experiment={name}", "judge=recorded", "engine.path=x", "meta=none")
    for one in cfgs:
        refuse_unread_options(one)
        assert set(one.engine) == {"_target_", "path"}
    drawn = [over for over in cfg.compare if any(o.startswith("judge.sampling") for o in over)]
    said = capsys.readouterr().err.splitlines()
    assert said == [f"left out, since recorded judgments are drawn already: [{', '.join(over)}]" for over in drawn]


@pytest.mark.parametrize("name", ["grm_kmeta", "grm_table2", "grm_model_size", "grm_rewardbench_sections"])
@pytest.mark.parametrize("signal", [0.0, 1.0])
def test_its_meta_rm_is_the_sets_own_or_the_logistic_one(composed, tmp_path, name, signal):
    judge = SimulatedJudge(0.7, 0.3, signal=signal)
    path = write_simulated_set(tmp_path / "set.parquet", judge, subsets={"hep-go": 8})
    given = (f"experiment={name}", "task=rewardbench", "judge=recorded", f"engine.path={path}")
    for more, kind in (((), "recorded"), (("meta=none",), "logistic")):
        _, cfgs = compose(composed, *given, *more)
        arms = [arm for one in cfgs for arm in plan_arms(one)]
        assert {arm.strategy.meta_rm for arm in arms if arm.strategy.name == "meta_voting"} == {kind}
        assert {arm.k for arm in arms} == {32}


def test_k_meta_is_what_the_paper_varies(composed, data):
    _, cfgs = compose(composed, "experiment=grm_kmeta", "run.dry=true", *give(composed, data, "grm_kmeta"))
    voters = {arm.arm.strategy.count_voters(arm.arm.k) for one in cfgs for arm in plan_arms(one)}
    printed = find_printed(read_printed(), OmegaConf.to_container(read("grm_kmeta").scorecard.printed))
    assert voters == {32, *(row.k_meta for row, _ in printed)} == {1, 8, 16, 32}


def test_the_thinking_horizon_replays_a_judge_for_each_budget(composed, tmp_path):
    records = []
    for budget in ("1,024", "2,048"):
        for r in make_records(SimulatedJudge(0.7, 0.3), {"hep-go": 4}, 1, seed=0):
            records.append(replace(r, judgment=replace(r.judgment, judge=f"RRM-7B, thinking ≤ {budget}")))
    write_set(tmp_path / "set.parquet", records, {"tasks": ["rewardbench"]})
    given = ("experiment=rrm_thinking_horizon", "judge=recorded", f"engine.path={tmp_path}/set.parquet")
    _, (cfg,) = compose(composed, *given)
    assert [arm.judge for arm in plan_arms(cfg)] == ["RRM-7B, thinking ≤ 1,024", "RRM-7B, thinking ≤ 2,048"]
    _, (asked,) = compose(composed, *given, "judge.sampling.max_tokens=5")
    with pytest.raises(JudgescaleError, match=r"^judge.sampling: judge=recorded has no such option"):
        plan_arms(asked)


def test_an_arm_with_a_judge_of_its_own_is_not_left_out(composed):
    given = ["judge=recorded", "task=llmbar"]
    cfg = composed(*given, "compare=[['judge=random','judge.sampling.temperature=0'],['judge.sampling.top_p=1']]")
    assert [one.judge.get("model") for one in compose_arms(cfg, given, None)] == [None, "random"]


# ------------------------------------------------------------------------------------------------ --dry


def quote(composed, tmp_path, judge, *given):
    cfg, cfgs = compose(composed, *given, f"judge={judge}", "run.dry=true", f"run.store={tmp_path}/store.sqlite")
    return quote_judge(judge, cfgs, read_limits(cfg))


def test_a_judges_price_shares_judgments_between_strategies(composed, data, tmp_path):
    given = ("experiment=grm_scaling", "task=rewardbench", f"task.path={data['rewardbench']}")
    found = quote(composed, tmp_path, "deepseek_grm_27b", *given, "judge.price={input: 1, output: 2}")
    assert [row[1] for row in list_rows(found)] == ["voting@32", "meta_voting@32 (16 vote)", "single, greedy"]
    votes, meta, greedy = found.estimates
    assert (votes.judgments, votes.lacking) == (23 * 32, 23 * 32)
    assert (meta.judgments, meta.lacking) == (23 * 32, 23 * 32)  # scores of the meta RM; no judgment is new
    assert (greedy.judgments, greedy.lacking) == (23, 23)  # at another temperature
    assert votes.dollars == pytest.approx((votes.tokens.prompt + 2 * votes.tokens.completion) / 1e6)
    assert meta.dollars is None and add_estimates(found.estimates).dollars is None
    assert votes.flops == pytest.approx(2 * 27.2e9 * (votes.tokens.prompt + votes.tokens.completion))
    assert add_estimates(found.estimates).flops == pytest.approx(sum(e.flops for e in found.estimates))
    fewer = quote(composed, tmp_path, "deepseek_grm_27b", *given, "compare=[['strategy.k=8'],['strategy.k=40']]")
    assert [e.lacking for e in fewer.estimates] == [23 * 32, 0, 23 * 8]  # what earlier arms bought is there
    (priceless,) = [note for note in write_notes(found) if note.startswith("dollars: no price")]
    assert priceless == (
        "dollars: no price of BBQGOD/DeepSeek-GRM-27B-MetaRM; 'meta.price={input: …, output: …}' would give it"
    )
    assert not any("FLOPs" in note for note in write_notes(found))


def test_a_scalar_rm_is_asked_once_and_what_it_cannot_do_is_told(composed, data, tmp_path):
    given = ("experiment=grm_scaling", "task=rewardbench", f"task.path={data['rewardbench']}")
    found = quote(composed, tmp_path, "skywork_reward_v2_8b", *given, "judge.active_parameters=null")
    assert [row[1:3] for row in list_rows(found)] == [("voting@32", "rewardbench")]
    assert found.estimates[0].lacking == 46  # a score for each response, once
    copies, refused = found.notes
    assert copies.startswith("nothing is sampled") and refused.startswith(
        "not priced: judge=skywork_reward_v2_8b, strategy=meta_voting: meta.model="
    )
    assert any(note.startswith("FLOPs: no number of parameters of Skywork/") for note in write_notes(found))


def test_dry_prices_a_table_judge_by_judge_and_buys_nothing(data, tmp_path):
    paths = [f"task.paths.{name}={data[name]}" for name in ("rewardbench", "ppe_preference", "ppe_correctness", "rmb")]
    given = ["experiment=grm_table2", "engine=openai", f"run.store={tmp_path}/store.sqlite", *paths, "--dry"]
    done = run(*given, "scorecard.judges=[deepseek_grm_27b,skywork_reward_v2_8b,llm_as_a_judge]")
    assert done.returncode == 0, done.stderr
    blocks = re.split(r"^judge=", done.stdout, flags=re.MULTILINE)[1:]
    assert [block.split("\n")[0] for block in blocks] == ["deepseek_grm_27b", "skywork_reward_v2_8b", "llm_as_a_judge"]
    grm, scalar, nameless = (re.sub(r"\s+", " ", block) for block in blocks)
    for benchmark in ("rewardbench", "ppe_preference", "ppe_correctness", "rmb"):
        assert grm.count(f" {benchmark} ") == 3 and scalar.count(f" {benchmark} ") == 1
    assert " total " in grm and " total " in scalar and " total " not in nameless
    assert "not priced: judge=llm_as_a_judge: judge.model is not set: name the model, as in judge.model=" in nameless
    assert "no price of BBQGOD/DeepSeek-GRM-27B, BBQGOD/DeepSeek-GRM-27B-MetaRM; 'judge.price=" in grm
    assert not (tmp_path / "store.sqlite").exists()


def test_with_a_judge_on_the_command_line_only_that_one_is_priced(composed, data, tmp_path):
    cfg = composed("experiment=rrm_rewardbench", "judge=rrm_32b")
    assert list_judges(cfg, ["experiment=rrm_rewardbench", "judge=rrm_32b"]) == []
    assert list_judges(cfg, ["experiment=rrm_rewardbench"]) == [
        "rrm_7b",
        "rrm_32b",
        "direct_judge_7b",
        "direct_judge_32b",
    ]
    with pytest.raises(JudgescaleError, match=r"^scorecard.judges=rrm_7b: must be a list of names of conf/judge"):
        list_judges(composed("+scorecard.judges=rrm_7b"), [])
    assert list_judges(composed(), []) == []


def test_where_no_judge_can_be_priced_the_reason_is_one_line(tmp_path):
    done = run("experiment=rrm_pandalm", "--dry", f"task.path={tmp_path}/nowhere.json")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == f"error: task.path={tmp_path}/nowhere.json: there is no such file or folder\n"


# ------------------------------------------------------------------------------------------------ the page


def test_the_page_lists_every_experiment_once():
    page = (ROOT / "docs/reproduce.md").read_text()
    listed = re.findall(r"^\| \[?`(\w+)`", page, re.MULTILINE)
    assert sorted(listed) == sorted(Path(p).stem for p in FOLDER.glob("*.yaml"))
    for name in listed:
        assert f"experiment={name}" in page
