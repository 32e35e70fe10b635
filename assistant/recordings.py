"""A recording goes into the knowledge base as its transcript, whose passages keep their times."""

from __future__ import annotations

import asyncio
import contextlib
import re
from pathlib import Path

from assistant.engines import Engines
from assistant.settings import Settings
from knowledge.knowledge_base import Ingest, KnowledgeBase, KnowledgeError, Source, Step
from tools.context import Progress
from tools.engines.base import SpeechRequest
from tools.engines.errors import BadInput
from tools.hearing import hear, open_heard
from tools.sniff import sniff
from tools.speech_passages import index_speech

DIGEST_LETTERS = 12
TRANSCRIPT = re.compile(r"-([0-9a-f]{12})\.(?:json|part|heard\.jsonl)$")
DOCUMENT = re.compile(r"[0-9a-f]{64}\.[0-9a-f]{12}")
"""The file that says of which document, by its content, a transcript is."""


async def read_recording(settings: Settings, engines: Engines, base: KnowledgeBase, ingest: Ingest) -> Source | None:
    """Hear a recording and index what is said; None where the file is none. Broken off, it goes on where it was.

    Raises: KnowledgeError, EngineError.
    """
    if not await asyncio.to_thread(_is_recording, ingest):
        return None
    speech, options = engines.speech(), engines.answer_options()
    request = SpeechRequest(ingest.path, options.get("language"), vocabulary=options.get("vocabulary", ""))
    folder = _folder(settings)
    heard = await asyncio.to_thread(open_heard, ingest.name, request, speech.card, folder)
    if not heard.complete:
        async with contextlib.aclosing(hear(heard, speech, ingest.stop)) as outputs:
            async for output in outputs:
                if isinstance(output, Progress):
                    ingest.tell(Step(output.fraction or 0.0, f"Hearing {ingest.name}"))
    if not heard.segments:
        raise BadInput(f"No speech was heard in {ingest.name}.", "Check the recording.")
    if ingest.stop.is_set():
        raise KnowledgeError(f"Hearing {ingest.name} was stopped.", "Add it again to hear the rest.")
    source = await index_speech(base, heard, collection=ingest.collection, source=ingest.source, stop=ingest.stop)
    # Hearing it again costs nothing while its document is there.
    (folder / f"{source.sha256}.{heard.target.stem[-DIGEST_LETTERS:]}").touch()
    return source


def drop_heard(settings: Settings, base: KnowledgeBase) -> None:
    """The transcripts of documents that were taken out go, and once nothing is on its way, those that became no document."""
    left = {source.sha256 for source in base.sources()}
    made = [path for path in _folder(settings).glob("*") if DOCUMENT.fullmatch(path.name)]
    needed = {path.suffix[1:] for path in made if path.stem in left}
    for path in made:
        if path.stem not in left:
            path.unlink(missing_ok=True)
    gone = {path.suffix[1:] for path in made} - needed
    idle = all(job.state in ("done", "cancelled") for job in base.jobs())
    for path in _folder(settings).glob("*"):
        digest = found[1] if (found := TRANSCRIPT.search(path.name)) else ""
        if digest in gone or (digest and idle and digest not in needed):
            path.unlink(missing_ok=True)


def _folder(settings: Settings) -> Path:
    return settings.home / "artifacts" / "ingest"


def _is_recording(ingest: Ingest) -> bool:
    try:
        return sniff(ingest.path).kind in ("audio", "video")
    except BadInput:
        return False
