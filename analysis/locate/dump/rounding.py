"""What a precision must cost: operators computed one by one, with what they read and make rounded as a device does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from subcut.compiler.formats import Pieces
from subcut.compiler.ir.graph import Model, Op, Value
from subcut.emulator.kinds import CONV, DECONV, MATMUL, NORM, role
from subcut.emulator.numerics import PRECISIONS, is_real, quantised, scale_of
from subcut.emulator.statics import Statics

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

LEAST = {"fp16": 2.0**-11, "bf16": 2.0**-8, "int8": 2.0**-7}
"""The relative error of one rounding: no tensor is expected to have less. 8 bits are 127 steps up to the largest."""
CUBE = (CONV, DECONV, MATMUL)


class Rounding:
    """Runs operators of a model in a precision.

    Every operator's result is rounded, those of the inside of a fused operator too: what a device that fuses costs is
    not more. Stored numbers of batch norms stay in 32 bits, as on the device.
    """

    def __init__(self, model: Model, pieces: Pieces, precision: str) -> None:
        self.pieces = pieces
        self.precision = PRECISIONS[precision]
        self.statics = Statics(model.main.ops, pieces)
        self._random: np.random.Generator | None = None

    def run(
        self,
        ops: Sequence[Op],
        feeds: Mapping[Value, Array],
        fetch: Sequence[Value],
        *,
        coarse: bool = False,
        seed: int = 0,
    ) -> list[Array]:
        """What `fetch` is where `ops`, in an order of execution, start from `feeds`. `coarse`: the cube in 8 bits.

        `seed` 0 rounds to the nearest, others what is a little beside: numbers that are near the middle go either way.
        """
        import numpy as np

        self._random = np.random.default_rng(seed) if seed else None
        known = {value: self.precision.rounded(array) for value, array in feeds.items()}
        left = Counter(value for op in ops for value in op.reads())
        for op in ops:
            for value, array in self._step(op, known, coarse).items():
                known.setdefault(value, array)
            for value in op.reads():
                left[value] -= 1
                if not left[value] and value not in fetch:
                    known.pop(value, None)
        return [known[value] for value in fetch]

    def _step(self, op: Op, known: Mapping[Value, Array], coarse: bool) -> dict[Value, Array]:
        eight_bits = coarse and role(op) in CUBE
        given: dict[Value, Array] = {}
        for value in op.reads():
            array = known[value] if value in known else self._stored(op, value)
            given[value] = _through_8_bits(array) if eight_bits and is_real(array) else array
        wanted = [value for value in op.results if value.name]
        made = self.pieces.run(given, wanted, self._blobs(op, eight_bits))
        return {value: self._rounded(array) for value, array in zip(wanted, made, strict=True)}

    def _rounded(self, array: Array) -> Array:
        if self._random is None or not is_real(array):
            return self.precision.rounded(array)
        import numpy as np

        random: Any = self._random
        shift: Array = random.uniform(-0.25, 0.25, array.shape)
        with np.errstate(over="ignore"):
            shifted: Array = (array * (1 + shift * self.precision.step)).astype(array.dtype)
        return self.precision.rounded(shifted)

    def _stored(self, op: Op, value: Value) -> Array:
        array = self.statics.array(value)
        return array if role(op) == NORM else self.precision.rounded(array)

    def _blobs(self, op: Op, eight_bits: bool) -> dict[Op, Sequence[Array]]:
        """A Caffe layer's own numbers, rounded."""
        assert op.graph is not None
        if op.graph.model.dialect.name != "caffe" or role(op) == NORM:
            return {}
        from subcut.compiler.formats.caffe.lower import stored_blobs

        blobs = [self.precision.rounded(blob) for blob in stored_blobs(op)]
        if eight_bits and blobs:
            blobs[0] = _through_8_bits(blobs[0])
        return {op: blobs} if blobs else {}


def _through_8_bits(array: Array) -> Array:
    """Numbers as 8 bits hold them, one scale for all."""
    import numpy as np

    scale = scale_of(array)
    found: Array = (quantised(array, scale).astype(np.float32) * scale).astype(array.dtype)
    return found
