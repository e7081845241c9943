"""The real command line: what it leaves behind, and one clear line for everything that cannot be run."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pytest
from conftest import ROOT, run

from judgescale.harness.sweep import name_folder

FILES = {
    "summary.json", "curve.csv", "judgments.parquet", "credits.parquet", "table.md", "table.tex", "table.csv",
    "curve.png", "curve.pdf", "config.yaml", "report.html",
}  # fmt: skip
DRAWN = {"reliability.png", "reliability.pdf", "games.parquet"}  # where there are votes to calibrate, and games
SUMMARY = {
    "judge", "engine", "strategy", "task", "seed", "items", "headline", "sections", "subsets", "compute", "health",
    "published", "versions",
}  # fmt: skip
CURVE = "judge,strategy,task,section,k,accuracy,ci_low,ci_high,judgments_per_item,tokens_per_item,flops_per_item"


def test_the_main_job(tmp_path):
    done = run(f"hydra.run.dir={tmp_path}")
    assert done.returncode == 0, done.stderr
    assert {p.name for p in tmp_path.iterdir()} == FILES | DRAWN
    assert (tmp_path / "report.html").stat().st_size < 2_000_000
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert set(summary) >= SUMMARY
    assert abs(datetime.now(UTC) - datetime.fromisoformat(summary["date"])) < timedelta(minutes=2)
    assert summary["date"].endswith("+00:00") and "date" not in summary["arms"][0]
    assert summary["command"] == f"python run.py hydra.run.dir={tmp_path}"
    assert 0 < summary["compute"]["run_seconds"] < 120
    assert summary["headline"]["metric"] == "accuracy" and len(summary["headline"]["ci"]) == 2
    arms = {(a["task"], a["strategy"], a["judge"]) for a in summary["arms"]}
    strategies = ("voting", "meta_voting", "budget", "stopping", "elo", "knockout")
    assert arms == {("rewardbench2", strategy, "Claude Haiku 4.5") for strategy in strategies}
    with (tmp_path / "curve.csv").open() as f:
        assert f.readline().strip() == CURVE
        rows = list(csv.DictReader(f, CURVE.split(",")))
    overall = {(r["strategy"], int(r["k"])): r for r in rows if r["section"] == "overall"}
    assert float(overall["voting", 8]["accuracy"]) > 0.81 > 0.79 > float(overall["voting", 1]["accuracy"]) > 0.74
    assert float(overall["budget", 2]["accuracy"]) > float(overall["voting", 2]["accuracy"])
    assert 2 < float(overall["stopping", 8]["judgments_per_item"]) < 4
    judgments = pq.read_table(tmp_path / "judgments.parquet")
    assert judgments.num_rows == 2400 and "text" in judgments.column_names
    # the terminal: where the files are, the meta RM's bounds and the honest difference, two commands to try next
    for words in (str(tmp_path), "ROC-AUC", "oracle meta RM", "random meta RM", "95 % interval", "python run.py -m"):
        assert words in done.stdout, words
    assert "\x1b" not in done.stdout


def test_a_sweep_is_reported_together(tmp_path):
    done = run("-m", "strategy=single,voting,knockout", "strategy.k=2", "run.draws=50", f"hydra.sweep.dir={tmp_path}")
    assert done.returncode == 0, done.stderr
    jobs = {p.name for p in tmp_path.iterdir() if p.is_dir()}
    assert jobs == {f"run.draws=50,strategy.k=2,strategy={s}" for s in ("single", "voting", "knockout")}
    assert all(FILES <= {f.name for f in (tmp_path / job).iterdir()} <= FILES | DRAWN for job in jobs)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert [a["strategy"] for a in summary["arms"]] == ["single", "voting", "knockout"]
    assert summary["command"].startswith("python run.py -m strategy=single,voting,knockout strategy.k=2 ")
    assert all(a["compute"]["run_seconds"] > 0 for a in summary["arms"])


def test_an_option_of_a_sweep_is_set_where_the_choice_has_it(tmp_path):
    shared = ["-m", "strategy=voting,elo", "task=vicuna80_pairs", "strategy.k=1", "run.limit=20", "run.draws=5"]
    done = run(*shared, "strategy.rating=bradley_terry", f"hydra.sweep.dir={tmp_path}")
    assert "strategy.rating is an option of strategy=elo; strategy=voting: run without it" in done.stderr
    arms = json.loads((tmp_path / "summary.json").read_text())["arms"]
    assert [a["strategy"] for a in arms] == ["voting", "elo"] and "rating:bradley_terry" in arms[1]["signature"]
    wrong = run(*shared, "strategy.ratin=bradley_terry", f"hydra.sweep.dir={tmp_path / 'other'}")
    assert wrong.stderr.startswith("error: strategy.ratin: no such option") and not (tmp_path / "other").exists()


def test_an_option_of_swept_judges_does_not_meet_the_default_judge_first(tmp_path):
    done = run(
        "-m", "judge=pairwise,choice", "judge.model=X", "engine=random", "task=sanity", "--dry",
        f"hydra.sweep.dir={tmp_path}",
    )  # fmt: skip
    assert done.returncode == 0 and done.stdout.count("X ") >= 2, done.stderr


def test_a_jobs_folder_is_one_flat_name_however_long_its_overrides(tmp_path):
    long = (
        'compare=[["strategy=single","strategy.unusable=abstain"],["strategy=single","strategy.unusable=plurality"],'
        + ('["strategy=single","seed=1"],["strategy=single","seed=2"],["strategy=single","seed=3"]]')
    )
    done = run(
        "-m",
        "seed=0,1",
        "engine.path=results/recorded/vicuna80.parquet",
        long,
        "strategy.k=1",
        f"hydra.sweep.dir={tmp_path}",
    )
    assert done.returncode == 0, done.stderr
    jobs = [p for p in tmp_path.iterdir() if p.is_dir()]
    assert len(jobs) == 2 and all((job / "summary.json").exists() for job in jobs)
    assert all(len(job.name.encode()) <= 150 for job in jobs)


def test_folder_names():
    name = "judge.model=org/name,engine.base_url=http\\://host\\:1/v1"
    start, _, digest = name_folder(name).rpartition("-")
    assert start == "judge.model=org-name,engine.base_url=http-host-1-v1" and len(digest) == 12
    assert name_folder(name.replace("org/name", "org-name")) != name_folder(name)
    assert name_folder("strategy=voting,run.ks=[1,2],seed=-1") == "strategy=voting,run.ks=[1,2],seed=-1"
    long = [name_folder(f"judge.model={'é' * 300}{i}") for i in (0, 0, 1)]
    assert long[0] == long[1] != long[2] and all(len(n.encode()) <= 150 for n in long)


def test_a_failing_job_does_not_take_the_others_report_away(tmp_path):
    done = run(
        "-m",
        "strategy=knockout",
        "strategy.k=1,0",
        "task=vicuna80_best_of_5",
        "run.draws=20",
        f"hydra.sweep.dir={tmp_path}",
    )
    assert done.returncode == 1
    assert "failed: strategy.k=0: strategy.k=0: must be 1 or more" in done.stderr
    assert "1 of the jobs failed" in done.stderr
    assert [a["k"] for a in json.loads((tmp_path / "summary.json").read_text())["arms"]] == [1]


def test_arms_of_one_run_are_told_apart(tmp_path):
    done = run(
        "strategy=meta_voting",
        "strategy.k_meta=2",
        'compare=[["strategy=voting","strategy.k=3"]]',
        f"hydra.run.dir={tmp_path}",
    )
    assert done.returncode == 0, done.stderr
    arms = json.loads((tmp_path / "summary.json").read_text())["arms"]
    assert [(a["strategy"], a["k"]) for a in arms] == [("meta_voting", 10), ("voting", 3)]
    assert any("voting at k=3 - meta_voting at k=10" in note for note in arms[1]["notes"])


def test_a_signature_names_what_moves_the_number(tmp_path):
    seen = {}
    for i, extra in enumerate(([], ["strategy.unusable=abstain"], ["protocol.failure=0.5"], ["seed=1"])):
        done = run(
            "experiment=realmistake",
            "judge.names=Mixtral-8x7B-Instruct-v0.1",
            *extra,
            f"hydra.run.dir={tmp_path / str(i)}",
        )
        assert done.returncode == 0, done.stderr
        seen[json.loads((tmp_path / str(i) / "summary.json").read_text())["signature"]] = extra
    assert len(seen) == 4


def test_a_set_of_ones_own_runs_like_the_shipped_ones(tmp_path):
    rows = [
        {"prompt": f"q{i}", "responses": ["x", "y"], "best": "x", "judge": "j", "scores": [s, 3], "subset": f"s{i % 2}"}
        for i in range(8)
        for s in (9, 2, 3)
    ]
    source, made, out = tmp_path / "mine.jsonl", tmp_path / "mine.parquet", tmp_path / "run"
    source.write_text("\n".join(map(json.dumps, rows)))
    imported = run("import", "jsonl", str(source), "--out", str(made), module="judgescale.harness.recorded")
    assert imported.returncode == 0, imported.stderr
    done = run("engine=recorded", f"engine.path={made}", "task=custom", f"hydra.run.dir={out}")
    assert done.returncode == 0, done.stderr
    summary = json.loads((out / "summary.json").read_text())
    assert summary["headline"]["value"] == 1.0 and summary["k"] == 3  # 9 + 2 + 3 beats 3 + 3 + 3
    assert set(summary["sections"]) == {"s0", "s1"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["strategy=knockot"], "strategy=knockot: no such choice; did you mean knockout?"),
        (["strategy.kk=3"], "strategy.kk: no such option; did you mean strategy.k? python run.py judge=…"),
        (["run.resamples=100"], "run.resamples: no such option; did you mean run.samples?"),
        (["stratgy.k=3"], "stratgy.k: no such option; did you mean strategy.k?"),
        (["judge=pairwise", "judge.model=m", "judge.price.input=3"], "to add one, use +judge.price.input=…"),
        (["judge.price={input: 1"], "quote the override, as in 'judge.price={input: 1, output: 2}'"),
        (["judge"], "missing EQUAL at '<EOF>': quote the override"),
        (["strategy.k=11"], "set vicuna80, item 1/bard-vs-gpt35 has 10 judgment(s)"),
        (["strategy.k=none"], "strategy.k=none: must be a whole number or null"),
        (
            ["strategy=knockout", "task=realmistake"],
            "has 1; use strategy=meta_voting, single, stopping, voting or weighted_voting",
        ),
        (
            ["strategy=voting", "task=vicuna80_best_of_5"],
            "use strategy=double_elimination, elo, information_gain, knockout or swiss",
        ),
        (
            ["strategy=elo", "engine.path=results/recorded/rewardbench2_generative.parquet", "task=rewardbench2"],
            "of 4); use strategy=budget, meta_voting, single, stopping, voting or weighted_voting",
        ),
        (["strategy=budget", "strategy.apart=true"], "only a pointwise set, of responses scored one by one,"),
        (
            [
                "strategy=budget",
                "strategy.apart=true",
                "judge=pairwise",
                "judge.model=m",
                "engine=openai",
                "task=sanity",
            ],
            "item Chat/units/0-0; use a judge that scores each response alone, such as judge=pointwise",
        ),
        (["engine.path=nowhere.parquet"], "nowhere.parquet does not exist; shipped sets: judgebench"),
        (["engine.path=README.md"], "README.md is not a Parquet file"),
        (["task=custom"], "this task has no shipped set: give one with engine.path=SET.parquet, or name a live judge"),
        (["task=judgebench", "engine.path=results/recorded/pandalm.parquet"], "the set was made for task=pandalm"),
        (["judge.names=[gpt5]"], "'gpt5' is not in set vicuna80; it has bard, claude"),
        (["task=rewardbench2", "judge.pool=true"], "scores on a scale of its own"),
        (["judge.pool=banana"], "judge.pool=banana: must be true, false, equal, by_cost, in_order or null"),
        (["strategy.tie=banana"], "strategy.tie=banana: choose zero"),
        (["seed=-1"], "seed=-1: must be a whole number, 0 or more"),
        (["engine.path=null"], "engine.path: name a recorded set"),
        (["compare=[[1]]"], "compare: must be lists of overrides"),
        (["protocol.tie=maybe"], "protocol.tie=maybe: choose one of zero, half, share"),
        (["run.ks=[3,11]"], "11 is not between 1 and the 8 recorded"),
        (["protocol=grm_suite"], "protocol=grm_suite: no such choice; there are common, "),
        (["experiment=foo"], "experiment=foo: no such choice"),
        (["strategy=("], "error: "),
    ],
)
def test_what_cannot_run_is_one_line(tmp_path, arguments, words):
    done = run(*arguments, f"hydra.run.dir={tmp_path / 'out'}")
    assert done.returncode != 0
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1 and done.stdout == "", done.stderr
    assert not list((tmp_path / "out").glob("*"))  # nothing half-written


def test_help_names_every_group_with_an_example():
    text = run("--help").stdout
    for group in ("judge", "engine", "strategy", "task", "protocol", "experiment"):
        line = next(line for line in text.splitlines() if line.strip().startswith(f"{group} "))
        assert "python run.py" in line


def test_start_up_is_light():
    """--help imports neither scikit-learn nor matplotlib nor pyarrow."""
    code = (
        "import sys; sys.argv = ['run.py', '--help']; import runpy\n"
        "try: runpy.run_path('run.py', run_name='__main__')\nexcept SystemExit: pass\n"
        "sys.exit(' '.join({'sklearn', 'matplotlib', 'pyarrow', 'scipy'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_what_to_install_depends_on_how_this_package_was_installed(monkeypatch, tmp_path):
    from judgescale.harness import errors

    assert errors.write_install("vllm") == "pip install -e '.[vllm]'"
    monkeypatch.setattr(errors, "ROOT", tmp_path)  # a wheel brings no pyproject.toml
    assert errors.write_install("vllm") == "pip install 'judgescale[vllm]'"
    assert errors.write_install() == "pip install judgescale"
