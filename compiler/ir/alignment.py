"""Where the tensors of a model lie in what a device ran and stored: the result of aligning, for passes and export."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from subcut.compiler.ir.graph import Op, Value

DUMP_DATA = "dump_data"
"""The folder of a result folder that dump files go into (row D5)."""

EXACT = "exact"
"""The offline model names the tensor."""
GUESS = "guess"
"""Nothing names it; shape or numbers fit."""
INSIDE = "inside"
"""It exists inside a fused operator only, and is never stored."""
QUANTISED = "quantised"
"""What is stored are its quantised integers."""
ABSENT = "absent"
"""No offline operator computes it."""
CONSTANT = "constant"
"""It is stored in the model, or follows from what is."""
AMBIGUOUS = "ambiguous"
"""Several offline tensors claim it, and nothing tells which is meant."""


@dataclass(frozen=True)
class Stored:
    """One tensor of a dump file."""

    path: Path
    direction: str
    """`output` or `input` of the operator that wrote the file."""
    index: int
    note: str = ""
    """How it was come by, where that is not the file of the holder's own output."""


@dataclass
class Row:
    """What is known of one tensor of the original model."""

    value: Value
    operator: str
    """Its producer, as the offline compiler calls it; the tensor itself where it is an input."""
    index: int
    kind: str
    """One of the constants above."""
    reason: str
    holder: str = ""
    """The offline operator that holds it, or that it is inside of."""
    output: int = 0
    layout: str = ""
    """The layout that the original has, such as `NHWC`, where the offline model says so."""
    shape: tuple[int, ...] | None = None
    """The shape that the original has, where the offline model says so."""
    reshaped: bool = False
    """Whether `shape` is that of what the tensor was made of: the compiler removed the operator that reshapes it."""
    fed_shape: tuple[int, ...] | None = None
    """The shape it had when the device ran, where the model leaves sizes open and something told."""
    stored: Stored | None = None
    missing: str = ""
    """Why nothing is stored although the offline model has the tensor; empty where nothing was looked for."""

    @property
    def aligned(self) -> bool:
        """Whether the offline model has the tensor itself."""
        return self.kind in (EXACT, GUESS)


@dataclass(frozen=True)
class Group:
    """An offline operator, and what it covers of the cut (row D8)."""

    holder: str
    type: str
    operators: tuple[str, ...]
    """Original operators inside the cut, in topological order."""
    outside: tuple[str, ...]
    """Original operators that it covers too and that the cut leaves out."""
    files: tuple[Path, ...]
    """Its own dump files; of several executions the newest."""
    input: Path | None
    """The dump file with its first input that was computed: the file of whoever made that, else its own."""


class Aligner(Protocol):
    """What was found out about a model and its offline twin; knows every tensor of the model as it was read."""

    def row(self, value: Value) -> Row | None:
        """Where `value` lies; None for one that the model did not have when it was read."""
        ...

    def groups(self, ops: Sequence[Op]) -> list[Group]:
        """The offline operators that cover `ops`, in order."""
        ...

    def members(self, holder: str) -> list[Op]:
        """The operators of the original model that an offline operator covers."""
        ...

    def warnings(self) -> list[str]:
        """What the user should know before trusting any of it."""
        ...

    def files(self) -> list[Path]:
        """The files and folders that it reads, which nothing may be written over."""
        ...


@dataclass
class Alignment:
    """The rows of a cut, and the offline operators that cover it."""

    inputs: list[Row] = field(default_factory=list[Row])
    outputs: list[Row] = field(default_factory=list[Row])
    inner: list[Row] = field(default_factory=list[Row])
    groups: list[Group] = field(default_factory=list[Group])
    warnings: list[str] = field(default_factory=list[str])
    strict: bool = False
    """Whether an edge that turns out to have no numbers is an error."""

    @property
    def rows(self) -> list[Row]:
        """Every tensor of the cut, once."""
        return [*self.inputs, *self.inner, *self.outputs]
