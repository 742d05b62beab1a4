"""The contract of a pass: a frozen dataclass, its options its fields, its spelling derived from them."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeVar

from subcut.compiler.errors import user_error
from subcut.compiler.ir.graph import Model

P = TypeVar("P", bound="Pass")


@dataclass(frozen=True)
class Pass(ABC):
    """One rewrite of a model. Immutable, so that a pipeline can be kept and used again."""

    name: ClassVar[str]

    @abstractmethod
    def apply(self, model: Model) -> bool:
        """Rewrite `model` in place; returns whether anything changed. Raises UserError, leaving it half done."""

    @classmethod
    def from_options(cls: type[P], options: Mapping[str, str]) -> P:
        """Build the pass from its spelled options."""
        known = {f.name.replace("_", "-"): f for f in fields(cls)}
        values: dict[str, Any] = {}
        for key, text in options.items():
            if key not in known:
                choices = ", ".join(f"`{name}`" for name in known) or "none"
                raise user_error("unknown-option", f"pass `{cls.name}` has no option `{key}`", help=f"it has {choices}")
            values[known[key].name] = _decode(known[key].type, key, text)
        return cls(**values)

    def __str__(self) -> str:
        """The spelling that `--passes` takes, such as `cut{infer=false}`."""
        shown = [(f.name, getattr(self, f.name)) for f in fields(self) if getattr(self, f.name) != f.default]
        if not shown:
            return self.name
        return f"{self.name}{{{' '.join(f'{name}={spell(value)}' for name, value in shown)}}}"


def spell(value: object) -> str:
    """A value as `--passes` spells it: bare where that is unambiguous, else in JSON's quotes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return text if re.fullmatch(r"[^\s{}=,\"]+", text) else json.dumps(text, ensure_ascii=False)


def _decode(kind: object, key: str, text: str) -> object:
    if kind in (bool, "bool"):
        if text not in ("true", "false"):
            raise user_error("bad-option", f"option `{key}` is `true` or `false`, not `{text}`")
        return text == "true"
    return text
