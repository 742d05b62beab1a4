"""The names of fusion groups, which atc adds to the JSON of an offline model.

Source: `GetGroupName` in the graph engine's `omg.cc`. The model's attribute `fm` has, for each operator of all graphs
in order, the bytes of a record that the fusion engine kept, whose `fusion_scope` numbers the group.
"""

from __future__ import annotations

from typing import Any

from subcut.compiler.formats.ascend import schema

FUSION_MODEL, SCOPE, GROUP = "fm", "fusion_scope", "group_op_name"


def group_name(scope: int, stream: int) -> str:
    """What atc calls the group with that number, empty for none: `group_op_l1_1_0`, `group_op_ub_3_0`."""
    first, second = scope >> 16 & 0xFFFF, scope & 0xFFFF
    if first:
        return f"group_op_l1_{first}_{stream}"
    return f"group_op_ub_{second}_{stream}" if second else ""


def group_scopes(records: list[bytes]) -> list[int | None]:
    """The number that each record has, None where it has none; ends before the first empty record."""
    found: list[int | None] = []
    for raw in records:
        if not raw:
            break
        found.append(_scope(raw))
    return found


def _scope(raw: bytes) -> int | None:
    try:
        record = schema.decode("OpDef", raw)
    except ValueError:
        return None
    return next((entry.value.i for entry in record.attr if entry.key == SCOPE), None)


def name_groups(model: Any) -> None:
    """Add `group_op_name` to the operators of a ModelDef that belong to a group."""
    records = next((entry.value.list.bt for entry in model.attr if entry.key == FUSION_MODEL), None)
    if records is None:
        return
    ops = (op for graph in model.graph for op in graph.op)
    for scope, op in zip(group_scopes(list(records)), ops, strict=False):
        name = "" if scope is None else group_name(scope, op.stream_id)
        if name:
            schema.put(op.attr, GROUP, name)
