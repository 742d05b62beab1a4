"""The offline model under construction: operators of the device, the tensors they exchange, nothing of a file."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Union

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

Plain = Union[bool, int, float, str, list[bool], list[int], list[float], list[str]]

DATA, CONST, OUTPUT = "Data", "Const", "NetOutput"
NOT_RUN = (DATA, CONST, OUTPUT)
"""Types of operators that are no tasks of the device: they leave no dump."""


@dataclass(frozen=True)
class Original:
    """The tensor of the original model that a tensor holds."""

    name: str
    index: int
    element: str
    from_ub: bool = False
    """Whether it was a UB fusion that made it."""


@dataclass(frozen=True)
class Desc:
    """What a tensor is on the device, and where it comes from."""

    element: str
    layout: str
    shape: tuple[int, ...]
    """On the device, padding included."""
    origin_layout: str
    origin_shape: tuple[int, ...]
    group: int = 1
    original: Original | None = None

    def __post_init__(self) -> None:
        assert all(isinstance(dim, int) for dim in self.shape)

    def viewed(self, layout: str, shape: tuple[int, ...]) -> Desc:
        """The same numbers, in no device layout, as a tensor of another shape."""
        return replace(self, layout=layout, shape=shape, origin_layout=layout, origin_shape=shape, original=None)


@dataclass(frozen=True)
class Held:
    """A tensor that an operator made: who, what, and the numbers in the original layout and shape."""

    node: Node
    index: int
    desc: Desc
    array: Array


@dataclass(eq=False)
class Node:
    """An operator of the device."""

    name: str
    type: str
    inputs: list[tuple[Node, int, Desc] | None] = field(default_factory=list["tuple[Node, int, Desc] | None"])
    """None is an optional input that is not connected."""
    outputs: list[Desc] = field(default_factory=list[Desc])
    originals: list[str] | None = None
    """The original operators; none for an inserted one, None for one that is unchanged."""
    attributes: dict[str, Plain] = field(default_factory=dict[str, Plain])
    stored: tuple[int, int] | None = None
    """A constant's place in the weights, and its size."""

    @property
    def is_run(self) -> bool:
        """Whether the device runs it as a task, and dumps it."""
        return self.type not in NOT_RUN
