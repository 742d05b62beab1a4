"""Whole processes measured from outside: wall time in one run, memory in another, so that sampling costs no time."""

from __future__ import annotations

import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LIMIT = 600
"""Seconds after which a process is given up."""
PERIOD = 0.001


@dataclass(frozen=True)
class Memory:
    """Peaks in bytes: resident, mapped pages of files included, and anonymous, which the kernel cannot drop."""

    resident: int
    anonymous: int


class Failed(Exception):
    """A process did not end well; the text is the last line it printed."""


def wall(command: Sequence[str], env: Mapping[str, str]) -> float:
    """Seconds from start to end, with everything written before on its way to the disk."""
    os.sync()
    start = time.perf_counter()
    try:
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        raise Failed(f"more than {LIMIT} s") from None
    seconds = time.perf_counter() - start
    if done.returncode:
        raise Failed(_last_line(done.stderr or done.stdout))
    return seconds


def memory(command: Sequence[str], env: Mapping[str, str]) -> Memory:
    """The peaks of one run, sampled every millisecond (`VmHWM` and `RssAnon`, man 5 proc_pid_status)."""
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, env=env, stdout=said, stderr=said)
        peaks = _watch(process)
        if process.returncode:
            said.seek(0)
            raise Failed(_last_line(said.read()))
    return peaks


def _watch(process: subprocess.Popen[bytes]) -> Memory:
    status = Path(f"/proc/{process.pid}/status")
    end = time.monotonic() + LIMIT
    resident = anonymous = 0
    while process.poll() is None:
        now = _sizes(status)
        resident = max(resident, now.get("VmHWM", 0))
        anonymous = max(anonymous, now.get("RssAnon", 0))
        if time.monotonic() > end:
            process.kill()
        time.sleep(PERIOD)
    return Memory(resident, anonymous)


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2] or "fails"


def _sizes(status: Path) -> dict[str, int]:
    """The sizes in a status file, in bytes; none when the process has just ended."""
    try:
        lines = status.read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    rows = (line.split() for line in lines if line.endswith(" kB"))
    return {name.rstrip(":"): int(number) << 10 for name, number, _ in rows}


def machine() -> str:
    """Processor, cores, memory and system, in a line."""
    info = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in info if line.startswith("model name")), "unknown")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = f"{platform.system()} {platform.release().partition('-')[0]}"
    return f"{os.cpu_count()} cores ({model}), {memory:.0f} GB, {system}, Python {platform.python_version()}"
