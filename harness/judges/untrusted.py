"""Neutralise chat control tokens in untrusted text.

A response that spells <|im_end|> must not end its turn and go on as the user or the judge. Every text that others wrote
passes through here before a judge sees it, so that a tokenizer takes it for text and nothing else.
"""

from __future__ import annotations

import dataclasses
import re

from judgescale.harness.types import Item

# How today's chat templates spell their control tokens: <|im_end|>, <｜User｜>, </s>, <end_of_turn>, [INST], [|user|] …
CONTROL = re.compile(
    r"<(?=(?:\|[^|<>\n]{1,40}\||｜[^｜<>\n]{1,40}｜|/?s|/?think|/?tool_(?:call|response)|[a-z]{2,12}_of_[a-z]{2,12}"
    r"|seed:[a-z_]{2,20}|(?:BOS|EOS)_TOKEN|[be]os|pad|unk|[se]op)>)"
    r"|\[(?=\|[^|\[\]\n]{1,40}\|\]|/?(?:[A-Z]{2,12}_)?(?:INST|PROMPT|TOOLS|CALLS|RESULTS|CONTENT|THINK|IMG)\]"
    r"|UNUSED_TOKEN_\d{1,6}\]|g?MASK\]|e~\[)|\](?=~b\])"
)
GAP = "\u200b"  # a space of zero width: a reader sees no difference, and a tokenizer sees no control token


def neutralise(text: str) -> str:
    """Break the spelling of every control token in a text with an invisible space."""
    return CONTROL.sub(lambda found: found[0] + GAP, text) if "<" in text or "[" in text or "]" in text else text


def break_tag(text: str, tag: str) -> str:
    """Break the spelling of a process reward model's step tag in a text, so that no response can end a step itself.

    A tag of white space or of one character is text like any other, and stays: where a step ends is never looked for
    in the text (types.Request.marks).
    """
    word = tag.strip()
    while len(word) > 1 and word in text:  # once more where the tag overlaps itself
        text = text.replace(word, word[0] + GAP + word[1:])
    return text


def neutralise_item(item: Item) -> Item:
    """Neutralise every text of an item: the turns of its conversation and its responses."""
    conversation = tuple((role, neutralise(content)) for role, content in item.conversation)
    return dataclasses.replace(item, conversation=conversation, texts=tuple(map(neutralise, item.texts)))
