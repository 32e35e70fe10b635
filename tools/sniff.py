"""What a file is, told from its content; its name is never believed."""

from __future__ import annotations

from pathlib import Path

from knowledge.parsing.encoding import unmarked_wide
from knowledge.parsing.kinds import COMPRESSED, OLE, is_archive
from tools.context import Attachment, Kind
from tools.engines.errors import BadInput

HEAD_BYTES = 8192
DOCUMENT_TYPES = {"application/pdf", "application/rtf"}
CONTAINERS = {"video/mp4", "video/webm", "video/x-matroska", "video/quicktime", "application/ogg", "audio/ogg"}


def sniff(path: Path, name: str | None = None, max_bytes: int | None = None) -> Attachment:
    """The attachment that `path` is.

    Raises: BadInput (missing, empty, too large, or of a kind that no tool reads).
    """
    name = name or path.name
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise BadInput(f"{name} cannot be read: {error.strerror}.", "Check the path and try again.") from error
    if not size:
        raise BadInput(f"{name} is empty.", "Save it again and drop it once more.")
    if max_bytes and size > max_bytes:
        raise BadInput(
            f"{name} has {size / 1e6:,.0f} MB; the limit is {max_bytes / 1e6:,.0f} MB.",
            "Split it, or raise ASSISTANT_MAX_UPLOAD_MB.",
        )
    kind, mime_type = _kind(path, head)
    if kind is None:
        raise BadInput(f"{name} is of a kind that cannot be read here ({mime_type}).", SUPPORTED)
    return Attachment(path, name, kind, mime_type)


def _kind(path: Path, head: bytes) -> tuple[Kind | None, str]:
    import filetype

    guess = filetype.guess(head)
    mime_type = guess.mime if guess else ""
    if mime_type in CONTAINERS:
        return _container(path, mime_type)
    major = mime_type.partition("/")[0]
    if major in ("audio", "image", "video"):
        return major, mime_type  # type: ignore[return-value]
    if mime_type in DOCUMENT_TYPES:
        return "document", mime_type
    if head.startswith(b"PK\x03\x04"):
        return "document", "application/zip" if is_archive(path) else mime_type or "application/octet-stream"
    if head.startswith((OLE, *COMPRESSED)) or head[257:262] == b"ustar":
        return "document", mime_type or "application/octet-stream"
    if head.startswith(b"%PDF") or b"%PDF-" in head[:1024]:
        return "document", "application/pdf"
    if mime_type == "" and _is_text(head):
        return (
            "document",
            "text/html" if b"<html" in head.lower() or b"<!doctype html" in head.lower() else "text/plain",
        )
    return None, mime_type or "unknown"


def _container(path: Path, mime_type: str) -> tuple[Kind | None, str]:
    """An MP4, WebM, Matroska or Ogg file is a video only if it holds moving pictures. Playlists, which name other files,
    are not opened."""
    import av

    from tools.engines.audio import CONTAINERS as FORMATS

    try:
        with path.open("rb") as file, av.open(file, options={"format_whitelist": FORMATS}) as container:
            if container.streams.video and not container.streams.audio:
                return "video", mime_type
            return ("video" if container.streams.video else "audio"), mime_type
    except (av.error.FFmpegError, ValueError):
        return ("audio" if mime_type.endswith("ogg") else "video"), mime_type


def _is_text(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")) or unmarked_wide(head):
        return True
    if b"\0" in head:
        return False
    control = sum(b < 9 or 13 < b < 27 or 27 < b < 32 for b in head)
    return control <= len(head) // 100


SUPPORTED = "Recordings, videos, pictures, archives and documents (PDF, Office, OpenDocument, HTML, EPUB, e-mail, text) can be read."
