"""The text form of the IR: MLIR's generic operation syntax, read back by `text_parse` and accepted by `mlir-opt`.

    "subcut.model"() ({
      "subcut.graph"() ({
      ^bb0(%data: tensor<1x3x?x?xf32>):
        %conv1 = "caffe.Convolution"(%data) {subcut.name = "conv1"} : (tensor<1x3x?x?xf32>) -> !subcut.unknown
        "subcut.output"(%conv1) {subcut.inputs = ["data"]} : (!subcut.unknown) -> ()
      }) {subcut.name = "main"} : () -> ()
    }) {subcut.dialect = "caffe"} : () -> ()

The first graph is the main one, the others are functions. SSA names are made fit for MLIR; the real ones stand in
attributes, so that they survive `mlir-opt`, which renames: `subcut.name` of an operator, `subcut.results` of its
results (left out where `default_results` tells them), `subcut.inputs` of the arguments of the block it ends. A
missing optional operand is the result of a `subcut.none`; a value whose maker was left out when the model was read,
that of a `subcut.absent`; an operator that others wait for has a last result of type `!subcut.control`, which is a
last operand of theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from subcut.compiler.ir.graph import Attribute, Graph, Model, Op, Symbol, Value, gone_in_order
from subcut.compiler.ir.text_literals import CONTROL, NONE, attribute, identifier, key, string, type_text
from subcut.compiler.ir.types import Type


def model_lines(model: Model) -> Iterator[str]:
    """The lines of a whole model, without line ends."""
    yield '"subcut.model"() ({'
    yield from _Printer(model.main, model.main.ops).graph(model.main.name)
    for name, function in model.functions.items():
        yield from _Printer(function, function.ops).graph(name)
    yield _closing(model)


def op_lines(graph: Graph, chosen: Iterable[Op]) -> Iterator[str]:
    """The lines of a model of one graph that holds only `chosen`, operators of `graph`, in the given order.

    What they read from outside is the graph's inputs, what others read or nobody reads its outputs.
    """
    ops = list(chosen)
    yield '"subcut.model"() ({'
    yield from _Printer(graph, ops, _inputs(ops), _outputs(graph, ops)).graph(graph.name)
    yield _closing(graph.model)


def heads(graph: Graph, ops: Iterable[Op]) -> list[str]:
    """Of each operator its results, kind and operands only, which even broken IR has."""
    printer = _Printer(graph, [])
    return [printer.head(op) for op in ops]


def print_model(model: Model) -> str:
    """The text of a whole model."""
    return "\n".join(model_lines(model)) + "\n"


def default_results(dialect: str, name: str, count: int) -> list[str]:
    """How the results of an operator are called unless its text says otherwise."""
    if dialect in ("tf", "ge"):
        return [f"{name}:{i}" for i in range(count)]
    return [name] * count


def _closing(model: Model) -> str:
    own: dict[str, Attribute] = {"dialect": model.dialect.name, "name": model.name}
    return f"}}) {_own(own)} : () -> ()"


def _own(attributes: dict[str, Attribute]) -> str:
    return "{" + ", ".join(f"subcut.{name} = {attribute(value)}" for name, value in attributes.items()) + "}"


def _inputs(ops: list[Op]) -> list[Value]:
    inside = {value for op in ops for value in op.results}
    return [v for v in dict.fromkeys(v for op in ops for v in op.reads()) if v not in inside]


def _outputs(graph: Graph, ops: list[Op]) -> list[Value]:
    """Results that are read outside or by nobody; reads by the bodies of a chosen operator are inside."""
    inside = {inner for op in ops for inner in op.walk()}
    given = set(graph.outputs)
    results = [value for op in ops for value in op.results]
    return [v for v in results if v in given or not v.uses or any(user not in inside for user, _ in v.uses)]


class _Printer:
    """Prints one graph with its bodies; SSA names are unique within."""

    def __init__(
        self, graph: Graph, ops: list[Op], inputs: list[Value] | None = None, outputs: list[Value] | None = None
    ) -> None:
        self.top = graph
        self.dialect = graph.model.dialect.name
        self.ops = ops
        self.inputs = graph.inputs if inputs is None else inputs
        self.outputs = graph.outputs if outputs is None else outputs
        self.ids: dict[Value | Op | None, str] = {}
        """The SSA name of a value, of the control result of an operator, and of a missing operand (None)."""
        self.taken: dict[str, int] = {}
        self.types: dict[Type | None, str] = {}
        self.kinds: dict[str, str] = {}
        walked = list(gone_in_order(ops))
        inside = set(walked)
        self.waited = {before for op in walked if op.controls for before in op.controls if before in inside}
        self.missing = any(None in op.operands for op in walked)
        self.absent = graph.absent if inputs is None else []

    def graph(self, name: str) -> Iterator[str]:
        """The `subcut.graph` that holds the graph as its region."""
        yield '  "subcut.graph"() ({'
        yield from self.block(self.inputs, self.ops, self.outputs, {}, "    ", self.unmade())
        yield f"  }}) {_own({'name': name})} : () -> ()"

    def block(
        self,
        inputs: list[Value],
        ops: list[Op],
        outputs: list[Value],
        own: dict[str, Attribute],
        indent: str,
        first: Iterable[str] = (),
    ) -> Iterator[str]:
        """Arguments, operators, and the `subcut.output` that carries what MLIR has no place for."""
        if inputs:
            arguments = ", ".join(f"{self.id(v, v.name)}: {self.type(v.type)}" for v in inputs)
            yield f"{indent[2:]}^bb0({arguments}):"
            own = {**own, "inputs": [v.name for v in inputs]}
        for line in first:
            yield f"{indent}{line}"
        for op in ops:
            if op.regions:
                yield from self.op_with_bodies(op, indent)
            else:
                yield f"{indent}{self.head(op)}{self.tail(op)}"
        operands = ", ".join(self.id(v, v.name) for v in outputs)
        types = ", ".join(self.type(v.type) for v in outputs)
        yield f'{indent}"subcut.output"({operands}){" " + _own(own) if own else ""} : ({types}) -> ()'

    def unmade(self) -> Iterator[str]:
        """What operators read although no operator of the graph makes it."""
        if self.missing:
            yield f'{self.id(None, "none")} = "subcut.none"() : () -> {NONE}'
        for value in self.absent:
            assert value.producer is not None
            own: dict[str, Attribute] = {"kind": value.producer.type, "name": value.producer.name}
            own["results"] = [value.name]
            yield f'{self.id(value, value.name)} = "subcut.absent"() {_own(own)} : () -> {self.type(value.type)}'

    def op_with_bodies(self, op: Op, indent: str) -> Iterator[str]:
        """An operator with its regions."""
        opening = f"{indent}{self.head(op)} ({{"
        for body in op.regions:
            yield opening
            own: dict[str, Attribute] = {"graph": body.name}
            yield from self.block(body.inputs, body.ops, body.outputs, own, indent + "  ")
            opening = indent + "}, {"
        yield f"{indent}}}){self.tail(op)}"

    def head(self, op: Op) -> str:
        """Results, kind and operands."""
        kind = self.kinds.get(op.type)
        if kind is None:
            kind = self.kinds[op.type] = string(f"{self.dialect}.{op.type}")
        results = [self.id(v, v.name) for v in op.results]
        if op in self.waited:
            results.append(self.id(op, f"{op.label}_done"))
        operands = [self.id(v, v.name if v is not None else "none") for v in op.operands]
        operands += [self.id(before, f"{before.label}_done") for before in op.controls if before in self.waited]
        equals = f"{', '.join(results)} = " if results else ""
        return f"{equals}{kind}({', '.join(operands)})"

    def tail(self, op: Op) -> str:
        """Attributes and types."""
        operands = [self.type(v.type) if v is not None else NONE for v in op.operands]
        operands += [CONTROL for before in op.controls if before in self.waited]
        results = [self.type(v.type) for v in op.results]
        if op in self.waited:
            results.append(CONTROL)
        given = results[0] if len(results) == 1 else f"({', '.join(results)})"
        return f"{self.attributes(op)} : ({', '.join(operands)}) -> {given}"

    def attributes(self, op: Op) -> str:
        """The text form's own first, then the operator's."""
        parts: list[str] = []
        if op.name:
            parts.append(f"subcut.name = {string(op.name)}")
        names = [v.name for v in op.results]
        if names != default_results(self.dialect, op.name, len(names)):
            parts.append(f"subcut.results = [{', '.join(map(string, names))}]")
        if op.symbols:
            symbols: list[Attribute] = [Symbol(name) for name in op.symbols]
            parts.append(f"subcut.symbols = {attribute(symbols)}")
        parts += [f"{key(name)} = {attribute(value)}" for name, value in op.attributes.items()]
        return f" {{{', '.join(parts)}}}" if parts else ""

    def type(self, type: Type | None) -> str:
        """A type, spelled once for each that is met."""
        text = self.types.get(type)
        if text is None:
            text = self.types[type] = type_text(type)
        return text

    def id(self, thing: Value | Op | None, wish: str) -> str:
        """The SSA name of a value, of an operator's control result or (None) of a missing operand, near to `wish`."""
        known = self.ids.get(thing)
        if known is not None:
            return known
        base = identifier(wish)
        number = self.taken.get(base, 0)
        text = base
        while text in self.taken:
            number += 1
            text = f"{base}_{number}"
        self.taken[base] = number
        self.taken.setdefault(text, 0)
        self.ids[thing] = f"%{text}"
        return f"%{text}"
