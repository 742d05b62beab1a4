"""From a name in a selection to the operators and tensors it means, or to a message that says what was meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NoReturn, TypeVar

from subcut.compiler.diagnostics import Location, SourceText, did_you_mean
from subcut.compiler.errors import user_error
from subcut.compiler.ir.graph import Op, Value
from subcut.dsl import ast, words
from subcut.dsl.names import Names, Scope, first_result, handle
from subcut.dsl.paths import Node

N = TypeVar("N", Op, Value)


@dataclass
class Found:
    """What a name means, and in which graph."""

    scope: Scope
    nodes: Sequence[Node]


class Lookup:
    """Finds names, the graph that the selection is about first."""

    def __init__(self, names: Names, source: SourceText, lets: Iterable[str] = ()) -> None:
        self.names = names
        self.source = source
        self.lets = list(lets)
        self.home = names.main
        """Where plain names are looked for first: the graph that an `@` in the selection names, else the main one."""

    def fail(self, span: ast.Span, code: str, message: str, help: Sequence[str] = ()) -> NoReturn:
        """Raise a UserError that points at `span`."""
        raise user_error(code, message, at=Location(self.source, span.start, span.stop), help=help)

    def nodes(self, item: ast.Item) -> Found:
        """The operators or tensors that `item` names."""
        if isinstance(item, ast.Scoped):
            return self._scoped(item)
        if isinstance(item, ast.Tensor):
            return self._anywhere(item, _values(item.glob), lambda: self._unknown_tensor(item, item.glob, self.home))
        if isinstance(item, ast.Regex):
            pattern = re.compile(item.pattern)
            return self._anywhere(item, lambda s: s.matching_ops(pattern), lambda: self._no_match(item))
        return self._anywhere(item, self._ops(item, item.glob), lambda: self._unknown_op(item, item.glob, self.home))

    def ops(self, item: ast.Item) -> tuple[Scope, list[Op]]:
        """The operators that `item` names. A tensor is a mistake."""
        found = self.nodes(item)
        ops = [node for node in found.nodes if isinstance(node, Op)]
        if not ops:
            name = self.spelled(item)
            self.fail(
                item.span, "tensor-not-operator", f"`{name}` is a tensor, and operators are needed here",
                [f"`to {name}` is what computes it, `from {name}` what is computed from it"],
            )  # fmt: skip
        return found.scope, ops

    def tensors(self, item: ast.Item) -> tuple[Scope, list[Value]]:
        """The tensors that `item` names, or that the operators make which it names."""
        found = self.nodes(item)
        values = [v for node in found.nodes for v in (node.results if isinstance(node, Op) else [node]) if v.name]
        if not values:
            self.fail(item.span, "no-result", f"`{self.spelled(item)}` makes no tensor")
        return found.scope, values

    def tensor(self, item: ast.Tensor | ast.Scoped) -> Value:
        """The one tensor that `item` names."""
        _, values = self.tensors(item)
        if len(values) > 1:
            listed = ", ".join(f"`%{words.sigiled(words.escape(v.name))}`" for v in values[:3])
            message = f"`{self.spelled(item)}` is {len(values)} tensors, and one is needed here"
            self.fail(item.span, "ambiguous-tensor", message, [f"one of {listed}"])
        return values[0]

    def spelled(self, item: ast.Item) -> str:
        """The item as the user wrote it."""
        return self.source.text[item.span.start : item.span.stop]

    # ---- where to look

    def _anywhere(self, item: ast.Item, find: Callable[[Scope], list[N]], unknown: Callable[[], NoReturn]) -> Found:
        """What `find` finds at home, else in the only other graph where it finds something."""
        if at_home := find(self.home):
            return Found(self.home, at_home)
        others = [scope for scope in [self.names.main, *self.names.inner] if scope is not self.home]
        found = [Found(scope, nodes) for scope in others if (nodes := find(scope))]
        if not found:
            unknown()
        return self._only(item, found)

    def _only(self, item: ast.Item, found: list[Found]) -> Found:
        if len(found) > 1:
            sigil = "%" if isinstance(found[0].nodes[0], Value) else ""
            name = self.spelled(item).removeprefix("%").rpartition("/" if isinstance(item, ast.Scoped) else "\0")[2]
            listed = [f"`@{words.sigiled(words.escape(f.scope.address))}/{sigil}{name}`" for f in found[:4]]
            message = f"`{self.spelled(item)}` is found in {len(found)} bodies"
            self.fail(item.span, "ambiguous-body", message, ["say which: " + " or ".join(listed)])
        return found[0]

    def _scoped(self, item: ast.Scoped) -> Found:
        if item.tensor is not None:
            scopes = self.names.addresses.get(words.literal(item.path), [])
            return self._in(item, scopes, _values(item.tensor), item.tensor)
        nearest_body: list[Scope] = []
        for place in reversed([i for i, c in enumerate(item.path) if c == "/"]):
            scopes = self.names.addresses.get(words.literal(item.path[:place]), [])
            rest = item.path[place + 1 :]
            if scopes and rest and any(self._ops(item, rest)(scope) for scope in scopes):
                return self._in(item, scopes, self._ops(item, rest), rest)
            nearest_body = nearest_body or scopes
        if not nearest_body:
            return self._in(item, [], self._ops(item, ""), "")
        body = nearest_body[0]
        rest = next(item.path[len(a) + 1 :] for a in self._addresses_of(body) if item.path.startswith(a + "/"))
        return self._unknown_op(item, rest, body)

    def _in(self, item: ast.Scoped, scopes: list[Scope], find: Callable[[Scope], list[N]], name: str) -> Found:
        if not scopes:
            path = words.literal(item.path)
            known = list(self.names.addresses)
            help = did_you_mean(path.rpartition("/")[0] if item.tensor is None else path, known, "@")
            none = [] if known else ["no operator of the model has a body, and it has no functions"]
            self.fail(item.span, "unknown-body", f"the model has no body or function `@{path}`", help or none)
        found = [Found(scope, nodes) for scope in scopes if (nodes := find(scope))]
        if not found:
            self._unknown_tensor(item, name, scopes[0])
        return self._only(item, found)

    def _addresses_of(self, scope: Scope) -> list[str]:
        """Every way to address `scope`, the longest first, so that the longest that fits is taken."""
        fitting = [words.escape(a) for a, scopes in self.names.addresses.items() if scope in scopes]
        return sorted(fitting, key=len, reverse=True)

    def _ops(self, item: ast.Item, glob: str) -> Callable[[Scope], list[Op]]:
        """Finds the operators that `glob` names: the one literally so called, else all that match."""

        def find(scope: Scope) -> list[Op]:
            name = words.literal(glob)
            op = scope.op(name)
            if op is not None:
                self._check_single(item, scope, name)
                return [op]
            return scope.matching_ops(words.matcher(glob)) if words.is_wild(glob) else []

        return find

    def _check_single(self, item: ast.Item, scope: Scope, name: str) -> None:
        same = scope.duplicates(name)
        if not same:
            return
        results = [r.name for op in same if (r := first_result(op)) is not None and r.name not in scope.ops]
        spelled = [words.quote(words.escape(result)) for result in results[:4]]
        help: list[str] = []
        if spelled:
            help = ["call one by its first result: " + " or ".join(f"`{s}`" for s in spelled)]
            help.append(f"`%{spelled[0]}` is that tensor itself")
        self.fail(item.span, "duplicate-name", f"`{name}` is the name of {len(same)} operators", help)

    # ---- what to say when nothing is found

    def _no_match(self, item: ast.Regex) -> NoReturn:
        self.fail(item.span, "unknown-operator", f"no operator's whole name matches `{item.pattern}`")

    def unknown_type(self, item: ast.Name | ast.Regex, pattern: re.Pattern[str], scope: Scope) -> NoReturn:
        """Raise: no operator of `scope` has this type."""
        where = f"`@{scope.address}`" if scope.address else "the model"
        types = dict.fromkeys(op.type for op in scope.graph.ops)
        message = f"{where} has no operator of type `{self.spelled(item)}`"
        inside = next((inner for inner in self.names.inner if inner is not scope and inner.ops_of_type(pattern)), None)
        if inside is not None:
            address = words.quote(words.escape(inside.address))
            help = [f"a body has: `op {self.spelled(item)} within @{address}/*`"]
            self.fail(item.span, "unknown-type", message, help)
        help = did_you_mean(words.literal(item.glob), types) if isinstance(item, ast.Name) else []
        if not help and types:
            listed = [f"`{type}`" for type in types]
            help = ["its types are " + ", ".join(listed[:6]) + (", …" if len(listed) > 6 else "")]
        self.fail(item.span, "unknown-type", message, help)

    def _unknown_op(self, item: ast.Item, glob: str, scope: Scope) -> NoReturn:
        name = words.literal(glob)
        where = f"`@{scope.address}`" if scope.address else "the model"
        value = scope.value(name)
        if value is not None:
            self._tensor_instead(item, name, value)
        if words.is_wild(glob):
            name = re.sub(r"[*?\[\]]", "", name)
            message = f"no operator in {where} matches `{words.literal(glob)}`"
        else:
            message = f"{where} has no operator `{name}`"
        help = did_you_mean(name, (n for n, _ in scope.op_names()))
        if near := did_you_mean(name, self.lets):
            help = [near[0].replace("did you mean", "did you mean the selection")]
        self.fail(item.span, "unknown-operator", message, help)

    def _tensor_instead(self, item: ast.Item, name: str, value: Value) -> NoReturn:
        help = f"the tensor is written `%{words.sigiled(words.escape(name))}`"
        message = f"`{name}` is a tensor, not an operator"
        if value.producer is None:
            message = f"`{name}` is an input of the graph, not an operator"
        elif value.producer.name and not self.home.is_stored(value.producer):
            help += f"; the operator that makes it is `{handle(value.producer)}`"
        self.fail(item.span, "tensor-not-operator", message, [help])

    def _unknown_tensor(self, item: ast.Item, glob: str, scope: Scope) -> NoReturn:
        name = words.literal(glob)
        where = f"`@{scope.address}`" if scope.address else "the model"
        op = scope.op(name)
        if op is not None:
            results = [f"`%{words.sigiled(words.escape(v.name))}`" for v in op.results if v.name]
            makes = "its results are " if len(results) > 1 else "its result is "
            help = [makes + ", ".join(results[:4])] if results else ["it makes no tensor"]
            self.fail(item.span, "operator-not-tensor", f"`{name}` is an operator, not a tensor", help)
        message = f"{where} has no tensor `%{name}`"
        if words.is_wild(glob):
            message = f"no tensor in {where} matches `%{name}`"
            name = re.sub(r"[*?\[\]]", "", name)
        plain = [n.removesuffix(scope.suffix) if scope.suffix else n for n in scope.values]
        self.fail(item.span, "unknown-tensor", message, did_you_mean(name, plain, "%"))


def _values(glob: str) -> Callable[[Scope], list[Value]]:
    """Finds the tensors that `glob` names: the one literally so called, else all that match."""

    def find(scope: Scope) -> list[Value]:
        value = scope.value(words.literal(glob))
        if value is not None:
            return [value]
        return scope.matching_values(words.matcher(glob)) if words.is_wild(glob) else []

    return find
