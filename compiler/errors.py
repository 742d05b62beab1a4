"""The exception tree: what went wrong, whose mistake it was, and so which exit code it means.

    SubcutError
    ├── UserError        exit 1   the selection, an option, a folder: code, place, caret, help
    │   └── MissingExtra          a framework that is not installed: names the extra that brings it
    └── ModelError       exit 2   a file: path, offset or operator, what was expected

Anything else that escapes is a bug of ours (exit 3, with a traceback).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from subcut.compiler.diagnostics import Diagnostic, Location


class SubcutError(Exception):
    """Base of every error that is somebody's to mend and not a bug of ours."""


class UserError(SubcutError):
    """A mistake in what was asked for: one diagnostic or, from a checker, several."""

    def __init__(self, diagnostics: Diagnostic | Sequence[Diagnostic]) -> None:
        self.diagnostics = [diagnostics] if isinstance(diagnostics, Diagnostic) else list(diagnostics)
        super().__init__("\n\n".join(d.render() for d in self.diagnostics))

    @property
    def code(self) -> str:
        """The stable code of the first diagnostic, such as `unknown-operator`."""
        return self.diagnostics[0].code


class MissingExtra(UserError):
    """A framework is needed that is not installed."""

    def __init__(self, package: str, extra: str, purpose: str, help: str = "") -> None:
        super().__init__(
            Diagnostic(
                "missing-extra",
                f"`{package}` is needed to {purpose} and is not installed",
                help=[help or f"pip install 'subcut[{extra}]'"],
            )
        )


class ModelError(SubcutError):
    """A model file is missing, damaged, or of no format that is known."""

    def __init__(
        self,
        path: str | Path,
        message: str,
        *,
        offset: int | None = None,
        expected: str = "",
        where: str = "",
    ) -> None:
        self.path, self.message, self.offset = Path(path), message, offset
        self.expected, self.where = expected, where
        place = str(path)
        if offset is not None:
            place += f", byte {offset}"
        if where:
            place += f", {where}"
        lines = [f"error[bad-model]: {message}", f" --> {place}"]
        if expected:
            lines.append(f"  = expected: {expected}")
        super().__init__("\n".join(lines))


def user_error(code: str, message: str, *, at: Location | None = None, help: Sequence[str] | str = ()) -> UserError:
    """A `UserError` of one diagnostic, for the common case."""
    said = [help] if isinstance(help, str) else help
    return UserError(Diagnostic(code, message, at, [one for one in said if one]))
