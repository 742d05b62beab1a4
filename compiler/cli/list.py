"""List the operators and tensors of a model, with names that a selection takes as they stand.

subcut list model.onnx
subcut list net.prototxt "res2?_*" --ops
subcut list model.pb "%block1/*"              # tensors only, as --tensors
subcut list model.onnx "@loop/*" --json       # what is inside a body
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Union

from subcut.compiler.cli import options, table
from subcut.compiler.diagnostics import did_you_mean
from subcut.compiler.errors import user_error
from subcut.compiler.export import load
from subcut.compiler.ir.graph import Model, Op, Value
from subcut.compiler.ir.types import TensorType, Type
from subcut.compiler.pipeline import no_collection
from subcut.dsl import words
from subcut.dsl.names import Names, Scope

SHOWN = 3
"""How many readers of a tensor a line names."""
INPUT, STORED, OUTPUT = "(input)", "(stored)", "(output)"
"""Makers and readers that are no operators; the name of an operator that looks so would stand in quotes."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.add_model(parser)
    parser.add_argument(
        "glob", metavar="GLOB", nargs="?", help="only names that match; with `%%` in front only tensors"
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--ops", action="store_true", help="only operators")
    kind.add_argument("--tensors", action="store_true", help="only tensors")
    parser.add_argument("--infer", action="store_true", help="infer the types that the model does not state")
    parser.add_argument("--json", action="store_true", help="as JSON, with every reader of a tensor")


def run(args: argparse.Namespace) -> int:
    """Print the list."""
    with no_collection():
        return _list(args)


def _list(args: argparse.Namespace) -> int:
    model = load(args.model, options.read_options(args))
    model.dialect.annotate(model)
    if args.infer:
        model.dialect.infer(model, [value for value in model.main.values() if not is_known(value.type)])
    listing = Listing(model, args.glob or "")
    show_ops = not args.tensors and not listing.tensors_only
    show_tensors = not args.ops
    ops = list(listing.ops()) if show_ops else []
    tensors = list(listing.tensors()) if show_tensors else []
    if args.glob and not ops and not tensors:
        listing.nothing_found()
    if args.json:
        sys.stdout.writelines(_json(ops, tensors))
        return 0
    if show_ops:
        _section("operator" if show_tensors else "", [op.cells() for op in ops])
    if show_ops and show_tensors:
        print()
    if show_tensors:
        _section("tensor" if show_ops else "", [tensor.cells() for tensor in tensors])
    return 0


@dataclass(frozen=True)
class OpRow:
    """What is told of an operator."""

    address: str
    op: Op

    def cells(self) -> tuple[str, str, str]:
        """Name, type, types of the results."""
        return self.address, self.op.type, ", ".join(_type(value.type) for value in self.op.results)

    def json(self) -> dict[str, Any]:
        """Everything, for programs."""
        return {
            "name": self.address,
            "type": self.op.type,
            "inputs": [value.name if value else None for value in self.op.operands],
            "outputs": [value.name for value in self.op.results],
        }


@dataclass(frozen=True)
class TensorRow:
    """What is told of a tensor."""

    address: str
    value: Value
    producer: str
    consumers: list[str]

    def cells(self) -> tuple[str, str, str]:
        """Name, type, and who makes and reads it."""
        more = len(self.consumers) - SHOWN
        readers = ", ".join(self.consumers[:SHOWN]) + (f" and {more} more" if more > 0 else "")
        return self.address, _type(self.value.type), f"{self.producer} -> {readers or 'nobody'}"

    def json(self) -> dict[str, Any]:
        """Everything, for programs."""
        type = self.value.type
        told: dict[str, Any] = {"type": None if type is None else str(type)}
        if type is None or isinstance(type, TensorType):
            tensor = type or TensorType()
            shape = None if tensor.shape is None else list(tensor.shape)
            told = {"element": tensor.element, "shape": shape, "layout": tensor.layout or None}
        producer = None if self.producer in (INPUT, STORED) else self.producer
        return {"name": self.address, **told, "producer": producer, "consumers": self.consumers}


class Listing:
    """The rows of a model, the main graph's first, then those of bodies and functions."""

    def __init__(self, model: Model, glob: str) -> None:
        self.tensors_only = glob.startswith("%")
        self.glob = glob.removeprefix("%")
        self.pattern = words.matcher(self.glob or "*")
        names = Names(model)
        self.scopes = [names.main, *names.inner]
        self.by_graph = {scope.graph: scope for scope in self.scopes}
        self.names: dict[Op, str] = {}
        """What a selection calls every operator that has a name there."""
        for scope in self.scopes:
            by_result = {op: name for name, op in scope.by_result.items()}
            for op in scope.graph.ops:
                name = by_result.get(op) or op.name
                if name:
                    self.names[op] = name

    def ops(self) -> Iterator[OpRow]:
        """Operators that match; stored constants that only their tensor gives a name to are no operators."""
        for scope in self.scopes:
            for op in scope.graph.ops:
                name = self.names.get(op)
                if name is not None and self._matches(scope, name):
                    yield OpRow(self._address(scope, name), op)

    def tensors(self) -> Iterator[TensorRow]:
        """Tensors that match."""
        for scope in self.scopes:
            outputs = set(scope.graph.outputs)
            for name, value in scope.values.items():
                short = name.removesuffix(scope.suffix) if scope.suffix else name
                if self._matches(scope, name) or self._matches(scope, short):
                    readers = [self._reader(op, scope) for op in value.consumers()]
                    readers += [OUTPUT] * (value in outputs)
                    yield TensorRow(self._address(scope, short, "%"), value, self._maker(scope, value), readers)

    def nothing_found(self) -> None:
        """Raise the error that says what might have been meant."""
        known: Iterable[str] = [*self.names.values(), *(name for scope in self.scopes for name in scope.values)]
        sigil = "%" if self.tensors_only else ""
        raise user_error(
            "no-match", f"nothing in the model matches `{sigil}{self.glob}`", help=did_you_mean(self.glob, known)
        )

    def _matches(self, scope: Scope, name: str) -> bool:
        if not self.glob or name == self.glob or self.pattern.fullmatch(name):
            return True
        return bool(scope.address) and self.pattern.fullmatch(f"@{scope.address}/{name}") is not None

    def _maker(self, scope: Scope, value: Value) -> str:
        if value.producer is None:
            return INPUT
        return STORED if value.producer not in self.names else self._reader(value.producer, scope)

    def _reader(self, op: Op, scope: Scope) -> str:
        """An operator as seen from a graph: by its plain name there, by its address from elsewhere."""
        if op.graph is scope.graph:
            return _spelled(self.names.get(op, op.label))
        assert op.graph is not None
        return self._address(self.by_graph[op.graph], self.names.get(op, op.label))

    @staticmethod
    def _address(scope: Scope, name: str, sigil: str = "") -> str:
        if not scope.address:
            return sigil + (words.sigiled(words.escape(name)) if sigil else _spelled(name))
        if sigil:
            return f"@{words.sigiled(words.escape(scope.address))}/%{words.sigiled(words.escape(name))}"
        return "@" + words.sigiled(words.escape(f"{scope.address}/{name}"))


def is_known(type: Type | None) -> bool:
    """Whether there is nothing to infer."""
    return type is not None and (not isinstance(type, TensorType) or None not in (type.element, type.shape))


@cache
def _spelled(name: str) -> str:
    """A name as a selection takes it. Most are met twice: where they are defined, and where they are read."""
    return words.quote(words.escape(name))


@cache
def _type(type: Type | None) -> str:
    return "?" if type is None else str(type)


def _section(heading: str, rows: list[tuple[str, str, str]]) -> None:
    if heading:
        print(f"{len(rows)} {heading}{'' if len(rows) == 1 else 's'}")
    sys.stdout.writelines(f"{line}\n" for line in table.lines(rows))


def _json(ops: list[OpRow], tensors: list[TensorRow]) -> Iterator[str]:
    """One document, a row on each line, written piece by piece."""
    yield '{"operators": ['
    yield from _items(ops)
    yield '],\n"tensors": ['
    yield from _items(tensors)
    yield "]}\n"


def _items(rows: Iterable[Union[OpRow, TensorRow]]) -> Iterator[str]:
    comma = "\n"
    for row in rows:
        yield comma + json.dumps(row.json())
        comma = ",\n"
