"""A device's answer against ground truth: files of the whole model's outputs, where there are no dumps.

Tools that run an offline model (`msame`, `ais_bench`, an application) leave one raw file an output. What it holds, the
offline model says of what its last operator reads; which original tensor that is, its groups do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from subcut.analysis.compare.fitting import Side, fit
from subcut.analysis.compare.further import Wanted
from subcut.analysis.compare.groups import fill
from subcut.analysis.compare.rows import Columns, Row, shape_text
from subcut.analysis.compare.rules import FusedOp, Fusion, NotComparable
from subcut.analysis.compare.sides import Golden, explained, numbers, read_truth, truth_path
from subcut.analysis.compare.work import Work
from subcut.compiler.device.dumps.tree import DumpTree
from subcut.compiler.device.enums import BITS
from subcut.compiler.errors import ModelError, user_error
from subcut.compiler.formats.ascend.offline import OfflineModel, OfflineTensor
from subcut.compiler.storage.files import SourceFile
from subcut.compiler.storage.places import HERE

_LAST = "NetOutput"
_TURNED = ("FLOAT", "FLOAT16")
"""What floats are turned into at the model's border, whatever the offline model says (`--output_type`, `--outfmt`)."""


@dataclass(frozen=True)
class Answer:
    """A file of an output, and what the offline model says of it."""

    path: Path
    last: FusedOp
    place: int
    """Which input of the last operator it is."""
    like: OfflineTensor | None


@dataclass
class Answers(Work):
    """Files of a device's answer and ground truth, with the offline model between them."""

    fusion: Fusion
    answers: list[Answer]
    right: DumpTree
    wanted: Wanted

    @property
    def columns(self) -> Columns:
        """Files have no addresses."""
        return Columns(left_address=False, right_address=False)

    def lost(self, key: str) -> Row:
        """The row of an output that could not be compared."""
        last, k = self.answers[int(key)].last, self.answers[int(key)].place
        return Row(last.number, last.type, last.name, "*", f"{last.name}:input:{k}")

    def keys(self) -> list[str]:
        """The pieces of work, in the order of the model's outputs."""
        return [str(k) for k in range(len(self.answers))]

    def rows(self, key: str) -> list[Row]:
        """The row of an output."""
        answer, row = self.answers[int(key)], self.lost(key)
        row.left_path = HERE.real(answer.path)
        try:
            op, index = self.fusion.source(answer.last, answer.place, is_input=True)
            row.index, row.op_type, row.left, row.right = op.number, op.type, op.name, ",".join(op.originals) or "*"
            row.tensor = f"{op.name}:output:{index}"
            self._compare(row, answer, op, index)
        except NotComparable as error:
            row.missing = "right" if error.missing else ""
            row.compared.messages.append(error.reason)
            row.note = error.note
        return [row]

    def _compare(self, row: Row, answer: Answer, op: FusedOp, index: int) -> None:
        name, number, output = op.origin(index)
        row.original = f"{name}:{number}"
        golden = read_truth(truth_path(self.right, name, number), self.right.place)
        row.right_path = golden.path
        left = _side(answer, golden)
        row.shape = shape_text(left.shape)
        mine, theirs, shape = fit(op.name, left, Side(golden.array, golden.shape, output.layout, output.shape))
        fill(row, mine, theirs, shape, self.wanted)


def answers_of(model: OfflineModel, fusion: Fusion, paths: Sequence[Path]) -> list[Answer]:
    """Each file with the output that it is, in the order of the outputs.

    Raises UserError `too-many-files`, and ModelError where a file is not there.
    """
    described = {op.name: op.input_tensors for op in model.ops if op.type == _LAST}
    last = next((op for op in fusion.ops if op.type == _LAST), None)
    count = len(last.inputs) if last is not None else 0
    if last is None or len(paths) > count:
        raise user_error(
            "too-many-files", f"`--answer` is given {len(paths)} times, and the offline model has {count} outputs"
        )
    for path in paths:
        if not path.is_file():
            raise ModelError(path, "is not a file" if path.exists() else "no such file")
    tensors = described.get(last.name, ())
    return [Answer(path, last, k, tensors[k] if k < len(tensors) else None) for k, path in enumerate(paths)]


def _side(answer: Answer, golden: Golden) -> Side:
    """The numbers of a file. Raises NotComparable."""
    layout = answer.like.layout if answer.like is not None else ""
    if answer.path.suffix == ".npy":
        found = read_truth(answer.path)
        array, shape = found.array, found.shape
    else:
        array, shape = _raw(answer, golden.shape)
    stated = len(answer.like.shape) if answer.like is not None else -1
    return Side(array, shape, layout if len(shape) == stated else "ND")


def _raw(answer: Answer, golden: tuple[int, ...]) -> tuple[Any, tuple[int, ...]]:
    """The numbers of a raw file: in the type and shape that the offline model states, else in ones that its size tells.

    Where the model leaves sizes open the ground truth has them.
    """
    like = answer.like
    try:
        source = SourceFile(answer.path)
    except ModelError as error:
        raise NotComparable(note=explained(error)) from None
    shapes = [like.shape] if like is not None and all(size >= 0 for size in like.shape) else []
    for shape in (*shapes, golden):
        for name in dict.fromkeys((like.type_name if like is not None else "FLOAT", *_TURNED)):
            if prod(shape) * BITS.get(name, 0) == 8 * source.size:
                return numbers(source.data, name, shape), shape
    wanted = f"{shape_text(like.shape)} of {like.type_name}" if like is not None else shape_text(golden)
    raise NotComparable(note=f"{answer.path} has {source.size} bytes, and the output is {wanted}")
