"""Whether a candidate failed, how, and whether that is the failure that is looked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast

from subcut.analysis.locate.tensors import plain, viewed

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

PASSED, DIFFERS, SHAPE, TYPE, MISSING, NONSENSE, TIMEOUT = (
    "passed",
    "numbers differ",
    "wrong shape",
    "wrong type",
    "output missing",
    "unreadable output",
    "time limit",
)
"""How a candidate can end; a command that dies is `exit N` or `signal N`, a callable `raised X`."""
OF_OUTPUTS = (DIFFERS, SHAPE, TYPE)
"""Those that only a candidate that ran can have."""


@dataclass(frozen=True)
class Tolerance:
    """How far a number may be off: `absolute`, plus `relative` of the largest magnitude in the reference's tensor."""

    relative: float = 1e-3
    absolute: float = 1e-6


@dataclass(frozen=True)
class Outcome:
    """How one run of a candidate ended."""

    kind: str
    tensors: tuple[str, ...] = ()
    """The outputs that are wrong, in order of computation."""
    note: str = ""
    """A word for the reader: how far off, or the last line that the command wrote."""

    @property
    def passed(self) -> bool:
        """Whether nothing was wrong."""
        return self.kind == PASSED

    def led_by(self, tensor: str) -> Outcome:
        """The same, with that one of its tensors first; the word was for the one that was first."""
        if tensor not in self.tensors[1:]:
            return self
        return Outcome(self.kind, (tensor, *(name for name in self.tensors if name != tensor)))

    def __str__(self) -> str:
        where = f" in `%{self.tensors[0]}`" if self.tensors else ""
        return f"{self.kind}{where}" + (f" ({self.note})" if self.note else "")

    def to_json(self) -> dict[str, Any]:
        """As it is remembered."""
        return {**asdict(self), "tensors": list(self.tensors)}

    @classmethod
    def from_json(cls, content: object) -> Outcome | None:
        """What `to_json` gave; None where it is something else."""
        if not isinstance(content, dict):
            return None
        known = cast("dict[str, Any]", content)
        kind, note = known.get("kind"), known.get("note")
        if not isinstance(kind, str) or not isinstance(note, str):
            return None
        return cls(kind, tuple(str(name) for name in known.get("tensors") or ()), note)


def same_failure(outcome: Outcome, wanted: Outcome, tensor: str = "") -> bool:
    """Whether `outcome` is the failure `wanted`: it ended alike and, where a tensor is told, is wrong there too."""
    if outcome.passed or outcome.kind != wanted.kind:
        return False
    return not tensor or not wanted.tensors or tensor in outcome.tensors


def compare(expected: Mapping[str, Array], actual: Mapping[str, Array], tolerance: Tolerance) -> Outcome:
    """The outcome of a run that ended well: the kind of the first tensor that is wrong, and all that are."""
    wrong: list[tuple[str, str, str]] = []
    for name, array in expected.items():
        kind, note = _compare_one(plain(array), actual.get(name), array.dtype, tolerance)
        if kind != PASSED:
            wrong.append((name, kind, note))
    if not wrong:
        return Outcome(PASSED)
    kind = wrong[0][1]
    return Outcome(kind, tuple(name for name, other, _ in wrong if other == kind), wrong[0][2])


def _compare_one(expected: Array, actual: Array | None, dtype: np.dtype[Any], tolerance: Tolerance) -> tuple[str, str]:
    import numpy as np

    if actual is None:
        return MISSING, ""
    actual = plain(actual)
    if actual.shape != expected.shape:
        return SHAPE, f"{_sizes(actual)}, and {_sizes(expected)} is right"
    if _kind(actual.dtype) != _kind(dtype):
        return TYPE, f"{actual.dtype}, and {dtype} is right"
    if _kind(dtype) == "text":
        return (PASSED, "") if bool((actual == expected).all()) else (DIFFERS, "texts")
    if dtype.type is np.void:  # of a type that numpy lacks, and nobody says which
        return (PASSED, "") if actual.tobytes() == expected.tobytes() else (DIFFERS, "bytes")
    kind: Any = np.complex128 if dtype.kind == "c" else np.float64
    right, got = _numbers(expected, dtype).astype(kind), _numbers(actual, dtype).astype(kind)
    odd = _odd(right, got)
    if odd:
        return DIFFERS, f"{odd} of {right.size} are not finite where the reference is, or the other way round"
    finite = np.isfinite(right)
    off = float(np.abs(right[finite] - got[finite]).max(initial=0.0))
    scale = float(np.abs(right[finite]).max(initial=0.0))
    if off <= tolerance.absolute + tolerance.relative * scale:
        return PASSED, ""
    return DIFFERS, f"by up to {off:.3g}, the largest magnitude is {scale:.3g}"


def _odd(right: Array, got: Array) -> int:
    """How many numbers are NaN or infinite on one side and otherwise on the other."""
    import numpy as np

    unlike = np.isnan(right) != np.isnan(got)
    unlike |= (np.isinf(right) | np.isinf(got)) & ~np.isnan(right) & (right != got)
    return int(unlike.sum())


def _numbers(array: Array, dtype: np.dtype[Any]) -> Array:
    """Numbers of a type that numpy lacks come from a file as bytes without a meaning."""
    alien = array.dtype.kind == "V" and array.dtype != dtype and array.dtype.itemsize == dtype.itemsize
    return viewed(array, dtype) if alien else array


def _kind(dtype: np.dtype[Any]) -> str:
    if dtype.kind in "OSU":
        return "text"
    return {"c": "complex", "i": "whole", "u": "whole", "b": "whole"}.get(dtype.kind, "real")


def _sizes(array: Array) -> str:
    return "x".join(map(str, array.shape)) or "a scalar"
