"""From text to tree: `parse` reads one selection with its options, `parse_file` a selection file."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, NoReturn, cast

from subcut.compiler.diagnostics import Location, SourceText
from subcut.compiler.errors import user_error
from subcut.dsl import ast, words
from subcut.dsl.ast import Span
from subcut.dsl.types import read_type

if TYPE_CHECKING:
    from lark import Lark, Token, Tree

_SCOPED = re.compile(r'@((?:[^"%]|"(?:[^"\\\n]|\\[\s\S])*")*)(%?)([\s\S]*)')
"""A body's path, and behind the first `%` outside quotes the name of a tensor."""

_NO_PARENTHESES = re.compile(r'"(?:[^"\\\n]|\\[\s\S])*"|#[^\n]*')
"""Quoted texts and comments, in which a parenthesis is a character like any other."""

MAX_DEPTH = 100
"""How deep parentheses may be nested, so that no text can exhaust the stack."""


def parse(text: str, name: str = "<selection>") -> ast.Cut:
    """Read a selection and the option clauses behind it, which `;` or a line break separates.

    Raises UserError with the place of the mistake.
    """
    source = SourceText(name, text)
    tree = _tree(source, "cut_text")
    parts = [_build(source, child) for child in _trees(tree)]
    cut = ast.Cut(parts[0], tuple(parts[1:]), _span(tree))
    return _checked_options(source, cut)


def parse_file(text: str, name: str = "<file>") -> ast.File:
    """Read a selection file. Names are not looked up: `file.py` does that."""
    source = SourceText(name, text)
    tree = _tree(source, "file")
    header, *statements = _trees(tree)
    built = tuple(_build(source, child) for child in statements)
    lets = frozenset(s.name for s in built if isinstance(s, ast.Let))
    version = header.children[0]
    if not str(version).isdecimal():
        _refuse(source, _span(header), "bad-number", f"`{version}` is no version of the language", "`subcut 1`")
    return ast.File(int(str(version)), tuple(_use_lets(source, s, lets) for s in built), _span(header))


class _WholeWords:
    """Makes the lexer read a word whole even where no name may stand, so that `tofu` is never `to` and `fu`."""

    always_accept = ("NAME",)

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        return stream


@cache
def _lark(start: str) -> Lark:
    """The parser for one of the two kinds of text, built from the grammar the first time it is needed."""
    collecting = gc.isenabled()
    gc.disable()  # many small objects that all stay: collecting while they are made costs a fifth of the time
    try:
        return _built(start)
    finally:
        if collecting:
            gc.enable()


def _built(start: str) -> Lark:
    from lark import Lark

    grammar = FilePath(__file__).with_name("grammar.lark").read_text(encoding="utf-8")
    make = cast("Callable[..., Lark]", Lark)
    return make(
        grammar,
        parser="lalr",
        lexer="contextual",
        start=start,
        propagate_positions=True,
        maybe_placeholders=False,
        postlex=_WholeWords(),
    )


def _tree(source: SourceText, start: str) -> Tree[Token]:
    from lark.exceptions import UnexpectedInput

    from subcut.dsl.mistakes import explain

    _check_depth(source)
    try:
        return cast("Tree[Token]", cast("Any", _lark(start)).parse(source.text))
    except UnexpectedInput as error:
        raise explain(source, error, start) from None


def _check_depth(source: SourceText) -> None:
    depth = 0
    for place, character in enumerate(_NO_PARENTHESES.sub(lambda match: " " * len(match.group()), source.text)):
        depth += (character == "(") - (character == ")")
        if depth > MAX_DEPTH:
            _refuse(source, Span(place, place + 1), "too-deep", f"more than {MAX_DEPTH} open parentheses")


def _refuse(source: SourceText, span: Span, code: str, message: str, help: str = "") -> NoReturn:
    at = Location(source, span.start, span.stop)
    raise user_error(code, message, at=at, help=[help] if help else [])


def _trees(tree: Tree[Token]) -> list[Tree[Token]]:
    return [cast("Tree[Token]", child) for child in tree.children if hasattr(child, "data")]


def _tokens(tree: Tree[Token]) -> list[Token]:
    return [cast("Any", child) for child in tree.children if not hasattr(child, "data")]


def _span(node: Tree[Token] | Token) -> Span:
    if hasattr(node, "data"):
        meta = cast("Tree[Token]", node).meta
        return Span() if meta.empty else Span(meta.start_pos, meta.end_pos)
    token = cast("Any", node)
    return Span(token.start_pos or 0, token.end_pos or 0)


# ---- one function a rule of the grammar


def _build(source: SourceText, tree: Tree[Token]) -> Any:
    return _BUILDERS[str(tree.data)](source, tree)


def _selection(source: SourceText, tree: Tree[Token]) -> ast.Select:
    terms = [cast(ast.Select, _build(source, child)) for child in _trees(tree)]
    verbs = [str(token) for token in _tokens(tree)]
    if not verbs:
        return terms[0]
    return ast.Combined(terms[0], tuple(zip(verbs, terms[1:], strict=True)), _span(tree))


def _path(source: SourceText, tree: Tree[Token]) -> ast.Path:
    found: dict[str, Any] = {"through": (), "avoiding": ()}
    for child in _trees(tree):
        verb, *tokens = _tokens(child)
        items = tuple(_item(source, token) for token in tokens)
        if verb in ("from", "after"):
            found |= {"starts": items, "after": verb == "after"}
        elif verb in ("to", "before"):
            found |= {"ends": items, "before": verb == "before"}
        elif verb == "through":
            found["through"] += (items,)
        else:
            found["avoiding"] += items
    return ast.Path(**found, span=_span(tree))


def _around(source: SourceText, tree: Tree[Token]) -> ast.Around:
    *tokens, count = _tokens(tree)
    if not count.isdecimal():
        _refuse(source, _span(count), "bad-number", f"`{count}` is no whole number", "`around conv1 by 2`")
    return ast.Around(tuple(_item(source, token) for token in tokens), int(count), _span(tree))


def _of_type(source: SourceText, tree: Tree[Token]) -> ast.OfType:
    items = [_item(source, token) for token in _tokens(tree)]
    return ast.OfType(tuple(item for item in items if isinstance(item, (ast.Name, ast.Regex))), _span(tree))


def _items(source: SourceText, tree: Tree[Token]) -> ast.Items:
    return ast.Items(tuple(_item(source, token) for token in _tokens(tree)), _span(tree))


def _all(_source: SourceText, tree: Tree[Token]) -> ast.All:
    return ast.All(_span(tree))


def _item(source: SourceText, token: Token) -> ast.Item:
    text, span = str(token), _span(token)
    if token.type == "REGEX":
        return ast.Regex(_regex(source, text, span), span)
    if token.type in ("TENSOR", "EDGE"):
        return ast.Tensor(_not_empty(source, words.unquote(text[1:]), span), span)
    if token.type == "SCOPED":
        return _scoped(source, text, span)
    return ast.Name(_not_empty(source, words.unquote(text), span), span)


def _regex(source: SourceText, text: str, span: Span) -> str:
    """The expression in `re"…"`, in which `\\"` is a quote and every other backslash is the expression's own."""
    pattern = text[3:-1].replace('\\"', '"')
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        _refuse(source, span, "bad-regex", f"`{pattern}` is no regular expression: {error}")
    return pattern


def _not_empty(source: SourceText, glob: str, span: Span) -> str:
    if not glob:
        _refuse(source, span, "empty-name", "a name is empty")
    return glob


def _scoped(source: SourceText, text: str, span: Span) -> ast.Scoped:
    match = _SCOPED.fullmatch(text)
    assert match is not None
    body, sigil, tensor = match.groups()
    if sigil and (not body.endswith("/") or not tensor):
        _refuse(source, span, "syntax", "a tensor in a body is written `@body/%tensor`")
    path = words.unquote(body[:-1] if sigil else body)
    if not sigil and not re.search(r"[\s\S]/[\s\S]", path):
        example = f"`@{words.quote(path.strip('/') or 'body')}/*` is everything in it"
        _refuse(source, span, "syntax", "`@` names a body, but nothing in it", example)
    return ast.Scoped(path, words.unquote(tensor) if sigil else None, span)


def _option(source: SourceText, tree: Tree[Token]) -> ast.Option:
    return cast(ast.Option, _build(source, _trees(tree)[0]))


def _state_type(source: SourceText, tree: Tree[Token]) -> ast.StateType:
    tensor, type = _tokens(tree)
    stated = "".join(str(type).split())
    read_type(stated, Location(source, _span(type).start, _span(type).start + len(type.rstrip())))
    return ast.StateType(_edge(source, tensor), stated, "output" if tree.data == "output" else "input", _span(tree))


def _edge(source: SourceText, token: Token) -> ast.Tensor | ast.Scoped:
    item = _item(source, token)
    assert isinstance(item, (ast.Tensor, ast.Scoped))
    if isinstance(item, ast.Scoped) and item.tensor is None:
        _refuse(source, item.span, "syntax", "a tensor is needed here", "`@body/%tensor`")
    return item


def _freeze(source: SourceText, tree: Tree[Token]) -> ast.Freeze:
    tensor, path = _tokens(tree)
    return ast.Freeze(_edge(source, tensor), words.plain_text(path), _span(tree))


def _tap(source: SourceText, tree: Tree[Token]) -> ast.Tap:
    names = [token for token in _tokens(tree) if token.type != "LEAVING"]
    return ast.Tap(tuple(_item(source, token) for token in names), _span(tree))


def _snap(_source: SourceText, tree: Tree[Token]) -> ast.Snap:
    return ast.Snap(str(_tokens(tree)[0]), _span(tree))


def _named(source: SourceText, tree: Tree[Token]) -> ast.As:
    name = words.plain_text(_tokens(tree)[0])
    if not name or name in (".", "..") or any(c in name for c in '/\\:*?"<>|\0\n') or len(name) > 200:
        help = 'it becomes the name of a folder: no slash, none of `: * ? " < > |`'
        _refuse(source, _span(_tokens(tree)[0]), "bad-name", f"`{name}` cannot name a result", help)
    return ast.As(name, _span(tree))


def _model(source: SourceText, tree: Tree[Token]) -> ast.ModelLine:
    path = words.plain_text(_tokens(tree)[0])
    parts = {str(child.data): _tokens(child)[0] for child in _trees(tree)}
    if not path:
        _refuse(source, _span(tree), "empty-name", "the model's path is empty")
    digest = parts.get("digest")
    return ast.ModelLine(
        path,
        words.plain_text(parts["weights"]) if "weights" in parts else "",
        words.plain_text(digest) if digest else "",
        _span(tree),
        _span(digest) if digest else Span(),
    )


def _offline(_source: SourceText, tree: Tree[Token]) -> ast.OfflineLine:
    dumps = [words.plain_text(_tokens(child)[0]) for child in _trees(tree)]
    return ast.OfflineLine(words.plain_text(_tokens(tree)[0]), dumps[0] if dumps else "", _span(tree))


def _let(source: SourceText, tree: Tree[Token]) -> ast.Let:
    name = _tokens(tree)[0]
    if str(name) in words.KEYWORDS:
        _refuse(source, _span(name), "reserved-name", f"`{name}` is a word of the language", "another name")
    return ast.Let(str(name), _build(source, _trees(tree)[0]), _span(tree), _span(name))


def _cut(source: SourceText, tree: Tree[Token]) -> ast.Cut:
    selection, *rest = _trees(tree)
    clauses = [_build(source, child) for child in rest if child.data == "named"]
    for block in rest:
        if block.data == "block":
            clauses += [_build(source, child) for child in _trees(block)]
    return _checked_options(source, ast.Cut(_build(source, selection), tuple(clauses), _span(tree)))


def _checked_options(source: SourceText, cut: ast.Cut) -> ast.Cut:
    """`cut`, its name first; a UserError when an option that can be given once is given twice."""
    seen: dict[object, str] = {}
    for option in cut.options:
        key: object = type(option)
        if isinstance(option, ast.Tap):
            continue
        if isinstance(option, ast.StateType):
            key = (option.of, option.tensor)
        elif isinstance(option, ast.Freeze):
            key = ("freeze", option.tensor)
        if key in seen:
            _refuse(source, option.span, "duplicate-option", "this option is given twice", "keep one of them")
        seen[key] = ""
    options = sorted(cut.options, key=lambda option: not isinstance(option, ast.As))
    return replace(cut, options=tuple(options))


_BUILDERS: dict[str, Callable[[SourceText, Tree[Token]], Any]] = {
    "selection": _selection, "path": _path, "around": _around, "of_type": _of_type, "items": _items, "all": _all,
    "option": _option, "input": _state_type, "output": _state_type, "freeze": _freeze, "tap": _tap, "snap": _snap,
    "named": _named, "model": _model, "offline": _offline, "let": _let, "cut": _cut,
}  # fmt: skip


# ---- names that `let` made


def _use_lets(source: SourceText, statement: ast.Statement, lets: frozenset[str]) -> ast.Statement:
    """`statement` with the bare words that are names of selections turned into uses of them."""
    if isinstance(statement, (ast.Let, ast.Cut)):
        return replace(statement, selection=_with_uses(source, statement.selection, lets))
    return statement


def _with_uses(source: SourceText, selection: ast.Select, lets: frozenset[str]) -> ast.Select:
    if isinstance(selection, ast.Combined):
        steps = tuple((verb, _with_uses(source, term, lets)) for verb, term in selection.steps)
        return replace(selection, first=_with_uses(source, selection.first, lets), steps=steps)
    if not isinstance(selection, ast.Items) or len(selection.items) != 1:
        return selection
    item = selection.items[0]
    bare = isinstance(item, ast.Name) and source.text[item.span.start] != '"'
    if isinstance(item, ast.Name) and bare and item.glob in lets:
        return ast.Use(item.glob, item.span)
    return selection
