"""The IR: a model in SSA form, compared by identity, knowing no file format.

A `Model` has a main `Graph` and functions; a `Graph` has inputs, operators in the order of the file, and outputs;
an `Op` has operands, results, control operands, regions (bodies of control flow) and symbols (functions it calls);
a `Value` is a tensor, defined once and used any number of times. What a format needs to write a thing back as it
was is in its `origin`, which nothing but that format looks into.

A body uses values of the graphs around it directly, as in MLIR: such a value is *captured*.
Stored constants (ONNX initialisers, TensorFlow's `Const`) are operators without operands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Union

from subcut.compiler.ir.types import TensorType, Type

if TYPE_CHECKING:
    import numpy as np

    from subcut.compiler.ir.alignment import Aligner, Alignment
    from subcut.compiler.ir.dialect import Dialect
    from subcut.compiler.ir.report import Report
    from subcut.compiler.ir.selection import CutOptions, Selection
    from subcut.compiler.storage.files import SourceFile


@dataclass(frozen=True)
class Constant:
    """A stored tensor, read only when asked for."""

    type: TensorType
    load: Callable[[], np.ndarray[Any, Any]] = field(repr=False, compare=False)

    def numpy(self) -> np.ndarray[Any, Any]:
        """The numbers. Costs memory of their size: meant for small ones."""
        return self.load()


@dataclass(frozen=True)
class Symbol:
    """A reference to a function of the model."""

    name: str


Attribute = Union[
    None,
    bool,
    int,
    float,
    str,
    bytes,
    Constant,
    Symbol,
    TensorType,
    list["Attribute"],
    dict[str, "Attribute"],
]
"""What an attribute decodes to. A Caffe message is a dict, a repeated field a list, an enum its name."""


class Value:
    """A tensor: defined once, by an operator or as a graph input, and used any number of times."""

    __slots__ = ("_graph", "index", "name", "origin", "producer", "type", "uses")

    def __init__(
        self,
        name: str,
        type: Type | None = None,
        producer: Op | None = None,
        index: int = 0,
        graph: Graph | None = None,
    ) -> None:
        self.name = name
        self.type = type
        self.producer = producer
        self.index = index
        """Which result of its producer this is."""
        self.uses: list[tuple[Op, int]] = []
        """Operator and operand slot of every use, in order; uses inside bodies included."""
        self.origin: Any = None
        self._graph = graph

    @property
    def graph(self) -> Graph | None:
        """The graph that defines this value."""
        return self.producer.graph if self.producer is not None else self._graph

    def replace_by(self, other: Value) -> None:
        """Make every use of this value as an operand a use of `other`."""
        uses, self.uses = self.uses, []
        for op, slot in uses:
            op.operands = (*op.operands[:slot], other, *op.operands[slot + 1 :])
            op.changed = True
        other.uses.extend(uses)

    def consumers(self) -> list[Op]:
        """The operators that read this value, each once, in order."""
        return list(dict.fromkeys(op for op, _ in self.uses))

    def __repr__(self) -> str:
        return f"%{self.name}"


class Op:
    """An operator. `type` is the format's own word for it, such as `Conv` or `com.microsoft.FusedConv`."""

    __slots__ = (
        "_attributes",
        "changed",
        "controls",
        "graph",
        "name",
        "operands",
        "origin",
        "regions",
        "results",
        "symbols",
        "type",
    )

    def __init__(
        self,
        type: str,
        name: str = "",
        operands: tuple[Value | None, ...] = (),
        controls: tuple[Op, ...] = (),
        attributes: Mapping[str, Attribute] | None = None,
    ) -> None:
        self.type = type
        self.name = name
        self.operands = operands
        """A missing optional operand keeps its slot, as None."""
        for slot, value in enumerate(operands):
            if value is not None:
                value.uses.append((self, slot))
        self.results: list[Value] = []
        self.controls = controls
        """Operators that must run before this one although no tensor flows (TensorFlow's `^name`)."""
        self.regions: list[Graph] = []
        self.symbols: tuple[str, ...] = ()
        """Names of the functions of the model that this operator calls."""
        self.graph: Graph | None = None
        self.origin: Any = None
        self.changed = False
        """Whether operands or controls differ from what was read, so that its record must be written anew."""
        self._attributes = attributes

    @property
    def attributes(self) -> Mapping[str, Attribute]:
        """The attributes, decoded the first time they are asked for."""
        if self._attributes is None:
            assert self.graph is not None
            self._attributes = self.graph.model.dialect.attributes(self)
        return self._attributes

    @property
    def label(self) -> str:
        """What to call the operator in a message: its name, or its first result's when it has none."""
        return self.name or (f"%{self.results[0].name}" if self.results else f"<{self.type}>")

    def add_result(self, name: str, type: Type | None = None) -> Value:
        """Append a result."""
        value = Value(name, type, self, len(self.results))
        self.results.append(value)
        return value

    def set_operand(self, slot: int, value: Value | None) -> None:
        """Make operand `slot` another value: the one way in which operands change."""
        old = self.operands[slot]
        if old is value:
            return
        if old is not None:
            old.uses.remove((self, slot))
        if value is not None:
            value.uses.append((self, slot))
        self.operands = (*self.operands[:slot], value, *self.operands[slot + 1 :])
        self.changed = True

    def set_controls(self, controls: Iterable[Op]) -> None:
        """Make the control operands others."""
        new = tuple(controls)
        if new != self.controls:
            self.controls = new
            self.changed = True

    def walk(self) -> Iterator[Op]:
        """This operator and every operator in its bodies, without recursion."""
        stack: list[Op] = [self]
        while stack:
            op = stack.pop()
            yield op
            for region in reversed(op.regions):
                stack.extend(reversed(region.ops))

    def captured(self) -> list[Value]:
        """The values of surrounding graphs that the bodies use, each once, in order of first use."""
        if not self.regions:
            return []
        inner: set[Graph] = set()
        found: dict[Value, None] = {}
        for op in self.walk():
            inner.update(op.regions)
        for op in self.walk():
            used = [v for v in op.operands if v is not None] if op is not self else []
            for value in [*used, *(v for region in op.regions for v in region.outputs)]:
                if value.graph not in inner:
                    found[value] = None
        return list(found)

    def reads(self) -> list[Value]:
        """Every value this operator needs: operands, then what its bodies capture; each once."""
        values = [v for v in self.operands if v is not None]
        if self.regions:
            values += self.captured()
        return values if len(values) < 2 else list(dict.fromkeys(values))

    def __repr__(self) -> str:
        return f"<{self.type} {self.label}>"


class Graph:
    """Operators in the order of the file, with inputs and outputs; the main graph, a function or a body."""

    __slots__ = ("absent", "inputs", "model", "name", "ops", "origin", "outputs", "owner")

    def __init__(self, model: Model, name: str = "", owner: Op | None = None) -> None:
        self.model = model
        self.name = name
        self.owner = owner
        """The operator whose body this is."""
        self.inputs: list[Value] = []
        self.outputs: list[Value] = []
        self.ops: list[Op] = []
        self.absent: list[Value] = []
        """Results of operators that were left out when the model was read (Caffe's other phases), and that are read."""
        self.origin: Any = None

    def add_input(self, name: str, type: Type | None = None) -> Value:
        """Append a graph input."""
        value = Value(name, type, graph=self)
        self.inputs.append(value)
        return value

    def append(self, op: Op) -> Op:
        """Append an operator."""
        op.graph = self
        self.ops.append(op)
        return op

    def insert(self, index: int, op: Op) -> Op:
        """Put an operator before the one at `index`."""
        op.graph = self
        self.ops.insert(index, op)
        return op

    def keep(self, kept: Iterable[Op]) -> bool:
        """Drop every operator that is not in `kept`, in one sweep; the uses by dropped operators go too.

        A value that a kept operator reads from a dropped one stays readable, for a later pass to replace. Returns
        whether anything was dropped.
        """
        chosen = set(kept)
        dropped = [op for op in self.ops if op not in chosen]
        if not dropped:
            return False
        self.ops = [op for op in self.ops if op in chosen]
        gone = {inner for op in dropped for inner in op.walk()}
        touched = dict.fromkeys(v for op in gone_in_order(dropped) for v in op.operands if v is not None)
        for value in touched:
            if value.uses:
                value.uses = [use for use in value.uses if use[0] not in gone]
        return True

    def topological(self) -> list[Op]:
        """The operators, each after what it reads; the file's order where that leaves a choice.

        The back edges of TensorFlow 1 loops (`NextIteration`) are not followed.
        """
        return topological(self.ops)

    def values(self) -> Iterator[Value]:
        """Inputs and results, in order."""
        yield from self.inputs
        for op in self.ops:
            yield from op.results

    def __repr__(self) -> str:
        return f"<graph {self.name}: {len(self.ops)} operators>"


class Model:
    """A whole model: what was read from which files, and what it is being turned into."""

    def __init__(self, dialect: Dialect, name: str = "") -> None:
        self.dialect = dialect
        self.name = name
        self.main = Graph(self, "main")
        self.functions: dict[str, Graph] = {}
        """By the name that `Op.symbols` uses."""
        self.sources: list[SourceFile] = []
        """The files this was read from, the model file first; kept open, read-only."""
        self.checksums: dict[SourceFile, dict[str, str]] = {}
        """SHA-1 digests that the model states of its other files, in lower case, and what states each."""
        self.origin: Any = None
        self.selection: Selection | None = None
        self.options: CutOptions | None = None
        self.report: Report | None = None
        """What is selected, how it is to be cut, and what the cut did: set by passes, for those that follow."""
        self.aligner: Aligner | None = None
        """What is known of the offline model that was made of this one, and of the device's dumps."""
        self.alignment: Alignment | None = None
        """Where the tensors of the cut lie in them."""
        self.history: list[str] = []
        """The passes that were run, as `--passes` spells them."""
        self.notes: dict[str, list[dict[str, str]]] = {}
        """What a format did that the manifest must say, such as `rewired` operands."""

    def graphs(self) -> Iterator[Graph]:
        """The main graph, the functions, and all their bodies."""
        for top in [self.main, *self.functions.values()]:
            yield top
            for op in top.ops:
                if op.regions:
                    for inner in op.walk():
                        yield from inner.regions


def gone_in_order(ops: Iterable[Op]) -> Iterator[Op]:
    """Each of `ops` and what is in its bodies."""
    for op in ops:
        if op.regions:
            yield from op.walk()
        else:
            yield op


def topological(ops: Iterable[Op]) -> list[Op]:
    """`ops`, each after those of them it reads or waits for; the given order where that leaves a choice."""
    order = list(ops)
    place = {op: i for i, op in enumerate(order)}
    if _is_sorted(order, place):
        return order
    done: dict[Op, None] = {}
    started: set[Op] = set()
    for root in order:
        stack = [root]
        while stack:
            op = stack[-1]
            if op in done:
                stack.pop()
                continue
            waiting = [] if op in started else [p for p in _needs(op) if p in place and p not in done]
            started.add(op)
            if waiting:
                stack.extend(p for p in reversed(waiting) if p not in started)
            if stack[-1] is op:
                stack.pop()
                done[op] = None
    return list(done)


def _needs(op: Op) -> list[Op]:
    """The operators that must come before `op`, except along a loop's back edge."""
    if op.type == "NextIteration":
        return []
    producers = [v.producer for v in op.reads() if v.producer is not None]
    return [p for p in [*producers, *op.controls] if p.type != "NextIteration"]


def _is_sorted(order: list[Op], place: Mapping[Op, int]) -> bool:
    """Whether every operator stands behind what it needs; the common case, so it is made to be fast."""
    for index, op in enumerate(order):
        if op.regions or op.controls or op.type == "NextIteration":
            if any(place.get(p, -1) >= index for p in _needs(op)):
                return False
            continue
        for value in op.operands:
            if value is None or value.producer is None:
                continue
            if place.get(value.producer, -1) >= index and value.producer.type != "NextIteration":
                return False
    return True
