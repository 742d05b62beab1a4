"""Selection files: what their statements mean together, against which model, and whether they still hold.

Nothing here knows how a model is read or what its digest is made of: a `Loader` does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

from subcut.compiler.diagnostics import Diagnostic, Location, SourceText
from subcut.compiler.errors import UserError, user_error
from subcut.compiler.ir.graph import Model
from subcut.compiler.ir.selection import CutOptions, Selection
from subcut.dsl import ast, words
from subcut.dsl.names import Names
from subcut.dsl.parser import MAX_DEPTH, parse_file
from subcut.dsl.resolve import resolve

VERSION = 1


class Loader(Protocol):
    """How a model is found to be the one that a file was written for, and read."""

    def digest(self, model: Path, weights: Path | None) -> str:
        """SHA-256, as 64 lower-case hexadecimal digits, of all that a cut of the model depends on."""
        ...

    def load(self, model: Path, weights: Path | None) -> Model:
        """The model. Raises ModelError, or UserError where an option is wrong."""
        ...


@dataclass(frozen=True)
class SelectionFile:
    """A selection file that was parsed, and what its paths are relative to."""

    path: Path
    source: SourceText
    tree: ast.File

    @cached_property
    def lets(self) -> dict[str, ast.Let]:
        """The named selections; of several with one name the first."""
        found: dict[str, ast.Let] = {}
        for let in self.tree.lets:
            found.setdefault(let.name, let)
        return found

    @property
    def model(self) -> Path:
        """The model's path. The file must have passed `problems`."""
        return self.path.parent / self.tree.models[0].path

    @property
    def weights(self) -> Path | None:
        """The path of the weights, where the file names them."""
        weights = self.tree.models[0].weights
        return self.path.parent / weights if weights else None

    @property
    def offline(self) -> tuple[Path, Path | None] | None:
        """The offline model and the folder of its dumps, where the file names them."""
        for line in self.tree.statements:
            if isinstance(line, ast.OfflineLine):
                return self.path.parent / line.path, self.path.parent / line.dumps if line.dumps else None
        return None

    def diagnostic(self, span: ast.Span, code: str, message: str, *help: str) -> Diagnostic:
        """A message that points into the file."""
        return Diagnostic(code, message, Location(self.source, span.start, span.stop), help)


def open_file(path: Path) -> SelectionFile:
    """Read and parse a selection file. Raises UserError."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise user_error("bad-file", f"{path} is no UTF-8 text: byte {error.start} is wrong") from None
    except OSError as error:
        raise user_error("bad-file", f"{path} cannot be read: {error.strerror or error}") from None
    if "\0" in text:
        raise user_error("bad-file", f"{path} is no text: byte {text.encode().index(0)} is zero")
    return read_text(text, path)


def read_text(text: str, path: Path) -> SelectionFile:
    """Parse the text of the selection file at `path`. Raises UserError."""
    source = SourceText(str(path), text)
    return SelectionFile(path, source, parse_file(text, str(path)))


def resolve_file(file: SelectionFile, loader: Loader) -> tuple[Model, list[tuple[Selection, CutOptions]]]:
    """The model of a file and every cut of it, in order. Raises UserError with all that is wrong with the file.

    The paths of `freeze` come out relative to where the process runs.
    """
    model, results, found = _resolved(file, loader)
    if found:
        raise UserError(found)
    if not results:
        raise UserError(file.diagnostic(file.tree.span, "no-cut", "the file cuts nothing", '`cut all as "name"`'))
    assert model is not None
    return model, results


def check(file: SelectionFile, loader: Loader) -> list[Diagnostic]:
    """Everything that is wrong with a file, also in selections that no cut uses. ModelError passes through."""
    return _resolved(file, loader)[2]


def _resolved(
    file: SelectionFile, loader: Loader
) -> tuple[Model | None, list[tuple[Selection, CutOptions]], list[Diagnostic]]:
    found = problems(file)
    if found:
        return None, [], found
    if changed := _changed(file, loader):
        return None, [], [changed]
    model = loader.load(file.model, file.weights)
    names = Names(model)
    results: list[tuple[Selection, CutOptions]] = []
    for cut in [*file.tree.cuts, *(ast.Cut(let.selection, (), let.span) for let in _unused(file))]:
        try:
            results.append(_resolve_cut(file, cut, model, names))
        except UserError as error:
            found += error.diagnostics
    once = {diagnostic.render(): diagnostic for diagnostic in found}
    ordered = sorted(once.values(), key=lambda diagnostic: diagnostic.at.start if diagnostic.at else 0)
    return model, results[: len(file.tree.cuts)], ordered


def _resolve_cut(file: SelectionFile, cut: ast.Cut, model: Model, names: Names) -> tuple[Selection, CutOptions]:
    expanded = replace(cut, selection=expand(cut.selection, file.lets))
    selection, options = resolve(expanded, model, file.source, names=names, lets=file.lets)
    options.freeze = {value: str(file.path.parent / path) for value, path in options.freeze.items()}
    return selection, options


def _changed(file: SelectionFile, loader: Loader) -> Diagnostic | None:
    line = file.tree.models[0]
    if not line.digest:
        return None
    actual = loader.digest(file.model, file.weights)
    if actual == line.digest:
        return None
    message = f"`{line.path}` is not the model that this file was written for"
    pin_anew = f"if the change is meant, pin the model anew: `subcut check --pin {file.path}`"
    return file.diagnostic(line.digest_span, "model-changed", message, f"its digest is {actual}", pin_anew)


def pin(text: str, digest: str, name: str = "<file>") -> str:
    """`text` with the digest of its model line replaced, or added where there is none; all else is left as it is.

    Raises UserError where the file cannot be parsed or has not exactly one model.
    """
    file = read_text(text, Path(name))
    wrong = [d for d in problems(file) if d.code in ("missing-model", "duplicate-statement")]
    if wrong:
        raise UserError(wrong)
    line = file.tree.models[0]
    if line.digest_span.stop:
        return f'{text[: line.digest_span.start]}"{digest}"{text[line.digest_span.stop :]}'
    return f'{text[: line.span.stop]} sha256 "{digest}"{text[line.span.stop :]}'


def expand(selection: ast.Select, lets: dict[str, ast.Let]) -> ast.Select:
    """`selection` with every use of a `let` replaced by what it stands for. There must be no cycle."""
    if isinstance(selection, ast.Use):
        return expand(lets[selection.name].selection, lets)
    if isinstance(selection, ast.Combined):
        steps = tuple((verb, expand(term, lets)) for verb, term in selection.steps)
        return replace(selection, first=expand(selection.first, lets), steps=steps)
    return selection


# ---- what can be said without the model


def problems(file: SelectionFile) -> list[Diagnostic]:
    """What is wrong with a file whatever its model is."""
    rules: tuple[Callable[[SelectionFile], Iterator[Diagnostic]], ...]
    rules = (_version, _header, _double_lets, _cycles, _cut_names)
    return [diagnostic for rule in rules for diagnostic in rule(file)]


def _version(file: SelectionFile) -> Iterator[Diagnostic]:
    if file.tree.version != VERSION:
        message = f"this file is in version {file.tree.version} of the language, and {VERSION} is known"
        yield file.diagnostic(file.tree.span, "unknown-version", message)


def _header(file: SelectionFile) -> Iterator[Diagnostic]:
    """One model, at most one offline model, and a digest that can be one."""
    if not file.tree.models:
        help = '`model "net.onnx"` in the second line'
        yield file.diagnostic(file.tree.span, "missing-model", "the file names no model", help)
    for kind, word in ((ast.ModelLine, "model"), (ast.OfflineLine, "offline")):
        for line in [s for s in file.tree.statements if isinstance(s, kind)][1:]:
            yield file.diagnostic(line.span, "duplicate-statement", f"a second `{word}` line")
    for line in file.tree.models:
        if line.digest_span.stop and not re.fullmatch("[0-9a-f]{64}", line.digest):
            help = f"write it with `subcut check --pin {file.path}`"
            yield file.diagnostic(line.digest_span, "bad-digest", "this is no SHA-256 in lower-case hexadecimal", help)


def _double_lets(file: SelectionFile) -> Iterator[Diagnostic]:
    for let in file.tree.lets:
        if file.lets[let.name] is not let:
            line = file.source.line_of(file.lets[let.name].span.start)[0]
            message = f"`{let.name}` is defined twice"
            yield file.diagnostic(let.name_span, "duplicate-let", message, f"first in line {line}")


def _cycles(file: SelectionFile) -> Iterator[Diagnostic]:
    """Selections that are made of themselves, or of a longer chain of selections than any person would write."""
    deep: dict[str, int] = {}
    for name in file.lets:
        trail = _trail(file, name, deep)
        if trail and name == min(trail):
            message = f"`{name}` is made of itself: " + " → ".join([*trail, name])
            yield file.diagnostic(file.lets[name].name_span, "cyclic-let", message)
    too_deep = next((name for name, depth in deep.items() if depth > MAX_DEPTH), None)
    if too_deep:
        message = f"more than {MAX_DEPTH} selections in one another"
        yield file.diagnostic(file.lets[too_deep].name_span, "too-deep", message)


def _trail(file: SelectionFile, name: str, deep: dict[str, int]) -> list[str]:
    """The selections on a cycle through `name`, from `name` on, or none; without recursion. Sets depths in `deep`."""
    previous: dict[str, str] = {}
    layer, depth = [name], 0
    seen = {name}
    while layer and depth <= MAX_DEPTH:
        following: list[str] = []
        for user in layer:
            for used in _used(file.lets[user].selection):
                if used == name:
                    return _back(previous, user, name)
                if used not in seen:
                    seen.add(used)
                    previous[used] = user
                    following.append(used)
        layer, depth = following, depth + 1
    deep[name] = depth
    return []


def _back(previous: dict[str, str], last: str, first: str) -> list[str]:
    trail = [last]
    while trail[-1] != first:
        trail.append(previous[trail[-1]])
    return trail[::-1]


def _used(selection: ast.Select) -> list[str]:
    """The names of selections in `selection`, in order."""
    if isinstance(selection, ast.Use):
        return [selection.name]
    if isinstance(selection, ast.Combined):
        return [name for s in (selection.first, *(t for _, t in selection.steps)) for name in _used(s)]
    return []


def _unused(file: SelectionFile) -> list[ast.Let]:
    """The selections that no cut uses, themselves or through others."""
    used: dict[str, None] = {}
    todo = [name for cut in file.tree.cuts for name in _used(cut.selection)]
    while todo:
        name = todo.pop()
        if name not in used:
            used[name] = None
            todo += _used(file.lets[name].selection)
    return [let for name, let in file.lets.items() if name not in used]


def _cut_names(file: SelectionFile) -> Iterator[Diagnostic]:
    """Each cut has a name of its own, unless it is the only one."""
    seen: dict[str, int] = {}
    for cut in file.tree.cuts:
        line = file.source.line_of(cut.span.start)[0]
        if not cut.name and len(file.tree.cuts) > 1:
            help = '`cut … as "name"`'
            yield file.diagnostic(cut.span, "unnamed-cut", "one of several cuts in a file needs a name", help)
        elif cut.name and cut.name.casefold() in seen:
            message = f"two cuts are called {words.quote_text(cut.name)}"
            yield file.diagnostic(
                cut.span, "duplicate-cut", message, f"the first is in line {seen[cut.name.casefold()]}"
            )
        seen.setdefault(cut.name.casefold(), line)
