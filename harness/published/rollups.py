"""Which printed numbers are means of which others: every benchmark's headline, and other means it was printed as.

The weights are the owners' (the tasks' cards say where they were checked); a test holds them against the tasks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

Weights = Mapping[str, float]  # of each part in a mean, by subset, or by benchmark where a mean is of several

FOUR = dict.fromkeys(("Chat", "ChatHard", "Safety", "Reasoning"), 1.0)
WITH_PRIOR_SETS = FOUR | {"PriorSets": 0.5}
PAIRS = {"Chat": 358, "ChatHard": 456, "Safety": 740, "Reasoning": 1431}
REWARDBENCH = {  # the subsets of each section, by pairs; math-prm's 447 count as 984
    "Chat": {"alpacaeval-easy": 100, "alpacaeval-length": 95, "alpacaeval-hard": 95, "mt-bench-easy": 28,
             "mt-bench-med": 40},
    "ChatHard": {"mt-bench-hard": 37, "llmbar-natural": 100, "llmbar-adver-neighbor": 134, "llmbar-adver-GPTInst": 92,
                 "llmbar-adver-GPTOut": 47, "llmbar-adver-manual": 46},
    "Safety": {"refusals-dangerous": 100, "refusals-offensive": 100, "xstest-should-refuse": 154,
               "xstest-should-respond": 250, "donotanswer": 136},
    "Reasoning": {"math-prm": 984, "hep-cpp": 164, "hep-go": 164, "hep-java": 164, "hep-js": 164, "hep-python": 164,
                  "hep-rust": 164},
}  # fmt: skip
EVERY_PAIR = {name: count for subsets in REWARDBENCH.values() for name, count in subsets.items()} | {"math-prm": 447}
REWARDBENCH2 = {"Factuality": 475, "PreciseIF": 160, "Math": 183, "Safety": 450, "Focus": 495, "Ties": 102}
JUDGEBENCH = {"Knowledge": 154, "Reasoning": 98, "Math": 56, "Coding": 42}
JUDGEBENCH_CLAUDE = {"Knowledge": 154, "Reasoning": 51, "Math": 34, "Coding": 31}
DOMAINS = dict.fromkeys(("Chat", "Math", "Code", "Safety"), 1.0)
DIFFICULTIES = dict.fromkeys(("Easy", "Normal", "Hard"), 1.0)
RMB = {"Helpful-Pair": 10_067, "Harmless-Pair": 7_064, "Helpful-BoN": 2_109, "Harmless-BoN": 1_677}
PPE_THREE = dict.fromkeys(("MMLU-Pro", "MATH", "GPQA"), 1.0)
PPE_FIVE = PPE_THREE | dict.fromkeys(("MBPP-Plus", "IFEval"), 1.0)
REALMISTAKE = dict.fromkeys(
    ("math_word_problem_generation", "finegrained_fact_verification", "answerability_classification"), 1.0
)
PAPER_A = dict.fromkeys(("RewardBench", "PPE-Preference", "PPE-Correctness", "RMB"), 1.0)
SKYWORK_V2 = dict.fromkeys(
    ("RewardBench", "RewardBench2", "PPE-Preference", "PPE-Correctness", "RMB", "RM-Bench", "JudgeBench-unspecified"),
    1.0,
)


class Headline(NamedTuple):
    """Hold what one printed number is the mean of."""

    benchmark: str
    own: Mapping[str, Weights]  # its definition in words: all of these must hold
    others: Mapping[str, Weights] = {}  # means that somebody printed in its place
    subset: str = "Overall"
    metric: str | None = None  # that it is printed as, where its parts have another one (accuracy)
    across: bool = False  # whether its parts are the overalls of other benchmarks


def _even(weights: Mapping[str, float]) -> Weights:
    return dict.fromkeys(weights, 1.0)


REWARDBENCH_OVERALL = Headline(
    "RewardBench",
    {"plain mean of the four sections": FOUR},
    {"with the prior sets at half a section's weight": WITH_PRIOR_SETS, "mean over pairs": PAIRS},
)
HEADLINES = (
    REWARDBENCH_OVERALL,
    REWARDBENCH_OVERALL._replace(metric="score_as_published"),
    Headline("RewardBench", {"mean over the 2,985 pairs": EVERY_PAIR}, subset="MicroOverall"),
    *(
        Headline("RewardBench", {"mean over pairs": subsets}, {"plain mean of its subsets": _even(subsets)}, section)
        for section, subsets in REWARDBENCH.items()
    ),
    Headline("RewardBench2", {"plain mean of the six subsets": _even(REWARDBENCH2)}, {"mean over items": REWARDBENCH2}),
    Headline("RM-Bench", {"mean of the domains": DOMAINS, "mean of the difficulties": DIFFICULTIES}),
    Headline("JudgeBench", {"mean over pairs": JUDGEBENCH}, {"plain mean of the categories": _even(JUDGEBENCH)}),
    Headline(
        "JudgeBench",
        {"plain mean of the categories": _even(JUDGEBENCH)},
        {"mean over pairs": JUDGEBENCH},
        "MacroOverall",
    ),
    Headline("JudgeBench-Claude", {"mean over pairs": JUDGEBENCH_CLAUDE}),
    Headline("RMB", {"plain mean of the four sets": _even(RMB)}, {"mean over pairs and items": RMB}),
    Headline(
        "PPE-Correctness", {"plain mean of the five": PPE_FIVE}, {"mean of MMLU-Pro, MATH and GPQA alone": PPE_THREE}
    ),
    Headline("PPE-Correctness", {"plain mean of the three": PPE_THREE}, subset="Mean3"),
    Headline("PPE-BoN32", {"plain mean of the three": PPE_THREE}),
    Headline("ReaLMistake-SC", {"plain mean of the three tasks": REALMISTAKE}),
    Headline("MEAN4", {"plain mean of the four benchmarks": PAPER_A}, across=True),
    Headline("MEAN7", {"plain mean of the seven benchmarks": SKYWORK_V2}, across=True),
)
