"""What a document is, told from its content. A name decides only between kinds of text: Markdown, source code, tables."""

from __future__ import annotations

import mmap
import re
from pathlib import Path, PurePath

from knowledge.parsing.encoding import SAMPLE_BYTES, decode, unmarked_wide
from knowledge.parsing.lines import CHOOSE, Unreadable, damaged
from knowledge.parsing.packed import Broken, open_zip
from knowledge.parsing.sheets import delimiter_of

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
TAIL_BYTES = 1 << 20
"""Where the list of an Office file's members stands."""
FOREIGN = (
    (b"PK", "is a damaged or empty archive", "Save it anew, or download it again."),
    (b"7z\xbc\xaf'\x1c", "is a 7-Zip archive, which is not opened", "Unpack it, or pack it as .zip."),
    (b"Rar!", "is a RAR archive, which is not opened", "Unpack it, or pack it as .zip."),
)
PICTURES = {"image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp", "image/tiff"}
COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00")
OLD_OFFICE = (
    ("EncryptedPackage", "is encrypted", "Open it, remove its password and save it."),
    ("WordDocument", "is in the old Word format", "Open it and save it as .docx or PDF."),
    ("PowerPoint Document", "is in the old PowerPoint format", "Open it and save it as .pptx or PDF."),
    ("__properties_version", "is an Outlook message", "Open it and save it as .eml or PDF."),
)
PACKED = {
    "word/document.xml": "word",
    "ppt/presentation.xml": "slides",
    "xl/workbook.xml": "sheet",
    "xl/workbook.bin": "sheet",
    "META-INF/container.xml": "book",
}
OPEN_DOCUMENT = {"text": "opendocument", "presentation": "opendocument", "spreadsheet": "sheet"}
_SUFFIXES = (
    ".bash .c .cc .cfg .cjs .clj .cpp .cs .css .dart .erl .ex .go .gradle .groovy .h .hpp .hs .ini .java .jl .js .json .jsonl "
    ".jsx .kt .less .lua .m .mjs .ml .php .pl .proto .ps1 .py .pyi .r .rb .rs .scala .scss .sh .sql .swift .tf .toml .ts .tsx "
    ".vb .vue .xml .yaml .yml .zig .zsh"
)
CODE_SUFFIXES = frozenset(_SUFFIXES.split())
_HEADER = re.compile(
    r"^(from|to|cc|subject|date|received|return-path|delivered-to|message-id|mime-version):", re.I | re.M
)
_CUE = re.compile(r"^\d+\n\d{1,2}:\d\d:\d\d[,.]\d{1,3} --> ")


def document_kind(path: Path, name: str) -> str:
    """One of the keys of READERS, told by content. Raises: Unreadable."""
    with path.open("rb") as file:
        head = file.read(SAMPLE_BYTES)
    if not head.strip(b"\x00\t\r\n\x0c \xef\xbb\xbf"):
        raise Unreadable(f"{name} is empty.", "Check that it was saved or uploaded completely.")
    if b"%PDF-" in head[:1024]:
        return "pdf"
    if head.startswith(b"PK\x03\x04"):
        return _zip_kind(path, name)
    if head.startswith(OLE):
        return _ole_kind(path, name)
    if head.startswith(COMPRESSED) or head[257:262] == b"ustar":
        return "archive"
    if head.startswith(b"{\\rtf"):
        return "rtf"
    for signature, message, remedy in FOREIGN:
        if head.startswith(signature):
            raise Unreadable(f"{name} {message}.", remedy)
    return _media_kind(head, name) or _text_kind(head, name)


def is_archive(path: Path) -> bool:
    """Whether a file holds other files, as far as a quick look tells that needs little memory whatever the file is."""
    with path.open("rb") as file:
        head = file.read(512)
        file.seek(max(0, path.stat().st_size - TAIL_BYTES))
        tail = file.read()
    if head.startswith(b"PK\x03\x04"):
        return head[30:38] != b"mimetype" and not any(member.encode() in tail for member in PACKED)
    return head.startswith(COMPRESSED) or head[257:262] == b"ustar"


def _zip_kind(path: Path, name: str) -> str:
    with open_zip(path, name) as archive:
        names = set(archive.namelist())
        kind = next((kind for member, kind in PACKED.items() if member in names), None)
        if kind is None and {"mimetype", "content.xml"} <= names:
            try:
                wanted = archive.read("mimetype")[:100].decode("ascii", "replace")
            except Broken as error:
                raise damaged(name) from error
            family = wanted.rpartition("opendocument.")[2].partition("-template")[0]
            kind = OPEN_DOCUMENT.get(family)
    return kind or "archive"


def _ole_kind(path: Path, name: str) -> str:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for stream, message, remedy in OLD_OFFICE:
            if content.find(stream.encode("utf-16-le")) >= 0:
                raise Unreadable(f"{name} {message}.", remedy)
        if any(content.find(stream.encode("utf-16-le")) >= 0 for stream in ("Workbook\0", "Book\0")):
            return "sheet"
    raise Unreadable(
        f"{name} is encrypted or in an old Office format.", "Open it, remove the password and save it as .docx or PDF."
    )


def _media_kind(head: bytes, name: str) -> str | None:
    import filetype

    found = filetype.guess(head)
    if found is None:
        return None
    if found.mime in PICTURES:
        return "picture"
    if found.mime.startswith(("audio/", "video/")):
        raise Unreadable(
            f"{name} holds {found.mime}, which is not a document.", f"`assistant transcribe` reads it. {CHOOSE}"
        )
    raise Unreadable(f"{name} holds {found.mime}, which is not a document.", CHOOSE)


def _text_kind(head: bytes, name: str) -> str:
    wide = head.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")) or unmarked_wide(head)
    controls = len(re.findall(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]", head))
    if not wide and controls > len(head) // 200:
        raise Unreadable(f"{name} holds binary data, which is not a document.", CHOOSE)
    text = decode(head).lstrip("\ufeff \t\n")
    suffix = PurePath(name).suffix.lower()
    if (kind := _marked_kind(text)) is not None:
        return kind
    if suffix in (".md", ".markdown"):
        return "markdown"
    if suffix in CODE_SUFFIXES or text.startswith("#!"):
        return "code"
    return "table" if delimiter_of(text, named=suffix in (".csv", ".tsv", ".tab")) else "text"


def _marked_kind(text: str) -> str | None:
    """Kinds of text that say themselves what they are."""
    start = re.sub(r"^(<\?xml[^>]*>|<!--.*?-->|\s)+", "", text[:5000].lower(), flags=re.DOTALL)
    if start.startswith(("<!doctype html", "<html", "<head", "<body")):
        return "web"
    if text.startswith("WEBVTT") or _CUE.match(text):
        return "subtitles"
    if text.startswith("{") and '"cell_type"' in text:
        return "notebook"
    first, _, rest = text.partition("\n")
    headers, blank, _body = (rest if first.startswith("From ") else text).partition("\n\n")
    known = {match.lower() for match in _HEADER.findall(headers)}
    plain = re.match(r"[!-9;-~]+:", headers) and all(re.match(r"[!-9;-~]+:|[ \t]", h) for h in headers.split("\n"))
    if plain and blank and "from" in known and len(known) >= 2:
        return "mailbox" if first.startswith("From ") else "mail"
    return None
