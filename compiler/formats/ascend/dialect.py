"""What the graph engine's operators mean, as far as listing and selecting need it. An offline model is never cut."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from subcut.compiler.errors import UserError, user_error
from subcut.compiler.ir.dialect import LONGEST_RECORD, Dialect
from subcut.compiler.ir.graph import Attribute, Graph, Model, Op, Value

if TYPE_CHECKING:
    import numpy as np

INPUTS = ("Data", "RefData", "AippData")
OUTPUT = "NetOutput"
STORED = ("Const", "Constant", "FileConstant")


class AscendDialect(Dialect):
    """Models of Ascend's graph engine: what it compiled, and what it is given to compile (`.air`)."""

    name = "ge"

    def attributes(self, op: Op) -> Mapping[str, Attribute]:
        """Decode the attributes of an operator. Raises ModelError where they are damaged."""
        from subcut.compiler.formats.ascend.attributes import decode_attributes

        return decode_attributes(op)

    def record_text(self, op: Op) -> str:
        """The OpDef in protobuf's text format, as far as its schema is known."""
        from google.protobuf import text_format

        from subcut.compiler.formats.ascend import schema

        definition, (start, stop) = op.origin
        if stop - start > LONGEST_RECORD:
            return f"# {stop - start} bytes"
        return str(text_format.MessageToString(schema.decode("OpDef", definition.data[start:stop])))

    def is_stored(self, op: Op) -> bool:
        """Whether `op` is a stored constant."""
        return op.type in STORED

    def is_pure(self, op: Op) -> bool:
        """Never but for constants: nothing is ever computed from an offline model."""
        return op.type in STORED

    def has_side_effect(self, op: Op) -> bool:
        """Always: the tasks of an offline model run whether or not another operator reads what they make."""
        return True

    def feeds(self, model: Model) -> list[Value]:
        """What the `Data` operators of the main graph give."""
        return [value for op in model.main.ops if op.type in INPUTS for value in op.results]

    def needs_type(self, value: Value) -> tuple[bool, bool]:
        """Nothing: no input is ever written."""
        return False, False

    def add_input(self, graph: Graph, value: Value, start: Op, index: int) -> Value:
        """Refuse: a part of a compiled model does not run. Selecting and explaining one is allowed."""
        raise whole_only(graph.model)

    def constant_op(self, graph: Graph, value: Value, array: np.ndarray[Any, Any]) -> Op:
        """Refuse to freeze a tensor: the model stays as it was compiled."""
        raise whole_only(graph.model)

    def prune(self, model: Model) -> bool:
        """Nothing: the model stays whole."""
        return False


def whole_only(model: Model) -> UserError:
    """The error for every attempt to cut."""
    return user_error(
        "cut-of-offline-model",
        f"`{model.name}` is a model that was compiled for the device, and no part of it can run by itself",
        help=[
            "cut the original network, and name the offline model with `--om` to have its dumps aligned",
            "select `all` to have the model written as it is",
        ],
    )
