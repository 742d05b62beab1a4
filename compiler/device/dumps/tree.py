"""A folder of dump files, indexed by name without opening any, and what it holds of an operator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from subcut.compiler.device.dumps.executions import LEVELS, Execution, choose, discover
from subcut.compiler.device.dumps.mapping import FILE, read_mapping
from subcut.compiler.device.dumps.name_index import NameIndex
from subcut.compiler.device.dumps.names import (
    FileName,
    TruthName,
    escape,
    ordinary_operator,
    parse_name,
    parse_truth,
    plain_name,
    unsliced,
)
from subcut.compiler.device.dumps.reader import read_dump
from subcut.compiler.errors import ModelError, user_error
from subcut.compiler.storage.files import SourceFile
from subcut.compiler.storage.places import HERE, Place, place_of

OVERFLOW = "Node_OpDebug"
"""The operator that overflow files are named after."""
OVERFLOWS = (OVERFLOW, "Node_Opdebug")
"""As the runtime writes it, and as its documents do."""
IGNORED = 10_000
"""How many names of files that are no dumps are kept; all are counted."""
_STATISTICS = ".csv"


@dataclass(frozen=True, slots=True)
class DumpPath:
    """A dump file: what its name says, and where it is."""

    name: FileName
    path: Path


@dataclass(frozen=True, slots=True)
class TruthPath:
    """A ground-truth file: what its name says, and where it is."""

    name: TruthName
    path: Path


@dataclass(frozen=True, slots=True)
class Entry:
    """One run of an operator: its dump file, or the files of its slices."""

    files: tuple[DumpPath, ...]

    @property
    def name(self) -> FileName:
        """The name of the file, or of the first slice."""
        return self.files[0].name

    @property
    def path(self) -> Path:
        """The file, or the first slice."""
        return self.files[0].path

    @property
    def time(self) -> int:
        """When the last of the files was written, as their names say."""
        return max(file.name.time for file in self.files)


@dataclass
class DumpTree:
    """The files of one execution, found by operator. `DumpTree.open` makes it."""

    root: Path
    executions: list[Execution]
    """All of them, the newest last."""
    execution: Execution
    """The one whose files these are."""
    counts: Counter[str] = field(default_factory=Counter[str])
    """Number of files by what they are: `dump`, `statistics`, `truth`, `overflow`, `exception`, `ignored`."""
    ignored: list[str] = field(default_factory=list[str])
    """Names of files that are no dumps, the first `IGNORED` of them."""
    problems: list[str] = field(default_factory=list[str])
    """What was wrong with folders and names, each a sentence."""
    place: Place = HERE
    """Where the files are."""
    _dumps: NameIndex = field(default_factory=NameIndex, repr=False)
    _truths: NameIndex = field(default_factory=NameIndex, repr=False)
    _stored: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    """What a file with a hashed name is really called in the folder, by its long name."""

    @staticmethod
    def open(
        path: str | Path,
        *,
        time: str | int | None = None,
        device: str | int | None = None,
        model: str | None = None,
        model_id: str | int | None = None,
        index: str | int | None = None,
        likely: Sequence[str] = (),
    ) -> DumpTree:
        """Index the newest execution in a folder that lies anywhere on the way from a dump path to the files.

        A folder at a URL, such as `s3://bucket/dumps`, is indexed there, and files are fetched when they are read.

        The options choose another one, by the folder of each level. `likely` are names that the model may have (that
        of the offline model, that of its file): where several models ran, one of these is meant.

        Raises ModelError where there is no such folder, and UserError `no-dump-files`, `unknown-execution` or
        `several-executions`.
        """
        root, place = place_of(path)
        found, problems = discover(root, place)
        if not found:
            raise user_error(
                "no-dump-files", f"`{place.shown(root)}` holds no dump file, nor does a folder in it", help=_expected()
            )
        said = zip(LEVELS, (time, device, model, model_id, index), strict=True)
        wanted = {level: str(value) for level, value in said if value is not None}
        chosen = choose(found, wanted, likely, place.shown(root))
        tree = DumpTree(root, found, chosen, problems=problems, place=place)
        tree._index()
        return tree

    def __reduce__(self) -> tuple[object, ...]:
        """In another process the folder is indexed anew: an index holds hashes, which are that process's own."""
        execution = replace(self.execution, folder=self.place.absolute(self.execution.folder))
        return DumpTree._indexed, (self.root, execution, self.place)

    @staticmethod
    def _indexed(root: Path, execution: Execution, place: Place) -> DumpTree:
        tree = DumpTree(root, [execution], execution, place=place)
        tree._index()
        return tree

    def source(self, path: Path) -> SourceFile:
        """Open a file of the tree. Raises ModelError."""
        try:
            with self.place.reading(path) as held:
                return SourceFile(path, held)
        except OSError as error:
            raise ModelError(self.place.shown(path), f"cannot be read: {error.strerror}") from None

    def find(self, op_name: str, *, op_type: str | None = None, suffix: str = "", exact: bool = True) -> list[Entry]:
        """What was dumped of an operator, the newest run last; nothing where there is no file.

        `op_name` is the real name; with or without `_lxslice<N>`, all its slices are found. Several operators may have
        the same name in files; where the files show that they do, those are opened and the operator's real name in them
        decides, unless `exact` is false.
        """
        files = self._files(unsliced(escape(op_name)), op_type, suffix)
        if exact and suffix == "" and len({(f.name.op_type, f.name.task, f.name.stream) for f in files}) > 1:
            files = self._really(op_name, files)
        return _grouped(files)

    def statistics(self, op_name: str) -> list[Entry]:
        """The statistics files of an operator, the newest last."""
        return self.find(op_name, suffix=_STATISTICS)

    def overflows(self) -> list[Entry]:
        """The files that tell of overflows, one an entry, the newest last."""
        files = [file for name in OVERFLOWS for file in self._files(name, None, "")]
        return [Entry((file,)) for file in sorted(files, key=lambda file: file.name.order)]

    def exceptions(self) -> list[Entry]:
        """The dumps of operators that failed, one an entry, the newest last."""
        return [Entry((file,)) for file in self._files("", None, "")]

    def find_truth(self, op_name: str, output: int) -> list[TruthPath]:
        """The ground-truth files of one output of an operator of the original model, the newest last."""
        key = f"{escape(op_name)}.{output}"
        found = [(parse_truth(text), text) for text in self._truths.find(key)]
        files = [TruthPath(name, self._path(text)) for name, text in found if name and _truth_key(name) == key]
        return sorted(files, key=lambda file: (len(str(file.name.time)) == 16, file.name.time))

    def files(self) -> Iterator[DumpPath]:
        """Every dump file, sorted by name; statistics, overflow files and exceptions are among them."""
        for text in self._dumps:
            name = parse_name(text)
            if name is not None:
                yield DumpPath(name, self._path(text))

    def truths(self) -> Iterator[TruthPath]:
        """Every ground-truth file, sorted by name."""
        for text in self._truths:
            name = parse_truth(text)
            if name is not None:
                yield TruthPath(name, self._path(text))

    def _path(self, name: str) -> Path:
        return self.execution.folder / self._stored.get(name, name)

    def _files(self, key: str, op_type: str | None, suffix: str) -> list[DumpPath]:
        """The files under an escaped name, oldest first; if there are none those of its partitions."""
        found = [(name, text) for text in self._dumps.find(key) if (name := parse_name(text)) is not None]
        found = [
            (name, text)
            for name, text in found
            if name.suffix == suffix and (op_type is None or name.op_type == escape(op_type))
        ]
        own = [one for one in found if one[0].base == key] or [one for one in found if one[0].unpartitioned == key]
        own.sort(key=lambda one: (one[0].order, one[1]))
        return [DumpPath(name, self._path(text)) for name, text in own]

    def _really(self, op_name: str, files: list[DumpPath]) -> list[DumpPath]:
        """Those of `files` that are of the operator; all of them where none says so."""
        names = [self._real_name(file.path) for file in files]
        others = sorted({name for name in names if name and plain_name(name) != plain_name(op_name)})
        if not others:
            return files
        meant = ", ".join(f"`{name}`" for name in others)
        problem = f"files named like `{op_name}` are of other operators: {meant}"
        if problem not in self.problems:
            self.problems.append(problem)
        own = [file for file, name in zip(files, names, strict=True) if plain_name(name) == plain_name(op_name)]
        return own or [file for file, name in zip(files, names, strict=True) if not name]

    def _real_name(self, path: Path) -> str:
        try:
            return read_dump(self.source(path)).op_name
        except ModelError as error:
            self.problems.append(str(error))
            return ""

    def _index(self) -> None:
        """One pass over the folder's names."""
        folder, unknown, mapped = self.execution.folder, list[str](), False
        try:
            with self.place.scandir(folder) as entries:
                for entry in entries:
                    if entry.name == FILE:
                        mapped = True
                    elif not self._add(entry.name) and not entry.is_dir():
                        unknown.append(entry.name)
        except OSError as error:
            raise ModelError(self.place.shown(folder), f"cannot be read: {error.strerror}") from None
        self._resolve(sorted(unknown), self._long_names(folder / FILE) if mapped else {})

    def _long_names(self, path: Path) -> dict[str, str]:
        name = self.place.shown(path)
        try:
            with self.place.reading(path) as held:
                found, problems = read_mapping(held, name)
        except OSError as error:
            found, problems = {}, [f"{name} cannot be read: {error.strerror}"]
        self.problems += problems
        return found

    def _add(self, text: str) -> bool:
        """Index a name; false where it is none of a dump."""
        operator = ordinary_operator(text)
        if operator is not None:
            self.counts["overflow" if operator in OVERFLOWS else "dump"] += 1
            self._dumps.add(text, operator)
            return True
        name = parse_name(text)
        if name is not None:
            kind = _kind(name)
            if kind is None:
                return False
            self.counts[kind] += 1
            keys = (name.base,) if name.unpartitioned == name.base else (name.base, name.unpartitioned)
            self._dumps.add(text, *keys)
            return True
        truth = parse_truth(text)
        if truth is not None:
            self.counts["truth"] += 1
            self._truths.add(text, _truth_key(truth))
        return truth is not None

    def _resolve(self, unknown: Iterable[str], long_names: dict[str, str]) -> None:
        """Index what `mapping.csv` explains; the rest is ignored, and said where it looks hashed."""
        for text in unknown:
            long = long_names.get(text)
            if long is not None and self._add(long):
                self._stored[long] = text
                continue
            self.counts["ignored"] += 1
            if len(self.ignored) < IGNORED:
                self.ignored.append(text)
                if long is not None:
                    self.problems.append(f"`{text}` stands for `{long}`, which is no name of a dump")
                elif text.removesuffix(".npy").isdecimal():
                    self.problems.append(f"`{text}` looks like a hashed name, and {FILE} does not explain it")


def _truth_key(name: TruthName) -> str:
    return f"{escape(name.op_name)}.{name.output}"


def _kind(name: FileName) -> str | None:
    """What a dump file holds, as `DumpTree.counts` calls it; None for an ending that none has."""
    if name.suffix:
        return "statistics" if name.suffix == _STATISTICS else None
    if not name.op_name:
        return "exception"
    return "overflow" if name.op_name in OVERFLOWS else "dump"


def _grouped(files: list[DumpPath]) -> list[Entry]:
    """One entry a run, oldest first: slices are together until one of them comes again."""
    made: list[list[DumpPath]] = []
    seen: set[tuple[int, int]] = set()
    for file in files:
        sliced = file.name.lxslice is not None or file.name.ffts is not None
        if not made or not sliced or file.name.part in seen:
            made.append([])
            seen = set()
        made[-1].append(file)
        seen.add(file.name.part)
    return [Entry(tuple(sorted(run, key=lambda file: file.name.part))) for run in made]


def _expected() -> str:
    return "its files are called like `Conv2D.conv1.3.7.1600000000000000`: type, operator, task, stream, time"
