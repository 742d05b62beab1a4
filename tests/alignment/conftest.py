"""Emulated devices for the tests of this folder, one run for all of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.models import digits

from subcut.emulator.emulate import Emulated, emulate


@pytest.fixture(scope="session")
def devices(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Emulated]:
    """What a device makes of the digits network, by format."""
    folder: Path = tmp_path_factory.mktemp("devices")
    return {ending: emulate(digits(ending), folder=folder / ending) for ending in ("prototxt", "pb", "onnx")}
