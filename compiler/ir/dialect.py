"""What the passes ask of a format: one small class a format, the only place where formats differ for a pass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from subcut.compiler.errors import user_error
from subcut.compiler.ir.graph import Constant
from subcut.compiler.ir.types import TensorType, Type

if TYPE_CHECKING:
    import numpy as np

    from subcut.compiler.ir.graph import Attribute, Graph, Model, Op, Value
    from subcut.compiler.ir.stated import Stated


LONGEST_RECORD = 1 << 16
"""Bytes of a record up to which `record_text` writes it out: behind that it is numbers."""


class Dialect(ABC):
    """The meaning of a format's operators, as far as cutting needs it."""

    name: str
    """`onnx`, `tf`, `caffe`: the part before the dot of an operator's kind in the text form."""

    typed_outputs: bool = False
    """Whether the format writes down the types of a model's outputs, so that a cut must know them."""

    @abstractmethod
    def attributes(self, op: Op) -> Mapping[str, Attribute]:
        """Decode the attributes of an operator that was read from a file."""

    @abstractmethod
    def is_stored(self, op: Op) -> bool:
        """Whether `op` is a stored constant: an initialiser, a `Const`."""

    @abstractmethod
    def is_pure(self, op: Op) -> bool:
        """Whether `op` is a function of its operands alone: not random, not stateful, no side effect, no input.

        Must answer False for an operator it does not know.
        """

    def has_side_effect(self, op: Op) -> bool:
        """Whether `op` does something although nobody reads its results (`Assert`, `Print`)."""
        return False

    def static_value(self, value: Value) -> np.ndarray[Any, Any] | None:
        """The numbers of `value` when they follow from types alone, such as a `Shape` of a static tensor."""
        return None

    def static_roots(self, value: Value) -> list[Value]:
        """The tensors whose types decide `static_value`, such as the operand of a `Shape` that `value` depends on."""
        return []

    def constant_op(self, graph: Graph, value: Value, array: np.ndarray[Any, Any]) -> Op:
        """A new operator (not yet in `graph`) with one result that stores `array` and is named as `value` is."""
        raise TypeError(f"{self.name} models have no stored constants")

    def stored_tensors(self, op: Op) -> list[Constant]:
        """The tensors that the record of `op` stores, in its order."""
        return [value for value in op.attributes.values() if isinstance(value, Constant)]

    def record_text(self, op: Op) -> str:
        """The record of `op` as the file has it, as text of the format; empty where it has none of its own."""
        return ""

    def annotate(self, model: Model) -> None:
        """Set the type of every value whose type the file itself states, where reading left that for later."""
        return

    def feeds(self, model: Model) -> list[Value]:
        """The values of the main graph that an execution must be fed: its inputs, placeholders, data layers."""
        return list(model.main.inputs)

    def compiled_names(self, graph: Graph) -> Mapping[Op, str]:
        """What Ascend's offline compiler (ATC) calls the operators of `graph`, before it fuses them."""
        return {op: op.name for op in graph.ops}

    def compiled_input(self, value: Value) -> str:
        """What ATC calls an input of the main graph that no operator stands for."""
        return value.name

    forwarding: frozenset[str] = frozenset()
    """Operators whose first result has the numbers of their first operand, in the same order."""

    def written_names(self, model: Model) -> Mapping[Value, str]:
        """What a reader of the written file calls the values of the main graph that it names otherwise."""
        return {}

    def infer(self, model: Model, wanted: Sequence[Value], *, framework: bool = True) -> None:
        """Find element type and shape of `wanted` (setting `Value.type`), as far as inference can.

        Without `framework` only by what the file states and by rules of ours.
        """
        return

    def bind(self, model: Model, types: Mapping[Value, Type]) -> dict[Value, Type | None]:
        """Take types that the user stated, before inference uses them; returns what the model says of these tensors.

        Sizes may be others than the model's, such as a batch: `settle` tells whether the cut can take them. Raises
        UserError `type-mismatch` for another kind, element type or rank than the model states.
        """
        before = {value: value.type for value in types}
        for value, type in types.items():
            known = before[value]
            mismatch = f"`%{value.name}` is {known} in the model, which {type} is not"
            if not isinstance(type, TensorType) or not isinstance(known, TensorType):
                if isinstance(known, TensorType) or (known is not None and isinstance(type, TensorType)):
                    raise user_error("type-mismatch", mismatch)
                value.type = type
                continue
            ranks = {len(one.shape) for one in (type, known) if one.shape is not None}
            if len(ranks) == 2 or type.element != (known.element or type.element):
                raise user_error("type-mismatch", mismatch)
            value.type = type.merged(known)
        return before

    def settle(self, model: Model, stated: Stated, *, framework: bool = True) -> list[str]:
        """Make all types in the cut `model.main` follow from the types that the user stated of its inputs.

        Without `framework` only by rules of ours. Returns what could not be checked, for the user to know. Raises
        Contradiction where an operator, or its stored weights, cannot take what follows.
        """
        return []

    def needs_type(self, value: Value) -> tuple[bool, bool]:
        """Whether an input that stands for `value` cannot be written without its element type, its shape."""
        return True, False

    def check_region(self, graph: Graph, chosen: Mapping[Op, None]) -> None:
        """Raise a UserError when `chosen` cannot be cut out of `graph` and run, such as half of a `while` frame."""
        return

    def can_leave(self, value: Value) -> bool:
        """Whether `value` may be an output of a cut; a tensor inside a TensorFlow 1 loop may not."""
        return True

    @abstractmethod
    def add_input(self, graph: Graph, value: Value, start: Op, index: int) -> Value:
        """Add to `graph` the input number `index` of the cut, standing for `value`, first read by `start`.

        Returns the new value, which the caller puts in the place of `value` in all its uses.
        """

    input_heading: str = "Add Input:"
    """What the log says before an added input (row D6)."""

    def input_text(self, value: Value) -> str:
        """The input that `add_input` made, in the format's own notation, as the log shows it (row D6)."""
        return f"{value}: {value.type}"

    def prune(self, model: Model) -> bool:
        """Drop what is in the model's library and no operator uses; returns whether anything went."""
        used = reachable_functions(model)
        gone = [name for name in model.functions if name not in used]
        for name in gone:
            del model.functions[name]
        return bool(gone)


def reachable_functions(model: Model, roots: Iterable[Op] | None = None) -> set[str]:
    """Names of the functions that `roots` call (None: the main graph's), also through others and from inside bodies."""
    used: set[str] = set()
    todo: list[Iterable[Op]] = [model.main.ops if roots is None else roots]
    while todo:
        for top in todo.pop():
            for op in top.walk() if top.regions else (top,):
                for name in op.symbols:
                    if name not in used and name in model.functions:
                        used.add(name)
                        todo.append(model.functions[name].ops)
    return used
