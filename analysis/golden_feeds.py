"""What a model is fed: numbers from the user's files, from what a device was fed, or random ones."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subcut.compiler.alignment.numbers import read_numbers
from subcut.compiler.alignment.twin import Twin
from subcut.compiler.device.layouts import LayoutError
from subcut.compiler.diagnostics import did_you_mean
from subcut.compiler.errors import UserError, user_error
from subcut.compiler.ir.graph import Model, Value
from subcut.compiler.ir.types import TensorType, numpy_dtype
from subcut.compiler.number_files import read_npy, read_npz
from subcut.compiler.verification import random_numbers

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]
    Given = tuple[Array | Path, str]
    """Numbers, or the raw file that has them, and where they are from."""


@dataclass(frozen=True)
class Fed:
    """The numbers of one input, and where they are from."""

    array: Array
    source: str


def given_arrays(arrays: Mapping[str, Array | Path]) -> dict[str, Given]:
    """The numbers that a program gives, by input."""
    return {name: (array, array.name if isinstance(array, Path) else "given") for name, array in arrays.items()}


def given_files(texts: Iterable[str]) -> dict[str, Given]:
    """The numbers that files have, by input; `[NAME=]FILE`, where the empty name is the only input's.

    Raw files stay paths: only the model knows what is in them.
    """
    found: dict[str, Given] = {}
    for text in texts:
        name, equals, path = text.partition("=") if not Path(text).exists() else ("", "", text)
        if not equals:
            name, path = "", text
        arrays: Mapping[str, Array | Path]
        if path.endswith(".npz") and not equals:
            arrays = read_npz(path)
        elif path.endswith(".npy"):
            arrays = {name: read_npy(path)}
        elif path.endswith(".bin"):
            arrays = {name: Path(path)}
        else:
            what = "an .npz has names of its own" if equals else "it is no .npz, .npy or .bin"
            raise user_error("bad-arguments", f"`{text}` cannot be read: {what}", help="write `[NAME=]FILE`")
        twice = [one for one in arrays if one in found]
        if twice:
            raise user_error("bad-arguments", f"the input `{twice[0]}` is given twice")
        found |= {one: (array, Path(path).name) for one, array in arrays.items()}
    return found


def feeds(model: Model, given: Mapping[str, Given], twin: Twin | None, seed: int) -> dict[Value, Fed]:
    """The numbers of every input: those given, else those that the device was fed, else random ones.

    Random are all or none: what is given, or a device, must have every input. Raises UserError `unknown-input`,
    `missing-input`, `wrong-input`, `wrong-size` and `cannot-feed`.
    """
    model.dialect.annotate(model)
    values = model.dialect.feeds(model)
    known = _resolved(values, given)
    found = {
        value: Fed(_fitted(model, value, _read(value, numbers)), source) for value, (numbers, source) in known.items()
    }
    rest = [value for value in values if value not in known]
    if twin is not None:
        return {value: found.get(value) or _from_device(model, value, twin) for value in values}
    if known and rest:
        raise user_error("missing-input", f"the input `{_name(rest[0])}` is not given", help=_listed(values))
    import numpy as np

    random = np.random.default_rng(seed)
    return found | {value: Fed(_random(value, random), f"random, seed {seed}") for value in rest}


def _name(value: Value) -> str:
    return value.name.removesuffix(":0")


def _listed(values: Sequence[Value]) -> str:
    return "the model takes " + ", ".join(f"`{_name(v)}` ({v.type or 'of unknown type'})" for v in values)


def _resolved(values: Sequence[Value], given: Mapping[str, Given]) -> dict[Value, Given]:
    """What is given, by value: named as tensor, as node, or as the layer that makes it."""
    names = {value.producer.name: value for value in values if value.producer is not None and value.index == 0}
    names |= {_name(value): value for value in values} | {value.name: value for value in values}
    if len(values) == 1:
        names[""] = values[0]
    found: dict[Value, Given] = {}
    for name, numbers in given.items():
        value = names.get(name)
        if value is None:
            what = f"the model has no input `{name}`" if name else "a file is given without the name of an input"
            near = did_you_mean(name, [_name(value) for value in values]) if name else ["write `NAME=FILE`"]
            raise user_error("unknown-input", what, help=[*near, _listed(values)])
        if value in found:
            raise user_error("unknown-input", f"the input `{_name(value)}` is given twice", help=_listed(values))
        found[value] = numbers
    return found


def _read(value: Value, given: Array | Path) -> Array:
    """An array as it is; a raw file in the type and shape that the model states, of which one size may be open."""
    import numpy as np

    type = value.type
    if not isinstance(given, Path):
        is_tensor = type is None or isinstance(type, TensorType)
        return np.asarray(given) if is_tensor else given  # a sequence is a list, and stays one
    if isinstance(type, TensorType) and type.element == "str":
        return _text(value, given)
    if not isinstance(type, TensorType) or type.shape is None or type.element is None:
        raise user_error(
            "wrong-input",
            f"the type of the input `{_name(value)}` is {type or 'unknown'}, and `{given}` is raw bytes",
            help="give it as `.npy`, which says its type",
        )
    dtype, size = numpy_dtype(type.element), _size(given)
    known = int(np.prod([dim for dim in type.shape if isinstance(dim, int)], dtype=np.int64)) * dtype.itemsize
    free = sum(not isinstance(dim, int) for dim in type.shape)
    if free > 1 or (size != known if not free else not known or size % known):
        what = f"{known} bytes" if not free else f"a multiple of {known} bytes" if free == 1 else "open in several axes"
        raise user_error(
            "wrong-size",
            f"`{given}` has {size} bytes, and the input `{_name(value)}` is {type}: {what}",
            help="a raw file has exactly the numbers of its input; other sizes are given as `.npy`",
        )
    array: Any = np.fromfile(given, dtype)
    found: Array = array.reshape([dim if isinstance(dim, int) else size // known for dim in type.shape])
    return found


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise user_error("wrong-input", f"`{path}` cannot be read: {error.strerror}") from None


def _text(value: Value, path: Path) -> Array:
    """The whole file as the one text of an input, such as an encoded picture."""
    import numpy as np

    _size(path)
    shape = value.type.shape if isinstance(value.type, TensorType) else None
    found: Array = np.empty((1,) * len(shape or ()), object)
    found[...] = path.read_bytes()
    return found


def _fitted(model: Model, value: Value, array: Array) -> Array:
    """An array in the element type in which the model takes it, which must hold its numbers exactly."""
    import numpy as np

    type = value.type
    if not isinstance(type, TensorType):
        return array
    stated = type.shape
    # Caffe reshapes its inputs, so that only their rank counts.
    fixed = stated is not None and model.dialect.name != "caffe"
    if stated is not None and (
        len(stated) != array.ndim
        or (fixed and any(isinstance(d, int) and d != n for d, n in zip(stated, array.shape, strict=True)))
    ):
        raise _wrong(value, array, "")
    if type.element is None:
        return np.ascontiguousarray(array)
    wanted = numpy_dtype(type.element)
    if array.dtype == wanted or type.element == "str":
        return np.asarray(array, wanted, order="C")
    if array.dtype.kind not in "iufb" or (wanted.kind not in "iufb" and type.element != "bf16"):
        raise _wrong(value, array, "")
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        made = np.asarray(array, wanted, order="C")
        exact = np.array_equal(made.astype(array.dtype), array, equal_nan=array.dtype.kind == "f")
    if not exact:
        raise _wrong(value, array, f"`array.astype('{wanted}')` rounds them")
    return made


def _wrong(value: Value, array: Array, help: str) -> UserError:
    shape = "x".join([*map(str, array.shape), str(array.dtype)])
    return user_error("wrong-input", f"the input `{_name(value)}` is {value.type}, and {shape} is given", help=help)


def _from_device(model: Model, value: Value, twin: Twin) -> Fed:
    """What the device was fed, as its dumps have it."""
    row = twin.row(value)
    stored = row.stored if row is not None and row.aligned else None
    if row is None or stored is None:
        reason = row.missing or row.reason if row is not None else "the offline model does not know it"
        raise user_error(
            "missing-input",
            f"the dumps do not have the input `{_name(value)}`: {reason}",
            help=f"give it with `--inputs {_name(value)}=FILE`",
        )
    try:
        array = read_numbers(row, twin.dumps)
    except LayoutError as error:
        raise user_error("wrong-input", f"the dumped input `{_name(value)}` does not fit: {error}") from None
    return Fed(_fitted(model, value, array), f"{stored.direction} {stored.index} of {stored.path.name}")


def _random(value: Value, random: np.random.Generator) -> Array:
    type = value.type
    if isinstance(type, TensorType) and not type.static:
        raise user_error(
            "cannot-feed",
            f"the input `{_name(value)}` is {type}, of a size that only its numbers tell",
            help=f"give them with `--inputs {_name(value)}=FILE.npy`",
        )
    return random_numbers(value.name, type, random, 1)
