"""What is asked of a conversion, and what it says of each dump file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from subcut.compiler.diagnostics import Diagnostic

KINDS = ("npy", "bin", "msnpy")
"""Kinds of results: `.npy`; the bare numbers; `.npy` with the names that MindSpore's tools expect."""


@dataclass(frozen=True)
class Request:
    """How dump files are converted."""

    layout: str | None = None
    """The layout of the results, such as `NCHW`; None: as the device stores it."""
    kind: str = "npy"
    direction: str | None = None
    """Only `input` or `output` tensors."""
    index: int | None = None
    """Only the tensor with that number."""
    shape: tuple[int, ...] | None = None
    """The original shape, where the dump does not say it or says it wrong."""
    element: str | None = None
    """The numpy type of the results, such as `float16`; None: the one of the dump."""
    force: bool = False
    """Replace results that exist."""


@dataclass(frozen=True)
class Failure:
    """Something that could not be converted, while everything else was."""

    path: Path
    """The dump file."""
    tensor: str
    """Such as `output:0`; empty where the file cannot be read."""
    reason: str


@dataclass
class Outcome:
    """What became of one dump file."""

    path: Path
    folder: str = ""
    """Of its results, inside the one for all."""
    size: int = 0
    written: list[str] = field(default_factory=list[str])
    """Names of the files made."""
    long_names: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Names given and names meant, where the latter are too long for a file."""
    failures: list[Failure] = field(default_factory=list[Failure])
    problems: list[str] = field(default_factory=list[str])
    """What is wrong with the dump although it was converted."""
    stop: list[Diagnostic] = field(default_factory=list[Diagnostic])
    """Why nothing more can be written at all."""
