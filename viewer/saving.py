"""A selection as a `.subcut` file in the output folder, which `subcut apply` makes the same cut of."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from subcut.compiler.cutting import folder_name
from subcut.compiler.errors import user_error
from subcut.compiler.formats import ReadOptions
from subcut.compiler.loading import digest_of
from subcut.dsl import ast
from subcut.dsl.file import VERSION
from subcut.dsl.format import format_file
from subcut.dsl.parser import parse_file
from subcut.viewer.session import Session

ENDING = ".subcut"


def save(session: Session, cut: ast.Cut, name: str, *, confirmed: bool) -> Path:
    """Write `<name>.subcut`; returns its path. Raises UserError `file-exists` unless `confirmed`, `bad-name`."""
    name = folder_name(name.removesuffix(ENDING))
    path = session.output / (name + ENDING)
    text = format_file(_file(session, cut, name))
    _check(text, name)
    flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | (os.O_TRUNC if confirmed else os.O_EXCL)
    try:
        if path.is_symlink():
            raise user_error("bad-name", f"`{path.name}` is a link, and may lead out of the output folder")
        session.output.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, flags, 0o666), "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise user_error("file-exists", f"`{path.name}` exists in `{session.output}`") from None
    except OSError as error:
        raise user_error("cannot-write", f"`{path}` cannot be written: {error.strerror}") from None
    return path


def _check(text: str, name: str) -> None:
    """Whether the file can be read again: the language takes fewer names than a folder can have."""
    try:
        parse_file(text.encode().decode(), name)
    except UnicodeEncodeError:
        raise user_error("bad-name", f"`{name!a}` is no text that a file can hold") from None


def unsaid(reading: ReadOptions) -> list[str]:
    """What the command line said of reading the model and no selection file can: `apply` would read another model."""
    default = ReadOptions()
    names = ("phase", "level", "stages", "signature")
    changed = [name for name in names if getattr(reading, name) != getattr(default, name)]
    return [f"the file cannot say `{name} {getattr(reading, name)}`" for name in changed]


def _file(session: Session, cut: ast.Cut, name: str) -> ast.File:
    shown, folder = session.models[0], session.output
    weights = session.reading.weights
    line = ast.ModelLine(
        _relative(shown.path, folder),
        _relative(weights, folder) if weights is not None else "",
        digest_of(shown.model.sources),
    )
    options = [_moved(option, folder) for option in cut.options]
    if not cut.name:
        options.append(ast.As(name))
    statements: list[ast.Statement] = [line]
    if session.device is not None:
        dumps = session.device.dumps
        offline = _relative(session.device.offline, folder)
        dumps = _relative(dumps, folder) if isinstance(dumps, Path) else dumps
        statements.append(ast.OfflineLine(offline, dumps or ""))
    return ast.File(VERSION, (*statements, replace(cut, options=tuple(options))))


def _moved(option: ast.Option, folder: Path) -> ast.Option:
    """The path of a `freeze`, which a file has relative to itself."""
    return replace(option, path=_relative(Path(option.path), folder)) if isinstance(option, ast.Freeze) else option


def _relative(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive
        return path.resolve().as_posix()
