"""Two runs of the same kind, matched by name: a device against a device, or ground truth against ground truth.

Source for two devices: msaccucmp's `compare_npu_vs_npu`, whose rows these are. It refuses two folders of ground truth;
their rows here are made in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from subcut.analysis.compare.fitting import restored
from subcut.analysis.compare.further import Wanted
from subcut.analysis.compare.groups import fill
from subcut.analysis.compare.rows import Columns, Row, shape_text
from subcut.analysis.compare.rules import NotComparable
from subcut.analysis.compare.sides import Dumped, explained, read_run, read_truth, side_of, told
from subcut.analysis.compare.work import Work
from subcut.analysis.metrics import NAN, Compared
from subcut.compiler.device.dumps.slices import WholeTensor
from subcut.compiler.device.dumps.tree import DumpTree, Entry, TruthPath
from subcut.compiler.device.enums import ELEMENTS
from subcut.compiler.errors import ModelError
from subcut.compiler.ir.types import numpy_dtype


def _no_file(name: str, whose: str) -> str:
    return f'[{name}] There is no the {whose} dump file for the op "{name}".'


@dataclass
class Devices(Work):
    """Two dump trees, operator by operator."""

    left: DumpTree
    right: DumpTree
    wanted: Wanted
    _left: dict[str, Entry] = field(default_factory=dict[str, Entry])
    _right: dict[str, Entry] = field(default_factory=dict[str, Entry])
    _numbers: dict[str, int] = field(default_factory=dict[str, int])

    def __post_init__(self) -> None:
        self._left, self._right = _entries(self.left), _entries(self.right)
        self._numbers = {name: k for k, name in enumerate(dict.fromkeys((*self._left, *self._right)))}

    def __reduce__(self) -> tuple[object, ...]:
        return Devices, (self.left, self.right, self.wanted)

    @property
    def trees(self) -> list[DumpTree]:
        """The folders of both sides."""
        return [self.left, self.right]

    @property
    def columns(self) -> Columns:
        """Dumps have addresses."""
        return Columns(left_address=True, right_address=True)

    def lost(self, key: str) -> Row:
        """The row of an operator that could not be compared."""
        return Row(self._numbers[key], NAN, key, key)

    def keys(self) -> list[str]:
        """The pieces of work, in the order of the result: that of the left side's times."""
        return list(self._numbers)

    def rows(self, key: str) -> list[Row]:
        """The rows of an operator."""
        left, right = self._left.get(key), self._right.get(key)
        number = self._numbers[key]
        if left is None or right is None:
            reason = _no_file(key, "my output" if left is None else "ground truth")
            sides = ("*", key) if left is None else (key, "*")
            missing = "left" if left is None else "right"
            return [Row(number, NAN, *sides, compared=Compared(messages=[reason]), missing=missing)]
        try:
            mine, theirs = _read(self.left, left), _read(self.right, right)
        except NotComparable as error:
            return [Row(number, NAN, key, key, note=error.note)]
        return self._operator(Row(number, left.name.op_type, key, key), key, mine, theirs)

    def _operator(self, like: Row, key: str, mine: Dumped, theirs: Dumped) -> list[Row]:
        rows: list[Row] = []
        reasons: list[str] = []
        for direction in ("input", "output"):
            reason = _unlike(key, direction, mine.tensors(direction), theirs.tensors(direction))
            if reason:
                reasons.append(reason)
                continue
            for k, (left, right) in enumerate(zip(mine.tensors(direction), theirs.tensors(direction), strict=True)):
                row = Row(like.index, like.op_type, key, key, f"{key}:{direction}:{k}", shape_text(left.shape))
                row.left_path, row.right_path = mine.path, theirs.path
                row.note = "; ".join((*mine.problems, *theirs.problems))
                rows.append(self._tensor(row, left, right))
        if not rows:
            return [Row(like.index, NAN, key, key, compared=Compared(messages=reasons))]
        for row in rows:
            row.note = "; ".join(filter(None, (row.note, *reasons)))
        return rows

    def _tensor(self, row: Row, left: WholeTensor, right: WholeTensor) -> Row:
        row.original = row.tensor
        try:
            mine, theirs = (restored(side_of(side)).astype("float32", copy=False) for side in (left, right))
            if mine.size != theirs.size:
                sizes = f"({mine.size},) vs ({theirs.size},)"
                raise NotComparable(f"[{row.left}_TENSOR] Shape mismatch after restore: {sizes}")
            fill(row, mine.reshape(-1), theirs.reshape(-1), left.shape, self.wanted)
        except NotComparable as error:
            row.compared = Compared(messages=[error.reason])
            row.note = error.note
        row.left_type, row.right_type = _type(left), _type(right)
        row.left_address, row.right_address = str(left.like.address or NAN), str(right.like.address or NAN)
        return row


def _read(tree: DumpTree, entry: Entry) -> Dumped:
    try:
        return read_run(tree, entry)
    except ModelError as error:
        raise NotComparable(note=explained(error, tree.place)) from None


def _entries(tree: DumpTree) -> dict[str, Entry]:
    """The newest run of each operator, by its name in files, in the order of time."""
    names = dict.fromkeys(file.name.base for file in tree.files() if file.name.op_name and not file.name.suffix)
    found = {name: entries[-1] for name in names if (entries := tree.find(name, exact=False))}
    return dict(sorted(found.items(), key=lambda one: one[1].time))


def _unlike(key: str, direction: str, left: list[WholeTensor], right: list[WholeTensor]) -> str:
    """Why the tensors of two runs are not compared; empty where they are."""
    if len(left) != len(right):
        return f"[{key}] The number of {direction} does not match ({len(left)} vs {len(right)})."
    if not left:
        return f"[{key}] There is no {direction}. Skip the {key}:{direction}."
    for k, (mine, theirs) in enumerate(zip(left, right, strict=True)):
        if mine.shape != theirs.shape:
            shapes = " vs ".join(f"({', '.join(map(str, side.shape))})" for side in (mine, theirs))
            return f"[{key}] The shape does not match ({shapes}) for {key}:{direction}:{k}."
    return ""


def _type(tensor: WholeTensor) -> str:
    """The name of the element type, as the result file has it."""
    name = tensor.like.type_name
    special = {"UNDEFINED": "int8", "RESOURCE": "int64", "UINT1": "uint1", "HIFLOAT8": "hifloat8"}
    if name in special:
        return special[name]
    return str(numpy_dtype(ELEMENTS[name])) if name in ELEMENTS and name != "STRING" else NAN


@dataclass
class Truths(Work):
    """Two folders of ground truth, tensor by tensor."""

    left: DumpTree
    right: DumpTree
    wanted: Wanted
    _left: dict[str, TruthPath] = field(default_factory=dict[str, TruthPath])
    _right: dict[str, TruthPath] = field(default_factory=dict[str, TruthPath])
    _numbers: dict[str, int] = field(default_factory=dict[str, int])

    def __post_init__(self) -> None:
        self._left, self._right = _files(self.left), _files(self.right)
        self._numbers = {name: k for k, name in enumerate(dict.fromkeys((*self._left, *self._right)))}

    def __reduce__(self) -> tuple[object, ...]:
        return Truths, (self.left, self.right, self.wanted)

    @property
    def trees(self) -> list[DumpTree]:
        """The folders of both sides."""
        return [self.left, self.right]

    @property
    def columns(self) -> Columns:
        """Files have no addresses."""
        return Columns(left_address=False, right_address=False)

    def lost(self, key: str) -> Row:
        """The row of a tensor that could not be compared."""
        name, _, output = key.rpartition(".")
        return Row(self._numbers[key], NAN, name, name, f"{name}:output:{output}", original=f"{name}:{output}")

    def keys(self) -> list[str]:
        """The pieces of work, in the order of the result."""
        return list(self._numbers)

    def rows(self, key: str) -> list[Row]:
        """The row of a tensor."""
        name, _, output = key.rpartition(".")
        left, right = self._left.get(key), self._right.get(key)
        row = Row(self._numbers[key], NAN, name if left else "*", name if right else "*", f"{name}:output:{output}")
        row.original = f"{name}:{output}"
        if left is None or right is None:
            row.missing = "left" if left is None else "right"
            row.compared.messages.append(_no_file(name, "my output" if left is None else "ground truth"))
            return [row]
        try:
            mine, theirs = read_truth(left.path, self.left.place), read_truth(right.path, self.right.place)
            row.left_path, row.right_path = mine.path, theirs.path
            row.shape = shape_text(mine.shape)
            if mine.shape != theirs.shape:
                shapes = f"({', '.join(map(str, mine.shape))}) vs ({', '.join(map(str, theirs.shape))})"
                raise NotComparable(f"[{name}] The shape does not match ({shapes}) for {row.tensor}.")
            fill(row, mine.array, theirs.array, mine.shape, self.wanted)
        except NotComparable as error:
            row.compared = Compared(messages=[error.reason] if error.reason else [])
            row.note = error.note
        return [row]


def _files(tree: DumpTree) -> dict[str, TruthPath]:
    """The newest file of each tensor, in the order in which they were computed."""
    found: dict[str, TruthPath] = {}
    for file in tree.truths():
        key = f"{file.name.op_name}.{file.name.output}"
        if key not in found or file.name.time > found[key].name.time:
            found[key] = file
    places = {name: place for place, name in enumerate(_listed(tree))}
    last = len(places)
    return dict(sorted(found.items(), key=lambda one: (one[1].name.time, places.get(one[1].path.name, last))))


def _listed(tree: DumpTree) -> list[str]:
    """The files in the order of the model, where `subcut run` wrote them: all of its files have the same time."""
    try:
        return [str(entry["file"]) for entry in told(tree.execution.folder, tree.place)["tensors"]]
    except (KeyError, TypeError):
        return []
