"""A live run of which every text is hostile: items, judge and answers try to run, load, restyle and deceive."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from faulty_server import FaultyServer
from omegaconf import DictConfig

from judgescale.harness.runner import run

HIT = "window.__hit=(window.__hit||0)+1"  # what every script here would do
MARK = "Zweifelhaft"  # a word that every hostile text holds, so that a test finds it
TEXTS: Mapping[str, str] = {
    "script": f"<script>{HIT}</script>",
    "end of a script": f"</script><script>{HIT}</script><!-- <script>",
    "end of every element": f"--></title></textarea></style></template></noscript></svg></math><script>{HIT}</script>",
    "event handlers": f'<img src=x onerror="{HIT}"><details open ontoggle="{HIT}"><input autofocus onfocus="{HIT}">',
    "attribute": f'" onmouseover="{HIT}" autofocus onfocus="{HIT}" x="',
    "single quotes": f"' onmouseover='{HIT}' style='display:none",
    "style": "<style>*{display:none!important;background:url(https://evil.example/x)}</style>",
    "CSS": "}*{display:none}a{background:url(//evil.example/)}@import 'https://evil.example/x.css';/*",
    "style attribute": '<div style="position:fixed;inset:0;background:#f00;z-index:9999">all yours</div>',
    "javascript: links": f'<a href="javascript:{HIT}">open</a> [open](javascript:{HIT}) javascript:{HIT}',
    "data: link": f'<a href="data:text/html,<script>opener.{HIT}</script>">open</a>',
    "base": '<base href="https://evil.example/"><link rel=stylesheet href=https://evil.example/x.css>',
    "meta refresh": '<meta http-equiv="refresh" content="0;url=https://evil.example/">',
    "iframe": f'<iframe srcdoc="<script>parent.{HIT}</script>"></iframe><iframe src="javascript:parent.{HIT}">',
    "object": '<object data="https://evil.example/x"></object><embed src="https://evil.example/x">',
    "SVG": f'<svg onload="{HIT}"><animate onbegin="{HIT}" attributeName=x dur=1s><use href="data:,x"/></svg>',
    "MathML": f'<math><mtext><table><mglyph><style><img src=x onerror="{HIT}">',
    "form": '<form action="https://evil.example/"><button autofocus>send</button></form>',
    "clobbering": "<img name=body><form id=items><input name=childNodes></form><a id=document></a>",
    "Jinja": "{{ 7*7 }} {% raw %} {{ config.__class__ }} {# gone? #} {% endraw %}",
    "templates": "${7*7} {{constructor.constructor('window.__hit=1')()}} <%= 7*7 %> #{7*7} [[7*7]] {{{x}}}",
    "comment": f"<!-- hidden --> <!--[if IE]><script>{HIT}</script><![endif]--> <![CDATA[x]]> <?php x ?>",
    "entities": "&lt;b&gt; &amp;amp; &#x3c;script&#x3e; &nbsp; \\u003cscript\\u003e \\x3cscript\\x3e",
    "JSON": '"}]}</script>{"a":"\u2028\u2029',
    "bidi override": "the answer is \u202e6 si ti\u202c and \u202d so on",
    "bidi isolates": "access \u2066\u2067if (admin)\u2069\u2066 begin\u2069 \u2068x \u200e\u200f\u061c",
    "never closed": "\u202e\u2067\u202b everything after this is turned",
    "zero width": "pass\u200bword \u2060x\ufeffy \u00adz \u180e tag\U000e0041\U000e0042",
    "controls": "".join(chr(i) for i in range(1, 32)) + "\x7f" + "".join(chr(i) for i in range(0x80, 0xA0)),
    "NUL": "before\x00after \x00<script>\x00",
    "ANSI": "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b]8;;https://evil.example\x07link\x1b]8;;\x07",
    "Hebrew": "שלום, זה טקסט מימין לשמאל (2 + 2 = 5)!",
    "Arabic": "مرحبا، هذا نص من اليمين إلى اليسار: \\boxed{1}",
    "emoji": "👩\u200d🔬👨\u200d👩\u200d👧\u200d👦 🏳️\u200d🌈 ✅ 🇩🇪",
    "stacked marks": "Z" + "\u0351\u0489\u034f\u0321" * 300,
    "unassigned": "\ufdd0 \uffff \ue000 \U0010ffff \U000f0000",
    "long word": "W" * 20_000,
    "many lines": "\n".join(f"line {i}" for i in range(5_000)),
    "deep nesting": "<div>" * 3_000,
    "long": "all work and no play makes a dull judge. " * 25_600,  # 1 MB
    "no spaces": "字" * 30_000,
    "only spaces": " \t\u3000" * 200 + ".",
    "URL": "https://evil.example/?q=" + "%2F" * 400,
    "hash": "#/item?task=0&item=x&arm=0",
}
ANSWERS = {**TEXTS, "half a character": "\ud83d half \udc00"}  # which a set may not hold, and a model can answer
NAMES: Sequence[str] = (  # of items and subsets
    f'"><img src=x onerror={HIT}>',
    "__proto__",
    "constructor",
    "toString",
    "#/item?task=0&item=1&arm=0&k=1",
    "a%2Fb%00c&d=e+f?g#h",
    "../../etc/passwd",
    "'; DROP TABLE items; --",
    "</script><script>" + HIT + "</script>",
    "{{ 7*7 }}",
    "evil\u202egnp.exe",
    "line one\nline two\ttab",
    "nul\x00name",
    '=HYPERLINK("https://evil.example")',
    "W" * 500,
    "שלום",
    "0",
    "-1",
    "null",
    "hasOwnProperty",
    " leading and trailing ",
)
JUDGE = f'Judge "><script>{HIT}</script> \u202eevil\u2066 {{{{7*7}}}}'


def write_items(path: Path) -> Path:
    """Write a row an item: each text is a prompt once, and a response, under a hostile name."""
    rows = []
    for number, (kind, text) in enumerate(TEXTS.items()):
        name = NAMES[number] if number < len(NAMES) else f"{number}: {kind}"
        rows.append(
            {
                "id": name,
                "subset": NAMES[number % 5],
                "cluster": name,
                "prompt": [
                    {"role": "system", "content": f"{MARK} system {text[:2000]}"},
                    {"role": "user", "content": f"{MARK} prompt, {kind}: {text}"},
                ],
                "responses": [f"{MARK} right, {kind}: {text}", f"{MARK} wrong, {kind}", f"{text[:200]} {MARK} third"],
                "best": 0,
            }
        )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def answer(messages: Sequence[Mapping[str, str]], seed: int) -> str:
    """Answer with one of the hostile texts and a verdict that depends on the question; some are not to be read."""
    chosen = zlib.crc32(f"{seed} {messages[-1]['content']}".encode()) >> 3
    kind = list(ANSWERS)[chosen % len(ANSWERS)]
    told = messages[-1]["content"]
    shown = sum(f"{MARK} {which}" in told for which in ("right,", "wrong,", "third"))
    scores = ", ".join(str(1 + (chosen >> 2 * i) % 9) for i in range(shown))
    verdict = "nothing to be read" if chosen % 11 == 0 else rf"\boxed{{{scores}}}"
    return f"<think>{MARK} thought {ANSWERS[kind][:500]}</think>{MARK} judgment, {kind}: {ANSWERS[kind]}\n{verdict}"


def run_hostile(composed: Callable[..., DictConfig], folder: Path, *more: str) -> Path:
    """Run two arms on hostile items with a judge that answers hostile texts, and return the run's folder."""
    items = write_items(folder / "items.jsonl")
    with FaultyServer(answer=answer) as server:
        options = [
            "judge=pointwise", "engine=openai", f"engine.base_url={server.url}", "judge.model=m", "task=custom",
            f"task.path={items}", f"run.store={folder}/store.sqlite", "judge.sampling.max_tokens=1000000",
            "strategy.k=4", "run.draws=20", *more,
        ]  # fmt: skip
        cfgs = [composed(*options, f"strategy={name}") for name in ("voting", "knockout")]
        for cfg in cfgs:
            cfg.judge.label = JUDGE
        run(cfgs, folder / "run", show=False)
    return folder / "run"
