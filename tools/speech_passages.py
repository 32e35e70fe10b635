"""A transcript in passages: pieces that are read, indexed and found, and the few lines of one that a citation opens at."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from knowledge.documents import Chunk, KnowledgeError, Passage, Skipped, Source
from knowledge.evidence import coverage
from knowledge.knowledge_base import IngestProgress, KnowledgeBase
from knowledge.ranking import content_words
from knowledge.splitting import estimate_tokens
from tools.engines.base import Segment
from tools.hearing import Heard
from tools.transcript import Transcript, short_stamp, to_json

PIECE_TOKENS = 100
"""About half a minute of speech: little to hear before the words that are looked for."""
SPAN_SEGMENTS = 3
CANDIDATES = 24
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Piece:
    """Whole segments of one recording that follow each other."""

    name: str
    segments: Sequence[Segment]

    @property
    def start_s(self) -> float:
        return self.segments[0].start_s

    @property
    def text(self) -> str:
        """The words, a new line with the name where another speaker begins."""
        lines: list[str] = []
        speaker = None
        for segment in self.segments:
            if segment.speaker and segment.speaker != speaker:
                speaker = segment.speaker
                lines.append(f"{speaker}: {segment.text}")
            elif lines:
                lines[-1] += f" {segment.text}"
            else:
                lines.append(segment.text)
        return "\n".join(lines)

    @property
    def place(self) -> str:
        return short_stamp(self.start_s)

    def shown(self) -> str:
        """As the model reads it."""
        return f"[{self.place}] {self.text}"


def pieces_of(heard: Heard, limit: int = PIECE_TOKENS) -> list[Piece]:
    pieces: list[list[Segment]] = []
    room = 0
    for segment in heard.segments:
        room -= (cost := estimate_tokens(segment.text))
        if not pieces or room < 0:
            pieces.append([])
            room = limit - cost
        pieces[-1].append(segment)
    return [Piece(heard.name, segments) for segments in pieces]


def spans_of(pieces: Sequence[Piece], longest: int = SPAN_SEGMENTS) -> list[Passage]:
    """Each segment alone and with those that follow it: what may bear out a sentence, and from where to hear it."""
    return [
        _passage(Piece(piece.name, piece.segments[first : first + count]))
        for count in range(1, longest + 1)
        for piece in pieces
        for first in range(len(piece.segments) - count + 1)
    ]


def _passage(piece: Piece) -> Passage:
    identity = f"{piece.name}@{piece.start_s}"
    return Passage(piece.text, piece.name, piece.name, None, piece.start_s, 0.0, 0.0, "", identity)


def speech_digest(recording_sha256: str, transcript: Transcript) -> str:
    """What names the content of a transcript in the knowledge base: another text of the same recording is another one."""
    return hashlib.sha256(f"{recording_sha256} {to_json(transcript)}".encode()).hexdigest()


async def index_speech(
    base: KnowledgeBase,
    heard: Heard,
    *,
    collection: str,
    source: str | None = None,
    progress: IngestProgress | None = None,
    stop: threading.Event | None = None,
) -> Source:
    """Make a transcript findable; its passages keep their times. Raises: KnowledgeError."""
    chunks = [Chunk(piece.text, None, piece.start_s) for piece in pieces_of(heard)]
    doubts = [Skipped(None, doubt) for doubt in heard.doubts()]
    digest = speech_digest(heard.digest, heard.transcript)
    return await base.add_chunks(
        chunks,
        source=source or heard.name,
        sha256=digest,
        collection=collection,
        skipped=doubts,
        progress=progress,
        stop=stop,
    )


async def ranked(base: KnowledgeBase, question: str, pieces: Sequence[Piece], collection: str) -> list[Piece]:
    """The pieces that fit the question, best first: by meaning and words where they are indexed, otherwise by words."""
    try:
        found = await base.search(question, k=CANDIDATES, collections=[collection])
    except KnowledgeError as error:
        log.info("the transcript is searched by its words alone: %s", error)
        found = []
    by_place = {(piece.name, piece.start_s): piece for piece in pieces}
    best = [by_place[p.source, p.start_s] for p in found if p.start_s is not None and (p.source, p.start_s) in by_place]
    if best:
        return best
    words = content_words(question)
    return sorted(pieces, key=lambda piece: coverage(words, piece.text), reverse=True)[:CANDIDATES]
