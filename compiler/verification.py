"""Proof that a cut is right: run the original, feed the cut with the original's own tensors, compare bit by bit."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from subcut.compiler.errors import ModelError, SubcutError, user_error
from subcut.compiler.export import FORMAT_OF, load
from subcut.compiler.formats import ReadOptions, runner
from subcut.compiler.ir.graph import Model, Value
from subcut.compiler.ir.report import STATIC
from subcut.compiler.ir.types import Dim, TensorType, Type, numpy_dtype
from subcut.compiler.number_files import read_npz
from subcut.compiler.numbers import distance, same
from subcut.compiler.storage.digest import sha256
from subcut.compiler.storage.folder import MANIFEST
from subcut.compiler.verification_sizes import not_verifiable, other_sizes, resized

if TYPE_CHECKING:
    import numpy as np

EQUAL, CLOSE, DIFFERENT, RANDOM, ABSENT = "equal", "close", "different", "random", "not computed"
FREE_DIMS = (64, 8, 1, 32, 224)
"""Sizes to try for unknown dimensions behind the first, which is 1: most networks run with one of them."""


@dataclass(frozen=True)
class Row:
    """How one output of the cut compares with the original's tensor."""

    name: str
    tensor: str
    verdict: str
    largest: float = 0.0
    """The largest absolute difference."""

    def __str__(self) -> str:
        tail = f"  largest difference {self.largest:.3g}" if self.verdict in (CLOSE, DIFFERENT) else ""
        return f"{self.verdict:12}  {self.tensor}{tail}"


@dataclass(frozen=True)
class Verifier:
    """Verifies cuts of one model.

    Numbers are equal when every bit is, NaNs included; else close within `tolerance`, absolute and relative to the
    largest magnitude in the tensor. Random input is standard normal, `seed` given; integers are 0 or 1.
    """

    model: Path
    options: ReadOptions
    inputs: Path | None = None
    seed: int = 0
    tolerance: float = 1e-5

    def check(self, folder: Path, manifest: Mapping[str, Any]) -> list[Row]:
        """How the outputs compare. Raises UserError `verification-failed` when one differs from the original."""
        rows = self.compare(folder, manifest)
        bad = [row for row in rows if row.verdict == DIFFERENT]
        if bad:
            raise user_error(
                "verification-failed",
                f"the cut differs from the original in {len(bad)} of {len(manifest['outputs'])} outputs",
                help=[str(row) for row in bad[:8]],
            )
        return rows

    def compare(self, folder: Path, manifest: Mapping[str, Any]) -> list[Row]:
        """Run both and compare every output of the cut."""
        if manifest["graph"] != "main":
            raise user_error(
                "not-verifiable",
                f"the cut is of `{manifest['graph']}`, and no framework gives out tensors from inside a body",
            )
        if any(entry["from"] != STATIC for entry in manifest["folded"]):
            raise user_error(
                "not-verifiable", "the cut has frozen tensors, with which it computes something else than the original"
            )
        original = load(self.model, self.options)
        _check_origin(original, manifest)
        files = [folder / name for name in manifest["files"]]
        weights = next((f for f in files if f.suffix == ".caffemodel"), None)
        cut = load(files[0], replace(self.options, weights=weights, beside=self.model.parent))
        edges = [*manifest["inputs"], *manifest["outputs"]]
        golden = self._golden(original, manifest, list(dict.fromkeys(edge["tensor"] for edge in edges)))
        feeds = feeds_of(cut, manifest, golden)
        if feeds is None:
            return [Row(edge["name"], edge["tensor"], ABSENT) for edge in manifest["outputs"]]
        names = [edge["name"] for edge in manifest["outputs"]]
        got = _execute(cut, feeds, names)
        rows = [self._row(edge, golden.get(edge["tensor"]), got.get(edge["name"])) for edge in manifest["outputs"]]
        if any(row.verdict == DIFFERENT for row in rows):
            again = _execute(cut, feeds, names)
            rows = [_excuse_random(row, got, again) for row in rows]
        return rows

    def _row(self, edge: Mapping[str, Any], golden: Any, got: Any) -> Row:
        if golden is None and got is None:
            return Row(edge["name"], edge["tensor"], ABSENT)
        if same(golden, got):
            return Row(edge["name"], edge["tensor"], EQUAL)
        largest, scale = distance(golden, got)
        verdict = CLOSE if largest <= self.tolerance * max(scale, 1.0) else DIFFERENT
        return Row(edge["name"], edge["tensor"], verdict, largest)

    def _golden(self, original: Model, manifest: Mapping[str, Any], fetch: Sequence[str]) -> dict[str, Any]:
        """The original's tensors, in the sizes that the cut takes them in where the user stated others."""
        golden = self.run_original(original, fetch)
        if not any(other_sizes(manifest, golden)):
            return golden
        if self.inputs is not None:
            raise not_verifiable(*next(other_sizes(manifest, golden)), f"`{self.inputs}` is of other sizes")
        types = resized(original, original.dialect.feeds(original), manifest, golden)
        golden = self.run_original(original, fetch, types)
        for tensor, wanted, made in other_sizes(manifest, golden):
            raise not_verifiable(tensor, wanted, made, "inputs of the same proportions do not give these sizes")
        return golden

    def run_original(
        self, model: Model, fetch: Sequence[str], types: Mapping[str, TensorType] | None = None
    ) -> dict[str, Any]:
        """Run the original on the given inputs, or random ones of sizes that it runs with; what was fed comes along.

        `types` are of random inputs that are to have other types than the model says.
        """
        import numpy as np

        model.dialect.annotate(model)
        values = model.dialect.feeds(model)
        given: dict[str, Any] = {}
        if self.inputs is not None:
            given = _load_inputs(self.inputs, values)
        failure: SubcutError | None = None
        stated = {value: (types or {}).get(value.name, value.type) for value in values}
        for free in FREE_DIMS if any(_is_free(type) for v, type in stated.items() if v.name not in given) else (1,):
            random = np.random.default_rng(self.seed)
            feeds = {
                value.name: given[value.name] if value.name in given else random_numbers(value.name, type, random, free)
                for value, type in stated.items()
            }
            try:
                return {**feeds, **_execute(model, feeds, fetch)}
            except SubcutError as error:
                failure = failure or error
        assert failure is not None
        raise failure


def _check_origin(original: Model, manifest: Mapping[str, Any]) -> None:
    """Refuse to compare a cut with a model that it is not a cut of."""
    cut_of = {entry["file"]: entry["sha256"] for entry in manifest["model"]}
    main = original.sources[0]
    if manifest["format"] != original.dialect.name or cut_of.get(main.path.name) not in (None, sha256(main)):
        raise user_error(
            "other-model",
            f"the cut is not of `{main.path}` as it is now, but of {' and '.join(f'`{name}`' for name in cut_of)}",
            help="name the model that the cut was made of",
        )


def summary(rows: Sequence[Row], tolerance: float) -> str:
    """How many outputs are equal, close, or neither, on a line."""
    count = {
        verdict: sum(row.verdict == verdict for row in rows) for verdict in (EQUAL, CLOSE, RANDOM, ABSENT, DIFFERENT)
    }
    close = f", {count[CLOSE]} within {tolerance:g} of the largest magnitude" if count[CLOSE] else ""
    other = "".join(f", {count[verdict]} {verdict}" for verdict in (RANDOM, ABSENT) if count[verdict])
    failed = f", {count[DIFFERENT]} FAILED" if count[DIFFERENT] else ""
    return f"{count[EQUAL]} of {len(rows)} outputs equal bit by bit{close}{other}{failed}"


def feeds_of(cut: Model, manifest: Mapping[str, Any], golden: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a cut is fed: the original's tensors at its edges, and what the original was fed where the cut keeps that.

    None when the original did not compute one of them, such as a tensor on a branch that was not taken.
    """
    if any(edge["tensor"] not in golden for edge in manifest["inputs"]):
        return None
    kept = {value.name: golden[value.name] for value in cut.dialect.feeds(cut) if value.name in golden}
    return {**kept, **{edge["name"]: golden[edge["tensor"]] for edge in manifest["inputs"]}}


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a result folder. Raises ModelError where there is none, or it is damaged."""
    path = folder / MANIFEST
    try:
        content: Any = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ModelError(path, "no such file", expected="a result folder that subcut wrote") from None
    except (OSError, ValueError) as error:
        raise ModelError(path, f"cannot be read: {error}", expected="the manifest of a result folder") from None
    if not isinstance(content, dict) or not {"inputs", "outputs", "files", "graph"} <= content.keys():
        raise ModelError(path, "is no manifest of subcut's", expected="`inputs`, `outputs`, `files` and `graph`")
    return cast(dict[str, Any], content)


def _execute(model: Model, feeds: Mapping[str, Any], fetch: Sequence[str]) -> dict[str, Any]:
    return runner(FORMAT_OF[model.dialect.name]).run(model, feeds, fetch)


def _excuse_random(row: Row, first: Mapping[str, Any], second: Mapping[str, Any]) -> Row:
    """A tensor that differs between two runs of the cut on the same input says nothing about the cut."""
    if row.verdict == DIFFERENT and not same(first.get(row.name), second.get(row.name)):
        return Row(row.name, row.tensor, RANDOM)
    return row


def _load_inputs(path: Path, values: Sequence[Value]) -> dict[str, Any]:
    arrays = read_npz(path)
    names = {v.name for v in values}
    known = {name if name in names else f"{name}:0": array for name, array in arrays.items()}
    unknown = [name for name in arrays if name not in names and f"{name}:0" not in names]
    if unknown:
        has = ", ".join(f"`{name}`" for name in sorted(names))
        raise user_error("unknown-input", f"the model has no input `{unknown[0]}`", help=f"it has {has}")
    return known


def _dims(type: Type | None) -> Iterator[tuple[int, Dim]]:
    if isinstance(type, TensorType) and type.shape is not None:
        yield from enumerate(type.shape)


def _is_free(type: Type | None) -> bool:
    return any(not isinstance(dim, int) and place > 0 for place, dim in _dims(type))


def random_numbers(name: str, type: Type | None, random: np.random.Generator, free: int) -> np.ndarray[Any, Any]:
    """Random numbers for an input; a first dimension that is unknown is 1, others are `free`."""
    import numpy as np

    if not isinstance(type, TensorType) or type.element is None or type.shape is None:
        raise user_error(
            "cannot-feed",
            f"the type of the input `{name}` is {type or 'unknown'}, for which no random numbers can be made",
            help="give it with `--inputs X.npz`",
        )
    shape = tuple(dim if isinstance(dim, int) else free if place else 1 for place, dim in _dims(type))
    if type.element == "str":
        return np.full(shape, "a", dtype=object)
    dtype = numpy_dtype(type.element)
    if dtype.kind in "iub" and dtype.kind != "f":
        return random.integers(0, 2, shape).astype(dtype)
    if dtype.kind == "c":
        return (random.standard_normal(shape) + 1j * random.standard_normal(shape)).astype(dtype)
    return random.standard_normal(shape).astype(dtype)
