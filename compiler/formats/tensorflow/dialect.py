"""What TensorFlow's operators mean, as far as cutting needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from subcut.compiler.formats.tensorflow.flow import flow_of
from subcut.compiler.formats.tensorflow.fold import static_roots, static_value
from subcut.compiler.formats.tensorflow.inputs import add_placeholder, constant, node_text
from subcut.compiler.formats.tensorflow.records import damaged
from subcut.compiler.formats.tensorflow.regions import check_region, is_token
from subcut.compiler.formats.tensorflow.signatures import signature
from subcut.compiler.ir.dialect import LONGEST_RECORD, Dialect
from subcut.compiler.ir.graph import Attribute, Graph, Model, Op, Value
from subcut.compiler.ir.stated import Stated
from subcut.compiler.ir.types import TensorType, Type

if TYPE_CHECKING:
    import numpy as np

PLACEHOLDERS = ("Placeholder", "PlaceholderV2", "PlaceholderWithDefault")
IMPURE = {
    *PLACEHOLDERS, "Switch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond", "RefSwitch", "RefMerge",
    "RefEnter", "RefExit", "RefNextIteration", "_SwitchN", "ReadFile", "MatchingFiles", "PyFuncStateless",
    "SymbolicGradient", "NoOp", "ControlTrigger", "_Arg", "_Retval", "_DeviceArg", "_DeviceRetval",
}  # fmt: skip
"""Operators that TensorFlow does not mark as stateful and that are no function of their operands alone."""
_PRINTERS = {"Print", "PyFunc", "EagerPyFunc"}


class TensorFlowDialect(Dialect):
    """TensorFlow's GraphDef."""

    name = "tf"
    input_heading = "Add Node Into GraphDef:"
    forwarding = frozenset("Identity Reshape Squeeze ExpandDims StopGradient Snapshot CheckNumerics".split())

    def attributes(self, op: Op) -> Mapping[str, Attribute]:
        """Decode the attributes of an operator. Raises ModelError where they are damaged."""
        from subcut.compiler.formats.tensorflow.attributes import decode_attributes

        try:
            return decode_attributes(op)
        except ValueError as error:
            raise damaged(op, error) from None

    def is_stored(self, op: Op) -> bool:
        """Whether `op` is a Const."""
        return op.type == "Const"

    def is_pure(self, op: Op) -> bool:
        """Whether `op` computes from its operands alone; a call does when everything in the function does."""
        if op.type in IMPURE:
            return False
        if op.symbols and op.graph is not None:
            return self._calls_are_pure(op)
        found = signature(op.type)
        return found is not None and not found.stateful

    def _calls_are_pure(self, op: Op) -> bool:
        assert op.graph is not None
        functions = op.graph.model.functions
        seen: set[str] = set()
        todo = list(op.symbols)
        while todo:
            name = todo.pop()
            if name in seen:
                continue
            seen.add(name)
            if name not in functions:
                return False
            for inner in functions[name].ops:
                todo += inner.symbols
                if not inner.symbols and inner.type != "NoOp" and not self.is_pure(inner):
                    return False
        return True

    def has_side_effect(self, op: Op) -> bool:
        """Whether `op` prints, asserts, writes: stateful without results, or known to print."""
        found = signature(op.type)
        return op.type in _PRINTERS or (found is not None and found.stateful and not found.outputs)

    def check_region(self, graph: Graph, chosen: Mapping[Op, None]) -> None:
        """Refuse variables, handles that would have to be fed, and parts of loops and conditionals."""
        check_region(graph, chosen)

    def can_leave(self, value: Value) -> bool:
        """Not what is inside a loop, where no one can fetch it, nor a handle."""
        graph = value.graph
        return graph is not None and not flow_of(graph).in_loop(value) and not is_token(value)

    def bind(self, model: Model, types: Mapping[Value, Type]) -> dict[Value, Type | None]:
        """Take types that the user stated; inference starts from these tensors."""
        known = super().bind(model, types)
        for value in types:
            if value.graph is not None:
                value.graph.origin.stated[value] = None
        return known

    def settle(self, model: Model, stated: Stated, *, framework: bool = True) -> list[str]:
        """By TensorFlow's shape inference on the cut."""
        from subcut.compiler.formats.tensorflow.stated import settle

        return settle(model, stated, framework)

    def record_text(self, op: Op) -> str:
        """The NodeDef in protobuf's text format."""
        from google.protobuf import text_format

        from subcut.compiler.formats.tensorflow import records, schema

        record = records.record_of(op)
        if record.stop - record.start > LONGEST_RECORD:
            return f"# {record.stop - record.start} bytes"
        raw = bytes(record.data[record.start : record.stop])
        return str(text_format.MessageToString(schema.decode("NodeDef", raw)))

    def infer(self, model: Model, wanted: Sequence[Value], *, framework: bool = True) -> None:
        """Find types by TensorFlow's own inference, which is imported for it."""
        from subcut.compiler.formats.tensorflow.infer import infer

        if framework:
            infer(model, wanted)

    def static_value(self, value: Value) -> np.ndarray[Any, Any] | None:
        """The numbers of `value` when they follow from shapes alone."""
        return static_value(value)

    def static_roots(self, value: Value) -> list[Value]:
        """The tensors whose shapes decide the numbers of `value`."""
        return static_roots(value)

    def feeds(self, model: Model) -> list[Value]:
        """The placeholders' tensors, and the arguments of a function."""
        made = [op.results[0] for op in model.main.ops if op.type in PLACEHOLDERS and not op.operands]
        return [*model.main.inputs, *made]

    def constant_op(self, graph: Graph, value: Value, array: np.ndarray[Any, Any]) -> Op:
        """A Const of the name that the operator that makes `value` has, or a new one where that is not to be had."""
        return constant(graph, value, array)

    def add_input(self, graph: Graph, value: Value, start: Op, index: int) -> Value:
        """Add a Placeholder; see `inputs.add_placeholder`."""
        return add_placeholder(graph, value)

    def input_text(self, value: Value) -> str:
        """The Placeholder in the text format of NodeDef."""
        type = value.type if isinstance(value.type, TensorType) else TensorType()
        return node_text(value.producer.name if value.producer else value.name, type)
