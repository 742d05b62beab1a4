"""The JSON that `atc --mode=1` makes of an offline model, written and read.

    text = dumps(model)      # model: a ModelDef of schema.py; the text is what atc writes
    model = loads(text)      # what the JSON leaves out (weights, sizes, offsets) is left out

Source: the graph engine's `pb2json.cc`, `omg.cc` and `model_saver.cc`; nlohmann::json for the spelling of values.
"""

from __future__ import annotations

import json
import math
from typing import Any, cast

from subcut.compiler.formats.ascend import schema
from subcut.compiler.formats.ascend.compression import expand
from subcut.compiler.formats.ascend.escapes import escape, unescape
from subcut.compiler.formats.ascend.groups import name_groups

SKIPPED = frozenset(
    "output data_offset data workspace workspace_bytes memory_size weight_size size bt quantize_factor".split()
)
"""Fields that atc never prints."""
DEPTH = 20
"""Messages nested deeper than this are `null`."""
NUMBER = 9
"""The longest text of a float that is printed as text: longer ones do not fit atc's buffer and become numbers."""

_quote = json.JSONEncoder(ensure_ascii=False).encode


def dumps(model: Any) -> str:
    """The JSON of a ModelDef: attribute names expanded, fusion groups named, fields that atc leaves out left out.

    Attributes keep the order of the message, where atc has that of a hash table. Raises ValueError where compressed
    attribute names make no sense.
    """
    copy = schema.message("ModelDef")()
    copy.CopyFrom(model)
    name_groups(copy)
    expand(copy)
    out: list[str] = []
    _write(copy, "ModelDef", out, "\n", 0)
    return "".join(out)


def _write(message: Any, kind: str, out: list[str], indent: str, depth: int) -> None:
    """Append the JSON of a message; `null` where nothing of it is printed, as nlohmann has it."""
    members = [] if depth > DEPTH else [(f.name, v) for f, v in message.ListFields() if f.name not in SKIPPED]
    fields = schema.fields_of(kind)
    inner, before = indent + "  ", "{"
    for name, value in sorted(members, key=_name):
        field = fields[name]
        if not field.repeated and field.kind not in _SCALARS and value.ByteSize() == 0:
            continue
        out.append(f'{before}{inner}"{name}": ')
        before = ","
        if field.repeated:
            _write_list(value, field.kind, out, inner, depth)
        elif field.kind in _SCALARS:
            out.append(_scalar(value, field.kind))
        else:
            _write(value, field.kind, out, inner, depth + 1)
    out.append("null" if before == "{" else indent + "}")


def _name(member: tuple[str, Any]) -> str:
    return member[0]


def _write_list(values: Any, kind: str, out: list[str], indent: str, depth: int) -> None:
    inner = indent + "  "
    if kind in _SCALARS:
        texts = [_element(value, kind) for value in values]
        out.append(f"[{inner}" + f",{inner}".join(texts) + f"{indent}]")
        return
    before = "["
    for value in values:
        out.append(before + inner)
        before = ","
        _write(value, kind, out, inner, depth + 1)
    out.append(indent + "]")


_SCALARS = frozenset([*schema.SCALARS, *schema.ENUMS])


def _scalar(value: Any, kind: str) -> str:
    """A field that occurs once: floats and bytes are text."""
    if kind == "float":
        text = f"{value:g}"
        return f'"{text}"' if len(text) <= NUMBER else _number(value)
    if kind == "bytes":
        return _quote(escape(value))
    return _element(value, kind)


def _element(value: Any, kind: str) -> str:
    """One of a repeated field."""
    if kind == "string":
        return _quote(value)
    if kind == "bytes":
        return _quote(value.decode(errors="ignore"))
    if kind == "bool":
        return "true" if value else "false"
    if kind == "float":
        return _number(value)
    if kind in schema.ENUMS:
        return f'"{schema.enum_name(kind, value)}"'
    return str(value)


def _number(value: float) -> str:
    """A float as nlohmann::json spells it: like Python, but with an exponent from 1e15 on."""
    if not math.isfinite(value):
        return "null"
    if 1e15 <= abs(value) < 1e16:
        digits = repr(abs(value)).partition(".")[0]
        fraction = digits[1:].rstrip("0")
        return f"{'-' * (value < 0)}{digits[0]}{'.' * bool(fraction)}{fraction}e+15"
    return repr(value)


def loads(text: str | bytes) -> Any:
    """The ModelDef that a JSON text is of; keys that are no field are passed over.

    Raises ValueError, with the place in it, for what is no JSON or no ModelDef.
    """
    try:
        tree = json.loads(text)
    except RecursionError:
        raise ValueError("values nested too deep") from None
    model = schema.message("ModelDef")()
    _fill(model, "ModelDef", _object(tree), "", 0)
    return model


def _fill(message: Any, kind: str, tree: dict[str, Any], where: str, depth: int) -> None:
    if depth > 2 * DEPTH:
        raise ValueError(f"{where}: messages nested too deep")
    fields = schema.fields_of(kind)
    for name, value in tree.items():
        field = fields.get(name)
        if field is None or (value is None and kind not in ("AttrEntry", "AttrDef")):
            continue
        place = f"{where}.{name}" if where else name
        try:
            _set(message, name, field, value, place, depth)
        except (TypeError, ValueError, OverflowError) as error:
            raise error if isinstance(error, _Placed) else _Placed(f"{place}: {error}") from None


class _Placed(ValueError):
    """An error that already says where it is."""


def _set(message: Any, name: str, field: schema.Field, value: Any, place: str, depth: int) -> None:
    scalar = field.kind in _SCALARS
    if field.repeated:
        items = cast("list[object]", value) if isinstance(value, list) else [value]
        if scalar:
            getattr(message, name).extend([_parse(item, field.kind, raw=True) for item in items])
            return
        for number, item in enumerate(items):
            one = getattr(message, name).add()
            if item is not None:
                _fill(one, field.kind, _object(item), f"{place}[{number}]", depth + 1)
    elif scalar:
        setattr(message, name, _parse(value, field.kind, raw=False))
    else:
        one = getattr(message, name)
        one.SetInParent()
        if value is not None:
            _fill(one, field.kind, _object(value), place, depth + 1)
        elif field.kind == "AttrDef":
            one.list.SetInParent()  # what atc prints `null` for is an empty list, or bytes


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("an object is expected")
    return cast("dict[str, Any]", value)


def _parse(value: Any, kind: str, *, raw: bool) -> Any:
    """The value of a scalar; `raw` where bytes stand as they are, in lists."""
    if kind == "bytes":
        text = _text(value)
        return text.encode(errors="replace") if raw else unescape(text)
    if kind == "string":
        return _text(value).encode(errors="replace").decode()
    if kind == "float":
        return math.nan if value is None else float_of(float(value))
    if kind == "bool":
        return bool(value)
    if kind in schema.ENUMS:
        return value if isinstance(value, int) else schema.enum_number(kind, _text(value))
    if not isinstance(value, int):
        raise ValueError("a whole number is expected")
    return value


def float_of(value: float) -> float:
    """`value`, or infinity beyond what 32 bits hold."""
    return value if abs(value) < 3.4028235677973366e38 or value != value else math.copysign(math.inf, value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a text is expected")
    return value
