"""The process of a job: does what the command does, and says how far it is, a line of JSON an event.

It gets its `Work` from the server through standard input, which stays open: when that ends, so does the process.
"""

from __future__ import annotations

import datetime
import json
import os
import pickle
import signal
import sys
import tempfile
import threading
import time
import traceback
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, Any, NoReturn

from subcut.compiler.cutting import Made, Order, folder_name, make
from subcut.compiler.errors import SubcutError, user_error
from subcut.compiler.formats import ReadOptions, WriteOptions
from subcut.compiler.log import entries
from subcut.compiler.pipeline import standard
from subcut.viewer.answers import refusal

if TYPE_CHECKING:
    from subcut.compiler.alignment.twin import TwinOptions

OFTEN = 0.05
"""Seconds between two events of progress."""


@dataclass(frozen=True)
class Work:
    """What is to be done, and with which files."""

    what: str
    """`export`, `verify` or `types`."""
    model: Path
    output: Path
    """Where results go. With `verify` and no text, the result folder itself."""
    reading: ReadOptions = field(default_factory=ReadOptions)
    device: TwinOptions | None = None
    text: str = ""
    infer: bool = True
    fold: bool = True
    link: bool = False
    strict: bool = False
    force: bool = False
    verify: bool = False
    bin_type: str = "float16"


class Teller:
    """Writes events; progress not more often than anybody could see it."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out
        self._stage = ""
        self._done = self._total = 0
        self._said = 0.0

    def tell(self, kind: str, **facts: Any) -> None:
        """Write an event."""
        self._out.write(json.dumps({"kind": kind, **facts}) + "\n")
        self._out.flush()

    def log(self, text: str) -> None:
        """Write an entry of the log, with its time (row D10)."""
        self.tell("log", time=f"{datetime.datetime.now():%Y-%m-%d %H:%M:%S}", text=text)

    def stage(self, text: str) -> None:
        """Say what is being done now."""
        self._stage, self._done, self._total, self._said = text, 0, 0, 0.0
        self.tell("progress", stage=text, done=0, total=0)

    def advance(self, count: int, size: int) -> None:
        """Say that `count` more bytes are written, of a file of `size`."""
        if self._done == self._total:
            self._done, self._total = 0, size
        self._done += count
        now = time.monotonic()
        if now - self._said > OFTEN or self._done >= self._total:
            self._said = now
            self.tell("progress", stage=self._stage, done=self._done, total=self._total)


def main() -> None:
    """Do the work that standard input asks for."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what frameworks print is no event
    work: Work = pickle.load(sys.stdin.buffer)
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    teller = Teller(out)
    try:
        {"export": _export, "verify": _verify, "types": _types}[work.what](work, teller)
    except SubcutError as error:
        teller.tell("failed", **refusal(error))
    except Exception:
        traceback.print_exc()
        message = "this is a bug in subcut: the terminal has the details"
        teller.tell("failed", code="bug", message=message, help=[], diagnostics=[])
    os._exit(0)  # all is written; taking a big model apart would take a while


def _end_with_the_server() -> None:
    while os.read(0, 1 << 16):  # not through `sys.stdin`, whose lock would be held when the process ends
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _export(work: Work, teller: Teller) -> None:
    verified: list[str] = []
    align = work.device is not None
    order = Order(
        work.model,
        standard(work.text, infer=work.infer, fold=work.fold, align=align, strict=work.strict),
        work.reading,
        work.device,
        WriteOptions(link=work.link, bin_type=work.bin_type),
        parent=work.output,
        named=lambda name: _inside(work.output, name),
        force=work.force,
        check=_check(work, teller, verified) if work.verify else None,
    )
    made = make(order, teller)
    for entry in entries(made.model, made.folder, made.manifest):
        teller.log(entry)
    for text in verified:
        teller.log(text)
    teller.tell("done", what="export", **_result(made))


def _inside(output: Path, name: str) -> Path:
    """The folder that `as` names, in the output folder and nowhere else."""
    folder = output / folder_name(name)
    try:
        linked = folder.is_symlink()
    except OSError as error:  # a name that is too long for the disk
        raise user_error("cannot-write", f"`{folder}` cannot be made: {error.strerror}") from None
    if linked:
        raise user_error("bad-name", f"`{name}` is a link, and leads out of the output folder", help="another name")
    return folder


def _result(made: Made) -> dict[str, Any]:
    folder, manifest = made.folder, made.manifest
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {
        "folder": str(folder),
        "files": [{"name": path.relative_to(folder).as_posix(), "size": path.stat().st_size} for path in files],
        "counts": {key: len(manifest[key]) for key in ("operators", "constants", "folded", "inputs", "outputs")},
        "commands": manifest.get("commands", []),
        "warnings": manifest.get("warnings", []),
    }


def _check(work: Work, teller: Teller, said: list[str]) -> Any:
    from subcut.compiler.verification import Verifier, summary

    verifier = Verifier(work.model, work.reading)

    def check(folder: Path, manifest: dict[str, Any]) -> None:
        teller.stage("verifying")
        said.append("Verified:" + summary(verifier.check(folder, manifest), verifier.tolerance))

    return check


def _verify(work: Work, teller: Teller) -> None:
    """Verify the result folder or, where a text is given, a cut that is made for it and thrown away."""
    if not work.text:
        _compare(work, teller, work.output)
        return
    signal.signal(signal.SIGTERM, _end)  # so that the folder goes when the job is cancelled
    with tempfile.TemporaryDirectory(prefix="subcut-") as temp:
        folder = Path(temp) / "cut"
        pipeline = standard(work.text, infer=work.infer, fold=work.fold)
        made = make(Order(work.model, pipeline, work.reading, folder=folder), teller)
        _compare(work, teller, made.folder)


def _types(work: Work, teller: Teller) -> None:
    from subcut.compiler.export import load
    from subcut.viewer.inference import infer

    teller.tell("types", **infer(load(work.model, work.reading)))


def _end(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


def _compare(work: Work, teller: Teller, folder: Path) -> None:
    from subcut.compiler.verification import DIFFERENT, Verifier, read_manifest, summary

    teller.stage("verifying")
    verifier = Verifier(work.model, work.reading)
    rows = verifier.compare(folder, read_manifest(folder))
    for row in rows:
        teller.log(str(row))
    good = all(row.verdict != DIFFERENT for row in rows)
    text = summary(rows, verifier.tolerance)
    teller.log(text)
    shown = [asdict(row) for row in rows]
    kept = "" if work.text else str(folder)
    teller.tell("done", what="verify", folder=kept, good=good, message=text, rows=shown, files=[])


if __name__ == "__main__":
    main()
