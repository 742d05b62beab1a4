"""A model and its offline twin: what the aligner knows, put together once, asked by passes and export."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subcut.compiler.alignment.gears import that_ran
from subcut.compiler.alignment.guess import Guesser
from subcut.compiler.alignment.holders import Holders, data_inputs
from subcut.compiler.alignment.identity import identity_warnings
from subcut.compiler.alignment.numbers import read_numbers
from subcut.compiler.alignment.quantised import translated
from subcut.compiler.alignment.rows import all_rows, members
from subcut.compiler.alignment.stored import Dumps
from subcut.compiler.device.dumps.tree import DumpTree
from subcut.compiler.errors import ModelError, user_error
from subcut.compiler.formats.ascend.offline import OfflineModel, read_offline
from subcut.compiler.ir import alignment as kinds
from subcut.compiler.ir.alignment import Group, Row, Stored
from subcut.compiler.ir.graph import Model, Op, Value
from subcut.compiler.number_files import read_npy

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class TwinOptions:
    """Which files tell what the device did."""

    offline: Path
    """The `.om`, its JSON, or the text form."""
    dumps: str | Path | None = None
    """Any level of the dump tree, or its URL."""
    quantised: Path | None = None
    """AMCT's quantisation information, where the offline model was made of a quantised model."""
    execution: dict[str, Any] = field(default_factory=dict[str, Any])
    """Which execution: `time`, `device`, `model`, `model_id`, `index`."""
    fed: tuple[Path, ...] = ()
    """What the device was fed, in the order of the offline model's inputs: `.bin` or `.npy`."""
    golden: Path | None = None
    """Ground truth, `<operator>.<output>.<time>.npy`: numbers that names which are gone can be guessed by."""
    answers: tuple[Path, ...] = ()
    """What the device answered, in the order of the offline model's outputs: `.bin` or `.npy`."""

    def files(self) -> list[Path]:
        """What is read on this machine: files, and folders of them."""
        given = [self.offline, self.dumps, self.quantised, self.golden, *self.fed, *self.answers]
        return [path for path in given if isinstance(path, Path)]


def attach(model: Model, options: TwinOptions) -> Twin:
    """Read the offline model of `model`, and index its dumps; `model.aligner` answers for both from then on."""
    if model.dialect.name == "ge":
        raise user_error("not-an-original", "the model is an offline model itself", help="give the original first")
    twin = Twin(model, options)
    model.aligner = twin
    return twin


class Twin:
    """Every tensor of a model, and where its device has it."""

    def __init__(self, model: Model, options: TwinOptions) -> None:
        self.model = model
        self.options = options
        self.offline: OfflineModel = read_offline(options.offline)
        source = translated(self.offline, read_offline(options.quantised)) if options.quantised else self.offline
        tree = self._open(options) if options.dumps else None
        self.holders = Holders(that_ran(source, lambda name: bool(tree.find(name))) if tree is not None else source)
        self.dumps = Dumps(tree, self.holders) if tree is not None else None
        self.rows = all_rows(model, self.holders)
        self._names = model.dialect.compiled_names(model.main)
        self._graph = model.main
        self._members = members(model.main, self._names)
        self._place = {op: place for place, op in enumerate(model.main.ops)}
        self._whole = self._whole_files()
        self._guess()

    def _open(self, options: TwinOptions) -> DumpTree:
        likely = [self.offline.name, self.offline.path.stem, *self.offline.graphs[:1]]
        assert options.dumps is not None
        return DumpTree.open(options.dumps, likely=likely, **options.execution)

    def _guess(self) -> None:
        """Look for the tensors that nothing names; a guess is never more than that."""
        guesser = Guesser(self.holders, self._members, self.rows.values())
        if self.options.golden is not None and self.dumps is not None:
            truths = DumpTree.open(self.options.golden)
            for row in self.rows.values():
                files = truths.find_truth(row.operator, row.index) if row.kind == kinds.ABSENT else []
                if files:
                    guesser.by_numbers(row, read_npy(files[-1].path), self._numbers)
        guesser.by_shape(self.rows.values())

    def _numbers(self, row: Row) -> np.ndarray[Any, Any] | None:
        self._look_up(row)
        return read_numbers(row, self.dumps) if row.stored is not None else None

    def row(self, value: Value) -> Row | None:
        """Where `value` lies; its dump file is looked up the first time."""
        row = self.rows.get(value)
        if row is not None and row.aligned and row.stored is None and not row.missing:
            self._look_up(row)
        return row or self._elsewhere(value)

    def _elsewhere(self, value: Value) -> Row | None:
        """What there is to say of a tensor of a body or a function; None for one that the model did not have."""
        producer = value.producer
        if producer is not None and producer.graph is self._graph:
            return None
        if producer is not None and self.model.dialect.is_stored(producer):
            return Row(value, value.name, 0, kinds.CONSTANT, "constant: comes with the model")
        reason = "not looked for: it is inside a body or a function, and the main graph only is aligned"
        return Row(value, value.name, 0, kinds.ABSENT, reason)

    def _look_up(self, row: Row) -> None:
        port = row.holder, row.output
        row.stored = self._whole.get(port) or self._whole.get(self.holders.came_from(port))
        if row.stored is None and self.dumps is not None:
            row.stored, row.missing = self.dumps.find(port)

    def _whole_files(self) -> dict[tuple[str, int], Stored]:
        """The offline tensors that are in files of their own: what the whole model was fed, and answered."""
        for path in (*self.options.fed, *self.options.answers):
            if not path.is_file():
                raise ModelError(path, "is not a file" if path.exists() else "no such file")
        inputs = [op for op in self.holders.model.ops if op.type in ("Data", "AippData")]
        outputs = [port for op in self.holders.model.ops if op.type == "NetOutput" for port in data_inputs(op)]
        found = {
            (op.name, 0): Stored(path, "fed", 0, "what the device was fed")
            for op, path in zip(inputs, self.options.fed, strict=False)
        }
        for port, path in zip(outputs, self.options.answers, strict=False):
            found[self.holders.came_from(port)] = Stored(path, "answer", 0, "what the device answered")
        for what, given, most in (("fed", self.options.fed, inputs), ("answer", self.options.answers, outputs)):
            if len(given) > len(most):
                message = f"`--{what}` is given {len(given)} times, and the offline model has {len(most)}"
                raise user_error("too-many-files", message)
        return found

    def files(self) -> list[Path]:
        """What is read of the device."""
        return self.options.files()

    def groups(self, ops: Sequence[Op]) -> list[Group]:
        """The offline operators that cover `ops`, in the order of their first one, with their files."""
        covered: dict[str, list[Op]] = {}
        for op in ops:
            for holder in self.holders.covering.get(self._names.get(op, ""), []):
                covered.setdefault(holder.name, []).append(op)
        chosen = set(ops)
        return [self._group(name, mine, chosen) for name, mine in covered.items()]

    def _group(self, name: str, mine: Iterable[Op], chosen: set[Op]) -> Group:
        outside = tuple(op.label for op in self.members(name) if op not in chosen and not self._is_constant(op))
        holder = self.holders.ops[name]
        own = self._newest(name)
        before = (self._newest(self.holders.came_from(port)[0]) for port in data_inputs(holder))
        input = next((files[-1] for files in before if files), own[-1] if own else None)
        return Group(name, holder.type, tuple(op.label for op in mine), outside, own, input)

    def _is_constant(self, op: Op) -> bool:
        return all(self.rows[value].kind == kinds.CONSTANT for value in op.results if value in self.rows)

    def _newest(self, operator: str) -> tuple[Path, ...]:
        """The dump files of an operator's last run: one, or one a slice."""
        entries = self.dumps.files(operator) if self.dumps is not None and operator else []
        return tuple(file.path for file in entries[-1].files) if entries else ()

    def members(self, holder: str) -> list[Op]:
        """The operators of the original that an offline operator covers, in their order."""
        names = self.holders.names.get(holder, ())
        return sorted({op for name in names for op in self._members.get(name, [])}, key=self._place.__getitem__)

    def warnings(self) -> list[str]:
        """What to know before trusting any of it."""
        found = identity_warnings(self.model, self.offline)
        quantising = sum(op.type == "AscendQuant" for op in self.holders.model.ops)
        plain = not any("quant" in op.type.lower() for op in self.model.main.ops)
        if quantising and plain and self.options.quantised is None:
            found.append(f"the offline model is quantised ({quantising} AscendQuant): `--quant` says of what, exactly")
        known = sum(row.kind not in (kinds.CONSTANT, kinds.ABSENT) for row in self.rows.values())
        if self.rows and not known:
            found.append("the offline model names no operator of this model: is it made of another one?")
        if self.dumps is not None and not any(self.dumps.files(op.name) for op in self.holders.model.ops):
            found.append(f"no dump file in {self.options.dumps} is of an operator of the offline model")
        return found
