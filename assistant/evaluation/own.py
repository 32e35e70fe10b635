"""Where one person's evaluations lie: a folder in ASSISTANT_HOME whose name no other person's can be."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from assistant.evaluation.evaluate import FOLDER

PEOPLE = "people"
ID = re.compile(r"[0-9A-Za-z-]{1,64}")


def own_folder(home: Path, owner: str) -> Path:
    """Names may hold anything, so the folder is called by their digest."""
    return home / FOLDER / PEOPLE / hashlib.sha256(owner.encode()).hexdigest()[:32]


def reports_folder(home: Path, owner: str) -> Path:
    return own_folder(home, owner) / "reports"


def is_id(text: str) -> bool:
    """Whether it can be the name of a set or a run: it leads out of no folder."""
    return ID.fullmatch(text) is not None
