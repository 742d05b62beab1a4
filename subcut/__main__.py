"""`python -m subcut` is the command `subcut`."""

from __future__ import annotations

from subcut.compiler.cli.main import entry

if __name__ == "__main__":
    entry()
