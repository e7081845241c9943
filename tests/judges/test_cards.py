"""Configs that bring a model: their cards, engines, sampling and names, and the refusal of what no engine runs."""

from __future__ import annotations

import importlib.util
import re
import sys

import pytest
from conftest import ROOT
from omegaconf import OmegaConf

from judgescale.harness.options import build
from judgescale.harness.plan import plan_arms
from judgescale.harness.plan.cards import Card, read_card
from judgescale.harness.published.lists import is_same_judge, read_printed
from judgescale.harness.types import JudgescaleError

MODELS = sorted(p.stem for p in (ROOT / "conf/judge").glob("*.yaml") if "\ncard:" in p.read_text())
MODELS.remove("base")
META = "deepseek_grm_27b"  # the one meta RM with a model


@pytest.fixture(scope="module")
def listing():
    spec = importlib.util.spec_from_file_location("list_judges", ROOT / "docs" / "list_judges.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["list_judges"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def models(listing, composed):
    return list(listing.read_models(composed))


def test_every_model_has_a_whole_card(models):
    assert {model.name for model in models if model.group == "judge"} == set(MODELS)
    assert [model.name for model in models if model.group == "meta"] == [META]
    for model in models:
        assert set(model.card) == {*Card.__annotations__}, model.name
        for field in ("source", "licence", "contract"):
            assert isinstance(model.card[field], str) and len(model.card[field]) > 2, (model.name, field)
        assert isinstance(model.run_here, bool)
        assert (model.card["engines"] is None) == (model.card["obstacle"] is None)
        if model.group == "judge":
            assert model.card["contract"].split(":")[0].split(" ")[0] == model.format, model.name


def test_only_the_model_that_was_run_here_says_so(models):
    assert [model.name for model in models if model.run_here] == ["smollm2"]


def test_counts_of_parameters_say_where_they_come_from():
    for name in MODELS:
        for line in (ROOT / f"conf/judge/{name}.yaml").read_text().splitlines():
            assert not line.startswith("active_parameters") or " # " in line, name


def test_the_tables_of_the_page_are_what_the_configs_say(listing, models):
    page = listing.PAGE.read_text(encoding="utf-8")
    written = listing.replace_tables(page, listing.write_tables(models))
    assert written == page, "run python docs/list_judges.py --write"
    assert all(f"`{name}`" in page for name in MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_composes_with_an_engine_that_answers_its_requests(composed, name):
    cfg = composed(f"judge={name}", "judge.model=some/model")
    engine = build(cfg.engine, "engine")
    assert engine.source == "model" and engine.model == "some/model"
    assert engine.kind == cfg.judge.kind and engine.kind in engine.kinds


REFUSED = ["armorm_8b", "eurus_7b", "internlm2_20b_reward", "internlm2_7b_reward", "nemotron_4_340b_reward", "urm_8b"]
UNPUBLISHED = [
    "cloud_gemma_27b", "direct_judge_32b", "direct_judge_7b", "llm_as_a_judge_gemma_27b", "token_prob_gemma_27b"
]  # fmt: skip


@pytest.mark.parametrize("name", sorted({*MODELS} - {*REFUSED, *UNPUBLISHED}))
def test_every_other_model_can_be_planned(composed, name):
    (arm,) = plan_arms(composed(f"judge={name}", "task=sanity", "task.size=12", "run.dry=true"))
    spec = arm.purchase.spec
    assert (spec.active_parameters is None) == ("openai" in spec.engine.name)


@pytest.mark.parametrize("engine", ["vllm", "transformers", "openai", "random"])
@pytest.mark.parametrize("name", REFUSED)
def test_a_model_that_no_engine_runs_is_refused_in_one_line(composed, name, engine):
    cfg = composed(f"judge={name}", f"engine={engine}", "task=sanity", "task.size=12")
    with pytest.raises(JudgescaleError) as refused:
        plan_arms(cfg)
    line = str(refused.value)
    assert line.startswith(
        f"judge.model={cfg.judge.model}: engine={engine} cannot run it, since {cfg.judge.card.obstacle}"
    )
    assert "no engine here can" in line and "\n" not in line


def test_a_model_can_be_kept_to_some_engines(composed):
    overrides = ("judge=skywork_reward_v2_8b", "task=sanity", "task.size=12", "run.dry=true")
    only = ("judge.card.engines=[transformers]", "judge.card.obstacle='its head is odd'")
    with pytest.raises(
        JudgescaleError, match=r"engine=vllm cannot run it, since its head is odd; use engine=transform"
    ):
        plan_arms(composed(*overrides, *only))
    assert plan_arms(composed(*overrides, *only, "engine=transformers"))
    assert plan_arms(composed("judge=armorm_8b", *overrides[1:], "judge.card.engines=null"))


def test_a_meta_rm_has_a_card_too(composed):
    cfg = composed(
        "judge=rrm_7b", f"meta={META}", "strategy=meta_voting", "strategy.k=4", "task=sanity", "run.dry=true"
    )
    (arm,) = plan_arms(cfg)
    meta, spec = arm.purchase.meta
    assert type(meta).__name__ == "ScalarMeta" and spec.engine.model == "BBQGOD/DeepSeek-GRM-27B-MetaRM"
    assert (spec.engine.name, spec.engine.kind, spec.active_parameters) == ("vllm", "score", 27.2e9)
    cfg.meta.card.engines = []
    with pytest.raises(
        JudgescaleError, match=r"^meta\.model=BBQGOD/DeepSeek-GRM-27B-MetaRM: engine=vllm cannot run it"
    ):
        plan_arms(cfg)


def test_a_card_that_cannot_be_read_names_the_field():
    for wrong, words in (
        ({"engine": "vllm"}, r"judge\.card\.engine: .* has no such option"),
        ({"engines": "vllm"}, r"judge\.card\.engines=vllm: must be a list"),
        ({"licence": 4}, r"judge\.card\.licence=4: must be a word or null"),
    ):
        with pytest.raises(JudgescaleError, match=words):
            read_card(OmegaConf.create({"card": wrong}), "judge")
    assert read_card(OmegaConf.create({}), "judge") == Card()  # a judge of one's own need not have one


def test_weights_that_are_not_public_must_be_named(composed):
    for name in UNPUBLISHED:
        with pytest.raises(JudgescaleError, match=r"^judge\.model is not set"):
            plan_arms(composed(f"judge={name}", "task=sanity", "task.size=12", "run.dry=true"))
        (arm,) = plan_arms(composed(f"judge={name}", "judge.model=mine", "task=sanity", "task.size=12", "run.dry=true"))
        assert any(is_same_judge(row.model, arm.purchase.label) for row, _ in read_printed())


# what the sources print: temperature, top_p, most tokens (None: not found, so ours)
SAMPLING = {
    "deepseek_grm_16b": (0.5, 1.0, None),  # arXiv 2504.02495v3, D.1: 0.5 for votes
    "deepseek_grm_27b": (0.5, 1.0, None),
    "llm_as_a_judge_gemma_27b": (0.5, 1.0, None),
    "cloud_gemma_27b": (0.5, 1.0, None),
    "rrm_7b": (0.6, 1.0, 8192),  # arXiv 2505.14674
    "rrm_32b": (0.6, 1.0, 8192),
    **{f"rm_r1_{kind}{size}b": (0.0, 1.0, 8192) for kind in ("", "distill_") for size in (7, 14, 32)},
    "judgelrm_7b": (0.0, 1.0, 4096),  # judgelrm_inference.py: top_k 1, max_new_tokens 4096
}


@pytest.mark.parametrize("name", SAMPLING)
def test_sampling_is_that_of_the_source(composed, name):
    cfg = composed(f"judge={name}").judge
    temperature, top_p, most = SAMPLING[name]
    assert (cfg.sampling.temperature, cfg.sampling.top_p) == (temperature, top_p)
    assert most is None or cfg.sampling.max_tokens == most


def test_reward_models_sample_nothing(models, composed):
    for model in models:
        if model.format == "scalar":
            assert composed(f"judge={model.name}").judge.sampling.temperature == 0


NOT_PRINTED = {  # nobody printed numbers under these very names
    *("claude_haiku", "claude_sonnet", "deepseek_flash", "gemini_flash", "gpt_5_4_mini", "judgelrm_7b", "smollm2"),
    f"meta={META}",
}


def test_printed_numbers_are_found_under_the_name_of_every_other_judge(models):
    printed = {row.model for row, _ in read_printed()}
    found = {
        f"meta={model.name}" if model.group == "meta" else model.name: {
            name for name in printed if is_same_judge(name, model.label)
        }
        for model in models
    }
    assert {name for name, rows in found.items() if not rows} == NOT_PRINTED
    for name, rows in found.items():  # a bare name that models of two organisations answer to would find none
        assert len({row.rpartition("/")[0].lower() for row in rows} - {""}) < 2, name


def test_help_keeps_formats_apart_from_models(composed):
    from judgescale.harness.choices import list_choices

    text = re.sub(r"\s+", " ", list_choices())
    formats = text.split("judge, a format: ")[1].split(" judge, ")[0]
    named = text.split("judge, with its model: ")[1].split(" meta: ")[0]
    assert set(named.split(", ")) == set(MODELS)
    assert {"pairwise", "rubric", "random"} <= set(formats.split(", ")) and "base" not in formats.split(", ")
    assert all(len(line) <= 118 for line in list_choices().splitlines())
