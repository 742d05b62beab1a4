"""Which operators of a quantised model work on quantised numbers: those between Quant and DeQuant.

Source: msaccucmp's `quant_filter`, whose patterns are the names that AMCT gives in Caffe, TensorFlow and ONNX.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from subcut.analysis.compare.rules import FusedOp

_QUANT = re.compile(r"_quant_layer|/AscendQuant|/AscendWeightQuant|\.quant|\.weight_quant")
_DEQUANT = re.compile(r"_dequant_layer|_anti_quant_layer|/AscendDequant|/AntiQuant|\.dequant|\.anti_quant")


def mark_skipped(ops: Sequence[FusedOp]) -> None:
    """Mark the operators that are not compared. `ops` are in the order in which they run."""
    kinds: dict[str, list[str]] = {}
    """By operator the kind of each output: `quant`, `dequant`, `middle` or `` for any other."""
    for op in ops:
        between = _reads_quantised(op, kinds)
        quantises, restores = _named(_QUANT, op), _named(_DEQUANT, op)
        found: list[str] = []
        for output in op.outputs:
            if quantises and output.type_name == "INT8":
                found.append("quant")
            elif restores and output.type_name == "FLOAT16":
                found.append("dequant")
            else:
                found.append("middle" if between else "")
        kinds[op.name] = found
        op.skipped = between and any(kind != "dequant" for kind in found)


def _named(pattern: re.Pattern[str], op: FusedOp) -> bool:
    return bool(pattern.search(op.name) or pattern.search("".join(op.originals)))


def _reads_quantised(op: FusedOp, kinds: dict[str, list[str]]) -> bool:
    for edge in op.inputs:
        name, _, index = edge.rpartition(":")
        outputs = kinds.get(name, [])
        if index.isdecimal() and int(index) < len(outputs) and outputs[int(index)] in ("quant", "middle"):
            return True
    return False
