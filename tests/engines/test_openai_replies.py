"""Replies in the shapes that servers really send: what can be read is read, since it is paid for."""

from __future__ import annotations

import pytest

from judgescale.harness.engines.openai_replies import Fault, read_completions


def read(content, usage=None, reason="stop", **message):
    choice = {"index": 0.0, "message": {"content": content, **message}, "finish_reason": reason}
    return read_completions({"choices": [choice], "usage": usage or {}}, (), None, 1.0)[0]


@pytest.mark.parametrize(
    "content, text, thoughts",
    [
        ([{"type": "text", "text": "so "}, {"type": "output_text", "text": "A"}], "so A", None),
        ([{"text": "A"}, "B"], "AB", None),
        ([{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "A"}], "A", "hm"),
        (
            [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "A"}],
            "A",
            "hm",
        ),
        ([{"type": "reasoning", "text": "hm"}, {"type": "text", "text": "\ud800"}], "?", "hm"),
        ([{"type": "image_url", "image_url": {}}, {"type": "text", "text": None}], "", None),
        ([], "", None),
        (None, "", None),
    ],
)
def test_content_may_be_a_list_of_parts(content, text, thoughts):
    output = read(content)
    assert (output.text, output.reasoning, output.finish) == (text, thoughts, "stop")


def test_a_part_may_be_a_refusal():
    output = read([{"type": "refusal", "refusal": "I will not."}])
    assert (output.text, output.finish) == ("I will not.", "refused")
    assert read("A", reasoning="hm").reasoning == "hm"


@pytest.mark.parametrize("content", [3, {"text": "A"}, [3], [{"type": 3}], [{"type": "text", "text": 3}], [[]]])
def test_other_content_is_a_fault(content):
    with pytest.raises(Fault, match="content|text|type|object"):
        read(content)


def test_counts_may_be_integral_floats():
    usage = {"prompt_tokens": 12.0, "completion_tokens": 3.0, "prompt_tokens_details": {"cached_tokens": 4.0}}
    output = read("A", usage)
    counts = (output.prompt_tokens, output.completion_tokens, output.cached_tokens)
    assert counts == (12, 3, 4) and all(type(count) is int for count in counts)
    choices = [{"index": i, "message": {"content": str(i)}, "finish_reason": "stop"} for i in (1.0, 0.0)]
    assert [o.text for o in read_completions({"choices": choices}, (), None, 1.0)] == ["0.0", "1.0"]


@pytest.mark.parametrize("count", [12.5, -1.0, float("nan"), float("inf"), True, "12", 1e10])
def test_other_numbers_are_no_counts(count):
    output = read("A", {"prompt_tokens": count, "completion_tokens": 1})
    assert (output.text, output.prompt_tokens, output.completion_tokens) == ("A", None, 1)  # the answer is paid for


@pytest.mark.parametrize(
    "reason, finish", [("eos_token", "stop"), ("STOP", "stop"), ("model_length", "length"), ("refusal", "refused")]
)
def test_reasons_of_other_servers_are_known(reason, finish):
    assert read("A", reason=reason).finish == finish
    with pytest.raises(Fault, match="finish_reason is 'error'"):
        read("A", reason="error")
