"""The files of a folder. Hidden ones are left out, and linked folders, which may lead round in a circle or elsewhere."""

from __future__ import annotations

import os
from pathlib import Path


def files_in(folder: Path) -> list[Path]:
    """All files below a folder, in order."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(place) / name for name in sorted(names) if not name.startswith(".")]
    return [path for path in found if path.is_file()]
