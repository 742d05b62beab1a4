"""What goes wrong around a process: code that Python runs before the command, from a `sitecustomize` on its path."""

from __future__ import annotations

import textwrap
from pathlib import Path

WITHOUT_PRIVILEGES = """
    # As root every file can be read and written: give that up. (capset(2); bits 1 and 2 override permissions.)
    import ctypes, os
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)
        data = (ctypes.c_uint32 * 6)()
        assert libc.capget(header, data) == 0
        data[0] &= ~0b110
        assert libc.capset(header, data) == 0
"""

SMALL_FILES = """
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
"""
"""No file may have more than 20,000 bytes."""

SLOW_COPIES = """
    import os, time
    real = os.copy_file_range
    def copy_file_range(src, dst, count, **options):
        time.sleep(0.02)
        return real(src, dst, min(count, 1 << 15), **options)
    os.copy_file_range = copy_file_range
"""
"""1.6 MB a second."""


def without(*packages: str) -> str:
    """Make packages look as if they were not installed."""
    return f"""
    import sys
    class Finder:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] in {packages!r}:
                raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
    sys.meta_path.insert(0, Finder())
    """


def sabotage(folder: Path, code: str) -> dict[str, str]:
    """The environment of a process in which `code` runs first; its file is put into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(textwrap.dedent(code))
    return {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
