"""The files of the page: a table made when the server starts, so that no request can name any other file."""

from __future__ import annotations

import os
import re
from pathlib import Path

FOLDER = Path(__file__).parent / "web"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}


_IMPORT = re.compile(r"^(?:import|export)\b[^'\";]*? from '(\.[^']+)'", re.MULTILINE)
"""A module that another one names where it begins."""


def web_files(folder: Path = FOLDER) -> dict[str, Path]:
    """Path of the request to file, for every file of a type that pages are made of; links are left out."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in TYPES and path.is_file())
    found = {f"/web/{path.relative_to(folder).as_posix()}": path for path in files if not path.is_symlink()}
    return {"/": folder / "index.html", **found}


def page(files: dict[str, Path]) -> bytes:
    """The page, told of every module that it is made of: asked for at once, not each by the one before it."""
    links = "".join(f'    <link rel="modulepreload" href="{path}" />\n' for path in modules(files))
    return files["/"].read_text("utf-8").replace("  </head>", f"{links}  </head>", 1).encode()


def modules(files: dict[str, Path], entry: str = "/web/main.js") -> list[str]:
    """The modules that the one at `entry` imports, and those that they import, in the order of their paths."""
    found = {entry}
    todo = [entry]
    while todo:
        path = Path(todo.pop())
        for name in _IMPORT.findall(files[path.as_posix()].read_text("utf-8")):
            wanted = os.path.normpath(path.parent / name)
            if wanted in files and wanted not in found:
                found.add(wanted)
                todo.append(wanted)
    return sorted(found)
