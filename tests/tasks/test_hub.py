"""Rows of the Hub: by real `datasets`, out of folders and a cache made here. The Hub itself was not reached."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import ROOT
from shapes import CUSTOM, JUDGEBENCH, put, refused

from judgescale.harness.types import JudgescaleError, MissingData
from judgescale.tasks import custom, hub, judgebench
from judgescale.tasks.hub import read_hub_options
from judgescale.tasks.texts import RawData

OLD, NEW = "a" * 40, "b" * 40


def of(id: Any, split: Any = "test", config: Any = None, revision: Any = None) -> dict[str, Any]:
    return {"id": id, "config": config, "split": split, "revision": revision}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (3, "task.hub=3: must be a mapping of id, config, split, revision"),
        (of("x") | {"foo": 1}, "task.hub.foo: no such option; there are id"),
        (of(""), "task.hub.id=: must be a name"),
        (of(None), "task.hub.id=null: must be a name"),
        (of([]), "task.hub.id=[]: must be a name"),
        (of(["x", 5]), "task.hub.id=['x', 5]: must be a name"),
        (of("x", split=None), "task.hub.split=null: must be a name"),
        (of("x", config=[]), "task.hub.config=[]: must be a name"),
        (of("x", revision=1234567), "task.hub.revision=1234567: must be a commit, branch or tag, in quotes"),
        (of("x", revision=["a", "b"]), "task.hub.revision: has 2 for 1 ids; give one, or one for each"),
    ],
)
def test_an_option_that_does_not_fit_is_named(options: Any, says: str) -> None:
    assert refused(custom.task, hub=options).startswith(says)


def test_without_the_package_its_line_to_install_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    line = refused(custom.task, hub=of("owner/name"))
    assert "task.hub.id=owner/name: the Hub needs datasets: pip install -e '.[hub]', or give a local copy" in line


def test_a_path_wins_over_the_hub(tmp_path: Path) -> None:
    file = put(tmp_path / "mine.jsonl", [CUSTOM])
    assert len(custom.task(path=str(file), hub=of("owner/name")).read().items) == 1
    assert custom.task(hub=None).read is None


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """No network, and a cache of `datasets` to put copies in, each as one that was fetched at a commit."""
    datasets = pytest.importorskip("datasets")
    import huggingface_hub

    home = tmp_path / "cache"
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", home)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)

    def cached(id: str, commit: str, rows: list[dict[str, Any]]) -> None:
        source = put(tmp_path / commit / id.split("/")[1] / "test.jsonl", rows).parent
        made = Path(datasets.load_dataset(str(source), split="test").cache_files[0]["filename"]).parent
        target = home / id.replace("/", "___") / "default" / "0.0.0" / commit
        shutil.copytree(made, target)
        os.utime(target)

    return cached


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Lets the Hub say which commit a revision is, or raise."""
    pytest.importorskip("datasets")
    from huggingface_hub import HfApi

    def says(answer: Any) -> None:
        def dataset_info(self: Any, id: str, revision: str | None = None, **rest: Any) -> Any:
            if isinstance(answer, Exception):
                raise answer
            return SimpleNamespace(sha=answer[revision] if isinstance(answer, dict) else answer)

        monkeypatch.setattr(HfApi, "dataset_info", dataset_info)

    return says


def mine(n: int, **changes: Any) -> list[dict[str, Any]]:
    return [CUSTOM | {"id": str(i)} | changes for i in range(n)]


@pytest.mark.hub
def test_a_folder_stands_in_for_the_hub(tmp_path: Path, cache: Any, capfd: pytest.CaptureFixture[str]) -> None:
    put(tmp_path / "some.where/test.jsonl", mine(3))
    items, origin, notes, _ = custom.task(hub=of(str(tmp_path / "some.where"))).read()
    assert [item.id for item in items] == ["0", "1", "2"] and not notes
    assert origin == {"hub": "some.where", "config": "", "split": "test", "revision": "local"}
    assert capfd.readouterr() == ("", "")


@pytest.mark.hub
def test_several_data_sets_configs_and_splits(tmp_path: Path, cache: Any) -> None:
    parts = [(id, config, split) for id in "xy" for config in ("one", "two") for split in ("train", "test")]
    for id, config, split in parts:
        put(tmp_path / id / config / f"{split}.parquet", [{"who": f"{id}{config}{split}"}])
    configs = [
        {"config_name": c, "data_files": [{"split": s, "path": f"{c}/{s}.parquet"} for s in ("train", "test")]}
        for c in ("one", "two")
    ]
    for id in "xy":
        (tmp_path / id / "README.md").write_text(f"---\nconfigs: {json.dumps(configs)}\n---\n")
    ids = [str(tmp_path / id) for id in "xy"]
    data = RawData(None, read_hub_options(of(ids, ["train", "test"], ["one", "two"])))
    assert [row.get_text("who") for row in data.read_rows()] == ["".join(part) for part in parts]
    assert [row.source.path.name for row in data.read_rows()] == ["train", "test"] * 4
    assert data.describe_origin() == {
        "hub": "x+y",
        "config": "one+two",
        "split": "train+test",
        "revision": "local+local",
    }


@pytest.mark.hub
def test_the_commit_is_resolved_and_recorded(cache: Any, online: Any) -> None:
    cache("owner/name", NEW, mine(2))
    online({None: NEW, "main": NEW, NEW: NEW})
    for revision in (None, "main", NEW):
        assert custom.task(hub=of("owner/name", revision=revision)).read().origin["revision"] == NEW


@pytest.mark.hub
def test_each_data_set_has_its_own_revision(cache: Any, online: Any) -> None:
    cache("owner/one", OLD, mine(2))
    cache("owner/two", NEW, mine(2, id="x")[:1])
    online({"v1": OLD, "v2": NEW})
    data = RawData(None, read_hub_options(of(["owner/one", "owner/two"], revision=["v1", "v2"])))
    assert len(list(data.read_rows())) == 3 and data.describe_origin()["revision"] == f"{OLD}+{NEW}"


@pytest.mark.hub
def test_offline_a_copy_in_the_cache_serves_only_the_commit_that_it_is(
    cache: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    cache("owner/name", OLD, mine(2))
    capfd.readouterr()
    for revision in (None, OLD):
        assert custom.task(hub=of("owner/name", revision=revision)).read().origin["revision"] == OLD
    line = refused(custom.task, hub=of("owner/name", revision=NEW))
    assert line.startswith(f"data set owner/name/test@{NEW} cannot be had: the cache has no newer copy than {OLD}")
    assert "HF_HUB_OFFLINE is set, and only the Hub knows what main is" in refused(
        custom.task, hub=of("owner/name", revision="main")
    )
    assert capfd.readouterr() == ("", "")  # `datasets` warns of what it takes from its cache


@pytest.mark.hub
def test_what_the_hub_refuses_is_told_apart(online: Any) -> None:
    from huggingface_hub import errors

    for kind, says in (
        (errors.RepositoryNotFoundError, "data set no/where/test@v1 cannot be had: it is not on the Hub, or not for"),
        (errors.GatedRepoError, "is gated: accept its terms on its page on the Hub, then set HF_TOKEN"),
        (errors.RevisionNotFoundError, "has no revision v1; look at task.hub.revision"),
    ):
        online(kind.__new__(kind, "404 Client Error. Private or gated? See the page."))
        assert says in refused(custom.task, hub=of("no/where", revision="v1"))


@pytest.mark.hub
def test_only_what_the_hub_does_not_give_is_missing_and_a_lost_hub_is_not_asked_again(
    online: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import errors

    monkeypatch.setattr(hub, "_lost", [])
    for kind, gap in ((errors.GatedRepoError, True), (errors.RevisionNotFoundError, False), (OSError, False)):
        online(kind.__new__(kind, "said"))
        with pytest.raises(JudgescaleError) as told:
            custom.task(hub=of("no/where", revision="v1")).read()
        assert isinstance(told.value, MissingData) == gap
    online(ConnectionError("nobody there"))
    assert "no way to the Hub (nobody there)" in refused(custom.task, hub=of("no/where"))
    online(OSError("asked again"))
    assert "nobody there" in refused(custom.task, hub=of("else/where"))
    monkeypatch.setattr(hub, "_lost", [lost._replace(until=0.0) for lost in hub._lost])
    assert "asked again" in refused(custom.task, hub=of("else/where"))


@pytest.mark.hub
def test_what_is_not_there_is_named(tmp_path: Path, cache: Any) -> None:
    assert "is not in the cache, and HF_HUB_OFFLINE is set" in refused(custom.task, hub=of("no/where"))
    cache("owner/name", OLD, mine(1))
    assert "Couldn't find cache for owner/name for config 'x'" in refused(custom.task, hub=of("owner/name", config="x"))
    assert "Unknown split \"train\". Should be one of ['test']" in refused(custom.task, hub=of("owner/name", "train"))
    folder = str(put(tmp_path / "here/test.jsonl", mine(1)).parent)
    assert "BuilderConfig 'x' not found" in refused(custom.task, hub=of(folder, config="x"))
    assert "a folder has no revisions" in refused(custom.task, hub=of(folder, revision="v1"))
    for odd in ("a//b", "~nobody/x", "a/b/c", "../x", "a b", "json"):
        assert refused(custom.task, hub=of(odd)).startswith(f"data set {odd}/test ")


@pytest.mark.hub
def test_a_wrong_row_is_named_with_its_data_set(tmp_path: Path, cache: Any) -> None:
    row = JUDGEBENCH
    cache("owner/name", OLD, [row, row | {"pair_id": "r", "label": "A=B"}])
    line = refused(judgebench.task, hub=of("owner/name"))
    assert line.startswith("data set owner/name/test, row 2, field label: 'A=B' is neither")
    folder = put(tmp_path / "here/test.jsonl", [row, row]).parent
    line = refused(judgebench.task, hub=of(str(folder)))
    assert line == f"data set {folder}/test, row 2: item p is there already: data set {folder}/test, row 1"
    put(folder / "test.jsonl", [row, row | {"label": None, "pair_id": "s"}])
    assert "row 2, field label: is null, expected text" in refused(judgebench.task, hub=of(str(folder)))
    put(folder / "test.jsonl", [{"pair_id": "p"}])
    assert "row 1, field label: is missing; the record has: pair_id" in refused(judgebench.task, hub=of(str(folder)))


@pytest.mark.hub
def test_no_code_of_a_data_set_is_run(tmp_path: Path, cache: Any) -> None:
    folder = put(tmp_path / "here/test.jsonl", mine(1)).parent
    ran = tmp_path / "ran"
    (folder / "here.py").write_text(f"open({str(ran)!r}, 'w')")
    assert "Dataset scripts are no longer supported" in refused(custom.task, hub=of(str(folder)))
    assert not ran.exists()


@pytest.mark.hub
def test_the_command_line_without_a_network_says_so(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    env = {k: v for k, v in os.environ.items() if k not in ("JUDGESCALE_DEBUG", "HYDRA_FULL_ERROR", "HF_HUB_OFFLINE")}
    env |= {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "home"), "COLUMNS": "120"}
    command = [
        sys.executable,
        str(ROOT / "run.py"),
        "judge=pairwise",
        "judge.model=m",
        "engine=openai",
        "task=judgebench",
        f"hydra.run.dir={tmp_path}/out",
        f"run.store={tmp_path}/store.sqlite",
    ]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: data set ScalerLab/JudgeBench/gpt cannot be had: no way to the Hub (")
    assert "give a local copy with task.path=" in line
    assert not (tmp_path / "out").exists() and not (tmp_path / "store.sqlite").exists()
