"""Joins the modules of the page into one script each time the server starts, so that they are one request, not ninety.

The modules stay what is written, checked, tested and shipped; nothing is built beforehand. On loopback a request for a
small file costs the browser about 8 ms, whatever is in it, and the worker asked for its modules once more.

A module becomes a function that returns what it exports (ECMA-262, 16.2: imports first, and exports that are
declarations or lists of names). What cannot be joined that way is an error of ours, found by the tests: modules that
import each other, exports that are assigned to later, imports of whole modules or inside of functions.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from pathlib import Path

ENTRIES = ("/web/main.js", "/web/engine/worker.js")
"""The modules that the page begins with, and the thread beside it."""

_FROM = re.compile(r"^(import|export) \{([^}]*)\} from '(\.[^']+)';\n", re.MULTILINE)
_LIST = re.compile(r"^export \{([^}]*)\};\n", re.MULTILINE)
_DECLARATION = re.compile(r"^export (?=(?:async function|function\*?|class|const) ([\w$]+))", re.MULTILINE)
_LEFT = re.compile(r"^(?:import|export)\b.*|\bawait import\(.*", re.MULTILINE)


def joined(files: Mapping[str, Path], entry: str) -> bytes:
    """The script that does what the module at `entry` and those it imports do. Raises ValueError where it cannot."""
    found: dict[str, str] = {}
    _follow(files, entry, found, ())
    return "".join(found.values()).encode()


def _follow(files: Mapping[str, Path], path: str, found: dict[str, str], above: tuple[str, ...]) -> None:
    """Add a module to `found`, behind those it imports; each is added once."""
    if path in above:
        raise ValueError(f"{path} imports itself by way of {', '.join(above[above.index(path) + 1 :])}")
    if path in found:
        return
    source = files[path].read_text("utf-8")
    for _, _, name in _FROM.findall(source):
        _follow(files, _resolved(path, name), found, (*above, path))
    found[path] = _wrapped(path, source)


def _wrapped(path: str, source: str) -> str:
    exports: list[str] = _DECLARATION.findall(source)

    def taken(match: re.Match[str]) -> str:
        kind, names, name = match.groups()
        if kind == "export":
            exports.extend(_names(names))
        taken = ", ".join(_names(names)).replace(" as ", ": ")
        return f"const {{ {taken} }} = {_variable(_resolved(path, name))};\n"

    def listed(match: re.Match[str]) -> str:
        exports.extend(_names(match[1]))
        return ""

    body = _DECLARATION.sub("", _LIST.sub(listed, _FROM.sub(taken, source)))
    body = body.replace("import.meta.url", f"new URL('{path}', location.href)")
    odd = _LEFT.findall(body) + [name for name in exports if " " in name]
    if odd:
        raise ValueError(f"{path}: cannot be joined: {odd[0]}")
    return f"const {_variable(path)} = (() => {{\n{body}return {{ {', '.join(exports)} }};\n}})();\n"


def _names(text: str) -> list[str]:
    return [name for name in map(str.strip, text.split(",")) if name]


def _variable(path: str) -> str:
    return "$" + re.sub(r"\W", lambda sign: f"${ord(sign[0]):x}", path.removeprefix("/web/"))


def _resolved(path: str, name: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
