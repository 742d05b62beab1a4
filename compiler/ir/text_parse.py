"""Reads the text form of the IR, also after `mlir-opt` has rewritten it, into a model without files behind it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Union

from subcut.compiler.diagnostics import SourceText
from subcut.compiler.errors import UserError
from subcut.compiler.ir.dialect import Dialect
from subcut.compiler.ir.graph import Attribute, Graph, Model, Op, Symbol, Value
from subcut.compiler.ir.text import default_results
from subcut.compiler.ir.text_literals import CONTROL, ESCAPED, NONE, RESERVED
from subcut.compiler.ir.text_values import Cursor, Signature, unescaped
from subcut.compiler.ir.types import Type

_RESULT = re.compile(r"%([\w$.-]+)(?::(\d+))?", re.ASCII)
_USE = re.compile(r"%([\w$.-]+(?:#\d+)?)", re.ASCII)
_MODULE = re.compile(r'"builtin\.module"\s*\(\s*\)\s*\(\s*\{|module\b')

_Thing = Union[Value, Op, None]
"""What an SSA name stands for: a value, the control result of an operator, or a missing operand."""


class TextDialect(Dialect):
    """The dialect of a model that was read from text: it has its attributes, and no file to write them to."""

    def __init__(self, name: str) -> None:
        self.name = name

    def attributes(self, op: Op) -> Mapping[str, Attribute]:
        """None: the text held them all."""
        return {}

    def is_stored(self, op: Op) -> bool:
        """By the type's name."""
        return op.type in ("initializer", "sparse_initializer", "Const")

    def is_pure(self, op: Op) -> bool:
        """Not known."""
        return False

    def add_input(self, graph: Graph, value: Value, start: Op, index: int) -> Value:
        """A graph input of the same name."""
        return graph.add_input(value.name, value.type)


class _Scope:
    """The SSA names of a region; names of the regions around it are seen too."""

    def __init__(self, outer: _Scope | None = None) -> None:
        self.outer = outer
        self.things: dict[str, _Thing] = {}


@dataclass
class _Statement:
    """An operation of the text, its names not yet looked up."""

    scope: _Scope
    start: int
    results: list[re.Match[str]]
    kind: str
    names: list[re.Match[str]]
    regions: list[Graph]
    own: dict[str, Attribute]
    attributes: dict[str, Attribute]
    types: list[Signature]
    given: list[Signature]
    stop: int


def parse_model(text: str, name: str = "<ir>", dialect: Dialect | None = None) -> Model:
    """The model that `text` describes; `name` is what messages call the text.

    Stored tensors are stubs: their numbers are not in the text. Raises UserError `bad-ir-text`.
    """
    return _Parser(Cursor(SourceText(name, text)), dialect).model()


class _Parser:
    def __init__(self, cursor: Cursor, dialect: Dialect | None) -> None:
        self.cursor = cursor
        self.dialect = dialect
        self.result = Model(dialect or TextDialect(""))
        self.unlinked: list[tuple[Op | Graph, _Statement]] = []
        """Operators and graphs whose operands and outputs are found when all names are known."""

    def model(self) -> Model:
        """The whole text."""
        cursor = self.cursor
        wrapper = cursor.take(_MODULE)
        if wrapper is not None and wrapper[0] == "module":
            if cursor.accept("attributes"):
                cursor.attributes()
            cursor.expect("{")
        self.opening("subcut.model")
        graphs: list[tuple[str, Graph]] = []
        while not cursor.accept("}"):
            graphs.append(self.graph())
        own = self.closing()
        if wrapper is not None:
            cursor.expect("}")
            if wrapper[0] != "module":
                self.closing()
        cursor.skip()
        if cursor.at < len(cursor.text):
            cursor.fail("the end")
        return self.finished(own, graphs)

    def finished(self, own: dict[str, Attribute], graphs: list[tuple[str, Graph]]) -> Model:
        """The model, when all is read."""
        if not graphs:
            raise self.cursor.error("a model has at least one `subcut.graph`", 0)
        name = own.get("dialect")
        if not isinstance(name, str):
            raise self.cursor.error('expected `subcut.dialect = "…"`')
        if self.dialect is None:
            self.result.dialect = TextDialect(name)
        self.result.name = str(own.get("name", ""))
        main, *functions = graphs
        self.result.main = main[1]
        self.result.functions = dict(functions)
        for user, statement in self.unlinked:
            self.link(user, statement)
        return self.result

    def opening(self, kind: str) -> None:
        """`"kind"() ({`."""
        self.cursor.skip()
        at = self.cursor.at
        if self.cursor.string() != kind:
            raise self.cursor.error(f'expected `"{kind}"`', at, self.cursor.at)
        for literal in ("(", ")", "(", "{"):
            self.cursor.expect(literal)

    def closing(self) -> dict[str, Attribute]:
        """`) {attributes} : () -> ()`, behind a region of the text form's own."""
        self.cursor.expect(")")
        own, _ = _parted(self.cursor.attributes())
        for literal in (":", "(", ")", "->", "(", ")"):
            self.cursor.expect(literal)
        return own

    def graph(self) -> tuple[str, Graph]:
        """A `subcut.graph`, with its name."""
        self.opening("subcut.graph")
        graph = self.region(None)
        graph.name = str(self.closing().get("name", ""))
        return graph.name, graph

    def region(self, outer: _Scope | None) -> Graph:
        """Arguments and operators up to and with the `}`; the last operator is the `subcut.output`."""
        graph, scope = Graph(self.result), _Scope(outer)
        if self.cursor.accept("^bb0"):
            self.cursor.expect("(")
            self.cursor.listed(lambda: self.argument(graph, scope), ")")
            self.cursor.expect(":")
        while True:
            statement = self.statement(scope)
            if statement.kind == "subcut.output":
                break
            self.add(graph, statement)
        self.end(graph, statement)
        self.cursor.expect("}")
        return graph

    def argument(self, graph: Graph, scope: _Scope) -> None:
        """A graph input; its real name comes with the `subcut.output`."""
        match = self.named(_RESULT)
        self.cursor.expect(":")
        type = self.tensor(self.cursor.signature(), match)
        self.define(scope, match, match[1], graph.add_input(match[1], type))

    def named(self, pattern: re.Pattern[str]) -> re.Match[str]:
        """An SSA name."""
        match = self.cursor.take(pattern)
        if match is None:
            self.cursor.fail("a name such as `%x`")
        return match

    def statement(self, scope: _Scope) -> _Statement:
        """An operation, up to its types."""
        cursor = self.cursor
        cursor.skip()
        start = cursor.at
        results: list[re.Match[str]] = []
        if cursor.text.startswith("%", start):
            results = cursor.listed(lambda: self.named(_RESULT), "=")
        kind = cursor.string()
        cursor.expect("(")
        names = cursor.listed(lambda: self.named(_USE), ")")
        regions = cursor.nested(lambda: self.regions(scope))
        own, attributes = _parted(cursor.attributes())
        cursor.expect(":")
        cursor.expect("(")
        types = cursor.listed(cursor.signature, ")")
        cursor.expect("->")
        given = cursor.listed(cursor.signature, ")") if cursor.accept("(") else [cursor.signature()]
        statement = _Statement(scope, start, results, kind, names, regions, own, attributes, types, given, cursor.at)
        self.check(statement)
        return statement

    def regions(self, scope: _Scope) -> list[Graph]:
        """`({ … }, { … })`, or nothing."""
        if not self.cursor.accept("("):
            return []

        def region() -> Graph:
            self.cursor.expect("{")
            return self.region(scope)

        return self.cursor.listed(region, ")")

    def check(self, statement: _Statement) -> None:
        """As many types as there are operands and results."""
        results = sum(int(match[2] or 1) for match in statement.results)
        if len(statement.types) != len(statement.names):
            raise self.error(f"{len(statement.names)} operands and {len(statement.types)} types of operands", statement)
        if len(statement.given) != results:
            raise self.error(f"{results} results and {len(statement.given)} types of results", statement)

    def add(self, graph: Graph, statement: _Statement) -> None:
        """Make the operator that a statement describes, without its operands."""
        if statement.kind == "subcut.none":
            for match in statement.results:
                self.define(statement.scope, match, match[1], None)
            return
        own = statement.own
        if statement.kind == "subcut.absent":
            maker = Op(str(own.get("kind", "")), str(own.get("name", "")))
            maker.graph = graph
            self.add_results(maker, "", statement)
            graph.absent += maker.results
            return
        dialect, dot, type = statement.kind.partition(".")
        if not dot or dialect == "subcut":
            raise self.error(f"`{statement.kind}` is no kind of operator", statement)
        op = Op(type, str(own.get("name", "")), attributes=statement.attributes)
        op.symbols = tuple(symbol.name for symbol in _items(own.get("symbols")) if isinstance(symbol, Symbol))
        op.regions = statement.regions
        for body in op.regions:
            body.owner = op
        self.add_results(op, dialect, statement)
        graph.append(op)
        self.unlinked.append((op, statement))

    def add_results(self, op: Op, dialect: str, statement: _Statement) -> None:
        """The results with their real names, and the control result."""
        given = [type for type in statement.given if type != CONTROL]
        names = default_results(dialect, op.name, len(given))
        if "results" in statement.own:
            names = [str(name) for name in _items(statement.own["results"])]
        if len(names) != len(given) or CONTROL in statement.given[:-1]:
            raise self.error("`subcut.results` names another number of results", statement)
        things: list[_Thing] = []
        for name, type in zip(names, given, strict=True):
            things.append(op.add_result(name, self.tensor(type, statement.results[0])))
        things += [op] * (len(statement.given) - len(given))
        for match in statement.results:
            if match[2] is None:
                self.define(statement.scope, match, match[1], things.pop(0))
            else:
                for i in range(int(match[2])):
                    self.define(statement.scope, match, f"{match[1]}#{i}", things.pop(0))

    def end(self, graph: Graph, statement: _Statement) -> None:
        """What the `subcut.output` tells of its graph; the outputs themselves are found later."""
        graph.name = str(statement.own.get("graph", ""))
        names = _items(statement.own.get("inputs"))
        if len(names) != len(graph.inputs):
            raise self.error("`subcut.inputs` names another number of arguments", statement)
        for value, name in zip(graph.inputs, names, strict=True):
            value.name = str(name)
        self.unlinked.append((graph, statement))

    def link(self, user: Op | Graph, statement: _Statement) -> None:
        """Find the operands of an operator, or the outputs of a graph."""
        if isinstance(user, Op) and not statement.kind.startswith(f"{self.result.dialect.name}."):
            raise self.error(f"`{statement.kind}` is no operator of `{self.result.dialect.name}`", statement)
        found = [self.look_up(statement.scope, name) for name in statement.names]
        for thing, type, name in zip(found, statement.types, statement.names, strict=True):
            if type != _signature(thing):
                raise self.error("the type of this operand is not that of its definition", name)
        operands = tuple(thing for thing in found if not isinstance(thing, Op))
        if isinstance(user, Graph):
            user.outputs = [value for value in operands if value is not None]
            return
        user.operands = operands
        user.controls = tuple(thing for thing in found if isinstance(thing, Op))
        for slot, value in enumerate(operands):
            if value is not None:
                value.uses.append((user, slot))

    def define(self, scope: _Scope, match: re.Match[str], name: str, thing: _Thing) -> None:
        """Bind an SSA name in its region."""
        if name in scope.things:
            raise self.error(f"`%{name}` is defined twice", match)
        scope.things[name] = thing

    def look_up(self, scope: _Scope, match: re.Match[str]) -> _Thing:
        """What an SSA name stands for in a region."""
        around: _Scope | None = scope
        names = (match[1], match[1].removesuffix("#0"))
        while around is not None:
            for name in names:
                if name in around.things:
                    return around.things[name]
            around = around.outer
        raise self.error(f"`%{match[1]}` is not defined here", match)

    def tensor(self, type: Signature, match: re.Match[str]) -> Type | None:
        """The type of a value, which is none of the text form's own."""
        if isinstance(type, str):
            raise self.error(f"a value of type `{type}`", match)
        return type

    def error(self, message: str, place: re.Match[str] | _Statement) -> UserError:
        """An error about a name or a statement."""
        if isinstance(place, _Statement):
            return self.cursor.error(message, place.start, place.stop)
        return self.cursor.error(message, place.start(), place.end())


def _parted(attributes: dict[str, Attribute]) -> tuple[dict[str, Attribute], dict[str, Attribute]]:
    """The attributes of the text form's own without their prefix, and the operator's with their real names."""
    own: dict[str, Attribute] = {}
    others: dict[str, Attribute] = {}
    for name, value in attributes.items():
        if name.startswith(RESERVED) and not name.startswith(ESCAPED):
            own[name.removeprefix(RESERVED)] = value
        else:
            others[unescaped(name)] = value
    return own, others


def _items(value: Attribute) -> list[Attribute]:
    return value if isinstance(value, list) else []


def _signature(thing: _Thing) -> Signature:
    if thing is None:
        return NONE
    return CONTROL if isinstance(thing, Op) else thing.type
