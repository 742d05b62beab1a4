"""An emulator of the device: computes an original model as an Ascend device does, and writes what it would."""

from subcut.emulator.emulate import Emulated, emulate
from subcut.emulator.recorder import DumpOptions

__all__ = ["DumpOptions", "Emulated", "emulate"]
