"""Every code that a message can carry is documented, and every documented code exists."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
CODE = re.compile(
    r'(?:user_error|Diagnostic|problem|_refuse|diagnostic)\(\s*(?:[\w.\[\], ]+,\s*)?"([a-z0-9]+(?:-[a-z0-9]+)+)"'
)


def test_every_code_is_documented() -> None:
    text = (ROOT / "docs" / "diagnostics.md").read_text("utf-8")
    documented = set(re.findall(r"^### `([\w-]+)`", text, re.M))
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    documented.update(re.findall(r"`([\w-]+)`", " ".join(rows)))
    used: dict[str, Path] = {}
    for folder in ("compiler", "passes", "dsl", "emulator", "analysis", "viewer"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            used.update(dict.fromkeys(CODE.findall(file.read_text("utf-8")), file))
    assert not {code: str(file) for code, file in used.items() if code not in documented}
