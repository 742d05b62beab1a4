"""Whether two tensors are near enough: the fixed limits of the accuracy tool's documents.

Source: `docs/en/accuracy_compare/infer_compare_result.md` of msprobe. The tool itself judges nothing.
"""

from __future__ import annotations

from subcut.analysis.compare.rows import Row

LEAST_COSINE = 0.99
METRIC = "RelativeEuclideanDistance"
"""The metric that says most about one tensor alone."""
MOST = {
    METRIC: 0.05,
    "KullbackLeiblerDivergence": 0.005,
    "RootMeanSquareError": 1.0,
    "MeanRelativeError": 1.0,
}
"""A tensor is as it should be below these, and with a cosine above `LEAST_COSINE`."""


def judge(row: Row) -> None:
    """Write into a row whether it is within the limits, and which it is beyond. What is no number is beyond."""
    if not row.was_compared:
        row.verdict = "not compared"
        return
    cosine = row.value("CosineSimilarity")
    row.broken = ["CosineSimilarity"] if cosine is not None and not cosine > LEAST_COSINE else []
    for metric, most in MOST.items():
        value = row.value(metric)
        if value is not None and not value < most:
            row.broken.append(metric)
    if cosine is None and row.value(METRIC) is None:
        row.broken.append("CosineSimilarity")
    row.verdict = "bad" if row.broken else "ok"
