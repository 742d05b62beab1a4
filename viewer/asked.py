"""A request of the page, taken apart with care: whatever is missing or of another kind is a bad request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from subcut.viewer.answers import BadRequest


class Asked:
    """The JSON object of a request."""

    def __init__(self, content: dict[str, Any]) -> None:
        self._content = content

    def text(self, key: str, default: str | None = None) -> str:
        """A text that is free of what no file name and no selection has."""
        value = self._content.get(key, default)
        if not isinstance(value, str):
            raise BadRequest(f"`{key}` must be a text")
        return value

    def number(self, key: str, below: int, default: int | None = None) -> int:
        """A number from 0 on."""
        value = self._content.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < below:
            raise BadRequest(f"`{key}` must be a number from 0, and less than {below}")
        return value

    def numbers(self, key: str, below: int) -> list[int]:
        """Several numbers, each once."""
        value: object = self._content.get(key, [])
        if not isinstance(value, list):
            raise BadRequest(f"`{key}` must be a list of numbers")
        found = cast("list[object]", value)
        return list(dict.fromkeys(Asked({key: one}).number(key, below) for one in found))

    def flag(self, key: str, default: bool = False) -> bool:
        """True or false."""
        value = self._content.get(key, default)
        if not isinstance(value, bool):
            raise BadRequest(f"`{key}` must be true or false")
        return value

    def choice(self, key: str, choices: Sequence[str], default: str) -> str:
        """One of several words."""
        value = self.text(key, default)
        if value not in choices:
            raise BadRequest(f"`{key}` must be one of {', '.join(choices)}")
        return value

    def inner(self, key: str) -> Asked:
        """An object inside; an empty one where it is missing."""
        value: object = self._content.get(key, {})
        if not isinstance(value, dict):
            raise BadRequest(f"`{key}` must be an object")
        return Asked(cast("dict[str, Any]", value))
