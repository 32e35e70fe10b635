"""Text as it stands: plain text, Markdown, source code, Rich Text Format and subtitles."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from knowledge.parsing.encoding import decode
from knowledge.parsing.lines import Line, damaged, page, skipped, start

CUES_CHARACTERS = 400
"""About this much of what is said makes a passage with a time."""
_TIME = r"(?:(\d+):)?(\d\d):(\d\d)[,.](\d{1,3})"
_CUE = re.compile(rf"\s*{_TIME} --> {_TIME}(?:\s.*)?")


def read_text(path: Path, name: str) -> Iterator[Line]:
    yield start(name)
    yield from _whole(decode(path.read_bytes()))


def read_markdown(path: Path, name: str) -> Iterator[Line]:
    text = decode(path.read_bytes())
    heading = re.search(r"^#\s+(.+)$", text[:2000], re.MULTILINE)
    yield start(heading.group(1).strip() if heading else name)
    yield from _whole(text)


def read_code(path: Path, name: str) -> Iterator[Line]:
    """Source code, its lines counted."""
    yield start(name)
    yield from _whole(decode(path.read_bytes()), counted="line")


def read_rtf(path: Path, name: str) -> Iterator[Line]:
    from striprtf.striprtf import rtf_to_text

    source = path.read_bytes().decode("latin-1")
    try:
        text = rtf_to_text(source, errors="replace")
    except (ValueError, LookupError, IndexError, TypeError) as error:
        raise damaged(name) from error
    yield start(name)
    yield from _whole(text)
    if source.count("{") - source.count("\\{") > source.count("}") - source.count("\\}"):
        yield skipped("the end of the file is missing")


def read_subtitles(path: Path, name: str) -> Iterator[Line]:
    """SubRip and WebVTT: what is said, in passages that know at which second they begin."""
    text = decode(path.read_bytes())
    yield start(name)
    said: list[str] = []
    start_s = 0.0
    for time_s, words in _cues(text):
        if said and sum(map(len, said)) > CUES_CHARACTERS:
            yield _spoken(said, start_s)
            said = []
        if not said:
            start_s = time_s
        said.append(_words(words))
    if said:
        yield _spoken(said, start_s)
    if any("-->" in line and not _CUE.fullmatch(line) for line in text.split("\n")):
        yield skipped("some lines have no readable time")


def _cues(text: str) -> Iterator[tuple[float, str]]:
    """Second and words of each; the words end at an empty line."""
    for block in re.split(r"\n[ \t]*\n", text):
        lines = block.split("\n")
        for at, line in enumerate(lines[:3]):
            if found := _CUE.fullmatch(line):
                yield _seconds(found), "\n".join(lines[at + 1 :])
                break


def _whole(text: str, counted: str = "") -> Iterator[Line]:
    yield page(text.lstrip("\ufeff"), counted=counted)
    if "\ufffd" in text:
        yield skipped("some characters could not be decoded")


def _spoken(said: list[str], start_s: float) -> Line:
    minutes, seconds = divmod(int(start_s), 60)
    place = f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return page("\n".join(filter(None, said)), place=place, start_s=start_s)


def _seconds(cue: re.Match[str]) -> float:
    hours, minutes, seconds, thousandths = cue.group(1, 2, 3, 4)
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + int(thousandths.ljust(3, "0")) / 1000


def _words(cue: str) -> str:
    """Without marks such as <i>; <v Ada> names the speaker."""
    cue = re.sub(r"<v(?:\.[^ >]*)? ([^>]+)>", r"\1: ", cue)
    return " ".join(re.sub(r"</?[a-z0-9:.]+(?: [^>]*)?>|\{\\[^}]*\}", "", cue, flags=re.IGNORECASE).split())
