"""What is to be reached, and what was: the project's own goals against the figures of one run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Figures = Mapping[str, float]
"""Seconds by `<case>/<contender>`, bytes of anonymous memory by `<case>/<contender>/anonymous`, starts by command."""


@dataclass(frozen=True)
class Goal:
    """A figure, and what it must not exceed."""

    about: str
    most: float
    unit: str
    figure: Callable[[Figures], float]


def _over_limit(case: str) -> Callable[[Figures], float]:
    """Times the limit, the process's own quarter of a second left out."""
    return lambda seen: (seen[f"{case}/subcut"] - 0.25) / seen[f"{case}/limit"]


def _anonymous(seen: Figures) -> float:
    big = [v for k, v in seen.items() if k.endswith("/subcut/anonymous") and "chain" not in k]
    return max(big, default=float("nan")) / 1e6


def _linked(seen: Figures) -> float:
    return max((v for k, v in seen.items() if k.endswith("/subcut --link") and "chain" not in k), default=float("nan"))


def _growth(seen: Figures) -> float:
    return (seen["onnx-chain-1m/subcut"] - seen["onnx-chain-10k/subcut"]) / 990_000 * 1e6


GOALS = (
    *(
        Goal(f"{case}: cut, less 0.25 s, over the limit", 5, "×", _over_limit(case))
        for case in ("onnx-resnet-1.8gb", "tf-resnet-1.8gb", "caffe-resnet-1.8gb")
    ),
    Goal("anonymous memory, models of few operators and any size", 120, "MB", _anonymous),
    Goal("a linked cut, models of few operators and any size", 0.3, "s", _linked),
    Goal(
        "100,000 operators, over onnx.utils without checks",
        2,
        "×",
        lambda seen: seen["onnx-chain-100k/subcut"] / seen["onnx-chain-100k/onnx.utils, no check"],
    ),
    Goal("one operator more, from 10,000 to 1,000,000", 8, "µs", _growth),
    Goal("`import subcut`", 60, "ms", lambda seen: 1000 * seen["import subcut"]),
    Goal("`subcut --help`", 120, "ms", lambda seen: 1000 * seen["subcut --help"]),
)


def table(seen: Figures) -> str:
    """Every goal whose figures were measured; one that is missed is told as plainly as one that is reached."""
    lines = ["## Goals", "", "| figure | at most | measured | |", "|---|---|---|---|"]
    for goal in GOALS:
        try:
            found = goal.figure(seen)
        except KeyError:
            continue
        if found == found:
            said = "reached" if found <= goal.most else "**missed**"
            lines.append(f"| {goal.about} | {goal.most:g} {goal.unit} | {found:.3g} {goal.unit} | {said} |")
    return "\n".join([*lines, ""])
