"""Reads what the command line names, before anything is served: what is wrong is said in the terminal."""

from __future__ import annotations

import gc
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subcut.compiler.errors import UserError
from subcut.compiler.export import load
from subcut.compiler.formats import ReadOptions
from subcut.compiler.pipeline import no_collection
from subcut.viewer.inference import lacking
from subcut.viewer.session import OFFLINE, ORIGINAL, OTHER, Session, Shown

if TYPE_CHECKING:
    from subcut.compiler.alignment.twin import TwinOptions


@dataclass(frozen=True)
class Given:
    """What is to be looked at."""

    model: Path
    output: Path = Path()
    selection: str = ""
    reading: ReadOptions = field(default_factory=ReadOptions)
    device: TwinOptions | None = None
    other: Path | None = None
    report: Path | None = None


def open_session(given: Given) -> Session:
    """Read the models. Raises ModelError and UserError."""
    with no_collection():
        models = [_shown(given.model, ORIGINAL, given.reading)]
        if given.other is not None:
            models.append(_shown(given.other, OTHER))
        if given.device is not None:
            models.append(_shown(given.device.offline, OFFLINE))
        gc.freeze()  # all of it stays: no collection need look at it
    session = Session(models, given.output.resolve(), given.selection, given.reading, given.device)
    session.freezes = _freezes(given.selection)
    session.typed = not lacking(models[0].model)
    if given.device is not None:
        _align(session, given.device)
    if given.report is not None:
        from subcut.viewer.overlay import Overlay

        session.overlay = Overlay(given.report, models[0])
    return session


def _shown(path: Path, side: str, reading: ReadOptions | None = None) -> Shown:
    model = load(path, reading)
    model.dialect.annotate(model)
    return Shown(model, path, side)


def _align(session: Session, device: TwinOptions) -> None:
    from subcut.compiler.alignment.identity import other_names
    from subcut.compiler.alignment.twin import attach

    model = session.models[0].model
    twin = attach(model, device)
    session.warnings += twin.warnings()
    names = other_names(model, twin.offline)
    if names is not None:
        recorded, original = names
        session.question = question(recorded, original)


def question(recorded: list[str], original: str) -> dict[str, Any]:
    """Whether to go on with an offline model that was made of a model of another name."""
    theirs = " / ".join(recorded)
    text = f"the offline model was made of `{theirs}`, and this model is `{original}`: go on?"
    return {"text": text, "recorded": theirs, "original": original}


def _freezes(selection: str) -> tuple[str, ...]:
    """The files that `freeze` clauses name; a selection that cannot be read is the page's to complain about."""
    if not selection.strip():
        return ()
    from subcut.dsl import ast
    from subcut.dsl.parser import parse

    try:
        return tuple(option.path for option in parse(selection).options if isinstance(option, ast.Freeze))
    except UserError:
        return ()
