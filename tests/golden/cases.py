"""All golden runs: importing this registers them."""

from __future__ import annotations

import importlib
from pathlib import Path

from case import CASES, Case

__all__ = ["CASES", "Case"]

for path in sorted(Path(__file__).parent.glob("of_*.py")):
    importlib.import_module(path.stem)
