"""What a search knows so far, in a folder: every file appears whole or not at all, so that a kill costs one run."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from subcut.analysis.locate.judge import Outcome
from subcut.analysis.locate.tensors import plain, viewed, whole, write_npy, writing
from subcut.compiler.errors import UserError, user_error
from subcut.compiler.ir.types import element_of, numpy_dtype
from subcut.compiler.number_files import read_npy

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

MARK = "locate.json"
"""The file by which a state folder is recognised: only such a one is deleted."""


class State:
    """A folder of outcomes by content, and of the reference's tensors."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if folder.exists() and not (folder / MARK).is_file() and (not folder.is_dir() or any(folder.iterdir())):
            raise user_error(
                "not-a-state-folder",
                f"`{folder}` holds something else than the state of a search",
                help="name another folder with `--state`",
            )
        with writing(folder):
            (folder / "runs").mkdir(parents=True, exist_ok=True)
        if not (folder / MARK).is_file():
            write_text(folder / MARK, '{"subcut": "state of a search"}\n')

    def outcome(self, key: str) -> Outcome | None:
        """What a run of the candidate of this content gave before."""
        return Outcome.from_json(_json(self.folder / "runs" / f"{key}.json"))

    def remember(self, key: str, outcome: Outcome) -> None:
        """Take down the outcome of a run."""
        write_text(self.folder / "runs" / f"{key}.json", json.dumps(outcome.to_json(), ensure_ascii=False) + "\n")

    @contextmanager
    def workplace(self) -> Generator[Path]:
        """A folder for one candidate, gone afterwards."""
        with writing(self.folder):
            path = Path(tempfile.mkdtemp(prefix="candidate-", dir=self.folder))
            try:
                yield path
            finally:
                shutil.rmtree(path, ignore_errors=True)

    def reference(self, key: str) -> Recorded | None:
        """The reference's tensors, where they were recorded whole."""
        index = _json(self.folder / f"reference-{key}" / "index.json")
        if not isinstance(index, dict):
            return None
        return Recorded(self.folder / f"reference-{key}", cast("dict[str, Any]", index))

    def record(self, key: str, arrays: Mapping[str, Any], facts: Mapping[str, Any]) -> Recorded:
        """Write the reference's tensors; what is no array, such as a sequence, is left out."""
        folder = self.folder / f"reference-{key}"
        with writing(folder):
            folder.mkdir(exist_ok=True)
        tensors: dict[str, Any] = {}
        for number, (name, array) in enumerate(arrays.items()):
            if not hasattr(array, "dtype"):
                continue
            write_npy(folder / f"{number}.npy", array)
            tensors[name] = {"file": f"{number}.npy", "element": _element(array), "sha256": _digest(array)}
        index = {**facts, "tensors": tensors}
        write_text(folder / "index.json", json.dumps(index, ensure_ascii=False) + "\n")
        return Recorded(folder, index)

    def discard(self) -> None:
        """The search is over: delete the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def is_empty(self) -> bool:
        """Whether no run is remembered."""
        return not any((self.folder / "runs").iterdir())


class Recorded(Mapping[str, Any]):
    """The reference's tensors by name, mapped from their files when asked for."""

    def __init__(self, folder: Path, facts: Mapping[str, Any]) -> None:
        self.folder, self.facts = folder, facts
        self._tensors: dict[str, dict[str, str]] = facts["tensors"]

    def __getitem__(self, name: str) -> Array:
        import numpy as np

        entry = self._tensors[name]
        path = self.folder / entry["file"]
        try:
            array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError):  # an array without numbers cannot be mapped
            array = read_npy(path)
        element = entry["element"]
        if element == "str":
            return array.astype(object)
        return viewed(array, numpy_dtype(element)) if array.dtype.kind == "V" and element else array

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def is_intact(self, name: str) -> bool:
        """Whether a tensor's file still holds the numbers that were recorded."""
        try:
            return _digest(self[name]) == self.digest(name)
        except (UserError, ValueError):
            return False

    def digest(self, name: str) -> str:
        """The SHA-256 of a tensor's type, shape and numbers."""
        return self._tensors[name]["sha256"]


def _element(array: Array) -> str:
    try:
        return element_of(array.dtype)
    except KeyError:
        return ""


def _digest(array: Array) -> str:
    content = plain(array)
    return hashlib.sha256(f"{array.dtype} {array.shape} ".encode() + content.tobytes()).hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write a file, whole or not at all. Raises UserError `cannot-write`."""
    with whole(path) as file:
        file.write(text.encode("utf-8"))


def _json(path: Path) -> object:
    """The content of a file of ours; None where there is none, or it is damaged."""
    try:
        return cast(object, json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, UserError):
        return None
