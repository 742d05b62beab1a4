"""Regenerate `ops.json`, the signatures of TensorFlow's operators.

`python -m subcut.compiler.formats.tensorflow.make_ops` needs TensorFlow, which lists its own operators (source:
`TF_GetAllOpList` of its C API). One line an operator: `"Split": "split_dim:i32 value:@T > output:num_split*@T"`. An
argument is `name:kind`; a kind is an element type, `@A` (the type that attribute A says), `N*…` (as many as attribute N
says) or `#A` (the list of types in attribute A). `!` at the end marks a stateful operator; `A=…` after it the defaults
of the attributes that decide the results.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from subcut.compiler.formats.tensorflow.elements import element_of_number
from subcut.compiler.formats.tensorflow.framework import internal, tensorflow


def main() -> None:
    """Write `ops.json` beside this file."""
    version, ops = _registered()
    lines = [f"{json.dumps(op.name)}: {json.dumps(_line(op))}" for op in ops]
    text = f'{{"tensorflow": {json.dumps(version)}, "ops": {{\n' + ",\n".join(lines) + "\n}}\n"
    Path(__file__).with_name("ops.json").write_text(text, encoding="ascii")


def _registered() -> tuple[str, list[Any]]:
    """TensorFlow's version, and the OpDef of every operator it has, by name."""
    tf = tensorflow("list its operators")
    session = internal("python.client.pywrap_tf_session")
    found = internal("core.framework.op_def_pb2").OpList()
    found.ParseFromString(session.TF_GetBuffer(session.TF_GetAllOpList()))
    return tf.__version__, sorted(found.op, key=lambda op: op.name)


def _line(op: Any) -> str:
    sides = [" ".join(f"{arg.name}:{_kind(arg)}" for arg in side) for side in (op.input_arg, op.output_arg)]
    used = {name for arg in op.output_arg for name in (arg.type_attr, arg.number_attr, arg.type_list_attr)}
    defaults = [f"{a.name}={_default(a)}" for a in op.attr if a.name in used and a.HasField("default_value")]
    return " ".join([sides[0], ">", sides[1], "!" if op.is_stateful else "", *defaults]).strip()


def _kind(arg: Any) -> str:
    if arg.type_list_attr:
        return f"#{arg.type_list_attr}"
    kind = f"@{arg.type_attr}" if arg.type_attr else element_of_number(arg.type) or "?"
    return f"{arg.number_attr}*{kind}" if arg.number_attr else kind


def _default(attribute: Any) -> str:
    value = attribute.default_value
    if attribute.type == "type":
        return element_of_number(value.type) or "?"
    if attribute.type == "int":
        return str(value.i)
    if attribute.type == "list(type)":
        return ",".join(element_of_number(number) or "?" for number in value.list.type)
    raise ValueError(f"attribute {attribute.name} decides a signature and is a {attribute.type}")


if __name__ == "__main__":
    main()
