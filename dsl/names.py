"""An index of the names in a model: operators, tensors and bodies, each found by what a user calls it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property

from subcut.compiler.ir.graph import Graph, Model, Op, Value
from subcut.dsl.paths import Flow


class Scope:
    """The names of one graph. Everything is built the first time it is asked for."""

    def __init__(self, graph: Graph, address: str) -> None:
        self.graph = graph
        self.address = address
        """What stands behind `@` to name this graph; empty for the main one."""
        self.suffix = ":0" if graph.model.dialect.name == "tf" else ""
        """What a plain tensor name lacks: TensorFlow's `%name` is `name:0`."""

    @cached_property
    def flow(self) -> Flow:
        """The data flow of the graph."""
        return Flow(self.graph)

    @cached_property
    def ops(self) -> dict[str, Op]:
        """Operators by name. Of several with one name the first; `duplicates` has them all."""
        return {op.name: op for op in reversed(self.graph.ops) if op.name}

    @cached_property
    def named(self) -> int:
        """How many operators have a name."""
        return sum(1 for op in self.graph.ops if op.name)

    def duplicates(self, name: str) -> list[Op]:
        """The operators called `name`, where they are more than one."""
        if self.named == len(self.ops):
            return []
        same = [op for op in self.graph.ops if op.name == name]
        return same if len(same) > 1 else []

    @cached_property
    def values(self) -> dict[str, Value]:
        """Tensors by name: graph inputs, what only a part left out makes, and results."""
        found = {value.name: value for value in (*self.graph.inputs, *self.graph.absent) if value.name}
        for op in self.graph.ops:
            for value in op.results:
                if value.name:
                    found[value.name] = value
        return found

    @cached_property
    def captured(self) -> dict[str, Value]:
        """Tensors of surrounding graphs that this body reads, by name."""
        if self.graph.owner is None:
            return {}
        read = (value for op in self.graph.ops for value in op.reads() if value.graph is not self.graph)
        return {value.name: value for value in read}

    @cached_property
    def by_result(self) -> dict[str, Op]:
        """Operators that their names do not tell apart, by the name of their first result; no stored constants."""
        twice = self._repeated()
        found: dict[str, Op] = {}
        for op in self.graph.ops:
            if (op.name and op.name not in twice) or self.is_stored(op):
                continue
            if (result := first_result(op)) is not None:
                found[result.name] = op
        return found

    def _repeated(self) -> set[str]:
        if self.named == len(self.ops):
            return set()
        return {op.name for op in self.graph.ops if op.name and self.ops[op.name] is not op}

    def is_stored(self, op: Op) -> bool:
        """Whether `op` is a stored constant."""
        return not op.operands and self.graph.model.dialect.is_stored(op)

    def op(self, name: str) -> Op | None:
        """The operator called `name`, or the one without a name of its own whose first result is."""
        return self.ops.get(name) or self.by_result.get(name)

    def value(self, name: str) -> Value | None:
        """The tensor called `name`; in a body also one that it captures."""
        found = self.values.get(name)
        if found is None and self.suffix:
            found = self.values.get(name + self.suffix)
        return found or self.captured.get(name) or self.captured.get(name + self.suffix)

    def op_names(self) -> Iterator[tuple[str, Op]]:
        """Every operator that has an address, with it, in order; of namesakes, each. No unnamed constants."""
        unnamed = {op: name for name, op in self.by_result.items()}
        for op in self.graph.ops:
            name = op.name or unnamed.get(op)
            if name:
                yield name, op

    def matching_ops(self, pattern: re.Pattern[str]) -> list[Op]:
        """The operators whose whole name matches; stored constants only where nothing else does.

        Constants come along with the operators that read them, so a pattern that meant a part of the model would
        only add those that this part does not read.
        """
        found = [op for name, op in self.op_names() if pattern.fullmatch(name)]
        return [op for op in found if not self.is_stored(op)] or found

    def ops_of_type(self, pattern: re.Pattern[str]) -> list[Op]:
        """The operators whose type matches."""
        known: dict[str, bool] = {}
        found: list[Op] = []
        for op in self.graph.ops:
            if op.type not in known:
                known[op.type] = pattern.fullmatch(op.type) is not None
            if known[op.type]:
                found.append(op)
        return found

    def matching_values(self, pattern: re.Pattern[str]) -> list[Value]:
        """The tensors whose whole name matches, with or without TensorFlow's `:0`; no stored constants."""
        found: list[Value] = []
        for name, value in self.values.items():
            plain = name[: -len(self.suffix)] if self.suffix and name.endswith(self.suffix) else name
            if pattern.fullmatch(name) or (plain != name and pattern.fullmatch(plain)):
                found.append(value)
        return [v for v in found if v.producer is None or not self.is_stored(v.producer)]


class Names:
    """The names of a whole model: the main graph's, and those of every body and function."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.main = Scope(model.main, "")

    @cached_property
    def inner(self) -> list[Scope]:
        """Bodies and functions, in the order of the model."""
        found: list[Scope] = list(self._bodies(self.model.main, ""))
        for key, graph in self.model.functions.items():
            found.append(Scope(graph, key))
            found.extend(self._bodies(graph, key + "/"))
        return found

    @cached_property
    def addresses(self) -> dict[str, list[Scope]]:
        """What may stand behind `@`, and the graphs it can mean.

        A function's key; a control-flow operator; an operator and its branch, `if1/then_branch`; either of them
        behind the address of the body that holds it; an operator that calls functions.
        """
        found: dict[str, list[Scope]] = {}
        by_graph = {scope.graph: scope for scope in self.inner}
        for scope in self.inner:
            for address in self._spellings(scope):
                found.setdefault(address, []).append(scope)
        for holder in [self.main, *self.inner]:
            for op in holder.graph.ops:
                for key in op.symbols:
                    if key in self.model.functions and op.name and op.name not in self.model.functions:
                        found.setdefault(op.name, []).append(by_graph[self.model.functions[key]])
        return {address: list(dict.fromkeys(scopes)) for address, scopes in found.items()}

    def scope_of(self, graph: Graph) -> Scope:
        """The names of `graph`."""
        if graph is self.model.main:
            return self.main
        return next(scope for scope in self.inner if scope.graph is graph)

    def _bodies(self, top: Graph, prefix: str) -> Iterator[Scope]:
        """The bodies in `top`, outer ones first, without recursion: real models nest, damaged ones nest deep."""
        todo = [(top, prefix)]
        while todo:
            graph, before = todo.pop(0)
            for op in graph.ops:
                for region in op.regions:
                    address = f"{before}{handle(op)}/{region.name}"
                    yield Scope(region, address)
                    todo.append((region, address + "/"))

    @staticmethod
    def _spellings(scope: Scope) -> Iterable[str]:
        yield scope.address
        owner = scope.graph.owner
        if owner is None:
            return
        long = scope.address[: -len(scope.graph.name) - 1]
        yield from dict.fromkeys([long, handle(owner), f"{handle(owner)}/{scope.graph.name}"])


def first_result(op: Op) -> Value | None:
    """The first result that has a name; an omitted optional one has none."""
    for value in op.results:
        if value.name:
            return value
    return None


def handle(op: Op) -> str:
    """What a user calls an operator: its name, or that of its first result."""
    if op.name:
        return op.name
    result = first_result(op)
    return result.name if result else ""
