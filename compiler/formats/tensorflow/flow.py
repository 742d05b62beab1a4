"""TensorFlow 1's control flow, which is made of ordinary operators: frames of loops, branches of conditionals.

Source: "Implementation of Control Flow in TensorFlow" (2017) and tensorflow/core/common_runtime/executor.cc: `Enter`
sends a tensor into a frame, `Exit` out of it, `NextIteration` back to its `Merge`; a `Switch` gives its tensor to one
of two outputs, all that is computed from the other is dead, and a `Merge` gives on whichever of its inputs is alive.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from subcut.compiler.formats.tensorflow import records
from subcut.compiler.ir.graph import Graph, Op, Value, topological

ENTER, EXIT = ("Enter", "RefEnter"), ("Exit", "RefExit")
SWITCH, MERGE = ("Switch", "RefSwitch", "_SwitchN"), ("Merge", "RefMerge")
NEXT = ("NextIteration", "RefNextIteration")

Branch = tuple[tuple[Value, int], ...]
"""The conditionals that a tensor is inside of, outermost first: what decides, and on which output it depends."""


@dataclass(eq=False)
class Frame:
    """The outermost loop that operators are in, with every loop inside it."""

    name: str
    ops: dict[Op, None] = field(default_factory=dict[Op, None])


@dataclass
class Flow:
    """Which loop and which branches everything in a graph is in."""

    frames: dict[Op, Frame] = field(default_factory=dict[Op, Frame])
    depth: dict[Op, int] = field(default_factory=dict[Op, int])
    """How many loops an operator in a frame is inside of; an `Exit` counts as outside of the one it leaves."""
    branches: dict[Value, Branch] = field(default_factory=dict[Value, Branch])
    op_branches: dict[Op, Branch] = field(default_factory=dict[Op, Branch])

    def in_loop(self, value: Value) -> bool:
        """Whether a tensor exists once an iteration, so that nobody outside can read it."""
        return value.producer is not None and self.depth.get(value.producer, 0) > 0

    def plain(self, value: Value) -> bool:
        """Whether a tensor is computed once, whatever the data."""
        return not self.in_loop(value) and not self.branches.get(value)


def flow_of(graph: Graph) -> Flow:
    """The flow of a graph as it was read; worked out once, and kept although operators are dropped later."""
    origin = graph.origin
    if origin.flow is None:
        kinds = {op.type for op in graph.ops}
        origin.flow = _analyse(graph) if kinds.intersection((*ENTER, *SWITCH)) else Flow()
    flow: Flow = origin.flow
    return flow


def _analyse(graph: Graph) -> Flow:
    flow = Flow()
    order = topological(graph.ops)  # where a back edge holds nothing up, and so may come before its loop
    for op in [*(op for op in order if op.type not in NEXT), *(op for op in order if op.type in NEXT)]:
        _place_in_frame(flow, op)
        _place_in_branch(flow, op)
    return flow


def _place_in_frame(flow: Flow, op: Op) -> None:
    before = [*(v.producer for v in op.operands if v is not None and v.producer is not None), *op.controls]
    outside = [other for other in before if other in flow.frames and flow.depth[other] > 0]
    depth = max((flow.depth[other] for other in outside), default=0)
    if op.type in ENTER:
        depth += 1
        frame = flow.frames[outside[0]] if outside else _frame(flow, op)
    elif depth:
        frame = flow.frames[outside[0]]
    else:
        return
    flow.frames[op] = frame
    flow.depth[op] = depth - 1 if op.type in EXIT else depth
    frame.ops[op] = None


def _frame(flow: Flow, enter: Op) -> Frame:
    """The frame that an outermost `Enter` leads into: the one of its name."""
    found = records.attribute(enter, "frame_name")
    span = records.value_field(*found, 2) if found else None
    name = records.bytes_text(found[0], *span) if found and span else ""
    for frame in dict.fromkeys(flow.frames.values()):
        if frame.name == name:
            return frame
    return Frame(name)


def _place_in_branch(flow: Flow, op: Op) -> None:
    """The branch of an operator is the deepest of what it reads; a `Merge` is where two branches meet again."""
    values = [v for v in op.operands if v is not None]
    known = [flow.branches[v] for v in values if v in flow.branches]
    if op.type in MERGE and not is_loop_merge(op):
        branch = _common([flow.branches.get(v, ()) for v in values])
    else:
        known += [flow.op_branches[other] for other in op.controls if other in flow.op_branches]
        branch = max(known, key=len, default=())
    if branch:
        flow.op_branches[op] = branch
    for result in op.results:
        inner = branch
        if op.type in SWITCH and len(values) == 2 and not _is_loop_switch(op):
            inner = (*branch, (values[1], result.index))
        if inner:
            flow.branches[result] = inner


def _common(branches: list[Branch]) -> Branch:
    """What all of them begin with."""
    if not branches:
        return ()
    first = branches[0]
    for length in range(len(first), 0, -1):
        if all(branch[:length] == first[:length] for branch in branches):
            return first[:length]
    return ()


def is_loop_merge(op: Op) -> bool:
    """Whether this `Merge` begins a loop's iteration."""
    return any(v is not None and v.producer is not None and v.producer.type in (*NEXT, *ENTER) for v in op.operands)


def _is_loop_switch(op: Op) -> bool:
    decides = op.operands[1]
    return decides is not None and decides.producer is not None and decides.producer.type == "LoopCond"
