"""What the weights of a model of this machine are: their files' sha256, so that a receipt names them and a replay notices others.

Hashes are kept in ASSISTANT_HOME by path, size and time of change, so that a large file is read once.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from pathlib import Path
from typing import Any

from tools.engines.starter import STARTERS
from tools.engines.weights import starter_of, weight_files

KEPT = "fingerprints.json"
BLOCK = 1 << 20
log = logging.getLogger(__name__)


def fingerprint(model_id: str, home: Path, *, verify: bool = False) -> dict[str, Any]:
    """{"sha256", "files"} of the weights of `provider:model`; empty where they are not on this machine. What a starter's files held
    was checked when they were put in place, so they are read again only to `verify`. Plain and slow: for worker threads."""
    starter = starter_of(model_id)
    if starter and not verify:
        hashes = {file.name: file.sha256 for file in STARTERS[starter].files}
    else:
        paths = weight_files(model_id, home / "models")
        known = _read(home / KEPT)
        before = dict(known)
        hashes = {path.name: _sha256_of(path, known) for path in paths}
        if known != before:
            _write(home / KEPT, known)
    if not hashes:
        return {}
    if len(hashes) == 1:
        return {"sha256": next(iter(hashes.values())), "files": list(hashes)}
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(hashes.items()))
    return {"sha256": hashlib.sha256(lines.encode()).hexdigest(), "files": sorted(hashes)}


def _sha256_of(path: Path, known: dict[str, Any]) -> str:
    found = path.stat()
    stamp = [found.st_size, found.st_mtime_ns]
    kept = known.get(str(path))
    if isinstance(kept, dict) and kept.get("stamp") == stamp:
        return str(kept["sha256"])
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    known[str(path)] = {"stamp": stamp, "sha256": digest.hexdigest()}
    return digest.hexdigest()


def _read(path: Path) -> dict[str, Any]:
    try:
        kept = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _write(path: Path, known: dict[str, Any]) -> None:
    """What cannot be kept is counted again next time."""
    aside = path.with_suffix(".new")
    try:
        aside.write_text(json.dumps(known, indent=1), "utf-8")
        aside.replace(path)
    except OSError as error:
        log.info("fingerprints are not kept: %s", error)
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
