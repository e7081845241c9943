"""Write prompts from Jinja templates: ours, a file of your own, or a file in the notation that the papers print.

A template sees `conversation` (a list of {role, content}), `question` (its last user turn), `context` (all of it as
text), `responses` (in the order shown), `n`, `letters`, `fence` (a word that occurs in none of these texts, so that a
response cannot close a tag that carries it) and its format's own variables.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING, Any, ClassVar

from judgescale.harness.contracts import Judge
from judgescale.harness.errors import write_install
from judgescale.harness.types import Item, JudgescaleError, Request

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATES = Path(__file__).parent / "templates"  # ours
LETTERS = ascii_uppercase
ROLES = ("system", "user", "assistant")
UNLIMITED = sys.maxsize  # as many responses as the model's context holds

INCLUDE = re.compile(r'\{% include "(\w+\.jinja)" %\}')
PLACEHOLDER = re.compile(
    r"\{(?P<name>question|conversation context & query|the response|answer_?(?P<i>[1-9]\d*|(?<=_)[a-z]))\}"
    r"|\[The Begin of Response i\](?P<before>.*?)\{the i-th response\}(?P<after>.*?)\[The End of Response i\]",
    re.DOTALL,
)


@dataclass(frozen=True)
class PromptedJudge(Judge):
    """Give the formats that ask in words their options, templates and requests. A subclass sets `span`.

    Making one renders its templates once: this raises JudgescaleError where a template cannot be read, uses unknown
    variables or leaves a response out.
    """

    span: ClassVar[tuple[int, int]]  # the fewest and the most responses that the format can judge at once
    template: str | None = None
    system: str | None = None
    thinking: bool = False

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.type == "bool" and not isinstance(value, bool):
                raise JudgescaleError(f"judge.{field.name}={value}: must be true or false")
        find_widths(self)

    @property
    def default_template(self) -> str:
        """Return the name of our template, which is used where none is given."""
        return f"{self.format}.jinja"

    @property
    def variables(self) -> Mapping[str, Any]:
        """Return the format's own variables, which its template sees besides an item's."""
        return {}

    def widths(self) -> tuple[int, int]:
        """Return the fewest and the most responses that the templates show."""
        return find_widths(self)

    def write_request(
        self, item: Item, shown: tuple[int, ...], pattern: str | None = None, labels: tuple[str, ...] = ()
    ) -> Request:
        """Write the request that shows these responses, in this order.

        Raises: JudgescaleError where the item's texts are not known.
        """
        given = {**collect_variables(item, shown), **self.variables}
        user = render_template("judge.template", self.template or f"{TEMPLATES}/{self.default_template}", given)
        system = (("system", render_template("judge.system", self.system, given)),) if self.system else ()
        return Request((*system, ("user", user)), pattern=pattern, labels=labels, order=shown)


@lru_cache
def find_widths(judge: PromptedJudge) -> tuple[int, int]:
    """Find the fewest and the most responses that a judge's templates show, by trying up to three more than its fewest.

    A template that still shows all of the largest number tried has the format's own limit.

    Raises: JudgescaleError where the templates show all the responses for no number of them.
    """
    least, most = judge.span
    fits, trouble = [], None
    for n in range(least, min(most, least + 3) + 1):
        item = make_up_item(n)
        try:
            written = "\n".join(text for _, text in judge.write_request(item, tuple(range(n))).messages)
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
    """Make up an item of n responses, to try a prompt on. Its texts go into prompt digests, so they never change."""
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


def collect_variables(item: Item, shown: tuple[int, ...]) -> dict[str, Any]:
    """Collect what every template sees of an item, whatever the format.

    Raises: JudgescaleError naming the item where its texts are missing or no user turn asks for a response.
    """
    conversation = [{"role": role, "content": content} for role, content in read_conversation(item)]
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
        "fence": make_fence([*(turn["content"] for turn in conversation), *item.texts]),
    }


def read_conversation(item: Item) -> tuple[tuple[str, str], ...]:
    """Return an item's conversation as (role, content).

    Raises: JudgescaleError where the conversation or a response's text is missing, or a role is unknown.
    """
    if not item.conversation or len(item.texts) != len(item.responses):
        raise JudgescaleError(f"item {item.id}: only names of its texts are known, and a live judge has to read them")
    for role, _ in item.conversation:
        if role not in ROLES:
            raise JudgescaleError(f"item {item.id}: its conversation has the role {role!r}; use {', '.join(ROLES)}")
    return item.conversation


def list_untrusted_texts(item: Item, shown: tuple[int, ...]) -> Iterator[str]:
    """List the texts in a prompt that others wrote: every turn of the conversation, and the responses shown."""
    for _, content in item.conversation:
        yield content
    for i in shown:
        yield item.texts[i]


def make_fence(texts: Iterable[str]) -> str:
    """Make a word that none of the texts contains. The same texts give the same word, so a prompt is bought once."""
    everything = "\0".join(texts)
    code = everything
    while (code := hashlib.sha256(code.encode(errors="surrogatepass")).hexdigest()[:8]) in everything:
        pass
    return code


def render_template(option: str, file: str, given: Mapping[str, Any]) -> str:
    """Fill in a template. Raises JudgescaleError naming the option and the file where that fails."""
    template = compile_template(option, file, frozenset(given))
    try:
        return template.render(given).strip("\n")
    except Exception as e:  # whatever a template of the user's own does wrong
        raise JudgescaleError(f"{option}={file}: {e}") from None


@lru_cache
def compile_template(option: str, file: str, known: frozenset[str]) -> Template:
    """Compile a template file that may use the `known` variables; one that is not ours runs in Jinja's sandbox.

    Raises: JudgescaleError naming the option and the file where it cannot be read, has a mistake in it, or uses an
    unknown variable.
    """
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError, TemplateSyntaxError, meta
        from jinja2.sandbox import SandboxedEnvironment
    except ImportError:
        raise JudgescaleError(f"prompts need jinja2: {write_install()}") from None
    path = Path(file).expanduser()
    kind = Environment if path.parent == TEMPLATES else SandboxedEnvironment
    environment = kind(undefined=StrictUndefined, loader=FileSystemLoader(TEMPLATES), auto_reload=False)
    try:
        source = translate_to_jinja(path.read_text(encoding="utf-8"))
        if path.parent == TEMPLATES:  # paste the parts in: Jinja would load an included part anew for every prompt
            source = INCLUDE.sub(
                lambda part: (TEMPLATES / part[1]).read_text(encoding="utf-8").removesuffix("\n"), source
            )
        unknown = meta.find_undeclared_variables(environment.parse(source)) - known
        if unknown:
            raise JudgescaleError(
                f"{option}={file}: unknown {', '.join(sorted(unknown))}; a template may use {', '.join(sorted(known))}"
            )
        template = environment.from_string(source)
        template.globals = dict(
            template.globals
        )  # Jinja's chain of two mappings takes longer to read than all the rest
        return template
    except (OSError, UnicodeDecodeError) as e:
        raise JudgescaleError(f"{option}={file}: {getattr(e, 'strerror', None) or 'is no UTF-8 text'}") from None
    except TemplateSyntaxError as e:
        raise JudgescaleError(f"{option}={file}: line {e.lineno}: {e.message}") from None
    except TemplateError as e:
        raise JudgescaleError(f"{option}={file}: {e}") from None


def translate_to_jinja(source: str) -> str:
    """Translate the papers' notation, {question} and the like, to Jinja; return what is Jinja already as it is.

    Every other brace of such a file is plain text. `{question}` is the whole conversation where that has several turns.
    """
    if "{{" in source or "{%" in source:
        return source
    parts, at = [], 0
    for placeholder in PLACEHOLDER.finditer(source):
        parts += [_write_raw(source[at : placeholder.start()]), _translate_placeholder(placeholder)]
        at = placeholder.end()
    return "".join([*parts, _write_raw(source[at:])])


def _write_raw(text: str) -> str:
    """Write plain text so that Jinja leaves it alone."""
    return "{% raw %}" + text + "{% endraw %}"


def _translate_placeholder(placeholder: re.Match[str]) -> str:
    """Translate one match of PLACEHOLDER to Jinja; the block of the i-th response becomes a loop over all of them."""
    if placeholder["name"] is None:
        body = _write_raw(placeholder["before"]) + "{{ response }}" + _write_raw(placeholder["after"])
        begin, end = "[The Begin of Response {{ loop.index }}]", "[The End of Response {{ loop.index }}]"
        separator = "{% if not loop.last %}\n{% endif %}"
        return "{% for response in responses %}" + begin + body + end + separator + "{% endfor %}"
    if placeholder["i"]:
        i = int(placeholder["i"]) - 1 if placeholder["i"].isdecimal() else ascii_lowercase.index(placeholder["i"])
        return "{{ responses[" + str(i) + "] }}"
    return {
        "question": "{{ question if conversation|length == 1 else context }}",
        "conversation context & query": "{{ context }}",
        "the response": "{{ responses[0] }}",
    }[placeholder["name"]]
