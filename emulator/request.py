"""What an emulation is asked for: options checked, inputs found or drawn, faults found by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subcut.compiler.device.dumps.writer import FORMS
from subcut.compiler.diagnostics import did_you_mean
from subcut.compiler.errors import user_error
from subcut.compiler.ir.graph import Model, Op, Value
from subcut.compiler.ir.types import TensorType, numpy_dtype
from subcut.emulator.faults import KINDS, NEEDS_WEIGHTS, Fault
from subcut.emulator.fusion import Group
from subcut.emulator.kinds import NOTHING, RESHAPE, role
from subcut.emulator.numerics import PRECISIONS
from subcut.emulator.plan import Plan
from subcut.emulator.quantise import can_quantise
from subcut.emulator.recorder import MODES, DumpOptions

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Request:
    """The options of an emulation."""

    name: str
    precision: str
    faults: tuple[str, ...]
    seed: int
    dump: DumpOptions
    soc: str
    outputs: tuple[str, ...] = ()
    """Tensors that the device is to answer, as atc's `--out_nodes`; none: the model's outputs."""

    def check(self) -> None:
        """Raise UserError `bad-arguments` for a word that is none of those there are."""
        choices = [
            ("precision", self.precision, tuple(PRECISIONS)),
            ("dump mode", self.dump.mode, MODES),
            ("dump form", self.dump.form, FORMS),
        ]
        for what, given, known in choices:
            if given not in known:
                raise user_error("bad-arguments", f"there is no {what} `{given}`", help=f"there is {', '.join(known)}")
        if self.name != Path(self.name).name or self.name in ("", ".."):
            raise user_error("bad-name", f"`{self.name}` cannot be the name of a file")
        if self.seed < 0:
            raise user_error("bad-arguments", f"the seed {self.seed} is negative")
        for fault in self.faults:
            kind = fault.rpartition(":")[2]
            if ":" not in fault or kind not in KINDS:
                raise user_error(
                    "unknown-fault",
                    f"`{fault}` is no fault: it is written `operator:kind`",
                    help=[*did_you_mean(kind, KINDS), *(f"`{name}`: {text}" for name, text in KINDS.items())],
                )


def fed(model: Model, plan: Plan, inputs: Mapping[str, Array], seed: int) -> dict[Value, Array]:
    """The numbers of every input, those that are not given drawn from `seed`: standard normal, integers 0 or 1.

    The empty name stands for the only input.
    Raises UserError `unknown-input`, `wrong-input`, and `cannot-feed` where a type is not known.
    """
    import numpy as np

    needed = plan.needed_feeds()
    values = {plan.input_name(value): value for value in needed} | {value.name: value for value in needed}
    if "" in inputs and len(needed) == 1:
        values[""] = needed[0]
    known = {name: values.get(name) or values.get(f"{name}:0") for name in inputs}
    unknown = [name for name, value in known.items() if value is None]
    if unknown:
        has = ", ".join(f"`{plan.input_name(value)}`" for value in needed)
        which = f"the model has no input `{unknown[0]}`" if unknown[0] else "a file is given without an input's name"
        raise user_error("unknown-input", which, help=f"it has {has}")
    given = {known[name]: np.asarray(array) for name, array in inputs.items()}
    random = np.random.default_rng(seed)
    return {value: _checked(value, given[value]) if value in given else _drawn(value, random) for value in needed}


def _checked(value: Value, array: Array) -> Array:
    """An array that was given, in the type in which the model takes it."""
    type = value.type
    if not isinstance(type, TensorType):
        return array
    shape = type.shape
    if shape is not None and len(shape) != array.ndim:
        raise user_error("wrong-input", f"the input `{value.name}` is {type}, and {array.shape} is given")
    # Caffe takes any sizes, and so may a batch differ; what cannot be is said when it runs.
    wanted = numpy_dtype(type.element) if type.element else array.dtype
    if wanted.kind not in "iufbc" and type.element != "bf16":
        raise user_error("wrong-input", f"the input `{value.name}` is {type}, which a device does not take")
    if array.dtype != wanted and not (array.dtype.kind in "iufb" and wanted.kind in "iufb"):
        raise user_error("wrong-input", f"the input `{value.name}` is {type}, and numbers of {array.dtype} are given")
    return array.astype(wanted, copy=False)


def _drawn(value: Value, random: np.random.Generator) -> Array:
    type = value.type
    if not isinstance(type, TensorType) or type.element is None or type.shape is None:
        raise user_error(
            "cannot-feed",
            f"the type of the input `{value.name}` is {type or 'unknown'}, for which no random numbers can be made",
            help="give it with `--input FILE`",
        )
    free = [i for i, dim in enumerate(type.shape) if not isinstance(dim, int) and i]
    if free or type.element not in ("f16", "f32", "f64", "i32", "i64", "i8", "ui8", "i1"):
        raise user_error(
            "cannot-feed",
            f"the input `{value.name}` is {type}: a device runs models of fixed sizes",
            help=f"give it with `--input {value.name}=FILE.npy`",
        )
    shape = tuple(dim if isinstance(dim, int) else 1 for dim in type.shape)
    dtype = numpy_dtype(type.element)
    if dtype.kind == "f":
        return random.standard_normal(shape).astype(dtype)
    return random.integers(0, 2, shape).astype(dtype)


def chosen_faults(faults: Iterable[str], groups: Sequence[Group], names: Mapping[Op, str]) -> dict[Group, Fault]:
    """The faults by the group that they are in. Raises UserError `unknown-operator` or `cannot-fail`."""
    found: dict[Group, Fault] = {}
    owners = {names[op]: group for group in groups for op in group.ops if names[op]}
    for fault in faults:
        name, _, kind = fault.rpartition(":")
        group = owners.get(name)
        if group is None:
            raise user_error(
                "unknown-operator",
                f"no operator `{name}` runs on the device",
                help=[*did_you_mean(name, owners), "what follows from stored numbers alone is folded away"],
            )
        if kind in NEEDS_WEIGHTS and group.anchor is None:
            raise user_error("cannot-fail", f"`{name}` cannot have the fault `{kind}`: it has no weights")
        if kind == "int8" and not can_quantise(group):
            raise user_error("cannot-fail", f"`{name}` cannot have the fault `{kind}`: no such layer is quantised")
        if role(group.last) in (RESHAPE, NOTHING):
            raise user_error("cannot-fail", f"`{name}` cannot fail: nothing is computed there")
        if group in found:
            raise user_error("cannot-fail", f"`{name}` runs as one with an operator that has a fault already")
        found[group] = Fault(kind, name)
    return found
