"""From an original model and its input to what a device would leave behind: offline model, its JSON, and dumps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subcut.compiler.errors import user_error
from subcut.compiler.export import load
from subcut.compiler.formats import ReadOptions
from subcut.compiler.storage.folder import ResultFolder
from subcut.emulator.execution import FRAMEWORKS, Execution
from subcut.emulator.recorder import DumpOptions
from subcut.emulator.request import Request

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Emulated:
    """What an emulation left behind."""

    folder: Path
    name: str
    """Of the offline model."""
    dumps: Path
    """The folder with the dump files of the one execution; it does not exist where nothing was dumped."""
    outputs: dict[str, Any] = field(repr=False)
    """What the device answered, by the names of the original model's tensors, in the original layout."""
    groups: dict[str, list[str]]
    """For each operator of the device that covers original ones, their names."""

    @property
    def om(self) -> Path:
        """The offline model."""
        return self.folder / f"{self.name}.om"

    @property
    def json(self) -> Path:
        """The same as `atc --mode=1` prints it."""
        return self.folder / f"{self.name}.json"

    @property
    def quantised(self) -> Path | None:
        """AMCT's file of names, where a layer is quantised."""
        path = self.folder / f"{self.name}_quant.json"
        return path if path.exists() else None


def emulate(
    model: str | Path,
    inputs: Mapping[str, Array] | None = None,
    folder: str | Path = "emulated",
    *,
    name: str = "",
    precision: str = "fp16",
    faults: Iterable[str] = (),
    seed: int = 0,
    dump: DumpOptions | None = None,
    soc: str = "Ascend310",
    read: ReadOptions | None = None,
    force: bool = False,
    outputs: Sequence[str] = (),
) -> Emulated:
    """Run `model` as a device does, and write `<name>.om`, `<name>.json` and `dumps/` into a new folder.

    `inputs` are by the names of the model's inputs, in the original layout; those that are left out are drawn from
    `seed`. `outputs` are tensors that it answers in place of the model's own outputs. `precision` is `fp16`, `bf16` or
    `int8`, `faults` are texts such as `conv1:scale`. The same arguments give the same bytes. Raises UserError for what
    is asked for, ModelError for a damaged model, MissingExtra without the original's framework.
    """
    path = Path(model)
    request = Request(name or _stem(path), precision, tuple(faults), seed, dump or DumpOptions(), soc, tuple(outputs))
    request.check()
    loaded = load(path, read)
    if loaded.dialect.name not in FRAMEWORKS:
        raise user_error("not-an-original", f"`{path}` is an offline model itself", help="give the original")
    with ResultFolder(folder, force=force, sources=[source.path for source in loaded.sources]) as temp:
        execution = Execution(loaded, path, request, temp)
        try:
            execution.run(inputs or {})
        finally:
            execution.close()
        groups = execution.write()
    dumps = Path(folder) / execution.recorder.folder.relative_to(temp)
    return Emulated(Path(folder), request.name, dumps, execution.outputs, groups)


def _stem(path: Path) -> str:
    return path.resolve().name.partition(".")[0] or "model"
