"""What the IR's `origin` fields hold for a model that was read from one of Ascend's forms.

An operator's origin is a pair: the definition it was read from, and the place of its record in that.
"""

from __future__ import annotations

from dataclasses import dataclass

from subcut.compiler.errors import ModelError
from subcut.compiler.formats.ascend.definition import Definition, Place
from subcut.compiler.formats.ascend.partitions import Container
from subcut.compiler.ir.graph import Graph, Op
from subcut.compiler.storage.files import SourceFile

OpOrigin = tuple[Definition, Place]


@dataclass
class ModelOrigin:
    """A file and what it holds."""

    file: SourceFile
    form: str
    """One of `recognise.OFFLINE` and its neighbours."""
    definitions: list[Definition]
    """The main model first, then those that it runs."""
    container: Container | None = None
    """Of an offline model."""
    broken_off: bool = False
    """Whether the text ends before the model does."""
    main: Graph | None = None
    """The main graph as it was read."""
    count: int = 0
    """How many operators that had."""


def damaged(op: Op, error: ValueError) -> ModelError:
    """The error to raise for a damaged record."""
    definition, place = op.origin
    return ModelError(definition.path, str(error), offset=definition.offset(place), where=f"operator `{op.name}`")
