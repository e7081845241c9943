"""The report: what other programs read, and that nothing hostile or unknown breaks it."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from latex import measure_latex

from judgescale.harness.redaction import redact_yaml
from judgescale.harness.report import files, tables, terminal
from judgescale.harness.report.readings import name_arms
from judgescale.harness.types import CurvePoint, Estimate, Published, Result

HOSTILE = "[bold]a_b & 100% $x$ #1 {c} \\d|e ~^<f>[/bold]\x1b[31m\x07"
KEYS = {
    "judge", "engine", "strategy", "task", "seed", "items", "headline", "sections", "subsets", "compute",
    "health", "published", "versions", "k", "signature", "notes", "details", "data", "judging", "differences", "curve",
    "ceiling",
}  # fmt: skip


def estimate(value: float = 0.75, ci: tuple[float, float] | None = (0.7, 0.8)) -> Estimate:
    return Estimate("accuracy", value, ci, 80)


def judgment(**changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "task": "t",
        "item": "1",
        "subset": "s",
        "cluster": "q",
        "weight": 1.0,
        "tie_credit": 0.5,
        "judge": "j",
        "variant": "",
        "sample": 0,
        "shown": [1, 0],
        "responses": ["a", "b"],
        "scores": [1.0, 0.0],
        "gold": [1.0, 0.0],
        "status": "ok",
        "meta": None,
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "chars": 20,
        "text": None,
    }
    return row | changes


def arm(
    judge: str = "GRM", strategy: str = "voting", task: str = "toy", ks: tuple[int, ...] = (1, 2, 4), **changes: Any
) -> Result:
    points = [CurvePoint("overall", k, estimate(0.6 + 0.03 * k), float(k), None, None) for k in ks]
    values: dict[str, Any] = {
        "judge": judge,
        "engine": "recorded",
        "strategy": strategy,
        "task": task,
        "seed": 0,
        "k": ks[-1],
        "items": 80,
        "signature": f"{judge}|{strategy}|k={ks[-1]}",
        "headline": estimate(),
        "sections": {"Ties": estimate(0.5)},
        "subsets": {"a": estimate(float("nan"), None)},
        "curve": points,
        "compute": {"judgments": 80.0, "flops": float("inf")},
        "health": {"unparseable": 1},
        "published": [
            Published(judge, "overall", 0.74, "its paper", "confirmed", 0.01),
            Published(judge, "Ties", 0.45, "its paper", "confirmed", 0.05),
            Published("other", "overall", 0.8, "a leaderboard", "confirmed", None),
            Published("half-remembered", "overall", 0.9, "memory", "recalled", None),
        ],
        "judgments": [judgment()],
    }
    return Result(**(values | changes))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "one"
    arms = [
        arm(),
        arm(HOSTILE, "meta_voting", judgments=[judgment(meta=0.5), judgment(sample=1)]),
        arm(task="other", ks=(1,)),
    ]
    files.write_files(arms, folder, "judge: GRM\nengine: {api_key: sk-123}\n")
    return folder


def test_every_file_is_there_and_nothing_else(run: Path) -> None:
    names = [
        "config.yaml",
        "credits.parquet",
        "curve.csv",
        "curve.pdf",
        "curve.png",
        "judgments.parquet",
        "summary.json",
        "table.csv",
        "table.md",
        "table.tex",
    ]
    assert sorted(p.name for p in run.iterdir()) == names
    assert [p.name for p in run.parent.iterdir()] == ["one"]  # no scratch folder stays


def test_a_crash_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "make_summary", lambda results: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        files.write_files([arm(ks=(1,))], tmp_path / "run", "")
    assert list((tmp_path / "run").iterdir()) == [] and [p.name for p in tmp_path.iterdir()] == ["run"]


def test_summary_contract(run: Path) -> None:
    def no_constants(name: str) -> None:
        raise AssertionError(name)

    found = json.loads((run / "summary.json").read_text(), parse_constant=no_constants)
    made = {"arms", "date", "command"}
    assert set(found) == KEYS | made and len(found["arms"]) == 3
    assert all(set(a) == KEYS for a in found["arms"])
    assert found["arms"][0] == {k: v for k, v in found.items() if k not in made}
    assert found["headline"] == {"metric": "accuracy", "value": 0.75, "ci": [0.7, 0.8], "items": 80}
    assert found["sections"] == {"Ties": {"metric": "accuracy", "value": 0.5, "ci": [0.7, 0.8], "items": 80}}
    assert found["subsets"]["a"]["value"] is None and found["compute"]["flops"] is None
    assert set(found["compute"]) == set(files.COMPUTE) and set(found["health"]) == set(files.HEALTH)
    assert found["published"][0] | {"status": "confirmed"} == found["published"][0]
    assert {"judgescale", "python", "numpy", "scipy", "scikit-learn", "pyarrow", "hydra-core"} == set(found["versions"])


def test_judging_again_is_in_the_summary_and_beside_each_delta() -> None:
    rows = [
        Published("GRM", section, 0.74, "its paper", "confirmed", 0.01, inside_judging_again=inside)
        for section, inside in (("overall", True), ("Ties", False))
    ]
    told = arm(judging={"ci": (0.7, 0.8), "items": 0.01, "judgments": 0.02, "judges": None}, published=rows)
    found = files.make_summary([told, arm()])
    assert found["judging"] == {"ci": [0.7, 0.8], "items": 0.01, "judgments": 0.02, "judges": None}
    assert [p["inside_judging_again"] for p in found["published"]] == [True, False]
    assert found["arms"][1]["judging"] is None and found["arms"][1]["published"][0]["inside_judging_again"] is None
    text = shown([told])
    assert "+1.0 in" in text and "(+1.0 out)" in text and "in, out: " in text
    assert "in, out: " not in shown([arm()])


def test_curve_csv(run: Path) -> None:
    lines = (run / "curve.csv").read_text().splitlines()
    assert lines[0] == (
        "judge,strategy,task,section,k,accuracy,ci_low,ci_high,judgments_per_item,tokens_per_item,flops_per_item"
    )
    assert lines[1] == "GRM,voting,toy,overall,1,0.63,0.7,0.8,1.0,,"
    assert len(lines) == 1 + 3 + 3 + 1


def test_judgments_are_merged(run: Path) -> None:
    import pyarrow.parquet as pq

    table = pq.read_table(run / "judgments.parquet")
    assert table.column_names == list(judgment())
    rows = table.to_pylist()
    assert [(row["sample"], row["meta"]) for row in rows] == [(0, 0.5), (1, None)]
    assert rows[0]["shown"] == [1, 0] and rows[0]["scores"] == [1.0, 0.0] and rows[0]["text"] is None


def test_no_judgments_still_has_columns(tmp_path) -> None:
    import pyarrow.parquet as pq

    files.write_judgments([arm(judgments=[])], tmp_path / "judgments.parquet")
    table = pq.read_table(tmp_path / "judgments.parquet")
    assert table.num_rows == 0 and table.column_names == list(judgment())


def test_secrets_are_left_out() -> None:
    config = """
judge: {name: x, max_tokens: 512, thinking_token_budget: 100}
engine:
  api_key: sk-1
  HF_TOKEN: hf-2
  headers: {Authorization: Bearer abc3}
  password: ${oc.env:PASSWORD}
  client_secret: ${oc.env:SECRET,s4}
  base_url: http://me:pass5@host/v1
  clientSecret: [s6, {deep: s7}]
overrides: ["+engine.api_key=sk-8", "k=4"]
"""
    safe = redact_yaml(config)
    for secret in ("sk-1", "hf-2", "abc3", "s4", "pass5", "s6", "s7", "sk-8"):
        assert secret not in safe
    for kept in ("max_tokens: 512", "thinking_token_budget: 100", "${oc.env:PASSWORD}", "k=4", "host/v1"):
        assert kept in safe
    assert redact_yaml("a: 1  # kept\n") == "a: 1  # kept\n"
    assert "sk-9" not in redact_yaml("api_key: [sk-9")


def test_latex_is_escaped() -> None:
    text = tables.render_latex([arm(HOSTILE)])
    assert r"a\_b \& 100\% \$x\$ \#1 \{c\} \textbackslash{}d\textbar{}e" in text
    assert "\x1b" not in text and r"\toprule" in text and "% signature 1: " in text
    for block in text.split(r"\begin{tabular}")[1:]:
        rows = [line for line in block.splitlines() if line.endswith(r"\\")]
        assert len(rows) >= 2 and len({line.replace(r"\&", "").count("&") for line in rows}) == 1


@pytest.mark.parametrize("name", ["GRM", "Skywork/Skywork-Reward-V2-Llama-3.1-8B", "M" * 90, "a b/c_d-" * 12])
@pytest.mark.parametrize("sections", [0, 1, 7, 40])
def test_no_latex_table_is_wider_than_a_line_of_text(name: str, sections: int) -> None:
    parts = {f"answerability_classification {i}" if i % 3 == 1 else f"Part {i}": estimate() for i in range(sections)}
    arms = [arm(name, sections=parts), arm("b", "meta_voting", sections=parts)]
    text = tables.render_latex(arms)
    widths = measure_latex(text)
    assert widths and max(widths) <= 345, widths  # points: \linewidth of the class article
    assert len(widths) == 1 if name == "GRM" and sections < 2 else len(widths) > 1 or sections == 0
    for number in ("75.0", "[70.0, 80.0]", "+1.0", "74.0 a"):
        assert number in text
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 1
    if len(widths) > 1:  # what is below can be told by its number
        assert len(re.findall(r"^{}(1|2|p1) &", text, re.MULTILINE)) >= 2 * len(widths)


def test_markdown_table() -> None:
    text = tables.render_markdown([arm(), arm(HOSTILE)])
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len({line.replace(r"\|", "").count("|") for line in rows}) == 1
    assert "| 1 | GRM | voting | 4 | 75.0 \\[70.0, 80.0\\] | 63.0 | 50.0 (+5.0) | 4 | 74.0 a | +1.0 |" in rows
    assert any("other | published" in row and "80.0 b" in row for row in rows)
    assert "half-remembered" not in text and "1. `GRM|voting|k=4`" in text
    assert "recalled, unverified" in tables.render_markdown([arm()], recalled=True)


def test_one_table_a_task() -> None:
    arms = [arm(), arm(task="second")]
    assert tables.render_markdown(arms).count("### ") == 2 and tables.render_latex(arms).count(r"\begin{tabular}") == 2


def test_csv_table() -> None:
    rows = list(csv.DictReader(io.StringIO(tables.render_csv([arm("=cmd()", sections={})]))))
    assert rows[0]["judge"] == "'=cmd()" and rows[0]["value"] == "75.0" and rows[0]["signature"]
    assert rows[0]["published"] == "74.0" and rows[0]["delta"] == "+1.0"
    assert [row["strategy"] for row in rows] == ["voting", "published"]


@pytest.mark.parametrize(
    "arms",
    [
        [arm(), arm(strategy="meta_voting"), arm(strategy="single", ks=(1,)), arm(task="other", ks=(10, 100))],
        [arm(f"{HOSTILE} {i}", ks=(1,)) for i in range(2)],
        [arm(f"judge {i}", ks=(1, 2), published=()) for i in range(20)],
        [arm(ks=(1,), sections={}, published=(), headline=estimate(0.5, None))],
        [arm(curve=())],
        [arm(f"评审 {i}") for i in range(12)],
        [arm(curve=[CurvePoint("overall", k, estimate(), k, 100.0 * k, None) for k in (1, 2)])],
        [arm(curve=[CurvePoint("overall", k, estimate(0.5, (0.5, 0.5)), 3, None, None) for k in (1, 2)])],
    ],
    ids=["curves", "sections", "many", "one point", "no curve", "many curves, another script", "tokens", "flat"],
)
def test_figures_are_drawn(arms: list[Result], tmp_path: Path) -> None:
    from PIL import Image

    from judgescale.harness.report import figure

    figure.draw_figure(arms, tmp_path)
    assert (tmp_path / "curve.pdf").stat().st_size > 5000
    with Image.open(tmp_path / "curve.png") as image:
        assert min(image.size) > 200 and len(image.convert("L").getcolors() or []) > 5


def test_a_published_number_says_how_it_was_made_and_why_none_of_ours_is_compared() -> None:
    printed = (
        Published("GRM", "overall", 0.74, "its paper", "confirmed", 0.01),
        Published("GRM", "overall", 0.885, "its paper", "confirmed", None, reason="same model, voting@32", k=32),
        Published("GRM", "overall", 0.86, "its paper", "recalled", None, reason="same model, greedy, from memory", k=1),
        Published(
            "other", "overall", 0.8, "a list", "confirmed", None, how="voting@8, X prompt", strategy="voting", k=8
        ),
    )
    made = arm(published=printed)
    text = tables.render_markdown([made])
    assert "GRM | published: same model, voting@32 | 32 |" in text and "from memory" not in text
    assert "other | published: voting@8, X prompt | 8 |" in text and "from memory" in tables.render_markdown(
        [made], True
    )
    rows = {row["published"]: row for row in csv.DictReader(io.StringIO(tables.render_csv([made])))}
    assert (rows["74.0"]["delta"], rows["88.5"]["delta"], rows["88.5"]["k"]) == ("+1.0", "", "32")
    assert rows["88.5"]["strategy"] == "published: same model, voting@32"
    (own, other) = files.make_summary([made])["published"][1::2]
    assert (own["reason"], own["delta"]) == ("same model, voting@32", None) and (other["strategy"], other["k"]) == (
        "voting",
        8,
    )
    # what stands beside one arm with a difference is not listed below as well
    voted = arm(
        published=(replace(printed[1], delta=-0.1, reason=""), replace(printed[0], delta=None, reason="same model"))
    )
    assert tables.render_markdown([made, voted]).count("published: same model") == 0


def shown(arms: list[Result], width: int = 80, terminal_: bool = False) -> str:
    from rich.console import Console

    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=terminal_, color_system="standard" if terminal_ else None)
    terminal.show_results(arms, Path("results/runs/" + "x" * 90), ["python run.py a=[b]", "python run.py -m"], console)
    return file.getvalue()


def test_terminal_shows_names_as_they_are() -> None:
    text = shown([arm(HOSTILE, notes=["[red]careful[/red]\x1b]0;title\x07"], details={"meta RM AUC": 0.73219})])
    assert "[bold]a_b & 100% $x$" in text and "[red]careful[/red]" in text
    assert "meta RM AUC: 0.732" in text and "python run.py a=[b]" in text
    assert "\x1b" not in text and "\x07" not in text
    coloured = shown([arm(HOSTILE)], terminal_=True)
    assert "\x1b[31m" not in coloured and "\x07" not in coloured


@pytest.mark.parametrize("width", [80, 120])
def test_terminal_fits_and_keeps_lines_whole(width: int) -> None:
    long = arm("Skywork/Skywork-Reward-V2-Llama-3.1-8B", signature="s" * 150)
    text = shown([long, replace(long, judge="another", strategy="meta_voting")], width)
    lines = text.splitlines()
    table = lines[lines.index(next(line for line in lines if "─" in line)) - 1 :]
    assert all(len(line) <= width for line in table[:6])
    assert "signature, all: " + "s" * 150 in lines and f"results/runs/{'x' * 90}/" in lines
    assert "75.0 [70.0, 80.0]" in text and "74.0" in text and "+1.0" in text


@pytest.mark.parametrize("width", [50, 80])
def test_a_narrow_terminal_shows_every_number_and_name(width: int) -> None:
    first = arm("Skywork/Skywork-Reward-V2-Llama-3.1-8B", details={"oracle meta RM (knows the label) at k=4": 0.941})
    second = replace(first, judge="Qwen/Qwen3-8B", headline=estimate(0.6123, (0.5987, 0.6254)))
    text = re.sub(r"\x1b\[[\d;]*m", "", shown([first, second], width, terminal_=True))
    table = text[: text.rindex("\n", 0, text.index("Ties"))].splitlines()
    assert all(len(line) <= width for line in table)
    for number in ("75.0 [70.0, 80.0]", "61.2 [59.9, 62.5]", "63.0", "74.0", "+1.0"):
        assert any(number in line for line in table), text
    folded = "".join(line.split("  ")[0] for line in table[2:])
    for name in (first.judge, second.judge):
        assert name in table or name in folded, text
    assert "delta" in "".join(table) and "at k=4: 94.1" in " ".join(text.split())


def test_minus_nothing_is_nowhere(tmp_path: Path) -> None:
    ours = Published("GRM", "overall", 0.75, "its paper", "confirmed", -1e-9)
    nothing = arm(headline=estimate(-0.0, (-1e-9, 0.1)), published=[ours, replace(ours, section="Ties", delta=-0.0)])
    files.write_files([nothing], tmp_path, "")
    texts = [(tmp_path / name).read_text() for name in ("table.md", "table.tex", "table.csv", "summary.json")]
    for text in [*texts, shown([nothing])]:
        assert "-0.0" not in text


def test_labels_tell_arms_apart() -> None:
    assert name_arms([arm(strategy="a"), arm(strategy="b")]) == ["a", "b"]
    assert name_arms([arm("x"), arm("y")]) == ["x", "y"]
    assert name_arms([arm(ks=(1,)), arm(ks=(2,))]) == ["GRM, voting, k=1", "GRM, voting, k=2"]
    assert len(set(name_arms([arm(), arm()]))) == 2


def test_arms_that_only_their_signatures_tell_apart_have_names_of_their_own() -> None:
    arms = [arm(signature=f"judge:GRM|seed:{s}|temperature:0.6", published=()) for s in (0, 1)]
    assert name_arms(arms) == ["GRM, voting, seed 0", "GRM, voting, seed 1"]
    assert name_arms([*arms, arm(strategy="elo")]) == ["voting, seed 0", "voting, seed 1", "elo"]
    text = tables.render_markdown(arms)
    assert "| voting, seed 0 |" in text and "| voting, seed 1 |" in text
    assert "voting, " not in tables.render_markdown([arms[0], arm(strategy="elo")])


def test_a_protocol_that_is_another_goes_by_its_name() -> None:
    said = ("owner(tie=zero)|order:both", "common(tie=share)|order:any", "owner(tie=half)|order:both")
    owner, common, changed = (arm(signature=f"judge:GRM|protocol:{rule}") for rule in said)
    assert name_arms([owner, common]) == ["GRM, voting, protocol owner", "GRM, voting, protocol common"]
    assert name_arms([owner, changed])[0] == "GRM, voting, protocol owner(tie=zero)"
    again = arm(signature="judge:GRM|protocol:owner(tie=zero)|order:both|seed:1|items:80@ab")
    named = ["GRM, voting, protocol common", "GRM, voting, protocol owner, order both, seed 1"]
    assert name_arms([owner, common, again])[1:] == named


def test_arms_of_two_judge_formats_go_by_the_formats_names() -> None:
    said = ("pairwise@0a1b|max_tokens:2048", "choice@2c3d|max_tokens:8192", "choice@2c3d|max_tokens:4096")
    pairwise, choice, short = (arm(signature=f"judge:GRM|format:{rest}|items:8@ef") for rest in said)
    assert name_arms([pairwise, choice]) == ["GRM, voting, format pairwise", "GRM, voting, format choice"]
    names = name_arms([pairwise, choice, short])
    assert names[0] == "GRM, voting, format pairwise" and names[2] == "GRM, voting, format choice, max_tokens 4096"
    assert name_arms([choice, short])[0] == "GRM, voting, max_tokens 8192"
    prompts = [replace(choice, signature=f"judge:GRM|format:choice@{digest}|seed:0") for digest in ("aa", "bb")]
    assert name_arms(prompts) == ["GRM, voting, format choice@aa", "GRM, voting, format choice@bb"]


def test_what_holds_for_all_tasks_is_said_once() -> None:
    text = shown([arm(notes=["of all", "of one"]), arm(task="other", notes=["of all"])])
    assert text.count("of all") == 1 and "All: of all\n" in text and "\nof one\n" in text
    assert "All:" not in shown([arm(notes=["of all"]), arm("another", notes=["of all"])])


def test_where_many_arms_are_compared_it_says_how_many_and_where() -> None:
    told = [f"judge {i} - judge 0: +{i}.0 points" for i in range(10)]
    few, many = (
        [arm(f"judge {i}", notes=told[i : i + (i > 0)], differences=told[i : i + (i > 0)]) for i in range(n)]
        for n in (6, 10)
    )
    assert all(told[i] in shown(few) for i in range(1, 6)) and "summary.json; judge.names" not in shown(few)
    text = shown(many)
    assert not any(line in text for line in told) and "9 differences from judge 0, with intervals" in text
    assert "judge.names=[…]" in text
    assert all(told[i] in files.make_summary(many)["arms"][i]["notes"] for i in range(1, 10))


def test_tied_decisions_are_told_where_health_is() -> None:
    assert "2.5 % of the decisions at k=4 tie" in shown([arm(health={"tied_decisions": 2.0})])
    assert "tie" not in shown([arm(health={"tied_decisions": 0.001})])


def test_a_break_down_is_named_once() -> None:
    parts = {
        "language: English": estimate(0.5),
        "language: Dutch": estimate(0.25),
        "level: hard": estimate(0.1),
        "level: easy": estimate(0.9),
        "random pick": replace(estimate(0.4), metric="random pick"),
    }
    text = shown([arm(subsets=parts)])
    assert "Ties 50.0 (+5.0); language: English 50.0, Dutch 25.0; level: hard 10.0, easy 90.0; random pick" in text


def test_equal_points_stand_side_by_side_and_the_axis_stays_true() -> None:
    from matplotlib.figure import Figure

    from judgescale.harness.report import figure

    arms = [arm(strategy=s, ks=ks, published=()) for s, ks in (("a", (1, 2, 4)), ("b", (1,)), ("c", (1, 2, 4)))]
    ax = Figure().subplots()
    figure.draw_curves(ax, "toy", arms, "judgments")
    ax.get_figure().draw_without_rendering()
    markers = [line for line in ax.lines if line.get_marker() not in ("", "None") and len(line.get_xdata())]
    assert {float(x) for line in markers for x in line.get_xdata()} == {1, 2, 4}
    at = [tuple(place) for line in markers for place in line.get_transform().transform(line.get_xydata())]
    apart = figure.MARKER * ax.get_figure().dpi / 72
    assert min(max(abs(p[0] - q[0]), abs(p[1] - q[1])) for i, p in enumerate(at) for q in at[:i]) > 0.99 * apart
    assert ax.get_xticks().tolist() == [1, 2, 4]


def test_the_axes_name_what_they_count() -> None:
    from matplotlib.figure import Figure

    from judgescale.harness.report import figure

    points = [CurvePoint("overall", k, estimate(), float(k), 100.0 * k, None) for k in (1, 3, 8)]

    def draw(unit: str, *prompts: float | None) -> tuple[str, list[float]]:
        ax = Figure().subplots()
        arms = [arm(strategy=str(i), curve=points, compute={"prompt_tokens": p}) for i, p in enumerate(prompts)]
        figure.draw_curves(ax, "toy", arms, unit)
        return ax.get_xlabel(), ax.get_xticks().tolist()

    assert draw("judgments", None) == ("judgments per item (log scale)", [1, 2, 4, 8])
    assert draw("tokens", None) == ("completion tokens per item (log scale)", [100, 200, 500, 800])
    assert draw("tokens", 9.0)[0] == "tokens per item, completion + prompt (log scale)"
    assert draw("tokens", None, 9.0)[0].startswith("tokens per item, completion + prompt where recorded")


def test_a_monte_carlo_error_stands_in_summary_and_tables(tmp_path: Path) -> None:
    found = arm(HOSTILE)
    found = replace(found, headline=replace(found.headline, mc_error=0.0042))
    files.write_files([found], tmp_path / "run", "")
    assert json.loads((tmp_path / "run/summary.json").read_text())["headline"]["mc_error"] == 0.0042
    assert "75.0 ±0.4" in (tmp_path / "run/table.md").read_text() and "±0.4" in shown([found])
    assert ",0.42," in (tmp_path / "run/table.csv").read_text()
