"""Checks that a model is well formed, after every pass: what it finds is a bug of ours, not a mistake of a user."""

from __future__ import annotations

from collections import Counter
from typing import NoReturn

from subcut.compiler.ir.graph import Graph, Model, Op, Value
from subcut.compiler.ir.text import heads

AROUND = 2
"""How many operators before and after the broken one the message shows."""


class BrokenIR(AssertionError):
    """The IR is broken: what is wrong, after which pass, and the text around the place."""


def verify(model: Model, after: str = "") -> None:
    """Check `model` in time linear in its size; `after` names what has just been done to it.

    1. Graphs, operators and values know what they belong to: model, owner, graph, producer, index of the result.
    2. An operator and a value stand in one place, and values of one graph have different names (or none).
    3. What an operator reads and a graph gives out is defined in that graph or in one around it, or known to be
       absent. Between a cut and the pass that adds inputs, the inputs that the report tells of may be missing.
    4. Every operand is recorded as a use of its value, once, and every recorded use is such an operand.
    5. The operators that an operator waits for are in its graph.

    Raises BrokenIR at the first thing that is wrong.
    """
    _Verifier(model, after).run()


class _Verifier:
    def __init__(self, model: Model, after: str) -> None:
        self.model = model
        self.after = after
        self.ops: set[Op] = set()
        self.values: set[Value] = set()
        self.around: dict[Graph, frozenset[Graph]] = {}
        """Of every graph, itself and those whose values its operators may use."""
        self.reads: Counter[Value] = Counter()
        """How many operands of the model's operators each value is."""
        edges = model.report.inputs if model.report is not None else []
        self.open = {edge.value for edge in edges if edge.new is None}
        """The inputs of a cut that no graph input stands for yet."""

    def run(self) -> None:
        """Definitions first, of the whole model, then uses."""
        for top in (self.model.main, *self.model.functions.values()):
            if top.owner is not None:
                self.fail(f"graph `{top.name}` is no body and has an owner", top)
            self.define(top, frozenset())
        for graph in self.around:
            self.operands(graph)
        for graph in self.around:
            self.uses(graph)

    def define(self, top: Graph, outside: frozenset[Graph]) -> None:
        """Take down what a graph and its bodies define."""
        todo = [(top, outside)]
        while todo:
            graph, outside = todo.pop()
            if graph in self.around:
                self.fail(f"graph `{graph.name}` stands in two places", graph)
            if graph.model is not self.model:
                self.fail(f"graph `{graph.name}` belongs to another model", graph)
            self.around[graph] = outside | {graph}
            self.inputs(graph)
            for op in graph.ops:
                self.operator(graph, op)
                todo += [(body, self.around[graph]) for body in op.regions]
            self.values.update(graph.absent)
            names = [value.name for value in (*graph.values(), *graph.absent) if value.name]
            if len(set(names)) != len(names):
                twice = next(name for name, count in Counter(names).items() if count > 1)
                self.fail(f"two values are called %{twice}", graph)

    def inputs(self, graph: Graph) -> None:
        for value in graph.inputs:
            if value.producer is not None or value.graph is not graph:
                self.fail(f"input {value} does not know its graph", graph)
            if value in self.values:
                self.fail(f"input {value} stands in two places", graph)
            self.values.add(value)

    def operator(self, graph: Graph, op: Op) -> None:
        if op in self.ops:
            self.fail("the operator stands in two places", graph, op)
        if op.graph is not graph:
            self.fail("the operator does not know its graph", graph, op)
        self.ops.add(op)
        for i, value in enumerate(op.results):
            if value.producer is not op or value.index != i or value in self.values:
                self.fail(f"result {i} ({value}) does not know that it is", graph, op)
            self.values.add(value)
        for body in op.regions:
            if body.owner is not op:
                self.fail(f"the operator does not own its body `{body.name}`", graph, op)

    def operands(self, graph: Graph) -> None:
        """What a graph's operators read and wait for, and what it gives out."""
        for op in graph.ops:
            for slot, value in enumerate(op.operands):
                if value is None:
                    continue
                self.reads[value] += 1
                if not self.visible(value, graph):
                    self.fail(f"operand {slot} ({value}) is defined nowhere around", graph, op)
            for before in op.controls:
                if before not in self.ops or before.graph is not graph:
                    self.fail(f"the operator waits for {before}, which is not in its graph", graph, op)
        for value in graph.outputs:
            if not self.visible(value, graph):
                self.fail(f"output {value} is defined nowhere around", graph)

    def visible(self, value: Value, graph: Graph) -> bool:
        return (value in self.values and value.graph in self.around[graph]) or value in self.open

    def uses(self, graph: Graph) -> None:
        """The recorded uses of a graph's values are as many as the operands, different, and each such an operand."""
        for value in (*graph.values(), *graph.absent):
            for op, slot in value.uses:
                if op not in self.ops or slot >= len(op.operands) or op.operands[slot] is not value:
                    self.fail(f"{value} is recorded as operand {slot} of {op}, which it is not", graph, value.producer)
            if len(value.uses) != self.reads[value] or len(set(value.uses)) != len(value.uses):
                self.fail(
                    f"{value} is {self.reads[value]} operands and records {len(value.uses)} uses", graph, value.producer
                )

    def fail(self, message: str, graph: Graph, op: Op | None = None) -> NoReturn:
        """Raise the error, with the operator and its neighbours as text."""
        after = f" after {self.after}" if self.after else ""
        lines = [f"the IR is broken{after}: {message}", f"in graph `{graph.name}`:"]
        place = graph.ops.index(op) if op in graph.ops else 0
        shown = graph.ops[max(place - AROUND, 0) : place + AROUND + 1] if op is not None else graph.ops[:AROUND]
        for shown_op, text in zip(shown, heads(graph, shown), strict=True):
            lines.append(f"  {'>>' if shown_op is op else '  '} {text}")
        raise BrokenIR("\n".join(lines))
