"""Documents as one archive to take away: each one's text, its file where it is kept, and a list in JSON."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from assistant.document_view import blocks_of
from knowledge.knowledge_base import Passage, Source

LONGEST_NAME = 100


@dataclass(frozen=True)
class Exported:
    """A document with its passages in order, and its file or None."""

    source: Source
    passages: Sequence[Passage]
    file: Path | None


def write_archive(documents: Sequence[Exported]) -> Path:
    """A zip file that the caller deletes. Raises: OSError."""
    with NamedTemporaryFile(suffix=".zip", delete=False) as out:
        path = Path(out.name)
    try:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            listed = [_put(archive, number, document) for number, document in enumerate(documents, 1)]
            archive.writestr("documents.json", json.dumps(listed, ensure_ascii=False, indent=1))
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def _put(archive: zipfile.ZipFile, number: int, document: Exported) -> dict[str, Any]:
    name = f"{number:05d} {safe_name(document.source.source)}"
    archive.writestr(f"text/{name}.md", _text(document))
    if document.file is not None:
        archive.write(document.file, f"files/{name}")
    file = f"files/{name}" if document.file else None
    return {**asdict(document.source), "text": f"text/{name}.md", "file": file}


def _text(document: Exported) -> str:
    lines, at = [f"# {document.source.title}"], None
    for block in blocks_of(document.passages):
        if block.page is not None and block.page != at:
            at = block.page
            lines.append(f"## {at}")
        lines += [f"### {block.heading}"] if block.heading else []
        lines.append(block.text)
    return "\n\n".join(lines) + "\n"


def safe_name(source: str) -> str:
    """A file name for an archive, whatever the document is called."""
    bare = Path(source.replace("\\", "/")).name or "document"
    return "".join(c if c.isalnum() or c in " .-_()" else "_" for c in bare)[-LONGEST_NAME:]
