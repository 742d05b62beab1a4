"""How an operator was cut into slices, as the graph engine describes it in an attribute of each slice's dump.

The attribute (`_sgt_json_info`) is a JSON text: `threadMode`, `slice_instance_num`, `input_tensor_slice` and
`output_tensor_slice` (`[thread][tensor][axis]{lower, higher}`), `inputCutList` and `outputCutList` (pieces by axis).
Source: the graph engine's `ffts_json_util` and the accuracy tool's `dump_data_object.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from subcut.compiler.device.dumps.shapes import needed

_LONGEST = 1 << 20
"""The longest description that is looked into."""
_RANGES = {"input": "input_tensor_slice", "output": "output_tensor_slice"}
_CUTS = {"input": "inputCutList", "output": "outputCutList"}

Box = tuple[tuple[int, int], ...]
"""Lower and higher bound on each axis."""


class Unfit(Exception):
    """The slices of a tensor do not make a whole, or what is said of them makes no sense."""


def description(attributes: Mapping[str, str]) -> dict[str, Any]:
    """The description of slices; nothing where there is none."""
    for text in attributes.values():
        if len(text) > _LONGEST or '"threadMode"' not in text:
            continue
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(said, dict):
            return cast("dict[str, Any]", said)
    return {}


def part_of(said: Mapping[str, Any], direction: str, thread: int, index: int) -> Box:
    """The part of a tensor that a thread had. Raises Unfit."""
    try:
        found = tuple((int(axis["lower"]), int(axis["higher"])) for axis in said[_RANGES[direction]][thread][index])
    except (TypeError, LookupError, ValueError, OverflowError):
        raise Unfit(f"no range of it is stated for thread {thread}") from None
    if any(not 0 <= low < high for low, high in found):
        raise Unfit(f"the range of thread {thread} is empty or negative")
    return found


def cut_axis(said: Mapping[str, Any], direction: str, index: int) -> int | None:
    """The axis along which the compiler cut a tensor; None where it did not. Raises Unfit."""
    try:
        cut = [axis for axis, pieces in enumerate(said[_CUTS[direction]][index]) if int(pieces) != 1]
    except (TypeError, LookupError, ValueError, OverflowError):
        raise Unfit("how it was cut is not stated") from None
    if len(cut) > 1:
        raise Unfit(f"it was cut along {len(cut)} axes, and the order of the pieces is not stated")
    return cut[0] if cut else None


def parts_of(said: Mapping[str, Any], direction: str, index: int) -> list[Box]:
    """The parts of a tensor that all threads had. Raises Unfit."""
    ranges = said.get(_RANGES[direction])
    if not isinstance(ranges, list) or not ranges:
        raise Unfit("no range of it is stated")
    return [part_of(said, direction, thread, index) for thread, _ in enumerate(cast("Sequence[Any]", ranges))]


def piece_shape(
    said: Mapping[str, Any], direction: str, index: int, type_name: str, size: int
) -> tuple[int, ...] | None:
    """The shape of what a hardware thread wrote, where the header states the whole's: that of a slice of so many bytes.

    None where no slice, or slices of different shapes, have as many.
    """
    try:
        parts = parts_of(said, direction, index) if said.get("threadMode") else []
    except Unfit:
        return None
    shapes = {tuple(high - low for low, high in part) for part in parts}
    fit = [shape for shape in shapes if needed(shape, type_name) == size]
    return fit[0] if len(fit) == 1 else None
