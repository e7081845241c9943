"""Exports for boards, read back by the owners' own packages: Every Eval Ever's validator and schemas, RewardBench's
analysis, and huggingface_hub."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from board_runs import Compose, evaluate, read_json, read_lines, write

from judgescale.harness import recorded, runner
from judgescale.harness.finished.run import FinishedRun, read_run
from judgescale.harness.published import lists as published
from judgescale.harness.types import Judgment, Record
from judgescale.tasks import rewardbench

FOUR = ("Chat", "Chat Hard", "Safety", "Reasoning")


def needs(package: str) -> pytest.MarkDecorator:
    """Skip a test before its runs are made."""
    return pytest.mark.skipif(find_spec(package) is None, reason=f"needs {package}")


@pytest.fixture(scope="module")
def scalar(composed: Compose, tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    return read_run(evaluate(tmp_path_factory.mktemp("owners") / "r", composed("experiment=rewardbench2_scalar")))


@pytest.fixture(scope="module")
def samples(composed: Compose, tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """Eight samples of GPT-5.4, at two k."""
    configs = [composed("experiment=rewardbench2_samples", f"strategy.k={k}") for k in (4, 8)]
    return read_run(evaluate(tmp_path_factory.mktemp("owners") / "s", *configs))


@pytest.fixture(scope="module")
def live(composed: Compose, tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    folder = tmp_path_factory.mktemp("owners") / "live"
    asked = ("task=sanity", "judge=random", "strategy=voting", "strategy.k=4", "run.limit=20")
    runner.run([composed(*asked, f"run.store={folder.parent / 's.sqlite'}")], folder, show=False)
    return read_run(folder)


@needs("every_eval_ever")
@pytest.mark.boards
@pytest.mark.parametrize(
    ("name", "options", "files"),
    [("scalar", (), 4), ("samples", ("--model", "GPT-5.4 (base)=openai/gpt-5.4"), 4), ("live", ("--model", "a/b"), 2)],
)
def test_every_eval_ever_finds_nothing_to_say(
    name: str, options: tuple[str, ...], files: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    run = request.getfixturevalue(name)
    made = write("every_eval_ever", run, tmp_path, *options)
    assert len(made) == files
    command = [sys.executable, "-m", "every_eval_ever", "validate", *(str(p.relative_to(tmp_path)) for p in made)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr  # 1 = errors, 2 = warnings
    assert f"{files} passed" in done.stdout
    check_against_schemas(made)


def check_against_schemas(made: list[Path]) -> None:
    """The validator reads with pydantic, which lets some of what the schemas forbid pass."""
    import every_eval_ever
    import jsonschema

    folder = Path(every_eval_ever.__file__).parent / "schemas"
    for kind, suffix in (("eval", ".json"), ("instance_level_eval", ".jsonl")):
        schema = read_json(folder / f"{kind}.schema.json")
        assert schema["version"].endswith("0.3.0")
        checker = jsonschema.Draft7Validator(schema)
        for path in (p for p in made if p.suffix == suffix):
            for entry in read_lines(path)[::9] if suffix == ".jsonl" else [read_json(path)]:
                assert not [error.message for error in checker.iter_errors(entry)]


@needs("every_eval_ever")
@pytest.mark.boards
def test_every_eval_ever_would_find_something(scalar: FinishedRun, tmp_path: Path) -> None:
    """The check above can fail: a score outside its bounds, and a line that is gone."""
    record, lines, *_ = write("every_eval_ever", scalar, tmp_path)
    entry = read_json(record)
    entry["evaluation_results"][0]["score_details"]["score"] = 84.0
    record.write_text(json.dumps(entry), encoding="utf-8")
    lines.write_text("".join(lines.read_text(encoding="utf-8").splitlines(keepends=True)[1:]), encoding="utf-8")
    command = [sys.executable, "-m", "every_eval_ever", "validate", str(record.relative_to(tmp_path))]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    said = " ".join(done.stdout.replace("│", " ").split())
    assert done.returncode == 1 and "score 84.0 is outside" in said and "declared 1814, found 1813" in said


def ask_owners(folder: Path) -> dict[str, Any]:
    command = [sys.executable, str(Path(__file__).parent / "read_rewardbench.py"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@needs("rewardbench")
@pytest.mark.boards
def test_rewardbench_finds_our_sections_and_headline(composed: Compose, tmp_path: Path) -> None:
    """All 2,985 items of four reward models: as many right ones in each of the 23 subsets as are published."""
    rows = published.find_rows("RewardBench", metric="count_correct")
    sizes = rewardbench.task().counts
    names = {published.keep_letters_and_digits(name): name for name in sizes}
    records = [
        Record(
            prompt=f"{subset}/{i}",
            cluster=f"{subset}/{i}",
            subset=subset,
            responses=("chosen", "rejected"),
            gold=(1.0, 0.0),
            judgment=Judgment(judge=row.model, shown=(0, 1), scores=(1.0, 0.0) if i < row.value else (0.5, 0.5)),
        )
        for row in rows
        for subset in [names[published.keep_letters_and_digits(row.subset)]]
        for i in range(sizes[subset])
    ]
    recorded.write_set(tmp_path / "counts.parquet", records, {"name": "counts", "tasks": ["rewardbench"]})
    asked = ("task=rewardbench", "protocol=rewardbench_scalar", "strategy=single")
    run = read_run(evaluate(tmp_path / "run", composed(*asked, f"engine.path={tmp_path}/counts.parquet")))
    models = {result.judge: f"owner/m{i}" for i, result in enumerate(run.results)}
    options = [option for judge, model in models.items() for option in ("--model", f"{judge}={model}")]
    write("rewardbench", run, tmp_path / "out", *options)
    found = ask_owners(tmp_path / "out")
    assert len(run.results) == 4 and {len(result.subsets) for result in run.results} == {23}
    for result in run.results:
        theirs = found[models[result.judge]]
        assert theirs["sections"] == pytest.approx({n: result.sections[n].value for n in FOUR}, rel=1e-14)
        assert theirs["headline"] == pytest.approx(result.headline.value, rel=1e-14)
        assert theirs["means"] == pytest.approx({n: e.value for n, e in result.subsets.items()}, rel=1e-14)


@needs("rewardbench")
@pytest.mark.boards
def test_rewardbench2_finds_our_subsets_ties_and_headline(scalar: FinishedRun, tmp_path: Path) -> None:
    write("rewardbench", scalar, tmp_path)
    found = ask_owners(tmp_path)
    for result in scalar.results:
        theirs, ours = found[result.judge], {name: e.value for name, e in result.sections.items()}
        assert theirs["numbers"]["average"] == pytest.approx(result.headline.value, rel=1e-14)
        assert theirs["ties"] == pytest.approx(ours.pop("Ties"), rel=1e-12)
        assert theirs["means"] == pytest.approx(ours, rel=1e-14)


@needs("huggingface_hub")
@pytest.mark.hub
def test_huggingface_hub_reads_our_entries(scalar: FinishedRun, tmp_path: Path) -> None:
    import huggingface_hub as hub

    page = ("--source-url", "https://example.org/run", "--source-name", "a run")
    made = write("hub", scalar, tmp_path, "--task-id", "default", "--task-id", "Ties=ties", *page)
    for path, result in zip(made, scalar.results, strict=True):
        written = yaml.safe_load(path.read_text(encoding="utf-8"))
        entries = hub.parse_eval_result_entries(written)
        assert hub.eval_result_entries_to_yaml(entries) == written  # nothing that their classes do not hold
        assert [(e.dataset_id, e.task_id) for e in entries] == [
            ("allenai/reward-bench-2", "default"), ("allenai/reward-bench-2", "ties")
        ]  # fmt: skip
        assert [e.value for e in entries] == [
            round(100 * e.value, 2) for e in (result.headline, result.sections["Ties"])
        ]  # fmt: skip
        assert entries[0].notes.endswith(result.signature) and entries[0].source_name == "a run"
