"""What a result folder gets of the device: dump files, and the numbers of the cut's edges (rows D5, A2)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subcut.compiler import open_shapes
from subcut.compiler.alignment.numbers import read_numbers, shape_is_known
from subcut.compiler.alignment.stored import Dumps
from subcut.compiler.alignment.twin import Twin
from subcut.compiler.device.layouts import LayoutError, contiguous
from subcut.compiler.diagnostics import Diagnostic
from subcut.compiler.errors import SubcutError, UserError
from subcut.compiler.ir.alignment import CONSTANT, DUMP_DATA, EXACT, GUESS, Alignment, Row
from subcut.compiler.ir.graph import Model, Value
from subcut.compiler.ir.types import numpy_dtype
from subcut.compiler.storage.files import SourceFile, Span
from subcut.compiler.storage.rope import Rope

if TYPE_CHECKING:
    import numpy as np


BIN_TYPES = {"float16": "f16", "float32": "f32", "bfloat16": "bf16", "original": ""}
"""What `--bin-dtype` takes; `original` keeps the model's own type."""


@dataclass
class Exported:
    """What was written into the folder, and what could not be."""

    dumps: list[Path] = field(default_factory=list[Path])
    """The dump files, by their paths in the dump tree."""
    numbers: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """A record of every edge whose numbers were written: its tensor, files, element types and shape."""
    problems: list[str] = field(default_factory=list[str])


def export_with_manifest(model: Model, folder: Path, *, link: bool, bin_type: str) -> dict[str, Any]:
    """`export`, and what `manifest.json` says of it."""
    from subcut.compiler.commands import atc_command, inference_command

    twin, alignment = model.aligner, model.alignment
    assert isinstance(twin, Twin)
    assert alignment is not None
    done = export(model, folder, link=link, bin_type=bin_type)
    rows, groups = describe(alignment)
    offline = twin.offline
    return {
        "offline": {"file": offline.path.name, "name": offline.name, "soc_version": offline.soc_version or None},
        "coverage": coverage(alignment.rows),
        "alignment": rows,
        "fused": groups,
        "dump_data": [path.name for path in done.dumps],
        "numbers": done.numbers,
        "warnings": [*alignment.warnings, *done.problems],
        "commands": [line for line in (atc_command(model, twin, done), inference_command(model, done)) if line],
    }


def export(model: Model, folder: Path, *, link: bool = False, bin_type: str = "float16") -> Exported:
    """Write `dump_data/`, `inputs/` and `outputs/` of a model that was aligned, into a folder that exists.

    Raises UserError `not-aligned` where an edge cannot be exported that must be, under `--strict`.
    """
    twin, alignment, report = model.aligner, model.alignment, model.report
    assert isinstance(twin, Twin)
    assert alignment is not None
    assert report is not None
    done = Exported()
    if twin.dumps is not None:
        _export_dumps(alignment, twin, folder / DUMP_DATA, link, done)
    names = model.dialect.written_names(model)
    standing = {edge.value: edge.new or edge.value for edge in (*report.inputs, *report.kept)}
    given = {value: names.get(new, new.name) for value, new in standing.items()}
    taken = {edge.value: names.get(edge.value, edge.value.name) for edge in report.outputs}
    open_shapes.settle(model, twin, [*alignment.inputs, *alignment.outputs])
    _export_edges(alignment.inputs, given, folder / "inputs", bin_type, twin, done)
    _export_edges(alignment.outputs, taken, folder / "outputs", bin_type, twin, done)
    if alignment.strict and done.problems:
        help = "leave `--strict` out to go on with a warning"
        raise UserError([Diagnostic("not-aligned", problem, None, (help,)) for problem in done.problems])
    if twin.dumps is not None:
        done.problems += [f"{path.name}: {why}" for path, why in twin.dumps.problems.items()]
        done.problems += few(twin.dumps.tree.problems)
    return done


def _export_dumps(alignment: Alignment, twin: Twin, folder: Path, link: bool, done: Exported) -> None:
    """The files of every operator that covers the cut, and those with the numbers of its inputs."""
    assert twin.dumps is not None
    folder.mkdir()
    files = dict.fromkeys(path for group in alignment.groups for path in group.files)
    files.update(dict.fromkeys(_stored_files(alignment.inputs, twin.dumps)))
    done.dumps = [path for path in files if path.is_file()]
    assert twin.dumps is not None
    for path in files:
        if not path.is_file():  # a link that leads nowhere, a folder, a pipe
            twin.dumps.problems.setdefault(path, "is not a file")
        elif link:
            _link(path, folder / path.name)
        elif path.stat().st_size:
            source = SourceFile(path)
            Rope([Span(source, 0, source.size)]).write(folder / path.name)
        else:
            (folder / path.name).touch()  # an empty one is damaged, which is told elsewhere
    mapped = [(path.name, twin.dumps.long_names[path]) for path in files if path in twin.dumps.long_names]
    if mapped:
        lines = "".join(f"{short},{long}\n" for short, long in mapped)
        (folder / "mapping.csv").write_text(lines, encoding="utf-8")


def _stored_files(rows: Iterable[Row], dumps: Dumps) -> Iterator[Path]:
    for row in rows:
        if row.stored is not None and row.stored.direction in ("input", "output"):
            yield from dumps.files_of(row.stored)


def _link(path: Path, to: Path) -> None:
    """The same file under a second name; where the file system cannot, a link to its path."""
    whole = path.resolve()  # a second name of a link would point from elsewhere
    try:
        os.link(whole, to)
    except OSError:
        os.symlink(whole, to)


def _export_edges(
    rows: list[Row], names: dict[Value, str], folder: Path, bin_type: str, twin: Twin, done: Exported
) -> None:
    """A `.npy` in the original's layout, shape and type, and a `.bin` of the type that is asked for, per edge."""
    used: set[str] = set()
    for row in rows:
        if row.stored is None:
            continue
        try:
            array = read_numbers(row, twin.dumps)
        except (LayoutError, SubcutError) as error:
            done.problems.append(f"`%{row.value.name}` cannot be exported: {error}")
            continue
        if not shape_is_known(row, array):
            why = (
                f"the compiler removed what reshapes it, and its type is not known in full ({row.value.type}): state it"
            )
            done.problems.append(f"`%{row.value.name}` cannot be exported: {why}")
            continue
        folder.mkdir(exist_ok=True)
        name = names.get(row.value, row.value.name)
        stem = _file_name(name, used)
        _write(array, row, name, folder / stem, bin_type, done)


def _write(array: np.ndarray[Any, Any], row: Row, name: str, path: Path, bin_type: str, done: Exported) -> None:
    import numpy as np

    array = contiguous(array)
    raw = _raw(array, row, bin_type, done)
    odd = array.dtype.kind == "V" or array.dtype.name == "bfloat16"  # which plain numpy cannot read
    plain: np.ndarray[Any, Any] = array.astype(np.float32) if odd else array
    np.save(f"{path}.npy", plain, allow_pickle=False)
    raw.tofile(f"{path}.bin")
    done.numbers.append(
        {
            "name": name,
            "tensor": row.value.name,
            "npy": f"{path.parent.name}/{path.name}.npy",
            "bin": f"{path.parent.name}/{path.name}.bin",
            "npy_type": plain.dtype.name,
            "bin_type": raw.dtype.name,
            "shape": list(array.shape),
        }
    )


def _raw(array: np.ndarray[Any, Any], row: Row, bin_type: str, done: Exported) -> np.ndarray[Any, Any]:
    """The numbers as the raw file has them; what that type cannot hold is told."""
    import numpy as np

    element = BIN_TYPES[bin_type]
    if not element or not _is_float(array):
        return array
    with np.errstate(over="ignore"):
        raw = array.astype(numpy_dtype(element))
    beyond = int(np.count_nonzero(np.isinf(raw))) - int(np.count_nonzero(np.isinf(array)))
    if beyond:
        done.problems.append(f"`%{row.value.name}`: {beyond} numbers are beyond {bin_type}, and infinite in its `.bin`")
    return raw


def _is_float(array: np.ndarray[Any, Any]) -> bool:
    return array.dtype.kind == "f" or "float" in array.dtype.name


def _file_name(name: str, used: set[str]) -> str:
    """The name of a tensor as that of a file, as ground truth is named: `/`, `:` and such become `_`."""
    plain = "".join(c if c.isalnum() or c in "-_." else "_" for c in name) or "tensor"
    plain = plain.encode(errors="replace")[:200].decode(errors="ignore").lstrip(".") or "tensor"
    number = 1
    unique = plain
    while unique.lower() in used:
        number += 1
        unique = f"{plain}_{number}"
    used.add(unique.lower())
    return unique


def row_record(row: Row) -> dict[str, Any]:
    """A row, as the manifest has it."""
    return {
        "tensor": row.value.name,
        "reason": row.reason,
        "holder": f"{row.holder}:{row.output}" if row.aligned else row.holder or None,
        "file": row.stored.path.name if row.stored else None,
        "slot": f"{row.stored.direction} {row.stored.index}" if row.stored else None,
        "note": (row.stored.note if row.stored else row.missing) or None,
    }


def describe(alignment: Alignment) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows and the fused operators of a cut, as the manifest has them."""
    rows = [row_record(row) for row in alignment.rows]
    groups = [
        {
            "operator": group.holder,
            "type": group.type,
            "layers": list(group.operators),
            "outside": list(group.outside),
            "output_files": [path.name for path in group.files],
            "input_file": group.input.name if group.input else None,
        }
        for group in alignment.groups
    ]
    return rows, groups


def few(problems: list[str]) -> list[str]:
    """The first of what may be a sentence for each of a million files, and how many there are."""
    more = [f"… and {len(problems) - 5} more of that kind in the dump folder"] if len(problems) > 5 else []
    return problems[:5] + more


def coverage(rows: Iterable[Row]) -> str:
    """How much of the tensors the offline model has, and the dumps have, in a line."""
    counted = [row for row in rows if row.kind != CONSTANT]
    exact = sum(row.kind == EXACT for row in counted)
    guessed = sum(row.kind == GUESS for row in counted)
    stored = sum(row.stored is not None for row in counted)
    text = f"{exact} of {len(counted)} tensors aligned"
    text += f", {guessed} more guessed" if guessed else ""
    return f"{text}, {stored} stored"
