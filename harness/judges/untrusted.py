"""Neutralise chat control tokens in untrusted text.

A response that spells <|im_end|> must not end its turn: what a tokenizer would take for a control token stays text.
"""

from __future__ import annotations

import dataclasses
import re

from judgescale.harness.types import Item

# Control tokens of today's chat templates, as written: <|im_end|>, <｜User｜>, </s>, <end_of_turn>, [INST], [|user|] …
CONTROL = re.compile(
    r"<(?=(?:\|[^|<>\n]{1,40}\||｜[^｜<>\n]{1,40}｜|/?s|/?think|/?tool_(?:call|response)|[a-z]{2,12}_of_[a-z]{2,12}"
    r"|seed:[a-z_]{2,20}|(?:BOS|EOS)_TOKEN|[be]os|pad|unk|[se]op)>)"
    r"|\[(?=\|[^|\[\]\n]{1,40}\|\]|/?(?:[A-Z]{2,12}_)?(?:INST|PROMPT|TOOLS|CALLS|RESULTS|CONTENT|THINK|IMG)\]"
    r"|UNUSED_TOKEN_\d{1,6}\]|g?MASK\]|e~\[)|\](?=~b\])"
)
GAP = "\u200b"  # zero width: a reader sees no difference, a tokenizer sees no token


def neutralise(text: str) -> str:
    """The text with every control token's spelling broken by an invisible space."""
    return CONTROL.sub(lambda found: found[0] + GAP, text) if "<" in text or "[" in text or "]" in text else text


def neutralise_item(item: Item) -> Item:
    """The item with harmless texts: a response cannot end its turn and speak as the user or the judge."""
    conversation = tuple((role, neutralise(content)) for role, content in item.conversation)
    return dataclasses.replace(item, conversation=conversation, texts=tuple(map(neutralise, item.texts)))
