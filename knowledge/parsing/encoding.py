"""Text in whatever encoding it is."""

from __future__ import annotations

import codecs
import re

SAMPLE_BYTES = 200_000
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED = re.compile(rb"(?:charset|encoding)\s*=\s*[\"']?([A-Za-z0-9_-]+)")
_MULTIBYTE = re.compile(rb"[\xc2-\xf4][\x80-\xbf]{1,3}")


def decode(data: bytes) -> str:
    """`data` as text, its line ends made one kind; what fits no encoding becomes U+FFFD."""
    encoding, errors = encoding_of(data)
    return data.decode(encoding, errors).replace("\r\n", "\n").replace("\r", "\n")


def decode_markup(data: bytes) -> str:
    """As `decode`, but an encoding that the text names itself is believed where it fits and UTF-8 does not."""
    named = _DECLARED.search(data[:2000])
    if named and encoding_of(data)[0] not in ("utf-8", *(encoding for _mark, encoding in MARKS)):
        try:
            return data.decode(named.group(1).decode("ascii")).replace("\r\n", "\n").replace("\r", "\n")
        except (LookupError, UnicodeDecodeError):
            pass
    return decode(data)


def encoding_of(data: bytes) -> tuple[str, str]:
    """Encoding and error handler, as `bytes.decode` and `open` take them: by byte-order mark, as UTF-8, as UTF-16 without a
    mark, as UTF-8 with stray bytes in it, else by statistics over 200 kB."""
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return encoding, "replace"
    if (wide := unmarked_wide(data)) is not None:
        return wide, "replace"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        sample = data[max(0, error.start - 1000) : error.start + SAMPLE_BYTES]
        return _mixed(sample) or (_likeliest(sample), "replace")
    return "utf-8", "strict"


def unmarked_wide(data: bytes) -> str | None:
    """UTF-16 without a mark: every other byte of mostly Western text is zero."""
    sample = data[:2000]
    pairs = len(sample) // 2
    if pairs >= 2 and sample[1::2].count(0) > 0.6 * pairs and sample[::2].count(0) == 0:
        return "utf-16-le"
    if pairs >= 2 and sample[::2].count(0) > 0.6 * pairs and sample[1::2].count(0) == 0:
        return "utf-16-be"
    return None


def _mixed(sample: bytes) -> tuple[str, str] | None:
    """UTF-8 with some bytes of Windows-1252 in it, as files pasted together have."""
    stray = sum(byte > 127 for byte in _MULTIBYTE.sub(b"", sample))
    if len(_MULTIBYTE.findall(sample)) <= 2 * stray:
        return None
    codecs.register_error("cp1252", _as_1252)
    return "utf-8", "cp1252"


def _as_1252(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return error.object[error.start : error.end].decode("cp1252", errors="replace"), error.end


def _likeliest(sample: bytes) -> str:
    """Western European where it is as likely as any other, since it is by far the most common."""
    from charset_normalizer import from_bytes

    matches = from_bytes(sample)
    best = matches.best()
    if best is None:
        return "cp1252"
    equals = [m.encoding for m in matches if (m.chaos, m.coherence) == (best.chaos, best.coherence)]
    return "cp1252" if "cp1252" in equals else best.encoding
