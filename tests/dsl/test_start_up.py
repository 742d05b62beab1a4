"""What the language costs before it is used."""

from __future__ import annotations

import subprocess
import sys


def test_the_parser_generator_is_imported_only_to_parse() -> None:
    code = "import sys, subcut.dsl.file; print('lark' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
