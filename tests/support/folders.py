"""Small result folders, and what lies in a folder."""

from __future__ import annotations

import json
from pathlib import Path

from subcut.compiler.storage.folder import ResultFolder


def fill(folder: Path, text: str = "new") -> None:
    (folder / "dump.onnx").write_text(text)
    (folder / "manifest.json").write_text(json.dumps({"subcut": "1", "text": text}))


def result(path: Path, text: str = "new", **options: object) -> None:
    with ResultFolder(path, **options) as temp:  # type: ignore[arg-type]
        fill(temp, text)


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())
