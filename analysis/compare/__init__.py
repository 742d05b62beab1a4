"""Comparison of what a device computed with what the original computes, tensor by tensor."""

from subcut.analysis.compare.further import Wanted
from subcut.analysis.compare.rows import Row
from subcut.analysis.compare.run import Comparison, compare

__all__ = ["Comparison", "Row", "Wanted", "compare"]
