"""Random models: every kind of name, type, attribute and edge that the IR can hold."""

from __future__ import annotations

import itertools
import random
from typing import Any

from hypothesis import strategies as st

from subcut.compiler.ir.graph import Constant, Graph, Model, Op, Symbol, Value
from subcut.compiler.ir.text_parse import TextDialect
from subcut.compiler.ir.types import (
    ELEMENT_TYPES,
    MapType,
    OptionalType,
    SequenceType,
    SparseType,
    TensorType,
    Type,
)

names = st.one_of(
    st.sampled_from(["conv1", "a/b:0", "/model/Concat", "1", "12x", "-", "", "名前", 'q"\\\n\t', "N>", "%x", "none"]),
    st.text(max_size=12),
)
elements = st.one_of(st.none(), st.sampled_from(ELEMENT_TYPES))
symbols = st.one_of(st.sampled_from(["N", "batch_size", "unk__1", "a b"]), st.text(min_size=1, max_size=5))
dims = st.one_of(st.none(), st.integers(-1, 2**62), symbols)
shapes = st.one_of(st.none(), st.lists(dims, max_size=4).map(tuple))
layouts = st.sampled_from(["", "", "NCHW", "NC1HWC0", "odd layout>"])
tensors = st.builds(TensorType, elements, shapes, layouts)
static = st.builds(TensorType, elements, st.lists(st.integers(0, 2**40), max_size=3).map(tuple))
types = st.recursive(
    st.one_of(tensors, st.builds(SparseType, elements, shapes)),
    lambda inner: st.one_of(
        st.builds(SequenceType, st.none() | inner),
        st.builds(OptionalType, st.none() | inner),
        st.builds(MapType, st.sampled_from(["i64", "str"]), st.none() | inner),
    ),
    max_leaves=4,
)


def stub() -> Any:
    raise AssertionError("nobody may load the numbers")


attributes = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False),
        st.floats(width=32, allow_nan=False),
        st.just(float("nan")),
        st.text(max_size=20),
        st.binary(max_size=20),
        names.map(Symbol),
        tensors,
        static.map(lambda type: Constant(type, stub)),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=6,
)
attribute_names = names | st.sampled_from(["subcut.name", "subcut.attr.x", "subcut.", "type", "unit", "true"])
operators = st.fixed_dictionaries(
    {
        "type": names.map(lambda name: name.replace("\0", "")),  # MLIR has no way to write it there
        "name": names,
        "attributes": st.dictionaries(attribute_names, attributes, max_size=3),
        "types": st.lists(st.none() | types, max_size=3),
        "symbols": st.lists(names, max_size=2).map(tuple),
    }
)


@st.composite
def models(draw: st.DrawFn) -> Model:
    """A model whose edges are drawn by one seed: forward, backward (loops), captured, missing and control."""
    dialect = draw(st.sampled_from(["onnx", "tf", "caffe"]))
    model = Model(TextDialect(dialect), draw(names))
    builder = _Builder(model, draw(st.lists(operators, min_size=1, max_size=10)), draw(st.integers(0, 2**32)))
    model.main.name = draw(names)
    builder.fill(model.main, [], 0)
    for name in draw(st.lists(names, max_size=2, unique=True)):
        model.functions[name] = Graph(model, name)
        builder.fill(model.functions[name], [], 0)
    return model


class _Builder:
    def __init__(self, model: Model, drawn: list[dict[str, Any]], seed: int) -> None:
        self.model = model
        self.drawn = drawn
        self.random = random.Random(seed)
        self.types: list[Type | None] = [t for op in drawn for t in op["types"]] or [None]
        self.counter = itertools.count()
        self.names: set[str] = set()

    def unique(self, name: str, keep: bool = False) -> str:
        """Names of values are unique in a graph; `keep` leaves a name alone the first time."""
        if not keep or name in self.names:
            name = f"{name}#{next(self.counter)}"
        self.names.add(name)
        return name

    def fill(self, graph: Graph, visible: list[Value], depth: int) -> None:
        chance = self.random
        for _ in range(chance.randrange(3)):
            graph.add_input(self.unique(chance.choice(self.drawn)["name"]), chance.choice(self.types))
        for _ in range(chance.randrange(1, 6)):
            drawn = chance.choice(self.drawn)
            op = graph.append(Op(drawn["type"], drawn["name"], attributes=drawn["attributes"]))
            op.symbols = drawn["symbols"]
            for i, type in enumerate(drawn["types"]):
                plain = drawn["name"] if self.model.dialect.name != "tf" else f"{drawn['name']}:{i}"
                op.add_result(self.unique(plain, keep=chance.random() < 0.5), type)
        if depth == 0 and chance.random() < 0.1:
            maker = Op(drawn["type"], drawn["name"])
            maker.graph = graph
            graph.absent.append(maker.add_result(self.unique(drawn["name"]), chance.choice(self.types)))
        seen = [*visible, *graph.values(), *graph.absent]
        for op in graph.ops:
            self.connect(op, seen)
            op.set_controls(chance.sample(graph.ops, chance.choice([0, 0, 0, min(2, len(graph.ops))])))
            if depth < 2 and chance.random() < 0.2:
                for i in range(chance.randrange(1, 3)):
                    body = Graph(self.model, chance.choice(["", f"branch/{i}"]), op)
                    op.regions.append(body)
                    self.fill(body, seen, depth + 1)
            op.changed = False
        graph.outputs = chance.choices(seen, k=chance.randrange(4)) if seen else []

    def connect(self, op: Op, seen: list[Value]) -> None:
        operands: list[Value | None] = [*self.random.choices([None, *seen], k=self.random.randrange(4))]
        op.operands = (None,) * len(operands)
        for slot, value in enumerate(operands):
            op.set_operand(slot, value)
