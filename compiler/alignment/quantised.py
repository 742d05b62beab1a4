"""The quantisation information file of AMCT (`*_quant.json`): the original names behind those of the quantised model.

It has the skeleton of an offline model's JSON. Source of the rule: msaccucmp, `merge_fusion_rule`, which replaces
the names that the offline model took from the quantised model by those that this file gives for them.
"""

from __future__ import annotations

from dataclasses import replace

from subcut.compiler.formats.ascend.offline import OfflineModel, OfflineOp, OfflineTensor


def translated(model: OfflineModel, quantised: OfflineModel) -> OfflineModel:
    """`model`, whose original names are those of the quantised model, with the names of the original instead."""
    names: dict[str, tuple[str, ...]] = {}
    origins: dict[tuple[str, int], tuple[str, int]] = {}
    for op in quantised.ops:
        names[op.name] = (op.name,) if op.original_names is None else op.original_names
        for k, output in enumerate(op.outputs):
            if output.origin_name:
                origins[op.name, k] = output.origin_name, k if output.origin_index is None else output.origin_index
            elif op.original_names is None:
                origins[op.name, k] = op.name, k
    return replace(model, ops=[_operator(op, names, origins) for op in model.ops])


def _operator(
    op: OfflineOp, names: dict[str, tuple[str, ...]], origins: dict[tuple[str, int], tuple[str, int]]
) -> OfflineOp:
    mine = (op.name,) if op.original_names is None else op.original_names
    if not any(name in names for name in mine):
        return op
    found = tuple(dict.fromkeys(inner for name in mine for inner in names.get(name, (name,)) if inner))
    outputs = tuple(_output(op, k, output, origins) for k, output in enumerate(op.outputs))
    return replace(op, original_names=found, outputs=outputs)


def _output(
    op: OfflineOp, k: int, output: OfflineTensor, origins: dict[tuple[str, int], tuple[str, int]]
) -> OfflineTensor:
    """What the quantised model calls the tensor is translated; a tensor it does not give out has no origin."""
    name, index = output.origin_name or "", output.origin_index
    if not name and op.original_names is None:
        name = op.name
    key = (name, k if index is None else index)
    origin_name, origin_index = origins.get(key, ("", k))
    return replace(output, origin_name=origin_name, origin_index=origin_index, fusion_name="")
