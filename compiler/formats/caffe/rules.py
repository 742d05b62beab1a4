"""Which layers a net has in a given phase, level and stage.

Source: `Net::FilterNet` and `Net::StateMeetsRule` in BVLC Caffe's `net.cpp`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from subcut.compiler.ir.graph import Attribute

_PHASES = {0: "TRAIN", 1: "TEST"}


@dataclass(frozen=True)
class NetState:
    """What `include` and `exclude` are evaluated for."""

    phase: str = "TEST"
    level: int = 0
    stages: tuple[str, ...] = ()


def meets(state: NetState, rule: Attribute) -> bool:
    """Whether `state` meets a `NetStateRule`: what the rule leaves out, it does not ask for."""
    if not isinstance(rule, dict):
        return False
    phase = rule.get("phase")
    if phase is not None and (_PHASES.get(phase) if isinstance(phase, int) else phase) != state.phase:
        return False
    lowest, highest = rule.get("min_level"), rule.get("max_level")
    if isinstance(lowest, int) and state.level < lowest:
        return False
    if isinstance(highest, int) and state.level > highest:
        return False
    stages = set(state.stages)
    return stages.issuperset(_words(rule, "stage")) and stages.isdisjoint(_words(rule, "not_stage"))


def included(state: NetState, include: Sequence[Attribute], exclude: Sequence[Attribute]) -> bool:
    """Whether a layer with these rules is part of the net.

    Any rule of `include` that is met includes it, any of `exclude` excludes it; without rules it is included.
    Raises ValueError for a layer that has both, as Caffe does.
    """
    if include and exclude:
        raise ValueError("has both `include` and `exclude` rules")
    if include:
        return any(meets(state, rule) for rule in include)
    return not any(meets(state, rule) for rule in exclude)


def _words(rule: dict[str, Attribute], name: str) -> list[Attribute]:
    value = rule.get(name, [])
    return value if isinstance(value, list) else [value]
