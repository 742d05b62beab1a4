"""Exchange two folders in one step, where the system can; elsewhere in two, with the way back kept open."""

from __future__ import annotations

import errno
import os
from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_UNSUPPORTED = {errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP}


def swap(first: Path, second: Path, aside: Path) -> None:
    """Give each of two folders of one file system the other's name.

    `aside` is a free name beside them, used only where there is no atomic exchange; a process killed in between
    leaves the former `second` there. Raises OSError, with both as they were.
    """
    if not _exchange(first, second):
        os.rename(second, aside)
        try:
            os.rename(first, second)
        except BaseException:
            os.rename(aside, second)
            raise
        os.rename(aside, first)


def _exchange(first: Path, second: Path) -> bool:
    """Linux's renameat2(2) with RENAME_EXCHANGE; False where the kernel, C library or file system lacks it."""
    import ctypes

    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if os.name == "posix" else None
    if renameat2 is None:
        return False
    result = renameat2(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), ctypes.c_uint(_RENAME_EXCHANGE))
    if result == 0:
        return True
    code = ctypes.get_errno()
    if code in _UNSUPPORTED:
        return False
    raise OSError(code, os.strerror(code), str(first), None, str(second))
