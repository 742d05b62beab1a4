"""What a selection says, as frozen trees that know where in the text they stand; spans do not count in comparisons."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Union


@dataclass(frozen=True)
class Span:
    """Characters `start` to `stop` of the text that was parsed."""

    start: int = 0
    stop: int = 0


NOWHERE = Span()


@dataclass(frozen=True)
class Name:
    """Operators by name: `conv1`, `"stage2/*"`. `glob` is as `words.unquote` returns it."""

    glob: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True)
class Regex:
    """Operators whose whole name matches a regular expression: `re"res[23]a_.*"`."""

    pattern: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True)
class Tensor:
    """A tensor: `%conv1`, `%"a b"`."""

    glob: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True)
class Scoped:
    """A name inside a body or a function: `@loop_body/conv1`, `@f/%x`.

    `path` is everything behind the `@`: real names hold slashes, so only a model tells where the body's name ends.
    With `tensor` given, it is the tensor's name and `path` is the body alone.
    """

    path: str
    tensor: str | None = None
    span: Span = field(default=NOWHERE, compare=False, repr=False)


Item = Union[Name, Regex, Tensor, Scoped]


@dataclass(frozen=True)
class Path:
    """Everything on the paths between two ends, or beyond one: `from a to b through c avoiding d`."""

    starts: tuple[Item, ...] = ()
    after: bool = False
    """Whether the starts themselves are left out."""
    ends: tuple[Item, ...] = ()
    before: bool = False
    """Whether the ends themselves are left out."""
    through: tuple[tuple[Item, ...], ...] = ()
    """Of each group, a path must pass at least one."""
    avoiding: tuple[Item, ...] = ()
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True)
class Around:
    """`around conv1 by 2`."""

    items: tuple[Item, ...]
    distance: int
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True)
class OfType:
    """`op Conv, "Depthwise*"`."""

    types: tuple[Name | Regex, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True)
class Items:
    """Operators by name alone."""

    items: tuple[Item, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True)
class All:
    """`all`."""

    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True)
class Use:
    """A selection that the file gave a name with `let`."""

    name: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True)
class Combined:
    """`a plus b minus c`, from left to right: the first term, then each word with the term it adds."""

    first: Select
    steps: tuple[tuple[str, Select], ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


Select = Union[Path, Around, OfType, Items, All, Use, Combined]


@dataclass(frozen=True)
class StateType:
    """`input %x : 1x64xf32`, or the same of an output. The type is kept as text without blanks."""

    tensor: Tensor | Scoped
    type: str
    of: Literal["input", "output"] = "input"
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True)
class Freeze:
    """`freeze %x = "x.npy"`."""

    tensor: Tensor | Scoped
    path: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True)
class Tap:
    """`tap conv*`; without items `tap leaving`."""

    items: tuple[Item, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True)
class Snap:
    """`snap outward`, `snap inward`."""

    direction: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True)
class As:
    """`as "name"`."""

    name: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


Option = Union[StateType, Freeze, Tap, Snap, As]


@dataclass(frozen=True)
class Cut:
    """A selection and the options of its cut; in a file, `cut … as "name" { … }`, whose name is an `As` option."""

    selection: Select
    options: tuple[Option, ...] = ()
    span: Span = field(default=NOWHERE, compare=False, repr=False)

    @property
    def name(self) -> str:
        """The name that `as` gives the result, or an empty text."""
        return next((option.name for option in self.options if isinstance(option, As)), "")


@dataclass(frozen=True)
class ModelLine:
    """`model "net.prototxt" weights "net.caffemodel" sha256 "…"`; what is absent is empty."""

    path: str
    weights: str = ""
    digest: str = ""
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    digest_span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True)
class OfflineLine:
    """`offline "net.om" dumps "run7"`."""

    path: str
    dumps: str = ""
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True)
class Let:
    """`let stem = from conv1 to pool1`."""

    name: str
    selection: Select
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    name_span: Span = field(default=NOWHERE, compare=False, repr=False)


Statement = Union[ModelLine, OfflineLine, Let, Cut]


@dataclass(frozen=True)
class File:
    """A selection file: the version of its language and its statements in order."""

    version: int
    statements: tuple[Statement, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    """The header, `subcut 1`."""

    @property
    def models(self) -> list[ModelLine]:
        """The `model` lines; a correct file has one."""
        return [s for s in self.statements if isinstance(s, ModelLine)]

    @property
    def lets(self) -> list[Let]:
        """The named selections, in order."""
        return [s for s in self.statements if isinstance(s, Let)]

    @property
    def cuts(self) -> list[Cut]:
        """The cuts, in order."""
        return [s for s in self.statements if isinstance(s, Cut)]
