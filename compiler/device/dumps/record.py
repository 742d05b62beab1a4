"""What a dump file says, whatever form it has."""

from __future__ import annotations

from dataclasses import dataclass, field

from subcut.compiler.storage.files import SourceFile, Span


@dataclass(frozen=True, slots=True)
class Origin:
    """The tensor of the original model that an output holds, as the device's runtime was told."""

    name: str
    """The original operator."""
    index: int
    element: str | None
    layout: str


@dataclass(frozen=True, slots=True)
class DumpTensor:
    """One tensor of a dump file. The numbers stay in the file."""

    direction: str
    """`input` or `output`."""
    index: int
    type_name: str
    """Ascend's name of the element type, such as `FLOAT16`; `enums.ELEMENTS` has the IR's."""
    layout: str
    """The device layout, such as `NC1HWC0`."""
    group: int
    """Groups of a grouped `FRACTAL_Z`; 0 or 1 elsewhere."""
    shape: tuple[int, ...]
    """The device shape."""
    original_shape: tuple[int, ...] | None
    data: Span
    """May be shorter than `size` promises: then `DumpFile.problems` says so."""
    size: int
    """How many bytes the header promises."""
    origin: Origin | None = None
    address: int = 0
    argument: int = 0
    """Which argument of the kernel it was: exception dumps say so."""


@dataclass
class DumpFile:
    """A dump file: the tensors that one operator read and wrote in one execution."""

    source: SourceFile
    form: str
    """`big`, `protobuf` or `nano`."""
    version: str
    time: int
    """Microseconds since 1970, 0 where unknown."""
    op_name: str
    """The operator's real name, empty where the form has none (nano)."""
    inputs: list[DumpTensor] = field(default_factory=list[DumpTensor])
    outputs: list[DumpTensor] = field(default_factory=list[DumpTensor])
    buffers: list[tuple[str, Span]] = field(default_factory=list[tuple[str, Span]])
    """Kind (`l1buffer`, `space`) and bytes of what is no tensor."""
    attributes: dict[str, str] = field(default_factory=dict[str, str])
    problems: list[str] = field(default_factory=list[str])
    """What is wrong with the file although it can be read in part: each a sentence with an offset."""
    message: str = ""
    """What the runtime had to say, in exception dumps."""
