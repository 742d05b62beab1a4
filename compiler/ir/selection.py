"""What a selection means on a model: the operators chosen, where the cut starts, and what it must give out."""

from __future__ import annotations

from dataclasses import dataclass, field

from subcut.compiler.diagnostics import Location
from subcut.compiler.ir.graph import Graph, Op, Value
from subcut.compiler.ir.types import Type


@dataclass
class Selection:
    """Operators of one graph (the main one, a body or a function), in the graph's order."""

    graph: Graph
    ops: dict[Op, None]
    entries: dict[Value, None] = field(default_factory=dict[Value, None])
    """Tensors named as the start (`from %x`, `after conv1`): inputs of the cut even where constant or made inside."""
    ends: dict[Value, None] | None = None
    """What the named ends give (`to B`, `to %y`). None: every tensor that leaves, or that nobody reads."""
    leaving: bool = False
    """With named ends: give out what leaves the selection too (`plus` of a named and an open end)."""
    text: str = ""
    """The selection in canonical form."""


@dataclass
class CutOptions:
    """The options of one cut, resolved."""

    types: dict[Value, Type] = field(default_factory=dict[Value, Type])
    """Of inputs."""
    outputs: dict[Value, Type] = field(default_factory=dict[Value, Type])
    """Types that the user stated of outputs."""
    places: dict[Value, Location] = field(default_factory=dict[Value, Location])
    """Where a type is stated, for messages."""
    freeze: dict[Value, str] = field(default_factory=dict[Value, str])
    """Paths of `.npy` files whose numbers take the place of a tensor."""
    taps: dict[Value, None] = field(default_factory=dict[Value, None])
    tap_leaving: bool = False
    snap: str = ""
    """`outward`, `inward` or empty."""
    name: str = ""
