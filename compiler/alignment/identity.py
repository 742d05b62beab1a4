"""Whether an offline model was made of this model, as far as names tell (row S2)."""

from __future__ import annotations

import re
import shlex
from pathlib import PurePosixPath, PureWindowsPath

from subcut.compiler.formats.ascend.offline import OfflineModel
from subcut.compiler.ir.graph import Model


def identity_warnings(model: Model, offline: OfflineModel) -> list[str]:
    """A sentence where the name that the offline model records is none of this model's, and one for the framework."""
    found: list[str] = []
    names = other_names(model, offline)
    if names is not None:
        recorded, called = names
        shown = " / ".join(f"`{name}`" for name in recorded)
        found.append(f"the offline model was made of {shown}, and this model is `{called}`")
    framework = {"caffe": "Caffe", "tf": "TensorFlow", "onnx": "Onnx"}.get(model.dialect.name, "")
    if offline.framework and framework and offline.framework.lower() != framework.lower():
        found.append(f"the offline model was made of a {offline.framework} model, and this is {framework}")
    return found


def other_names(model: Model, offline: OfflineModel) -> tuple[list[str], str] | None:
    """What the offline model records that it was made of, and what this model is called; None where these agree."""
    files = [source.path for source in model.sources[:1]]
    mine = {_plain(name) for name in [model.name, *(path.stem for path in files), *(path.name for path in files)]}
    theirs = _recorded(offline)
    if not theirs or mine & {_plain(name) for name in theirs}:
        return None
    return list(dict.fromkeys(theirs)), files[0].name if files else model.name


def _recorded(offline: OfflineModel) -> list[str]:
    """The names that an offline model records of what it was made of: ATC's `--model`, and its own name."""
    names = [offline.name] if offline.name else []
    source = option(offline.command, "model")
    if source:
        base = (PureWindowsPath if "\\" in source else PurePosixPath)(source)
        names = [base.stem, *names]
    return names


def option(command: str, name: str) -> str:
    """The value of an option of a recorded `atc` command line; empty where it is not given."""
    return options(command).get(name, "")


def options(command: str) -> dict[str, str]:
    """The options of a recorded `atc` command line that have values, as ATC reads them, in their order.

    The record has lost its quotes: what follows a value up to the next option belongs to it. A single minus is as
    good as two, and `-` in a name as `_`. Source: `cmd_flag_info.cc` of the graph engine.
    """
    found: dict[str, str] = {}
    name = ""
    for word in _words(command):
        if re.match(r"--?[A-Za-z]{2}", word):
            name, equals, value = word.lstrip("-").partition("=")
            name = name.replace("-", "_")
            if equals:
                found[name] = value
        elif name:
            found[name] = f"{found[name]} {word}" if name in found else word
    return {name: value for name, value in found.items() if value}


def _words(command: str) -> list[str]:
    """The words of a command line; the record has lost its quotes, so a lone one is a letter."""
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


def _plain(name: str) -> str:
    """A name without ending and the number that ATC adds to a graph (`net_0`), for comparison."""
    return re.sub(r"(_0)?(\.\w+)?$", "", name).lower()
