"""What to feed an original so that it makes the tensors at a cut's edges in the sizes that the user stated of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from subcut.compiler.errors import UserError, user_error
from subcut.compiler.ir.graph import Model, Value
from subcut.compiler.ir.types import TensorType, with_shape

Shape = tuple[int, ...]


def other_sizes(manifest: Mapping[str, Any], golden: Mapping[str, Any]) -> Iterator[tuple[str, Shape, Shape]]:
    """Tensors that the cut takes in other sizes than the original made: which, the cut's sizes, the original's."""
    for edge in manifest["inputs"]:
        made = getattr(golden.get(edge["tensor"]), "shape", None)
        stated = edge.get("shape")
        if made is None or stated is None or len(made) != len(stated):
            continue
        wanted = tuple(want if isinstance(want, int) else have for want, have in zip(stated, made, strict=True))
        if wanted != made:
            yield edge["tensor"], wanted, made


def resized(
    model: Model, values: Sequence[Value], manifest: Mapping[str, Any], golden: Mapping[str, Any]
) -> dict[str, TensorType]:
    """The types to feed instead, by input of the original: its sizes grow as those of the edges do.

    Caffe reshapes its inputs; elsewhere only sizes that the model leaves open can be others. Raises UserError.
    """
    tensor, wanted, made = next(other_sizes(manifest, golden))
    found: dict[str, TensorType] = {}
    for value in values:
        type, fed = value.type, golden[value.name].shape
        if not isinstance(type, TensorType) or len(fed) != len(wanted):
            continue
        shape = [_scaled(size, want, have) for size, want, have in zip(fed, wanted, made, strict=True)]
        fixed = () if model.dialect.name == "caffe" else type.shape or ()
        moved = [old for old, size, new in zip(fixed, fed, shape, strict=False) if size != new and isinstance(old, int)]
        if moved or None in shape:
            raise not_verifiable(tensor, wanted, made, f"its input `{value.name}` is {type}")
        found[value.name] = with_shape(type, tuple(shape))
    if not found:
        raise not_verifiable(tensor, wanted, made, "no input of it has these axes")
    return found


def _scaled(size: int, wanted: int, made: int) -> int | None:
    """`size` in the proportion in which `wanted` is to `made`; None where that is no whole number."""
    whole, rest = divmod(size * wanted, made) if made else (0, 1)
    return None if rest else whole


def not_verifiable(tensor: str, wanted: Shape, made: Shape, why: str) -> UserError:
    """The error of a cut that the original makes no input for."""
    sizes = ["x".join(map(str, shape)) for shape in (wanted, made)]
    return user_error(
        "not-verifiable",
        f"the cut takes `%{tensor}` as {sizes[0]}, and the original makes it {sizes[1]}: {why}",
        help="give inputs that make it so with `--inputs X.npz`, or make the cut without stating other sizes",
    )
