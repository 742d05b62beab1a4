"""The options of one cut, resolved against a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from subcut.compiler.diagnostics import Diagnostic, Location
from subcut.compiler.errors import UserError
from subcut.compiler.ir.graph import Value
from subcut.compiler.ir.selection import CutOptions
from subcut.dsl import ast, words
from subcut.dsl.lookup import Lookup
from subcut.dsl.parts import Part
from subcut.dsl.types import read_type


def resolve_options(
    options: Iterable[ast.Option], part: Part | None, lookup: Lookup, problems: list[Diagnostic]
) -> CutOptions:
    """What `options` say about the cut of `part`; mistakes are added to `problems`."""
    result = CutOptions()
    for option in options:
        try:
            _apply(option, part, lookup, result)
        except UserError as error:
            problems.extend(error.diagnostics)
    return result


def _apply(option: ast.Option, part: Part | None, lookup: Lookup, result: CutOptions) -> None:
    if isinstance(option, ast.As):
        result.name = option.name
    elif isinstance(option, ast.Snap):
        result.snap = option.direction
    elif isinstance(option, ast.StateType):
        types = result.types if option.of == "input" else result.outputs
        value = _tensor(option.tensor, part, lookup, types)
        types[value] = read_type(option.type)
        result.places[value] = Location(lookup.source, option.span.start, option.span.stop)
    elif isinstance(option, ast.Freeze):
        value = _tensor(option.tensor, part, lookup, result.freeze)
        result.freeze[value] = option.path
    elif not option.items:
        result.tap_leaving = True
    else:
        for item in option.items:
            result.taps.update(dict.fromkeys(_tapped(item, part, lookup)))


def _tensor(item: ast.Tensor | ast.Scoped, part: Part | None, lookup: Lookup, taken: Mapping[Value, object]) -> Value:
    value = lookup.tensor(item)
    if value in taken:
        lookup.fail(item.span, "duplicate-option", f"`{lookup.spelled(item)}` is given twice", ["keep one of them"])
    return value


def _tapped(item: ast.Item, part: Part | None, lookup: Lookup) -> list[Value]:
    """The tensors that `item` taps: all inside the selection, or, for a pattern, those of them that are."""
    _, values = lookup.tensors(item)
    if part is None:
        return values
    inside = [v for v in values if v.producer in part.ops]
    if not inside or (len(inside) < len(values) and not _is_pattern(item)):
        help = ["a tap is a tensor that the selection makes"]
        lookup.fail(item.span, "tap-outside", f"`{lookup.spelled(item)}` is outside the selection", help)
    return inside


def _is_pattern(item: ast.Item) -> bool:
    if isinstance(item, ast.Regex):
        return True
    if isinstance(item, ast.Scoped):
        return words.is_wild(item.path if item.tensor is None else item.tensor)
    return words.is_wild(item.glob)
