"""E-mails (.eml) and mailboxes (.mbox): the headers that people read, the text, and each attachment by its own reader."""

from __future__ import annotations

import email
import email.policy
import re
import tempfile
from collections.abc import Iterator
from email.message import EmailMessage, MIMEPart
from pathlib import Path

from knowledge.parsing.lines import Line, attached, page, skipped, start
from knowledge.parsing.web import parsed, to_markdown

HEADERS = ("From", "To", "Cc", "Date")
MAX_MESSAGES = 20_000
_NEXT_MESSAGE = re.compile(rb"^From [^\n]*\n(?=[!-9;-~]+:)", re.MULTILINE)


def read_mail(path: Path, name: str) -> Iterator[Line]:
    message = _message(path.read_bytes())
    yield start(_header(message, "Subject") or name)
    yield from _read(message, "")


def read_mailbox(path: Path, name: str) -> Iterator[Line]:
    """Each message in turn, under its subject."""
    content = path.read_bytes()
    yield start(name)
    starts = [found.end() for found in _NEXT_MESSAGE.finditer(content)]
    ends = [*(found.start() for found in _NEXT_MESSAGE.finditer(content)), len(content)][1:]
    for number, (first, last) in enumerate(zip(starts, ends, strict=True), 1):
        if number > MAX_MESSAGES:
            yield skipped(f"only the first {MAX_MESSAGES:,} messages were read")
            return
        yield from _read(_message(content[first:last]), f"message {number}")


def _message(content: bytes) -> EmailMessage:
    return email.message_from_bytes(content, policy=email.policy.default)


def _read(message: EmailMessage, place: str) -> Iterator[Line]:
    subject = _header(message, "Subject")
    headers = [f"{field}: {value}" for field in HEADERS if (value := _header(message, field))]
    body = message.get_body(("plain", "html"))
    text = "" if body is None else _body(body)
    blocks = [f"# {subject}" if subject else "", "\n".join(headers), text]
    yield page("\n\n".join(filter(None, blocks)), place=place)
    with tempfile.TemporaryDirectory() as folder:
        for number, part in enumerate(_attachments(message, body), 1):
            yield from _attached(part, Path(folder) / "attached", number)


def _header(message: EmailMessage, field: str) -> str:
    """Damaged headers are read as they stand."""
    try:
        value = message.get(field, "")
    except (ValueError, IndexError, AttributeError, TypeError):
        value = next((raw for key, raw in message.raw_items() if key.lower() == field.lower()), "")
    return " ".join(str(value).split())


def _body(part: MIMEPart) -> str:
    text = _content(part)
    if part.get_content_subtype() != "html":
        return text.replace("\r\n", "\n").strip()
    tree = parsed(text)
    return "" if tree is None else to_markdown(tree)


def _content(part: MIMEPart) -> str:
    """The text of a part, also where its encoding is unknown or wrongly named."""
    from knowledge.parsing.encoding import decode

    content = part.get_payload(decode=True)
    charset = part.get_content_charset()
    if not isinstance(content, bytes):
        return ""
    try:
        return content.decode(charset or "utf-8")
    except (LookupError, UnicodeDecodeError):
        return decode(content)


def _attachments(message: MIMEPart, body: MIMEPart | None) -> Iterator[MIMEPart]:
    """Every part that is neither the body nor another wording of it."""
    if message.get_content_type() == "message/rfc822":
        return
    for part in message.iter_parts() if message.is_multipart() else ():
        if part is body or (
            part.get_content_type().startswith("text/") and not part.is_attachment() and not part.get_filename()
        ):
            if part is not body and message.get_content_subtype() != "alternative":
                yield part
        elif part.get_content_maintype() == "multipart":
            yield from _attachments(part, body)
        else:
            yield part


def _attached(part: MIMEPart, target: Path, number: int) -> Iterator[Line]:
    name = Path(part.get_filename() or "").name
    if part.get_content_type() == "message/rfc822":
        inner = part.get_payload(0) if part.is_multipart() else None
        if not isinstance(inner, EmailMessage):
            yield skipped(f"attachment {number} is a damaged message")
            return
        name = name or f"{_header(inner, 'Subject') or f'attachment {number}'}.eml"
        target.write_bytes(inner.as_bytes())
    else:
        content = part.get_payload(decode=True)
        name = name or f"attachment {number}"
        if not isinstance(content, bytes) or not content:
            yield skipped(f"the attachment {name} is empty or damaged")
            return
        target.write_bytes(content)
    yield attached(name, target)
