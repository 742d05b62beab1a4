"""The work of a conversion: which dump files there are, what is made of each, several at a time."""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from subcut.compiler.conversion.request import Failure, Outcome, Request
from subcut.compiler.conversion.results import Exists, shortened, tensor_name, write_array, write_bytes
from subcut.compiler.conversion.tensors import convert_tensor
from subcut.compiler.device.dumps.executions import discover
from subcut.compiler.device.dumps.mapping import FILE as MAPPING
from subcut.compiler.device.dumps.names import FileName, parse_name
from subcut.compiler.device.dumps.overflow import overflows
from subcut.compiler.device.dumps.reader import read_dump
from subcut.compiler.device.dumps.record import DumpFile, DumpTensor
from subcut.compiler.device.dumps.slice_info import description
from subcut.compiler.device.dumps.tree import DumpTree
from subcut.compiler.device.layouts import LayoutError
from subcut.compiler.errors import ModelError, UserError, user_error

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

FAILED = "convert_failed_file_list.txt"
"""The file that lists what failed, as in the vendor's tool: a dump's path, then its tensors, with commas."""
_OVERFLOW = "node_opdebug"
"""The operator that overflow files are named after: `Node_OpDebug`, in documents also `Node_Opdebug`."""
_FEW = 256
"""Up to so many files, threads cost less than processes take to start."""


@dataclass(frozen=True, slots=True)
class Source:
    """A dump file to convert, and the folder for its results, inside the one for all. There may be a million."""

    file: str
    folder: str = ""

    @property
    def path(self) -> Path:
        """The dump file."""
        return Path(self.file)


@dataclass
class Sources:
    """What was found to convert."""

    files: list[Source] = field(default_factory=list[Source])
    skipped: Counter[str] = field(default_factory=Counter[str])
    """Files that hold no tensors, by kind: `statistics`, `truth`, `ignored`."""
    problems: list[str] = field(default_factory=list[str])


def sources(paths: Iterable[Path], levels: Mapping[str, str], *, every: bool = False) -> Sources:
    """The dump files that `paths`, files and folders, lead to. Only names are read.

    Of a folder with several executions the newest one is taken, or the one with those `levels` (see
    `DumpTree.open`), or with `every` all of them, each into a folder of its own. Raises ModelError for a path that is
    not there, and what `DumpTree.open` does.
    """
    found = Sources()
    for path in paths:
        if not path.exists():
            raise ModelError(path, "no such file")
        if not path.is_dir():
            _add(found, path, parse_name(path.name), "")
        elif every:
            executions, problems = discover(path)
            found.problems += problems
            if not executions:
                DumpTree.open(path)  # says what it expects
            for one in executions:
                inside = os.path.relpath(one.folder, path) if len(executions) > 1 else ""
                _add_tree(found, DumpTree.open(one.folder), inside)
        else:
            _add_tree(found, DumpTree.open(path, **levels), "")
    return found


def _add_tree(found: Sources, tree: DumpTree, folder: str) -> None:
    for file in tree.files():
        _add(found, file.path, file.name, folder)
    found.problems += tree.problems
    for kind in ("truth", "ignored"):
        if tree.counts[kind]:
            found.skipped[kind] += tree.counts[kind]


def _add(found: Sources, path: Path, name: FileName | None, folder: str) -> None:
    if name is not None and name.suffix:
        found.skipped["statistics"] += 1
    else:
        found.files.append(Source(str(path), folder))


def convert(
    files: list[Source], out: Path, request: Request, *, jobs: int = 1, done: Callable[[int], None] | None = None
) -> Iterator[Outcome]:
    """Convert dump files into the folder `out`; an outcome for each, in the order given.

    Memory holds one tensor a job. What fails is in the outcomes and in `out`'s list of failures. `done` is told the
    bytes of every file that is finished. Raises UserError `cannot-write`.
    """
    for folder in dict.fromkeys(["", *(file.folder for file in files)]):
        _make(out / folder)
    failed: list[Failure] = []
    for outcome in _each(files, out, request, jobs):
        if outcome.stop:
            raise UserError(outcome.stop)
        _note_names(out, outcome)
        if done is not None:
            done(outcome.size)
        failed += outcome.failures
        yield outcome
    _list_failures(out, failed)


def _each(files: list[Source], out: Path, request: Request, jobs: int) -> Iterator[Outcome]:
    jobs = min(jobs, len(files))
    if jobs < 2:
        for file in files:
            yield convert_file(file, out, request)
        return
    with _executor(jobs, len(files)) as executor:
        yield from _in_order(executor, files, out, request, jobs)


def _executor(jobs: int, files: int) -> Executor:
    from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

    if files <= _FEW:
        return ThreadPoolExecutor(jobs)
    import multiprocessing

    return ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"))


def _in_order(executor: Executor, files: list[Source], out: Path, request: Request, jobs: int) -> Iterator[Outcome]:
    """Outcomes in order; a few files more than there are jobs are handed out at a time."""
    waiting: list[Future[Outcome]] = []
    rest = iter(files)
    try:
        while True:
            while len(waiting) < 4 * jobs and (file := next(rest, None)) is not None:
                waiting.append(executor.submit(convert_file, file, out, request))
            if not waiting:
                return
            yield waiting.pop(0).result()
    finally:
        for future in waiting:
            future.cancel()


def convert_file(file: Source, out: Path, request: Request) -> Outcome:
    """Convert one dump file; what goes wrong with it is in the outcome."""
    path = file.path
    outcome = Outcome(path, file.folder)
    with contextlib.suppress(OSError):
        outcome.size = path.stat().st_size
    try:
        dump = read_dump(path)
        name = parse_name(path.name)
        if name is not None and name.op_name.lower() == _OVERFLOW:
            _write_overflows(dump, out / file.folder, request, outcome)
        else:
            _write_tensors(dump, out / file.folder, request, outcome)
    except ModelError as error:
        outcome.failures.append(Failure(path, "", _reason(error)))
    except UserError as error:  # which does not go from process to process
        outcome.stop = error.diagnostics
    return outcome


def _reason(error: ModelError) -> str:
    """What is wrong with a dump file, in one line without its path."""
    place = [f"byte {error.offset}"] * (error.offset is not None) + [error.where] * bool(error.where)
    expected = f"; expected: {error.expected}" if error.expected else ""
    return error.message + (f" ({', '.join(place)})" if place else "") + expected


def _write_tensors(dump: DumpFile, folder: Path, request: Request, outcome: Outcome) -> None:
    outcome.problems += dump.problems
    tensors = [tensor for tensor in (*dump.inputs, *dump.outputs) if _is_asked(tensor, request)]
    if description(dump.attributes).get("threadMode"):  # one slice of many: the original shape is that of all
        tensors = [replace(tensor, original_shape=None) for tensor in tensors]
    if request.index is not None and not tensors:
        have = len(dump.inputs if request.direction == "input" else dump.outputs)
        reason = f"there is no {request.direction} {request.index}: it has {have}"
        outcome.failures.append(Failure(dump.source.path, f"{request.direction}:{request.index}", reason))
    for tensor in tensors:
        with _failing(outcome, f"{tensor.direction}:{tensor.index}"):
            _write_tensor(dump, tensor, folder, request, outcome)
    if request.layout is None and request.direction is None:
        _write_buffers(dump, folder, request, outcome)


def _is_asked(tensor: DumpTensor, request: Request) -> bool:
    return request.direction in (None, tensor.direction) and request.index in (None, tensor.index)


def _write_tensor(dump: DumpFile, tensor: DumpTensor, folder: Path, request: Request, outcome: Outcome) -> None:
    bare = request.kind == "bin"
    made = convert_tensor(tensor, request.layout, request.shape, request.element, bare)
    changed = request.layout is not None
    file = dump.source.path.name
    name = tensor_name(file, dump.op_name, tensor.direction, tensor.index, made, request.kind, changed)
    write_array(folder / _named(name, outcome), made.array, header=not bare, force=request.force)
    outcome.written.append(shortened(name))


def _write_buffers(dump: DumpFile, folder: Path, request: Request, outcome: Outcome) -> None:
    numbers: Counter[str] = Counter()
    for kind, data in dump.buffers:
        name = f"{dump.source.path.name}.{kind}.{numbers[kind]}.bin"
        numbers[kind] += 1
        with _failing(outcome, f"{kind}:{numbers[kind] - 1}"):
            content = memoryview(data.file.data)[data.start : data.stop]
            write_bytes(folder / _named(name, outcome), content, force=request.force)
            outcome.written.append(shortened(name))


def _write_overflows(dump: DumpFile, folder: Path, request: Request, outcome: Outcome) -> None:
    """What an overflow file says, as JSON, whatever layout was asked for."""
    for i, overflow in enumerate(overflows(dump)):
        name = f"{dump.source.path.name}.output.{i}.json"
        outcome.problems += overflow.problems
        with _failing(outcome, f"output:{i}"):
            text = json.dumps(overflow.as_json(), indent=4)
            write_bytes(folder / _named(name, outcome), text.encode(), force=request.force)
            outcome.written.append(shortened(name))


@contextlib.contextmanager
def _failing(outcome: Outcome, what: str) -> Generator[None, None, None]:
    """What a tensor cannot be is its failure, and not that of the others."""
    try:
        yield
    except (LayoutError, Exists) as error:
        outcome.failures.append(Failure(outcome.path, what, str(error)))


def _named(name: str, outcome: Outcome) -> str:
    short = shortened(name)
    if short != name:
        outcome.long_names.append((short, name))
    return short


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise user_error("cannot-write", f"`{folder}` cannot be made: {error.strerror}") from None


def _note_names(out: Path, outcome: Outcome) -> None:
    """Add the long names to the mapping of the results' folder; one process does this."""
    if not outcome.long_names:
        return
    folder = out / outcome.folder
    try:
        with open(folder / MAPPING, "a", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            file.writelines(f"{short},{name}\n" for short, name in outcome.long_names)
    except OSError as error:
        raise user_error("cannot-write", f"`{folder / MAPPING}` cannot be written: {error.strerror}") from None


def _list_failures(out: Path, failures: list[Failure]) -> None:
    """Write the list of what failed; one of an earlier conversion goes away."""
    lines: dict[Path, list[str]] = {}
    for failure in failures:
        lines.setdefault(failure.path, []).extend([failure.tensor] * bool(failure.tensor))
    try:
        if not lines:
            (out / FAILED).unlink(missing_ok=True)
            return
        text = "".join(",".join([str(path), *tensors]) + "\n" for path, tensors in lines.items())
        (out / FAILED).write_text(text, encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise user_error("cannot-write", f"`{out / FAILED}` cannot be written: {error.strerror}") from None
