"""The canonical form: one spelling for every selection and every selection file, comments kept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from subcut.dsl import ast, words
from subcut.dsl.parser import parse_file

_COMMENT = re.compile(r'"(?:[^"\\\n]|\\[\s\S])*"|(#[^\n]*)')
INDENT = "    "
_NONE: frozenset[str] = frozenset()


def format_selection(selection: ast.Select, reserved: frozenset[str] = _NONE) -> str:
    """A selection on one line. Names in `reserved` are quoted: they are names of selections too."""
    if isinstance(selection, ast.Combined):
        parts = [_term(selection.first, reserved)]
        parts += [f"{verb} {_term(term, reserved)}" for verb, term in selection.steps]
        return " ".join(parts)
    if isinstance(selection, ast.Path):
        return _path(selection)
    if isinstance(selection, ast.Around):
        return f"around {_items(selection.items)} by {selection.distance}"
    if isinstance(selection, ast.OfType):
        return f"op {_items(selection.types)}"
    if isinstance(selection, ast.Items):
        return _items(selection.items, reserved if len(selection.items) == 1 else _NONE)
    return "all" if isinstance(selection, ast.All) else selection.name


def _term(selection: ast.Select, reserved: frozenset[str]) -> str:
    text = format_selection(selection, reserved)
    return f"({text})" if isinstance(selection, ast.Combined) else text


def _path(path: ast.Path) -> str:
    parts: list[str] = []
    if path.starts:
        parts.append(f"{'after' if path.after else 'from'} {_items(path.starts)}")
    if path.ends:
        parts.append(f"{'before' if path.before else 'to'} {_items(path.ends)}")
    parts += [f"through {_items(group)}" for group in path.through]
    if path.avoiding:
        parts.append(f"avoiding {_items(path.avoiding)}")
    return " ".join(parts)


def _items(items: Iterable[ast.Item], reserved: frozenset[str] = _NONE) -> str:
    return ", ".join(format_item(item, reserved) for item in items)


def format_item(item: ast.Item, reserved: frozenset[str] = _NONE) -> str:
    """One name, quoted where it must be."""
    if isinstance(item, ast.Name):
        return words.quote(item.glob, reserved)
    if isinstance(item, ast.Regex):
        return 're"' + item.pattern.replace('"', '\\"') + '"'
    if isinstance(item, ast.Tensor):
        return "%" + words.sigiled(item.glob)
    tensor = "" if item.tensor is None else "/%" + words.sigiled(item.tensor)
    return "@" + words.sigiled(item.path) + tensor


def format_option(option: ast.Option) -> str:
    """One option clause."""
    if isinstance(option, ast.StateType):
        return f"{option.of} {format_item(option.tensor)} : {option.type.replace(',', ', ')}"
    if isinstance(option, ast.Freeze):
        return f"freeze {format_item(option.tensor)} = {words.quote_text(option.path)}"
    if isinstance(option, ast.Tap):
        return "tap " + (_items(option.items) or "leaving")
    if isinstance(option, ast.Snap):
        return f"snap {option.direction}"
    return f"as {words.quote_text(option.name)}"


def format_cut(cut: ast.Cut) -> str:
    """A selection with its options, as `parse` reads it, on one line."""
    return "; ".join([format_selection(cut.selection), *map(format_option, cut.options)])


# ---- files


@dataclass
class _Line:
    """A line of the result, and how far in the source it has got."""

    text: str
    start: int
    stop: int
    indent: str = ""
    gap: bool = False
    """Whether a blank line stands before it."""


def format_text(text: str, name: str = "<file>") -> str:
    """The canonical form of a selection file. Raises UserError where it cannot be parsed."""
    return format_file(parse_file(text, name), text)


def format_file(file: ast.File, source: str = "") -> str:
    """The canonical form of a file; `source` is the text it was parsed from, for its comments.

    A comment behind a clause stays behind it, any other stays in front of the clause that follows it.
    """
    lets = frozenset(let.name for let in file.lets)
    lines = [_Line(f"subcut {file.version}", file.span.start, file.span.stop)]
    previous: str = "header"
    for statement in file.statements:
        kind = _kind(statement)
        block = _statement(statement, lets)
        block[0].gap = kind != previous
        previous = kind
        lines += block
    return "\n".join(_with_comments(lines, _comments(source), source)) + "\n"


def _kind(statement: ast.Statement) -> str:
    if isinstance(statement, (ast.ModelLine, ast.OfflineLine)):
        return "header"
    return "let" if isinstance(statement, ast.Let) else "cut"


def _statement(statement: ast.Statement, lets: frozenset[str]) -> list[_Line]:
    span = statement.span
    if isinstance(statement, ast.ModelLine):
        text = f"model {words.quote_text(statement.path)}"
        text += f" weights {words.quote_text(statement.weights)}" if statement.weights else ""
        text += f" sha256 {words.quote_text(statement.digest)}" if statement.digest else ""
        return [_Line(text, span.start, span.stop)]
    if isinstance(statement, ast.OfflineLine):
        text = f"offline {words.quote_text(statement.path)}"
        text += f" dumps {words.quote_text(statement.dumps)}" if statement.dumps else ""
        return [_Line(text, span.start, span.stop)]
    selection = format_selection(statement.selection, lets)
    if isinstance(statement, ast.Let):
        return [_Line(f"let {statement.name} = {selection}", span.start, span.stop)]
    return _cut_lines(statement, selection)


def _cut_lines(cut: ast.Cut, selection: str) -> list[_Line]:
    """A cut over one line, or over several when it has options; its name always stands in the first."""
    name = f" as {words.quote_text(cut.name)}" if cut.name else ""
    options = [option for option in cut.options if not isinstance(option, ast.As)]
    if not options:
        return [_Line(f"cut {selection}{name}", cut.span.start, cut.span.stop)]
    head = _Line(f"cut {selection}{name} {{", cut.span.start, cut.selection.span.stop)
    inner = [_Line(format_option(o), o.span.start, o.span.stop, indent=INDENT) for o in options]
    return [head, *inner, _Line("}", cut.span.stop, cut.span.stop)]


def _comments(source: str) -> list[tuple[int, str]]:
    return [(m.start(1), m.group(1).rstrip()) for m in _COMMENT.finditer(source) if m.group(1)]


def _with_comments(lines: Sequence[_Line], comments: list[tuple[int, str]], source: str) -> list[str]:
    """The lines with every comment behind or in front of the one it belongs to."""
    left = list(comments)
    result: list[str] = []
    for number, line in enumerate(lines):
        leading = [text for place, text in left if place < line.start]
        left = left[len(leading) :]
        following = lines[number + 1].start if number + 1 < len(lines) else len(source)
        trailing = [text for place, text in left if place < following and _same_line(source, line, place)]
        left = left[len(trailing) :]
        result += [""] if line.gap else []
        result += [(INDENT if line.text == "}" else line.indent) + text for text in leading]
        result.append(line.indent + "  ".join([line.text, *trailing]))
    return result + [text for _, text in left]


def _same_line(source: str, line: _Line, place: int) -> bool:
    """Whether the comment at `place` stands in the line that holds the end of `line`, or inside its text."""
    return "\n" not in source[line.stop : place]
