"""How errors are told to the page."""

from __future__ import annotations

from typing import Any

from subcut.compiler.errors import ModelError, SubcutError, UserError


class BadRequest(Exception):
    """The page asked for what is not there: its mistake, not the user's."""


def diagnostics(error: SubcutError) -> list[dict[str, Any]]:
    """An error as the page shows it: places are characters of the text that was sent."""
    if isinstance(error, UserError):
        return [
            {
                "code": one.code,
                "message": one.message,
                "start": one.at.start if one.at else None,
                "end": one.at.stop if one.at else None,
                "help": list(one.help),
            }
            for one in error.diagnostics
        ]
    help = [f"expected: {error.expected}"] if isinstance(error, ModelError) and error.expected else []
    message = str(error)
    if isinstance(error, ModelError):
        message = f"{error.path.name}{', ' + error.where if error.where else ''}: {error.message}"
    return [{"code": "bad-model", "message": message, "start": None, "end": None, "help": help}]


def refusal(error: SubcutError) -> dict[str, Any]:
    """An error as one answer: its first diagnostic, and all of them."""
    found = diagnostics(error)
    return {**{key: found[0][key] for key in ("code", "message", "help")}, "diagnostics": found}
