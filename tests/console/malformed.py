"""Malformed inputs by kind: each yields a name and a command line, after writing the files that it reads."""

from __future__ import annotations

import copy
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Case = tuple[str, list[str]]

EVIL = "\x1b]0;x\x07\u202e"
LIVE = ["--dry", "judge=pairwise", "judge.model=m", "engine=openai", "task=sanity", "run.store=none.sqlite"]
RECORDED = ["engine.path=small.parquet", "task=custom"]

# --- options of every group; a text may hold several, two spaces apart ---

OPTIONS = (
    "judge=1.5", "judge=null", "judge=[1,[2]]", "engine=true", "strategy=nope", "task=", "protocol=grm_suit", "meta=-1",
    "experiment=nope", "judge@x=pairwise", "strategy", "strategy=(", "a b", "=", "run.ks=[1", "\0",
    "judge.price={input: 1", "+judge=x", "run.k=1", "strategy..k=1", "strategy.k=${", "strategy.k=${nope}", "é=1",
    f"strategy={EVIL}", f"strategy.{EVIL}=1", "--cfg=job2", "++++seed=1", "judge.names=[1",
    "compare=5", "compare=[1]", "compare=[[1]]", 'compare=[["strategy=("]]', "hydra.run.dir=[1]",
    'compare=[["nope.k=1"]]', 'compare=[["judge=5"]]', "hydra.callbacks=5",
)  # fmt: skip
RECORDED_OPTIONS = (
    "judge.names=5", "judge.names=[1]", "judge.names=[nobody]", "judge.names={a: 1}", "judge.pool=x",
    "seed=-1", f"seed={2**63}", f"seed={10**30}", "seed=null", f"+strategy.seed={2**64}",
    "strategy.k=0", "strategy.k=99", f"strategy.k={10**30}", "strategy.tie=banana",
    "protocol.tie=[zero]", "protocol.failure=nan", "protocol.rollup=nope", "run.ks=[0]",
    "run.ks=[99]", "run.ks={a: 1}", "run.draws=1", "run.draws=inf", "run.limit=0",
    "task.subsets=[nope]", "task.subsets=5", "task.subsets=[[a]]", "engine.path=5",
    "engine.path=nowhere.parquet", f"engine.path={EVIL}.parquet", "engine.path=null",
    "engine._target_=nope.Nope", "strategy._target_=builtins.dict",
    "strategy._target_=judgescale.harness.strategies.nope", "+strategy._partial_=true", "task._target_=5",
    "strategy.unusable=nope", "strategy=knockout  strategy.k=[1]", "strategy=meta_voting  strategy.k_meta=0",
    "strategy=meta_voting  strategy.meta=nope",
)  # fmt: skip
LIVE_OPTIONS = (
    "engine.base_url=http://....../v1", "engine.base_url=http://h:99999", "engine.base_url=[]",
    "engine.base_url=http://u:p@h/v1", "engine.base_url=http://h/v1#x", "engine.base_url=5", "engine.retries=-1",
    "engine.concurrency=0", "engine.backoff=inf",
    "engine.constrain=x", "engine.api_key_env=sk-x", "engine.extra_body=5", "+engine.extra_body.temperature=nan",
    "+engine.extra_body.temperature=inf", "+engine.extra_body.x=[1,nan]", "+engine.extra_body.model=x",
    "+engine.extra_body.temperature=hot", "+engine.nope=1", "judge.sampling.temperature=inf",
    "judge.sampling.temperature=nan", "judge.sampling.top_p=0",
    "judge.sampling.max_tokens=0", "judge.price=5", "judge.price={input: -1, output: 1}",
    "judge.price={input: nan, output: 1}", "judge.active_parameters=-1", "judge.model=null", "judge.model=5",
    "judge.template=nowhere.jinja", "judge.kind=x", "judge.label=[1]", "run.samples=0",
    "run.store=.", "run.budget.tokens=-1",
    "run.budget.dollars=x", "protocol.order=x",
)  # fmt: skip


def list_options(folder: Path) -> Iterator[Case]:
    """Options that do not fit, after what makes a run that does."""
    for kind, base, options in (
        ("", [], OPTIONS),
        ("set: ", RECORDED, RECORDED_OPTIONS),
        ("live: ", LIVE, LIVE_OPTIONS),
    ):
        for option in options:
            yield f"{kind}{option}", [*base, *option.split("  ")]


# --- config files ---

GLOBAL = "# @package _global_\n"
BOMB = "x0: &x0 [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"x{i}: &x{i} [{','.join([f'*x{i - 1}'] * 10)}]\n" for i in range(1, 10)
)
CONFIGS: dict[str, str | bytes] = {
    "syntax": "a: [1\nb: }",
    "tab": "a:\n\t- 1",
    "duplicate": "seed: 1\nseed: 2\n",
    "nul": "seed: 1\0\n",
    "python": "seed: !!python/object/apply:os.system ['true']\n",
    "tag": "seed: !foo 1\n",
    "itself": GLOBAL + "defaults: [itself]\n",
    "ring_a": GLOBAL + "defaults: [ring_b]\n",
    "ring_b": GLOBAL + "defaults: [ring_a]\n",
    "recursive": "a: &a [*a]\n",
    "recursive_map": "a: &a {b: *a}\n",
    "bomb": BOMB,
    "merge_bomb": BOMB + "y: {<<: [*x9, *x9]}\n",
    "deep": "a: " + "[" * 2_000 + "]" * 2_000,
    "bytes": b"\xff\xfe",
    "number": "5\n",
    "list": "- 1\n",
    "header": "# @package a b c\nx: 1\n",
    "defaults_number": "defaults: 5\n",
    "defaults_null": "defaults:\n",
    "defaults_item": "defaults: [5]\n",
    "defaults_two": "defaults: [{a: b, c: d}]\n",
    "defaults_value": "defaults: [{a: 5}]\n",
    "defaults_nested": "defaults: [[a]]\n",
    "no_choice": GLOBAL + "defaults: [{override /task: nope}]\n",
    "no_group": GLOBAL + "defaults: [{/nogroup: nope}]\n",
    "no_override": GLOBAL + "defaults: [{override /nogroup: nope}]\n",
    "itself_by_value": GLOBAL + "seed: ${seed}\n",
    "no_value": GLOBAL + "seed: ${nope}\n",
    "no_variable": GLOBAL + "seed: ${oc.env:JUDGESCALE_NOT_THERE}\n",
    "no_resolver": GLOBAL + "seed: ${nope:1}\n",
    "open_brace": GLOBAL + "seed: ${\n",
    "key_of_list": GLOBAL + "? [a, b]\n: 1\n",
    "key_null": GLOBAL + "null: 1\n",
    "hydra": GLOBAL + "hydra: 5\n",
    "callbacks": GLOBAL + "hydra: {callbacks: 4}\n",
    "run": GLOBAL + "run: 5\n",
    "engine": GLOBAL + "engine: 5\n",
    "judge": GLOBAL + "judge: [1]\n",
    "set": GLOBAL + "x: !!set {a, b}\n",
    "compare": GLOBAL + "compare: {a: b}\n",
    "secret": GLOBAL + "engine: {api_key: abc}\n",
    "password": GLOBAL + "engine: {base_url: 'http://u:p@h'}\n",
    "long": "#" * 300_000,
    "control": GLOBAL + 'judge: {names: ["\\e]0;x\\a"]}\n',
}


def list_configs(folder: Path) -> Iterator[Case]:
    """Experiments in files that are no config, or none that can be composed."""
    recipes = folder / "conf" / "experiment"
    recipes.mkdir(parents=True)
    for name, text in CONFIGS.items():
        (recipes / f"{name}.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    (recipes / "folder.yaml").mkdir()
    (recipes / "loop.yaml").symlink_to("loop.yaml")
    for name in (*CONFIGS, "folder", "loop"):
        yield name, ["--config-dir", str(folder / "conf"), f"experiment={name}", *RECORDED]
    yield "no folder", ["--config-dir", str(folder / "nowhere"), "experiment=tour"]


# --- other people's files ---

ROWS: dict[str, dict[str, Any]] = {
    "jsonl": {
        "prompt": "q", "responses": ["a", "b"], "best": "a", "judge": "j", "winner": "b", "shown": [0, 1],
        "status": "ok", "sample": 0, "variant": "v", "subset": "s", "cluster": "c", "meta": 0.5, "prompt_tokens": 1,
        "chars": 3,
    },
    "judgebench": {
        "pair_id": "1", "source": "m", "question": "q", "label": "B>A", "judge_name": "a",
        "judgments": [{"judgment": {"judge_model": "o1", "response": "x"}, "decision": "A>B"}, None],
    },
    "llmbar": {
        "input": "i", "output_1": "S", "output_2": "L", "label": 2,
        "results": [{"swap = False": {"completion": ["b"], "winner": "2"}, "swap = True": {"winner": None}}],
    },
    "realmistake": {
        "id": "x_gpt", "label": "error", "predictions": ["error", "no_error"], "responder": "gpt", "judge": "j",
        "prompt": "p", "response": ["a", "b"], "task": "math", "metadata": {"id": "z"},
    },
    "rewardbench2": {"id": "1", "subset": "Ties", "scores": [1.0, [2.0]], "num_correct": 1, "results": 1},
    "rmb": {"pair_uid": "9", "category_path": "Pairwise_set/H", "chosen_reward": [0.5], "reject_reward": 0.25},
    "tournament": {"question_id": 1, "score": 1, "text": "x"},
    "pandalm": {
        "idx": 1, "cmp_key": "a_b", "instruction": "i", "input": "", "annotator1": 1, "annotator2": 2, "x_result": "1",
    },
}  # fmt: skip
HEADER = {"_record": "metadata", "model": "m", "permutation": [0, 1], "ordering": 1}
WRONG: tuple[Any, ...] = (
    None, [], {"a": [1]}, -1, True, 10**400, float("nan"), EVIL + "\ud800", [{"swap = False": 5, "judgment": []}],
)  # fmt: skip
FILES: dict[str, bytes] = {
    "empty": b"",
    "blank": b"\n \n",
    "cut": b'{"prompt": "q", "resp',
    "no_json": b"prompt,winner\nq,a\n",
    "bytes": b"\xff\xfe\x00",
    "nul": b"\0" * 100,
    "number": b"5\n",
    "text": b'"x"\n',
    "null": b"null\n",
    "array": b"[]",
    "arrays": b"[[1], [2]]",
    "mixed": b'[{"prompt": "q"}, 5]',
    "deep": b"[" * 100_000,
    "deep_row": b'{"prompt": ' + b"[" * 100_000,
    "digits": b'{"prompt": ' + b"9" * 10_000 + b"}",
    "gzip": b"\x1f\x8b\x08\x00cut",
    "keys": b'{"prompt": "q", "prompt": "r"}',
}
OPTIONS_OF = {"llmbar": ["--subset", "S", "--judge", "J"], "tournament": ["--models", "a,b"]}


def list_imports(folder: Path) -> Iterator[Case]:
    """Rows with a field that is wrong or missing, and files that hold none, for every importer."""
    out = ["--out", str(folder / "out.parquet")]

    def write(name: str, kind: str, rows: list[dict[str, Any]]) -> Case:
        place = folder / f"{len(list(folder.iterdir()))}"
        place.mkdir()
        file = place / ("answer_a-vs-answer_b-j-reviewer.jsonl" if kind == "tournament" else "rows.jsonl")
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return f"{kind}: {name}", ["recorded", "import", kind, str(file), *out, *OPTIONS_OF.get(kind, [])]

    for kind, row in ROWS.items():
        for field in row:
            yield write(f"without {field}", kind, [{k: v for k, v in row.items() if k != field}])
            for wrong in WRONG:
                yield write(f"{field}={wrong!r:.40}", kind, [{**copy.deepcopy(row), field: wrong}])
    letters = {"id": "1", "subset": "F", "parsed_letter": "A", "num_correct": 1, "results": 1}
    for field in HEADER:
        for wrong in (*WRONG, ["0", "1"], [1, 0, 2], [0.0, 1.0], [[0], [1]]):
            yield write(f"metadata {field}={wrong!r:.40}", "rewardbench2", [{**HEADER, field: wrong}, letters])
    for name, content in FILES.items():
        (folder / f"{name}.jsonl").write_bytes(content)
        yield name, ["recorded", "import", "jsonl", str(folder / f"{name}.jsonl"), *out]
    (folder / "cut.jsonl.gz").write_bytes(b"\x1f\x8b\x08")
    (folder / f"{EVIL}.jsonl").write_text("{")
    for name in ("cut.jsonl.gz", f"{EVIL}.jsonl", "nowhere"):
        yield name, ["recorded", "import", "jsonl", str(folder / name), *out]
    yield "format", ["recorded", "import", EVIL, str(folder / "cut.jsonl"), *out]
    yield "out", ["recorded", "import", "jsonl", str(folder / "cut.jsonl"), "--out", "x.csv"]


# --- recorded sets ---


def list_sets(folder: Path) -> Iterator[Case]:
    """Parquet files that are no set, or whose columns or metadata are wrong."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    good = pq.read_table("small.parquet")
    about = json.loads(good.schema.metadata[b"judgescale"])

    def write(name: str, table: Any, meta: Any = about) -> Case:
        file = folder / f"{len(list(folder.iterdir()))}.parquet"
        content = meta if isinstance(meta, bytes) else json.dumps(meta).encode()
        pq.write_table(table.replace_schema_metadata({b"judgescale": content}), file)
        return name, ["recorded", "show", str(file)]

    nested: Any = 1
    for _ in range(60):
        nested = [nested]
    for at, column in enumerate(good.column_names):
        yield write(f"without {column}", good.drop_columns([column]))
        for wrong in (None, 1, -1, "x", [None], ["a", "a"], [9, 9], {"a": 1}, float("nan"), b"\xff", nested):
            values = pa.array([wrong] * len(good))
            yield write(f"{column}={wrong!r:.20}", good.set_column(at, column, values))
    broken = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")])
    yield write("judge of no UTF-8", good.slice(0, 1).set_column(good.column_names.index("judge"), "judge", broken))
    yield write("no rows", good.slice(0, 0))
    yield write("rows twice", pa.concat_tables([good, good]))
    for field, wrongs in {
        "schema": (None, "1", 99, True, 1.5),
        "name": (5, None, []),
        "tasks": ("custom", [], [1], None, [["custom"]]),
        "sources": ({}, [1], [{"files": 5}], [{"repo": []}], [{"commit": 5}], [{"licence": {}}]),
        "pool": ("x", 1),
        "varies": (5,),
        "note": ([],),
        "live": (5, {"engine": 5}, {"sampling": [1]}, {"format": 5}, {"prompt": []}),
    }.items():
        for wrong in wrongs:
            yield write(f"metadata {field}={wrong!r}", good, {**about, field: wrong})
    for name, meta in {
        "deep": b'{"sources": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "less deep": b'{"schema": 1, "sources": ' + b"[" * 900 + b"]" * 900 + b"}",
        "deep objects": b'{"schema": 1, "live": ' + b'{"a": ' * 30_000 + b"1" + b"}" * 30_001,
        "no json": b"{",
        "bytes": b"\xff",
        "list": b"[]",
        "nan": b'{"schema": NaN}',
        "digits": b'{"schema": ' + b"9" * 10_000 + b"}",
    }.items():
        yield write(f"metadata {name}", good, meta)
    content = Path("small.parquet").read_bytes()
    for name, harmed in {
        "empty": b"",
        "cut": content[: len(content) // 2],
        "head": content[:-20],
        "zeroes": content[:200] + bytes(len(content) - 208) + content[-8:],
        "footer": content[:-300] + bytes(200) + content[-100:],
        "length": content[:-8] + b"\xff\xff\xff\x7fPAR1",
        "text": b"not a set",
    }.items():
        (folder / f"{name}.parquet").write_bytes(harmed)
        yield name, ["recorded", "show", str(folder / f"{name}.parquet")]
    pq.write_table(good.replace_schema_metadata({}), folder / "foreign.parquet")
    yield "foreign", ["recorded", "show", str(folder / "foreign.parquet")]
    yield "nowhere", ["recorded", "show", EVIL]
    yield "folder", ["recorded", "show", str(folder)]


# --- stores ---


def list_stores(folder: Path) -> Iterator[Case]:
    """Stores and exports that are damaged, or are something else."""
    from judgescale.harness.store import Question, Store, encode_canonical
    from judgescale.harness.types import Output, Request

    def make() -> Path:
        file = folder / f"{len(list(folder.iterdir()))}.sqlite"
        settings = encode_canonical({"model": "m", "engine": {"name": "e"}, "sampling": {}})
        with Store(file) as store:
            asked = Question.from_request(settings, Request((("user", "q"),)))
            store.add_answer(asked, 0, Output(text="A", prompt_tokens=3))
        return file

    def change(statement: str, *values: Any) -> Path:
        file = make()
        db = sqlite3.connect(file, isolation_level=None)
        db.execute(statement, values)
        db.close()
        return file

    for settings in ("", "{", "[]", "5", "null", '{"model": 1, "engine": 5}', '{"model": 1, "sampling": "x"}', b"\xff"):
        file = change("UPDATE model SET settings = ?", settings)
        yield f"settings {settings!r}", ["store", "show", str(file)]
    for statement in (
        "UPDATE answer SET prompt_tokens = 'x'", "UPDATE answer SET prompt_tokens = X'ff'",
        "UPDATE answer SET rank = 'x'", "UPDATE answer SET text = 5", "UPDATE answer SET digest = 'x'",
        "UPDATE answer SET created = X'ff'", "UPDATE question SET request = X'ff'",
        "UPDATE question SET request = CAST(X'ff' AS TEXT)", "UPDATE answer SET text = CAST(X'ff' AS TEXT)",
        "DROP TABLE answer", "DROP TABLE model", "ALTER TABLE answer RENAME COLUMN text TO words",
        "PRAGMA application_id = 5", "PRAGMA user_version = 99",
    ):  # fmt: skip
        yield statement, ["store", "export", str(change(statement)), str(folder / "out.parquet")]
        yield f"show: {statement}", ["store", "show", str(change(statement))]
    content = make().read_bytes()
    for name, harmed in {
        "cut": content[: len(content) // 2],
        "zeroes": content[:100] + bytes(len(content) - 100),
        "text": b"notes\n" * 999,
        "byte": b"x",
        "header": b"SQLite format 4" + content[15:],
    }.items():
        (folder / f"{name}.sqlite").write_bytes(harmed)
        yield name, ["store", "show", str(folder / f"{name}.sqlite")]
    for name in ("small.parquet", str(folder / "text.sqlite"), "nowhere", str(folder)):
        yield f"import {name}", ["store", "import", name, str(folder / "new.sqlite")]
    for command in (["show", EVIL], ["show", str(folder)], ["export", "nowhere", "x"], ["show"], ["nope"], []):
        yield f"store {command!r:.40}", ["store", *command]


# --- texts for live judges ---


def list_texts(folder: Path) -> Iterator[Case]:
    """Files of items with texts that are none."""
    rows: dict[str, str] = {
        "empty": "",
        "number": "5",
        "no_field": '{"prompt": "q"}',
        "responses": '{"prompt": "q", "responses": 5, "best": 0}',
        "best": '{"prompt": "q", "responses": ["a", "b"], "best": [[0]]}',
        "objects": '{"prompt": {"a": 1}, "responses": [{}, []], "best": 0}',
        "control": json.dumps({"prompt": EVIL, "responses": [EVIL], "best": EVIL, EVIL: 1}),
        "deep": '{"prompt": ' + "[" * 50_000,
    }
    base = [option for option in LIVE if option != "task=sanity"]
    for name, row in rows.items():
        (folder / f"{name}.jsonl").write_text(row + "\n")
        yield name, [*base, "task=custom", f"task.path={folder / name}.jsonl"]
    for task in ("rewardbench2", "judgebench", "llmbar", "rmb"):
        yield f"nowhere: {task}", [*base, f"task={task}", f"task.path={folder}/nowhere"]


KINDS: dict[str, Callable[[Path], Iterator[Case]]] = {
    "options": list_options,
    "configs": list_configs,
    "imports": list_imports,
    "sets": list_sets,
    "stores": list_stores,
    "texts": list_texts,
}
