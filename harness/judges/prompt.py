"""Prompts out of Jinja templates: ours, a file of your own, or a file in the notation that the papers print.

A template sees `conversation` (a list of {role, content}), `question` (its last user turn), `context` (all of it as
text), `responses` (in the order shown), `n`, `letters`, `fence` (a word that occurs in none of these texts, so that a
tag with it cannot be closed from inside) and its format's own variables.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any, ClassVar

from judgescale.harness.types import Item, JudgescaleError, Request

if TYPE_CHECKING:
    from jinja2 import Template

OURS = Path(__file__).parent / "templates"
LETTERS = ascii_uppercase
ROLES = ("system", "user", "assistant")
ANY = sys.maxsize  # as many responses as the model's context holds

INCLUDE = re.compile(r'\{% include "(\w+\.jinja)" %\}')
PLACE = re.compile(
    r"\{(?P<name>question|conversation context & query|the response|answer(?P<i>[1-9]\d*))\}"
    r"|\[The Begin of Response i\](?P<before>.*?)\{the i-th response\}(?P<after>.*?)\[The End of Response i\]",
    re.DOTALL,
)


@dataclass(frozen=True)
class Prompted:
    """What the formats that ask in words share. Building one renders its templates once.

    Raises JudgescaleError where a template cannot be read, has unknown variables or leaves a response out.
    """

    format: ClassVar[str]
    span: ClassVar[tuple[int, int]]  # the fewest and the most responses that the format can judge at once
    template: str | None = None
    system: str | None = None
    thinking: bool = False

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.type == "bool" and not isinstance(value, bool):
                raise JudgescaleError(f"judge.{field.name}={value}: must be true or false")
        shows(self)

    @property
    def ours(self) -> str:
        """The template in use where none is given."""
        return f"{self.format}.jinja"

    def variables(self) -> Mapping[str, Any]:
        """What the template sees of the format's own knobs."""
        return {}

    def widths(self) -> tuple[int, int]:
        return shows(self)

    def ask(
        self, item: Item, shown: tuple[int, ...], pattern: str | None = None, labels: tuple[str, ...] = ()
    ) -> Request:
        """The request that shows these responses; JudgescaleError where the item's texts are not known."""
        given = {**material(item, shown), **self.variables()}
        user = render("judge.template", self.template or f"{OURS}/{self.ours}", given)
        system = (("system", render("judge.system", self.system, given)),) if self.system else ()
        return Request((*system, ("user", user)), pattern=pattern, labels=labels, order=shown)


@lru_cache
def shows(judge: Prompted) -> tuple[int, int]:
    """The fewest and the most responses that the judge's templates show, found by trying."""
    least, most = judge.span
    fits, trouble = [], None
    for n in range(least, min(most, least + 3) + 1):
        item = make_up_item(n)
        try:
            written = "\n".join(text for _, text in judge.ask(item, tuple(range(n))).messages)
        except JudgescaleError as e:
            trouble = e
            continue
        if all(text in written for text in item.texts):
            fits.append(n)
    if not fits:
        raise trouble or JudgescaleError(
            f"judge.template={judge.template}: shows not all of {least} responses; write {{{{ responses }}}} into it"
        )
    return min(fits), most if max(fits) == min(most, least + 3) else max(fits)


def make_up_item(n: int) -> Item:
    """An item of n responses, to try a prompt on."""
    texts = tuple(f"<response {i}>" for i in range(n))
    return Item(
        id="a made-up item",
        prompt="",
        cluster="",
        responses=texts,
        gold=(0.0,) * n,
        conversation=(("user", "<question>"),),
        texts=texts,
    )


def material(item: Item, shown: tuple[int, ...]) -> dict[str, Any]:
    """What every template sees of an item; JudgescaleError naming the item where its texts are missing."""
    conversation = [{"role": role, "content": content} for role, content in turns_of(item)]
    question = next((turn["content"] for turn in reversed(conversation) if turn["role"] == "user"), None)
    if question is None:
        raise JudgescaleError(f"item {item.id}: its conversation has no user turn to judge the responses against")
    return {
        "conversation": conversation,
        "question": question,
        "context": "\n\n".join(f"{turn['role'].capitalize()}: {turn['content']}" for turn in conversation),
        "responses": [item.texts[i] for i in shown],
        "n": len(shown),
        "letters": LETTERS,
        "fence": fence([*(turn["content"] for turn in conversation), *item.texts]),
    }


def turns_of(item: Item) -> tuple[tuple[str, str], ...]:
    """The item's conversation, once it is sure that it and the responses' texts are there."""
    if not item.conversation or len(item.texts) != len(item.responses):
        raise JudgescaleError(f"item {item.id}: only names of its texts are known, and a live judge has to read them")
    for role, _ in item.conversation:
        if role not in ROLES:
            raise JudgescaleError(f"item {item.id}: its conversation has the role {role!r}; use {', '.join(ROLES)}")
    return item.conversation


def shown_texts(item: Item, shown: tuple[int, ...]) -> list[str]:
    """Every text of others that a prompt holds."""
    return [*(content for _, content in item.conversation), *(item.texts[i] for i in shown)]


def fence(texts: Iterable[str]) -> str:
    """A word that none of the texts contains; the same for the same texts, so that prompts can be bought once."""
    everything = "\0".join(texts)
    code = everything
    while (code := hashlib.sha256(code.encode(errors="surrogatepass")).hexdigest()[:8]) in everything:
        pass
    return code


def render(option: str, file: str, given: Mapping[str, Any]) -> str:
    """A template filled in; JudgescaleError naming the option and the file where that fails."""
    template = compiled(option, file, frozenset(given))
    try:
        return template.render(given).strip("\n")
    except Exception as e:  # whatever a template of the user's own does wrong
        raise JudgescaleError(f"{option}={file}: {e}") from None


@lru_cache
def compiled(option: str, file: str, known: frozenset[str]) -> Template:
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError, TemplateSyntaxError, meta
        from jinja2.sandbox import SandboxedEnvironment
    except ImportError:
        raise JudgescaleError("prompts need jinja2: pip install -e .") from None
    path = Path(file).expanduser()
    kind = Environment if path.parent == OURS else SandboxedEnvironment
    environment = kind(undefined=StrictUndefined, loader=FileSystemLoader(OURS), auto_reload=False)
    try:
        source = as_jinja(path.read_text(encoding="utf-8"))
        if path.parent == OURS:  # parts are written in once: Jinja would set them up anew for every prompt
            source = INCLUDE.sub(lambda part: (OURS / part[1]).read_text(encoding="utf-8").removesuffix("\n"), source)
        unknown = meta.find_undeclared_variables(environment.parse(source)) - known
        if unknown:
            raise JudgescaleError(
                f"{option}={file}: unknown {', '.join(sorted(unknown))}; a template may use {', '.join(sorted(known))}"
            )
        return environment.from_string(source)
    except (OSError, UnicodeDecodeError) as e:
        raise JudgescaleError(f"{option}={file}: {getattr(e, 'strerror', None) or 'is no UTF-8 text'}") from None
    except TemplateSyntaxError as e:
        raise JudgescaleError(f"{option}={file}: line {e.lineno}: {e.message}") from None
    except TemplateError as e:
        raise JudgescaleError(f"{option}={file}: {e}") from None


def as_jinja(source: str) -> str:
    """A template in the papers' notation, {question} and the like, as Jinja; a Jinja template as it is.

    Every other brace of such a file is plain text. `{question}` is the whole conversation where that has several turns.
    """
    if "{{" in source or "{%" in source:
        return source
    written, at = [], 0
    for place in PLACE.finditer(source):
        written += [_literal(source[at : place.start()]), _place(place)]
        at = place.end()
    return "".join([*written, _literal(source[at:])])


def _literal(text: str) -> str:
    return "{% raw %}" + text + "{% endraw %}"


def _place(place: re.Match[str]) -> str:
    if place["name"] is None:
        body = _literal(place["before"]) + "{{ response }}" + _literal(place["after"])
        begin, end = "[The Begin of Response {{ loop.index }}]", "[The End of Response {{ loop.index }}]"
        separator = "{% if not loop.last %}\n{% endif %}"
        return "{% for response in responses %}" + begin + body + end + separator + "{% endfor %}"
    if place["i"]:
        return "{{ responses[" + str(int(place["i"]) - 1) + "] }}"
    return {
        "question": "{{ question if conversation|length == 1 else context }}",
        "conversation context & query": "{{ context }}",
        "the response": "{{ responses[0] }}",
    }[place["name"]]
