"""What `subcut locate` prints of what it found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from subcut.analysis.locate import Located


def told(found: Located, folder: Path, manifest: dict[str, Any] | None) -> list[str]:
    """What was found, a sentence a line."""
    result = " and the result's own" if manifest is not None else ""
    before = f", {found.reused} known before" if found.reused else ""
    runs = f"{found.runs}{result} of at most {found.bound} runs{before}"
    ended = ", ".join(f"{count} {kind}" for kind, count in found.kinds.items())
    lines = [f"Not linked: with weights in another file the candidate died: {found.unlinked}"] if found.unlinked else []
    lines += [f"{runs}: {ended}"]
    if manifest is None:
        return [*lines, f"Nothing to locate: the candidate agrees with the reference on all {found.count} operators"]
    return [*lines, *concluded(found, folder, manifest)]


def concluded(found: Located, folder: Path, manifest: dict[str, Any]) -> list[str]:
    """What was found and where it was written, a sentence a line."""
    lines = [f"Not the failure looked for, counted as passing: {note}" for note in found.others.values()]
    lines += [found.flaky[0].upper() + found.flaky[1:]] if found.flaky else []
    names = ", ".join(f"`{name}`" for name in found.operators[:12])
    more = f" and {len(found.operators) - 12} more" if len(found.operators) > 12 else ""
    lines += [f"Located: {names}{more} of {found.count} operators: {found.failure}"]
    if len(found.kinds) == 1:
        lines += ["  every run ended so: does the command work on any model?"]
    if found.constants:
        lines += [f"  it computes {', '.join(f'`{name}`' for name in found.constants)} from stored numbers"]
    lines += _proof(found)
    again = (
        "does so again from the files written" if manifest["locate"][-1]["reproduced"] else "NOT REPRODUCED from them"
    )
    return [*lines, f"Result: {folder} ({again})"]


def _proof(found: Located) -> list[str]:
    certificate = found.certificate
    assert certificate is not None
    shrinks = {"last": certificate.without_last, "first": certificate.without_first}
    lines = [
        f"  the answer fails in {sum(certificate.answer)} of {len(certificate.answer)} runs",
        *(f"  without its {which} operator in {sum(runs)} of {len(runs)}" for which, runs in shrinks.items() if runs),
        *(["  nothing is left without it"] if not any(shrinks.values()) else []),
        f"  the reference {'agrees' if certificate.reference_agrees else 'DISAGREES'} with itself on it",
    ]
    return [f"Certificate{'' if certificate.holds else ', which does NOT hold'}:", *lines]
