"""The ten metrics of the accuracy comparison, as msaccucmp defines, orders and prints them, in bounded memory.

    result = compare_arrays(device, golden, Names("Conv2D.conv1…", "conv1.0….npy"))
    result.values["CosineSimilarity"]      # "0.999998"

Source of the definitions: msaccucmp, `algorithm_manager`. Its numbers are those of numpy in 32 bits, and so depend on
the order in which numpy adds; `sums` adds in the same order, piece by piece. An array is gone through four times: for
what needs nothing else; for the mean, which is a sum in 64 bits; for what needs the norms, the extremes and the mean;
and for the divergence, which needs the sums of the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from subcut.analysis.sums import Array, Sums, double_sum, pairwise

METRICS = (
    "CosineSimilarity",
    "MaxAbsoluteError",
    "AccumulatedRelativeError",
    "RelativeEuclideanDistance",
    "KullbackLeiblerDivergence",
    "StandardDeviation",
    "MeanAbsoluteError",
    "RootMeanSquareError",
    "MaxRelativeError",
    "MeanRelativeError",
)
"""Names of the columns, in their order."""
NAN = "NaN"
"""What is written where there is no number; a number that is none is `nan`."""
EPSILON = 2.0**-52
_SMALL = 0.001
"""A mean or a deviation below this is written as 0."""
_OF_BOOLEANS = ("CosineSimilarity", "RelativeEuclideanDistance")


@dataclass(frozen=True)
class Names:
    """What messages call the two sides: paths of their files."""

    left: str = ""
    right: str = ""


@dataclass
class Compared:
    """What the metrics say of two tensors."""

    values: dict[str, str] = field(default_factory=lambda: dict.fromkeys(METRICS, NAN))
    """Each metric as it is printed."""
    messages: list[str] = field(default_factory=list[str])
    """Why there is no number, in the order of the metrics."""

    def say(self, metric: str, value: str, message: str = "") -> None:
        """Set a metric."""
        self.values[metric] = value
        if message:
            self.messages.append(message)

    def fail(self, metric: str, reason: object) -> None:
        """Set a metric that could not be computed."""
        self.say(metric, NAN, f"Failed to execute 'compare' in '{metric}'. {reason}")


def is_scalar(shape: Sequence[int]) -> bool:
    """What the accuracy tool takes for a scalar: every size is 1, or so it seems from their sum."""
    return sum(shape) == len(shape)


def compare_arrays(left: Array, right: Array, names: Names, *, scalar: bool = False, limit: int = 0) -> Compared:
    """The ten metrics of two flat arrays of the same length, or of their first `limit` elements.

    Raises ValueError where their lengths differ or their elements are no numbers.
    """
    import numpy as np

    if len(left) != len(right):
        raise ValueError(f"{len(left)} and {len(right)} elements")
    if limit:
        left, right = left[:limit], right[:limit]
    with np.errstate(all="ignore"):
        if left.dtype == np.bool_ and right.dtype == np.bool_:
            return _booleans(left, right, names, scalar)
        if not len(left):
            return _nothing(scalar)
        return _Numbers(left, right, names).compared(scalar)


def number(value: str) -> float | None:
    """A printed metric as a number; None where there is none."""
    return None if value in (NAN, "") or value.startswith("(") else float(value)


def _text(value: Any) -> str:
    return f"{value:.6f}"


class _Numbers:
    """Two arrays of numbers, at least one each, on their way through the metrics."""

    def __init__(self, left: Array, right: Array, names: Names) -> None:
        self.left, self.right, self.names = left, right, names
        self.count = len(left)
        self.extremes: Any = None

    def compared(self, scalar: bool) -> Compared:
        """All metrics, in their order."""
        import numpy as np

        made = Compared()
        (sums,) = pairwise(self.count, self._differences)
        own, golden, absolute, square, relative = sums
        largest, worst = self.extremes[:2]
        self.norms = np.sqrt(own), np.sqrt(golden)
        self.means = [double_sum(array, np.float32) / np.intp(self.count) for array in (self.left, self.right)]
        (self.weights, deviations) = pairwise(self.count, self._scaled)
        cosine = self.weights[2]
        (divergence,) = pairwise(self.count, self._divergence)
        self._say_cosine(made, cosine, scalar)
        made.say("MaxAbsoluteError", _text(largest))
        made.say("AccumulatedRelativeError", _text(relative))
        euclid = np.float32(0) if golden**0.5 <= EPSILON else square / golden
        made.say("RelativeEuclideanDistance", _text(euclid**0.5))
        self._say_divergence(made, divergence[0])
        spread = [np.sqrt(sum_ / np.intp(self.count)) for sum_ in deviations]
        made.say("StandardDeviation", _spread(self.means, spread))
        made.say("MeanAbsoluteError", _text(self._mean(absolute)))
        made.say("RootMeanSquareError", _text(np.sqrt(self._mean(square))))
        made.say("MaxRelativeError", _text(worst))
        made.say("MeanRelativeError", _text(self._mean(relative)))
        return made

    def _mean(self, total: Any) -> Any:
        """As `numpy.ndarray.mean` divides: in 64 bits, and rounded."""
        import numpy as np

        return np.float32(total / np.intp(self.count))

    def _pair(self, part: slice) -> tuple[Any, Any]:
        import numpy as np

        return self.left[part].astype(np.float32, copy=False), self.right[part].astype(np.float32, copy=False)

    def _differences(self, part: slice) -> Sums:
        """What needs the two numbers alone; the extremes on the way."""
        import numpy as np

        x, y = self._pair(part)
        difference = np.abs(x - y)
        relative = np.where(np.abs(y) > np.float32(EPSILON), np.abs(x / y - 1), np.float32(0))
        found = np.array([difference.max(), relative.max(), x.max(), y.max(), -x.min(), -y.min()])
        self.extremes = found if self.extremes is None else np.maximum(self.extremes, found)
        terms: tuple[Any, ...] = (x * x, y * y, difference, difference * difference, relative)
        return (np.array([term.sum() for term in terms]),)

    def _scaled(self, part: slice) -> Sums:
        """Sums of what was scaled by extremes and by norms; squares of the distances from the means."""
        import numpy as np

        x, y = self._pair(part)
        own, golden = self.norms
        weights = [one.sum() for one in (*self._weights(x, y), (x / own) * (y / golden))]
        apart = [np.square(one - mean).sum() for one, mean in zip((x, y), self.means, strict=True)]
        return np.array(weights), np.array(apart)

    def _weights(self, x: Array, y: Array) -> list[Any]:
        """Both between 0 and 1, floored at the smallest step of 32 bits; constant numbers stay what they are."""
        import numpy as np

        made: list[Any] = []
        for one, high, low in zip((x, y), self.extremes[2:4], -self.extremes[4:6], strict=True):
            reach = high - low
            made.append(np.maximum((one - low) / reach if reach != 0 else one, np.finfo(np.float32).eps))
        return made

    def _divergence(self, part: slice) -> Sums:
        import numpy as np

        p, q = (w / total for w, total in zip(self._weights(*self._pair(part)), self.weights[:2], strict=True))
        return (np.array([(p * np.log(p / q)).sum()]),)

    def _say_cosine(self, made: Compared, cosine: Any, scalar: bool) -> None:
        own, golden = self.norms
        _say_cosine(made, own, golden, cosine, self.names, scalar)

    def _say_divergence(self, made: Compared, divergence: Any) -> None:
        import numpy as np

        metric = "KullbackLeiblerDivergence"
        if np.isposinf(divergence):
            message = f"Cannot compare by KL Divergence. The data contains 0 in {self.names.right!r}."
            made.say(metric, _text(divergence), message)
        else:
            made.say(metric, _text(0.0 if abs(divergence) < EPSILON else divergence))


def _say_cosine(made: Compared, own: Any, golden: Any, cosine: Any, names: Names, scalar: bool) -> None:
    metric = "CosineSimilarity"
    if scalar:
        return made.say(metric, _text(1), "This tensor is scalar.")
    if own <= EPSILON and golden < EPSILON:
        return made.say(metric, "1.0")
    for norm, name in ((own, names.left), (golden, names.right)):
        if norm**0.5 <= EPSILON:
            return made.say(metric, NAN, f"Cannot compare by Cosine Similarity. All the data is zero in {name}.")
    return made.say(metric, _text(min(cosine, 1.0)))


def _spread(means: Sequence[Any], deviations: Sequence[Any]) -> str:
    said = [0.0 if abs(value) < _SMALL else value for pair in zip(means, deviations, strict=True) for value in pair]
    return "({:.3f};{:.3f}),({:.3f};{:.3f})".format(*said)


def _booleans(left: Array, right: Array, names: Names, scalar: bool) -> Compared:
    """What there is of truth values: the cosine, in 64 bits; the distance would subtract them, which numpy refuses."""
    import numpy as np

    def squares(part: slice) -> Sums:
        return (np.array([side[part].sum(dtype=np.float64) for side in (left, right)]),)

    def products(part: slice) -> Sums:
        return (np.array([((left[part] / own) * (right[part] / golden)).sum()]),)

    made = Compared()
    own, golden = np.sqrt(pairwise(len(left), squares)[0])
    _say_cosine(made, own, golden, pairwise(len(left), products)[0][0], names, scalar)
    for metric in METRICS[1:]:
        if metric not in _OF_BOOLEANS:
            made.say(metric, NAN, f"Algorithm {metric} does not support Boolean types.")
        elif not golden:
            made.say(metric, _text(0.0))
        else:
            try:
                np.subtract(left[:1], right[:1])
            except TypeError as error:
                made.fail(metric, error)
    return made


def _nothing(scalar: bool) -> Compared:
    """What the metrics say of two empty tensors."""
    made = Compared()
    _say_cosine(made, 0.0, 0.0, 0.0, Names(), scalar)
    of_none = "zero-size array to reduction operation maximum which has no identity"
    for metric in METRICS[1:]:
        if metric in ("MaxAbsoluteError", "KullbackLeiblerDivergence", "MaxRelativeError"):
            made.fail(metric, of_none)
        elif metric == "StandardDeviation":
            made.say(metric, _spread([float("nan")] * 2, [float("nan")] * 2))
        else:
            summed = metric in ("AccumulatedRelativeError", "RelativeEuclideanDistance")
            made.say(metric, _text(0.0 if summed else float("nan")))
    return made
