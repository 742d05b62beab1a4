"""Finding the operator that a device gets wrong from one dump of it: what each adds itself, and what it inherits."""

from subcut.analysis.locate.dump.judging import Judged
from subcut.analysis.locate.dump.locating import Found, Settings, locate_in_dump
from subcut.analysis.locate.dump.units import Unit

__all__ = ["Found", "Judged", "Settings", "Unit", "locate_in_dump"]
