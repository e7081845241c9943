"""judge.thinking_budget: one number or several, and what it does not go together with."""

from __future__ import annotations

import pytest

from judgescale.harness.plan import plan_arms
from judgescale.harness.types import JudgescaleError

LIVE = ("judge=pairwise", "judge.model=org/Thinker", "judge.thinking=true", "task=sanity", "task.size=12")
SERVER = (*LIVE, "engine=openai", "engine.thinking_field=thinking_token_budget")


def test_each_budget_is_an_arm_that_asks_the_same_engine(composed):
    arms = plan_arms(composed(*SERVER, "judge.thinking_budget=[1024,2048,4096]", "strategy.k=3"))
    assert [arm.purchase.spec.sampling.thinking_budget for arm in arms] == [1024, 2048, 4096]
    assert [arm.purchase.label for arm in arms] == [
        f"org/Thinker, thinking ≤ {budget}" for budget in ("1,024", "2,048", "4,096")
    ]
    assert len({arm.purchase.spec.engine for arm in arms if not arm.purchase.spec.engine.extra_body}) == 1
    assert len({arm.arm.digest for arm in arms}) == 1 and {arm.arm.judge for arm in arms} == {
        arm.purchase.label for arm in arms
    }


def test_one_budget_is_named_too_and_none_is_not(composed):
    (one,) = plan_arms(composed(*SERVER, "judge.thinking_budget=512", "judge.label=T"))
    assert one.purchase.label == "T, thinking ≤ 512" and one.purchase.spec.sampling.thinking_budget == 512
    (none,) = plan_arms(composed(*SERVER))
    assert none.purchase.label == "org/Thinker" and none.purchase.spec.sampling.thinking_budget is None


@pytest.mark.parametrize(
    "given, said",
    [
        ("judge.thinking_budget=0", "judge.thinking_budget=0: must be a whole number, 1 or more, or a list of them"),
        ("judge.thinking_budget=-5", "judge.thinking_budget=-5: must be a whole number, 1 or more"),
        ("judge.thinking_budget=1.5", "judge.thinking_budget=1.5: must be a whole number"),
        ("judge.thinking_budget=true", "judge.thinking_budget=True: must be a whole number"),
        ("judge.thinking_budget=much", "judge.thinking_budget=much: must be a whole number"),
        ("judge.thinking_budget=[]", r"judge.thinking_budget=\[\]: must be whole numbers"),
        ("judge.thinking_budget=[1024,null]", r"judge.thinking_budget=\[1024, None\]: must be whole numbers"),
        ("judge.thinking_budget=[1024,0]", r"judge.thinking_budget=\[1024, 0\]: must be whole numbers, 1 or more"),
        ("judge.thinking_budget=[512,512]", r"judge.thinking_budget=\[512, 512\]: list each budget once"),
        (
            "judge.thinking_budget=[1024,512]",
            r"judge.thinking_budget=\[1024, 512\]: list each budget once, the smallest first",
        ),
        ("judge.thinking_budget=8192", "judge.thinking_budget=8192: leaves no room .*max_tokens=8192"),
        ("judge.thinking_budget=[1024,9000]", "judge.thinking_budget=9000: leaves no room for an answer"),
        ("+judge.sampling.thinking_tokens=9", "judge.sampling.thinking_tokens: this option is judge.thinking_budget"),
        ("+judge.sampling.thinking_budget=9", "judge.sampling.thinking_budget: this option is judge.thinking_budget"),
    ],
)
def test_a_budget_that_is_none_is_one_line(composed, given, said):
    with pytest.raises(JudgescaleError, match=f"^{said}") as raised:
        plan_arms(composed(*SERVER, given))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "changed, said",
    [
        (("judge.thinking=false",), "this judge's verdict is read without a thought"),
        (("engine.thinking_field=null",), "name it with engine.thinking_field .* or set engine.continue_thoughts=true"),
        (("engine=vllm",), "needs engine.reasoning_parser"),
        (("engine=lm_eval",), "engine=lm_eval cannot end a thought"),
        (("engine=openvino",), "engine=openvino cannot end a thought"),
        (("judge=direct",), "this judge's verdict is read without a thought"),
        (("judge=random", "engine=random"), "this judge's verdict is read without a thought"),
        (("judge=scalar", "engine=vllm"), r"a scalar head \(judge.kind=score\) does not think"),
        (("judge=scalar", "engine=transformers"), "a scalar head"),
    ],
)
def test_what_a_budget_does_not_go_together_with(composed, changed, said):
    kept = [
        o for o in SERVER
        if o.split("=")[0] not in {c.split("=")[0] for c in changed}
        and not (o.startswith("engine.") and any(c.startswith("engine=") for c in changed))
        and not (o == "judge.thinking=true" and any(c.startswith("judge=") for c in changed))
    ]  # fmt: skip
    with pytest.raises(JudgescaleError, match=said) as raised:
        plan_arms(composed(*kept, *changed, "judge.thinking_budget=[64,128]", "run.dry=true"))
    assert str(raised.value).startswith("judge.thinking_budget") and "\n" not in str(raised.value)


def test_a_meta_rm_has_a_budget_of_its_own(composed):
    meta = ("strategy=meta_voting", "strategy.k=4", "strategy.meta=recorded", "meta=generative", "meta.model=M")
    server = ("engine@meta.engine=openai", "meta.engine.thinking_field=limit", "meta.thinking=true")
    (arm,) = plan_arms(composed(*SERVER, *meta, *server, "meta.thinking_budget=100"))
    assert arm.purchase.models["meta"].sampling.thinking_budget == 100
    assert arm.purchase.spec.sampling.thinking_budget is None and arm.purchase.label == "org/Thinker"
    with pytest.raises(JudgescaleError, match=r"^meta.thinking_budget=\[1, 2\]: must be a whole number, 1 or more; or"):
        plan_arms(composed(*SERVER, *meta, *server, "meta.thinking_budget=[1,2]"))
