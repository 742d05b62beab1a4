"""What the IR's `origin` fields hold for a model that was read from a GraphDef.

An operator's origin is where its NodeDef is in the file, or the bytes of a new one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from subcut.compiler.formats.tensorflow.flow import Flow
from subcut.compiler.formats.tensorflow.library import Library
from subcut.compiler.ir.graph import Op, Value
from subcut.compiler.storage.files import SourceFile


@dataclass
class GraphOrigin:
    """Where a graph's records are."""

    file: SourceFile
    function: bool = False
    """Whether the records spell their inputs as a function's body does."""
    polymorphic: bool = False
    """Whether attributes in it are left to the caller, so that it is no graph by itself."""
    names: set[str] = field(default_factory=set[str])
    """Of every operator it had when it was read: what a new one must not be called."""
    taken: tuple[list[Op], set[str]] | None = None
    """The names of the operators in this list, kept up while inputs are added to it."""
    flow: Flow | None = None
    """Loops and branches, once somebody has asked."""
    stated: dict[Value, None] = field(default_factory=dict[Value, None])
    """Tensors whose types the user states: inference starts from them."""
    restated: set[Op] = field(default_factory=set[Op])
    """Operators whose records may state shapes that follow no longer, because the user stated others."""


@dataclass
class ModelOrigin:
    """What a GraphDef holds besides its nodes: whole fields, in their order."""

    file: SourceFile
    before: list[tuple[int, int, int]] = field(default_factory=list[tuple[int, int, int]])
    after: list[tuple[int, int, int]] = field(default_factory=list[tuple[int, int, int]])
    """Number, start and stop of every other field, before the first node and behind it."""
    library: Library = field(default_factory=Library)
