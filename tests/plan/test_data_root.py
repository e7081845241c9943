"""`data.root`: one folder with local copies of benchmarks, for every task, suite and sweep."""

from __future__ import annotations

import re

import pytest
from conftest import ROOT
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.singleton import Singleton

from judgescale.harness.config_files import read_configs_checked
from judgescale.harness.errors import advise_local_copy
from judgescale.harness.plan.data_root import find_copy
from judgescale.harness.plan.overrides import compose_arms
from judgescale.harness.types import JudgescaleError

LIVE = ("judge=pairwise", "judge.model=X", "engine=random")


@pytest.fixture
def root(tmp_path):
    for name in ("llmbar", "rmb", "ppe", "ppe_correctness"):
        (tmp_path / name).mkdir()
    (tmp_path / "rewardbench2.parquet").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("task", "copy"),
    [("llmbar", "llmbar"), ("rmb_bon", "rmb"), ("ppe_preference", "ppe"), ("ppe_correctness", "ppe_correctness"),
     ("rewardbench2", "rewardbench2.parquet"), ("judgebench", None), ("rewardbench", None)],
)  # fmt: skip
def test_a_copy_is_named_after_its_task_or_the_words_that_it_begins_with(root, task, copy):
    assert find_copy(root, task) == (root / copy if copy else None)


def test_several_files_of_one_name_are_not_chosen_from(root):
    (root / "rewardbench2.jsonl").touch()
    with pytest.raises(JudgescaleError, match="several files there: rewardbench2.jsonl, rewardbench2.parquet"):
        find_copy(root, "rewardbench2")


def list_paths(composed, given, members=None):
    return [cfg.task.path for cfg in compose_arms(composed(*given), given, members)]


def test_every_arm_and_member_of_a_live_run_finds_its_copy(composed, root):
    given = [*LIVE, "task=llmbar", f"data.root={root}", 'compare=[["strategy=single"]]']
    assert list_paths(composed, given) == [str(root / "llmbar")] * 2
    given = [*LIVE, f"data.root={root}"]
    members = [["task=rmb"], ["task=ppe_preference"], ["task=judgebench"]]
    assert list_paths(composed, given, members) == [str(root / "rmb"), str(root / "ppe"), None]


def test_a_path_that_is_given_counts_and_recorded_judgments_need_none(composed, root):
    assert list_paths(composed, [*LIVE, "task=llmbar", f"data.root={root}", "task.path=mine"]) == ["mine"]
    assert list_paths(composed, ["task=llmbar", f"data.root={root}"]) == [None]


def test_a_root_that_is_no_folder_is_an_error(composed, root):
    given = [*LIVE, "task=llmbar", f"data.root={root}/nowhere"]
    with pytest.raises(JudgescaleError, match=re.escape(f"data.root={root}/nowhere: there is no such folder")):
        list_paths(composed, given)


@pytest.fixture
def checked(monkeypatch):
    """Configs composed of files as the command line reads them, by which data.paths takes any task's name."""
    read_configs_checked()
    monkeypatch.delitem(Singleton._instances, GlobalHydra, raising=False)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        yield lambda *overrides: compose("config", list(overrides))


def test_a_path_of_one_task_counts_before_the_root_in_every_arm_and_member(checked, root):
    paths = [f"data.paths.llmbar={root}/rewardbench2.parquet", f"data.paths.rmb={root}/ppe"]
    given = [*LIVE, "task=llmbar", f"data.root={root}", *paths, 'compare=[["strategy=single"]]']
    assert list_paths(checked, given) == [f"{root}/rewardbench2.parquet"] * 2
    given = [*LIVE, *paths]
    members = [["task=rmb"], ["task=rmb", f"task.path={root}/rmb"], ["task=rmb_bon"], ["task=llmbar"]]
    found = list_paths(checked, given, members)
    assert found == [f"{root}/ppe", f"{root}/rmb", None, f"{root}/rewardbench2.parquet"]
    assert list_paths(checked, [*LIVE, "task=llmbar", *paths, "task.path=mine"]) == ["mine"]
    assert list_paths(checked, ["task=llmbar", *paths]) == [None]  # recorded judgments need no texts


def test_tasks_of_one_folder_have_paths_of_their_own(checked, root):
    given = [*LIVE, f"data.paths.rewardmath_pairs={root}/rmb"]
    assert list_paths(checked, given, [["task=rewardmath"], ["task=rewardmath_pairs"]]) == [None, f"{root}/rmb"]


@pytest.mark.parametrize(
    ("option", "line"),
    [("data.paths.lmbar={root}", "data.paths.lmbar: no such task; did you mean data.paths.llmbar?"),
     ("data.paths.rmb={root}/none", "data.paths.rmb={root}/none: there is no such file or folder"),
     ("data.paths={root}", "data.paths={root}: name a task, as in data.paths.llmbar=FILE_OR_FOLDER")],
)  # fmt: skip
def test_wrong_paths_are_told_in_one_line(checked, root, option, line):
    with pytest.raises(JudgescaleError, match=re.escape(line.format(root=root))):
        list_paths(checked, [*LIVE, "task=llmbar", option.format(root=root)])


def test_what_lacks_data_is_told_every_way_to_give_them():
    assert "task.path=" in advise_local_copy() and "data.paths.TASK or data.root" in advise_local_copy()
    assert "data." not in advise_local_copy("task.prior_")
