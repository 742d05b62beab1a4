"""What a cut did: every edge with its reason, what came along, what was folded. The manifest is made from it."""

from __future__ import annotations

from dataclasses import dataclass, field

from subcut.compiler.ir.graph import Op, Value
from subcut.compiler.ir.types import Type


@dataclass
class Edge:
    """A tensor that the cut takes in or gives out."""

    value: Value
    """The tensor of the original model."""
    reason: str
    """Why it is an edge, such as `made outside`: one of the constants below."""
    producer: Op | None
    consumers: list[Op]
    """For an input the readers inside the cut, for an output the readers outside."""
    new: Value | None = None
    """The graph input that stands for it in the cut."""

    @property
    def type(self) -> Type | None:
        """The type of the tensor, as far as anybody knows it."""
        return self.value.type


MADE_OUTSIDE = "made outside the selection"
MODEL_INPUT = "an input of the model"
CAPTURED = "captured by a body from the graph around it"
NAMED_START = "named as the start"
NAMED_END = "named as the end"
TAPPED = "tapped"
LEAVES = "read outside the selection"
UNREAD = "read by nobody"
MODEL_OUTPUT = "an output of the model"

DEAD = "computed only what is frozen"
"""Why a selected operator is dropped."""

STATIC = "static shapes"
"""Where the numbers of a folded tensor are from, when they are from no file."""


@dataclass
class Report:
    """What a cut did to a model."""

    whole: bool = False
    """Whether everything was selected, so that inputs and outputs stay as they are."""
    inputs: list[Edge] = field(default_factory=list[Edge])
    kept: list[Edge] = field(default_factory=list[Edge])
    """Inputs that the model has as operators of its own (`Placeholder`, `Input`), and that were selected."""
    outputs: list[Edge] = field(default_factory=list[Edge])
    operators: list[Op] = field(default_factory=list[Op])
    """What was selected, in topological order, without the constants that came along."""
    constants: list[Op] = field(default_factory=list[Op])
    folded: list[tuple[Value, Type | None, str]] = field(default_factory=list[tuple[Value, "Type | None", str]])
    """Tensors that became constants: which, of what type, and where the numbers are from."""
    controls: list[tuple[Op, Op]] = field(default_factory=list[tuple[Op, Op]])
    """Control dependencies that were dropped: reader, and what it waited for."""
    known: dict[Value, Type | None] = field(default_factory=dict[Value, "Type | None"])
    """What the model itself says of the tensors whose types the user stated, and of edges that follow from these."""
    framework: bool = True
    """Whether inference may import a framework."""
    graph: str = "main"
    """Which graph was cut."""
