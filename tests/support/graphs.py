"""Small models written as text, for tests that are about graphs and not about a format.

dialect tf                      first line, optional; onnx unless said
input %x : 1x3xf32
w = initializer()               stored constants: `initializer`, without a name, and `Const`
conv1 = onnx.Conv(%x, %w)       operator conv1, result %conv1
split: a, b = onnx.Split(%x)    operator split, results %a and %b; `_:` is an operator without a name
add = onnx.Add(%a, _, ^conv1)   an omitted operand, a control operand
call = tf.Call(%x) @f           calls the function f
if1 = onnx.If(%c)
  then_branch(%i):              a body with an input; its lines are indented further
    y = onnx.Neg(%a)
    output %y
function f:
  input %q
  output %q
output %add
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from subcut.compiler.ir.dialect import Dialect
from subcut.compiler.ir.graph import Attribute, Graph, Model, Op, Value
from subcut.compiler.ir.types import parse_type

_OP = re.compile(r"(?:([^\s:,]+):\s+)?([^=]*?)\s*=\s*([\w.]+)\((.*)\)((?:\s+@\S+)*)")
_BODY = re.compile(r"(\w+)(?:\((.*)\))?:")


class TextDialect(Dialect):
    """A dialect of which only names and constants matter."""

    def __init__(self, name: str) -> None:
        self.name = name

    def attributes(self, op: Op) -> Mapping[str, Attribute]:
        return {}

    def is_stored(self, op: Op) -> bool:
        return op.type in ("initializer", "Const")

    def is_pure(self, op: Op) -> bool:
        return op.type in ("Identity", "Reshape")

    def add_input(self, graph: Graph, value: Value, start: Op, index: int) -> Value:
        return graph.add_input(value.name, value.type)


class OneModel:
    """A loader that knows one model, whose digest is all `a`."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def digest(self, model: Path, weights: Path | None) -> str:
        return "a" * 64

    def load(self, model: Path, weights: Path | None) -> Model:
        return self.model


def read_graph(text: str) -> Model:
    """The model that `text` describes."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    dialect = "onnx"
    if lines and lines[0].startswith("dialect "):
        dialect = lines.pop(0).split()[1]
    model = Model(TextDialect(dialect))
    _Reader(model, lines).graph(model.main, 0, {})
    return model


class _Reader:
    def __init__(self, model: Model, lines: list[str]) -> None:
        self.model = model
        self.lines = lines
        self.ops: dict[str, Op] = {}

    def graph(self, graph: Graph, indent: int, outer: Mapping[str, Value]) -> None:
        """Read the lines that are indented by `indent` into `graph`."""
        values = dict(outer)
        last: Op | None = None
        while self.lines and _indent(self.lines[0]) >= indent:
            if _indent(self.lines[0]) > indent:
                assert last is not None, self.lines[0]
                self._bodies(last, values)
                continue
            line = self.lines.pop(0).strip()
            if line.startswith("function "):
                function = Graph(self.model, line[9:-1])
                self.model.functions[function.name] = function
                self.graph(function, _indent(self.lines[0]), {})
            else:
                last = self._line(graph, line, values) or last

    def _line(self, graph: Graph, line: str, values: dict[str, Value]) -> Op | None:
        if line.startswith("input %"):
            name, _, type = line[6:].partition(" : ")
            value = graph.add_input(name.strip().removeprefix("%"), parse_type(type) if type else None)
            values[value.name] = value
            return None
        if line.startswith("output %"):
            graph.outputs += [values[name.strip().removeprefix("%")] for name in line[7:].split(",")]
            return None
        return self._op(graph, line, values)

    def _op(self, graph: Graph, line: str, values: dict[str, Value]) -> Op:
        match = _OP.fullmatch(line)
        assert match, line
        given, results, type, operands, calls = match.groups()
        names = [name.strip().removeprefix("%") for name in results.split(",") if name.strip()]
        stored = type == "initializer"
        name = "" if given == "_" or stored else given or names[0]
        read = [word.strip() for word in operands.split(",") if word.strip()]
        data = tuple(None if w == "_" else values[self._port(w)] for w in read if not w.startswith("^"))
        controls = tuple(self.ops[w[1:]] for w in read if w.startswith("^"))
        op = graph.append(Op(type.removeprefix(self.model.dialect.name + "."), name, data, controls, {}))
        op.symbols = tuple(call[1:] for call in calls.split())
        self.ops[name] = op
        for index, result in enumerate(names):
            full = result if self.model.dialect.name != "tf" else f"{name}:{index}"
            values[full] = op.add_result(full)
        return op

    def _port(self, word: str) -> str:
        name = word.removeprefix("%")
        return name if self.model.dialect.name != "tf" or ":" in name else name + ":0"

    def _bodies(self, op: Op, values: dict[str, Value]) -> None:
        indent = _indent(self.lines[0])
        while self.lines and _indent(self.lines[0]) == indent:
            match = _BODY.fullmatch(self.lines.pop(0).strip())
            assert match
            body = Graph(self.model, match[1], op)
            op.regions.append(body)
            inner = dict(values)
            for name in (match[2] or "").split(","):
                if name.strip():
                    value = body.add_input(name.strip().removeprefix("%"))
                    inner[value.name] = value
            if self.lines and _indent(self.lines[0]) > indent:
                self.graph(body, _indent(self.lines[0]), inner)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def names(ops: Iterable[Op]) -> list[str]:
    """What the operators are called, in order."""
    return [op.name or f"%{op.results[0].name}" for op in ops]
