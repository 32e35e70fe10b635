"""What was heard of a recording so far, kept beside its transcript: one JSON line an item, on the disk before it is shown.

kill -9 at any moment costs at most the item that was being written: a line that is torn, or says nothing new, is left out.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tools.engines.base import Segment, SpeechInfo
from tools.transcript import segment_from, segment_json


@dataclass
class Kept:
    info: SpeechInfo | None = None
    segments: list[Segment] = field(default_factory=list)


class Journal:
    """Blocks; meant for worker threads."""

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        """`header` tells the recording, the model and the wishes; a journal with another one is begun anew."""
        self._path = path
        self._header = dict(header)

    def read(self) -> Kept:
        """What is kept; the file ends behind it afterwards."""
        kept = Kept()
        if not self._path.exists():
            return kept
        good = 0
        with self._path.open("rb") as file:
            for number, line in enumerate(file):
                if not _take(kept, line, self._header if number == 0 else None):
                    break
                good += len(line)
        if good:
            os.truncate(self._path, good)
        else:
            self.remove()
        return kept

    def append(self, item: SpeechInfo | Segment) -> None:
        row = {"info": asdict(item)} if isinstance(item, SpeechInfo) else {"segment": segment_json(item)}
        new = not self._path.exists()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            for value in (self._header, row) if new else (row,):
                file.write(json.dumps(value, ensure_ascii=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)


def _take(kept: Kept, line: bytes, header: Mapping[str, Any] | None) -> bool:
    """Add a line to what is kept; False where it is torn or of another journal."""
    if not line.endswith(b"\n"):
        return False
    try:
        row = json.loads(line)
        if header is not None:
            return bool(row == header)
        if "info" in row:
            kept.info = SpeechInfo(**row["info"])
        else:
            segment = segment_from(row["segment"])
            if not kept.segments or segment.end_s > kept.segments[-1].end_s:
                kept.segments.append(segment)
    except (ValueError, TypeError, KeyError):
        return False
    return True
