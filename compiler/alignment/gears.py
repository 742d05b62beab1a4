"""The gears of a model that was compiled for several sizes (`--dynamic_batch_size` and such): one graph ran, not all.

Every gear is a graph of its own, whose operators are the original ones with a mark behind their names. Source of the
mark: the graph engine's `multi_batch_clone_pass.cc` and `subgraph_multi_dims_clone_pass.cc`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from subcut.compiler.formats.ascend.offline import OfflineModel

_MARK = re.compile(r"(?:_subgraph)?_ascend_mbatch_batch_(\d+)")


def unmarked(name: str) -> str:
    """The name without the mark of a gear."""
    return _MARK.sub("", name) if "_ascend_mbatch_batch_" in name else name


def that_ran(model: OfflineModel, ran: Callable[[str], bool]) -> OfflineModel:
    """`model` without the graphs of gears that left no dump; as it is where none did, or where it has no gears."""
    gears: dict[str, str] = {}
    for op in model.ops:
        mark = _MARK.search(op.name)
        if mark is not None:
            gears.setdefault(op.graph, mark[1])
    if len(set(gears.values())) < 2:
        return model
    live = {gears[op.graph] for op in model.ops if op.graph in gears and ran(op.name)}
    if not live:
        return model
    return replace(model, ops=[op for op in model.ops if gears.get(op.graph) in (None, *live)])
