"""The files of the page: a table made when the server starts, so that no request can name any other file."""

from __future__ import annotations

from pathlib import Path

from subcut.viewer.linking import ENTRIES, joined

FOLDER = Path(__file__).parent / "web"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}


def web_files(folder: Path = FOLDER) -> dict[str, Path]:
    """Path of the request to file, for every file of a type that pages are made of; links are left out."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in TYPES and path.is_file())
    found = {f"/web/{path.relative_to(folder).as_posix()}": path for path in files if not path.is_symlink()}
    return {"/": folder / "index.html", **found}


def contents(files: dict[str, Path]) -> dict[str, bytes]:
    """What is sent for those files that the browser asks for first; scripts are joined of their modules."""
    sent = {path: file.read_bytes() for path, file in files.items() if path == "/" or file.suffix == ".css"}
    return sent | {entry: joined(files, entry) for entry in ENTRIES}
