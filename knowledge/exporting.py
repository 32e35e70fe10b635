"""Writes everything out in plain forms: documents and their text as JSON Lines, and the files that were kept."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

from knowledge.database import Database
from knowledge.documents import KnowledgeError


def export(database: Database, folder: Path, kept: Path | None) -> int:
    """Write `sources.jsonl`, a document a line, `passages.jsonl`, a passage a line in the documents' order, and `files/`.
    Returns how many documents there are.

    Raises: KnowledgeError when the folder holds something already or cannot be written.
    """
    try:
        if folder.exists() and any(folder.iterdir()):
            raise KnowledgeError(f"The folder {folder} is not empty.", "Name a new one.")
        folder.mkdir(parents=True, exist_ok=True)
        return _write(database, folder, kept)
    except OSError as error:
        raise KnowledgeError(
            f"{error.filename or folder} cannot be written: {error.strerror}.",
            "Free some space or name another folder.",
        ) from error


def _write(database: Database, folder: Path, kept: Path | None) -> int:
    sources = [source for source in database.sources() if source.state in ("indexed", "partial")]
    with (folder / "sources.jsonl").open("w", encoding="utf-8") as file:
        for source in sources:
            file.write(json.dumps(asdict(source), ensure_ascii=False) + "\n")
    with (folder / "passages.jsonl").open("w", encoding="utf-8") as file:
        for source in sources:
            for chunk in database.read_source(source.collection, source.source):
                values = {name: getattr(chunk, name) for name in _PASSAGE}
                file.write(json.dumps(values, ensure_ascii=False) + "\n")
    contents = {source.sha256 for source in sources}
    files = [path for path in kept.glob("*") if path.stem in contents] if kept else []
    if files:
        (folder / "files").mkdir()
    for path in files:
        shutil.copyfile(path, folder / "files" / path.name)
    return len(sources)


_PASSAGE = ("source", "collection", "page", "place", "start_s", "offset", "text")
