"""A side that is a model: it is run, and what it computed is compared like any other folder."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from subcut.compiler.alignment.twin import TwinOptions
from subcut.compiler.formats import ReadOptions

Progress = Callable[[int, int], None]
"""Called with bytes that were written, and bytes that will be."""


@dataclass(frozen=True)
class Running:
    """How a model is run."""

    inputs: Sequence[str] = ()
    """`[NAME=]FILE`; without any, what the device on the other side was fed, else random numbers."""
    seed: int = 0
    weights: Path | None = None
    om: Path | None = None
    quantised: Path | None = None


def is_model(side: str | Path) -> bool:
    """Whether a side is a model, and not a folder of numbers. What is at a URL is a folder."""
    return isinstance(side, Path) and (side.is_file() or (side / "saved_model.pb").is_file())


@contextmanager
def run_sides(
    sides: Sequence[str | Path], running: Running, progress: Progress | None = None
) -> Generator[list[str | Path], None, None]:
    """All sides as folders; those of models are removed in the end. Raises what running a model does."""
    with ExitStack() as stack:
        dumps = next((side for side in sides if not is_model(side)), None)
        yield [side if not is_model(side) else _run(Path(side), dumps, running, progress, stack) for side in sides]


def _run(model: Path, dumps: str | Path | None, running: Running, progress: Progress | None, stack: ExitStack) -> Path:
    from subcut.analysis.golden import Request, golden

    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="subcut-"))) / "golden"
    device = None
    if running.om is not None and dumps is not None and not running.inputs:
        device = TwinOptions(running.om, dumps, running.quantised)
    request = Request(running.seed, device=device)
    read = ReadOptions(weights=running.weights)
    return golden(model, running.inputs, folder, request=request, read=read, progress=progress).folder
