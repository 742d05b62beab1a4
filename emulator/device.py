"""The device's operators as they are appended, with the Cast and TransData that change layouts between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from subcut.compiler.device.enums import GE_TYPES, TYPE_NAMES, layout_number
from subcut.compiler.device.layouts import device_shape, from_origin
from subcut.compiler.ir.graph import Value
from subcut.compiler.ir.types import element_of, numpy_dtype
from subcut.emulator.numerics import Precision, is_real
from subcut.emulator.offline import CONST, DATA, OUTPUT, Desc, Held, Node, Original, Plain

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

Run = Callable[[Node, Sequence[Held], Sequence[Held]], None]
"""Told of every operator that the device runs, with what it read and wrote."""
IMAGE, MATRIX = "NC1HWC0", "FRACTAL_NZ"
BLOCKED = (IMAGE, MATRIX, "FRACTAL_Z")


class Device:
    """Appends operators to the offline model and tells `run` of each.

    `image` is the layout of the original model's four-dimensional tensors; `store` takes the bytes of a constant and
    says where they are.
    """

    def __init__(self, precision: Precision, image: str, run: Run, store: Callable[[Array], tuple[int, int]]) -> None:
        self.precision, self.image, self._run, self._store = precision, image, run, store
        self.nodes: list[Node] = []
        self.held: dict[Value, Held] = {}
        self._changed: dict[tuple[Node, int, Desc, str, str], Held] = {}
        self._constants: dict[Value, Held] = {}
        self._inserted = 0
        self._dynamic = 0

    def linear(self, array: Array) -> str:
        """The layout of a tensor that is laid out as in the original model."""
        return self.image if array.ndim == 4 else "ND"

    def data(self, value: Value, name: str, array: Array) -> None:
        """An input of the model, in the element type in which it is fed."""
        desc = Desc(element_of(array.dtype), self.image, array.shape, self.image, array.shape)
        node = Node(name, DATA, [None], [desc])
        self._append(node, [], [Held(node, 0, desc, array)], [value])

    def constant(self, array: Array, layout: str, device: str, group: int = 1, value: Value | None = None) -> Held:
        """A stored tensor; `value` is one of the original model, which is stored once and, if whole, keeps its name."""
        if value is not None and value in self._constants:
            return self._constants[value]
        desc = self._desc(array, layout, device, group)
        kept = value is not None and not is_real(array) and value.producer is not None and value.producer.name
        if not kept:
            self._dynamic += 1
        node = Node(kept or f"dynamic_const_{self._dynamic}", CONST, [], [desc], None if kept else [])
        held = Held(node, 0, desc, array)
        node.stored = self._store(self.numbers(held))
        self.nodes.append(node)
        if value is not None:
            self._constants[value] = held
        return held

    def vector(self, array: Array, layout: str, value: Value | None = None) -> Held:
        """A stored tensor that an operator of this layout reads as it is; beside images it has their layout's name."""
        plain = self.image if layout == IMAGE else self.linear(array)
        return self.constant(array, plain, plain, value=value)

    def demand(self, value: Value, layout: str = "") -> Held:
        """A tensor as an operator wants it: in 16 bits if it is real, in the device layout `layout` or none."""
        held = self.held[value]
        if held.desc.element in ("f32", "f64"):
            held = self._cast(held, self.precision.element)
        return self.laid_out(held, layout or held.desc.origin_layout)

    def laid_out(self, held: Held, layout: str) -> Held:
        """A tensor in another layout, by way of the original one."""
        now = held.desc.layout
        if now in BLOCKED and layout in BLOCKED and now != layout:
            held = self._transposed(held, held.desc.origin_layout)
        return self._transposed(held, layout)

    def view(self, value: Value, source: Value, array: Array) -> None:
        """`value` is `source` in another shape, for which nothing is computed."""
        held = self.demand(source)
        self.held[value] = self.reshaped(held, array)

    def reshaped(self, held: Held, array: Array) -> Held:
        """The same numbers in the shape of `array`."""
        return replace(held, desc=held.desc.viewed(self.linear(array), array.shape), array=array)

    def operator(
        self,
        node: Node,
        inputs: Sequence[Held | None],
        outputs: Sequence[tuple[Value | None, Array, str, Original | None]],
        element: str = "",
    ) -> list[Held]:
        """Append an operator: what it reads, and what it makes, each in a layout, for a tensor of the original."""
        node.inputs = [(held.node, held.index, held.desc) if held is not None else None for held in inputs]
        made: list[Held] = []
        for index, (_, array, layout, original) in enumerate(outputs):
            desc = self._desc(array, self.linear(array), layout, 1, element)
            made.append(Held(node, index, replace(desc, original=original), array))
        node.outputs = [held.desc for held in made]
        self._append(node, [held for held in inputs if held is not None], made, [value for value, *_ in outputs])
        return made

    def output(self, values: Sequence[Value]) -> None:
        """The end of the model: what it gives out, in the original layout and element type."""
        inputs: list[tuple[Node, int, Desc] | None] = []
        for value in values:
            held = self.laid_out(self.held[value], self.held[value].desc.origin_layout)
            element = element_of(held.array.dtype)
            if held.desc.element != element and is_real(held.array):
                held = self._cast(held, element)
            inputs.append((held.node, held.index, held.desc))
        self.nodes.append(Node("Node_Output", OUTPUT, inputs, [], []))

    def numbers(self, held: Held) -> Array:
        """A tensor as it lies in the device's memory."""
        desc, array = held.desc, held.array
        if is_real(array):  # rounded already, where it is to be stored in fewer bits
            array = array.astype(numpy_dtype(desc.element), copy=False)
        if desc.layout not in BLOCKED:
            return array
        return from_origin(array, desc.origin_layout, desc.layout, group=desc.group)

    def forget(self, value: Value) -> None:
        """Nobody reads a tensor any more."""
        held = self.held.pop(value, None)
        if held is not None:
            kept = {other.node for other in self.held.values()}
            for key in [key for key in self._changed if key[0] is held.node and key[0] not in kept]:
                self._drop(key, kept)

    def _drop(self, key: tuple[Node, int, Desc, str, str], kept: set[Node]) -> None:
        held = self._changed.pop(key)
        for other in [other for other in self._changed if other[0] is held.node and held.node not in kept]:
            self._drop(other, kept)

    def _append(self, node: Node, inputs: Sequence[Held], made: Sequence[Held], values: Sequence[Value | None]) -> None:
        self.nodes.append(node)
        for value, held in zip(values, made, strict=True):
            if value is not None:
                self.held[value] = held
        if node.is_run:
            self._run(node, inputs, made)

    def _desc(self, array: Array, origin: str, layout: str, group: int, element: str = "") -> Desc:
        if not element:
            element = self.precision.element if is_real(array) else element_of(array.dtype)
        shape = array.shape
        if layout in BLOCKED:
            small = numpy_dtype(element).itemsize == 1
            shape = device_shape(array.shape, origin, layout, c0=32 if small else 16, group=group)
        return Desc(element, layout, tuple(shape), origin, array.shape, group)

    def _cast(self, held: Held, element: str) -> Held:
        import numpy as np

        def make() -> Held:
            array = held.array.astype(np.float32, copy=False)
            array = self.precision.rounded(array) if element == self.precision.element else array
            old, new = (GE_TYPES.index(TYPE_NAMES[one]) for one in (held.desc.element, element))
            told: dict[str, Plain] = {"SrcT": old, "DstT": new, "dst_type": new, "truncate": False}
            desc = replace(held.desc, element=element, original=None)
            return self._insert("Cast", held, desc, array, told)

        return self._once(held, element, held.desc.layout, make)

    def _transposed(self, held: Held, layout: str) -> Held:
        if held.desc.layout == layout:
            return held

        def make() -> Held:
            desc = self._desc(held.array, held.desc.origin_layout, layout, 1, held.desc.element)
            told: dict[str, Plain] = {
                "src_format": held.desc.layout,
                "dst_format": layout,
                "input_format": layout_number(held.desc.layout),
                "output_format": layout_number(layout),
            }
            return self._insert("TransData", held, desc, held.array, told)

        return self._once(held, held.desc.element, layout, make)

    def _once(self, held: Held, element: str, layout: str, make: Callable[[], Held]) -> Held:
        key = (held.node, held.index, held.desc, element, layout)
        if key not in self._changed:
            self._changed[key] = make()
        return self._changed[key]

    def _insert(self, type: str, held: Held, desc: Desc, array: Array, told: dict[str, Plain]) -> Held:
        node = Node(f"trans_{type}_{self._inserted}", type, [(held.node, held.index, held.desc)], [desc], [], told)
        self._inserted += 1
        made = Held(node, 0, desc, array)
        self._append(node, [held], [made], [None])
        return made
