"""Resolve a selection against the model: which operators, from where, to where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from subcut.compiler.diagnostics import SourceText
from subcut.compiler.errors import user_error
from subcut.compiler.ir.graph import Model
from subcut.passes.base import Pass

_WORDS = ("from", "after", "to", "before", "through", "avoiding")


@dataclass(frozen=True)
class Select(Pass):
    """Find what a text of the selection language means on this model.

    Sets `model.selection` and `model.options`; the graph itself does not change. Raises UserError for whatever is
    wrong with the text. `source` is what messages call the text.
    """

    name: ClassVar[str] = "select"
    text: str = ""
    source: str = "<selection>"

    @classmethod
    def from_options(cls, options: Mapping[str, str]) -> Select:
        """`select{from=a to=b}` reads as the sentence `from a to b`; `select{text="…"}` takes any sentence."""
        if set(options) <= set(_WORDS):
            return cls(" ".join(f"{word} {options[word]}" for word in _WORDS if word in options))
        return super().from_options(options)

    def apply(self, model: Model) -> bool:
        """Resolve the text."""
        from subcut.dsl.parser import parse
        from subcut.dsl.resolve import resolve

        if not self.text.strip():
            raise user_error(
                "empty-selection", "the selection is empty", help="say what to keep: `from A to B`, or `all`"
            )
        cut = parse(self.text, self.source)
        model.selection, model.options = resolve(cut, model, SourceText(self.source, self.text))
        return False
