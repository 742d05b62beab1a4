"""Faults of several operators together: from the first bad tensor back in leaps, then halving."""

from __future__ import annotations

import math
from collections.abc import Callable


def worst_case(window: int) -> int:
    """The most tests that finding a window of so many units takes."""
    return 2 * math.ceil(math.log2(max(window, 1))) + 2


def gallop(count: int, fails: Callable[[int], bool]) -> tuple[int | None, int]:
    """The smallest number of last units, of `count`, that fail together; None where all of them pass.

    One is known to pass. `fails(k)` tests the last k. Also returns how many tests were made, `worst_case` at most.
    """
    passes, tests, reach = 1, 0, 2
    while True:
        reach = min(reach, count)
        if reach <= passes:
            return None, tests
        tests += 1
        if fails(reach):
            break
        passes, reach = reach, 2 * reach
    while reach - passes > 1:
        middle = (passes + reach) // 2
        tests += 1
        if fails(middle):
            reach = middle
        else:
            passes = middle
    return reach, tests
