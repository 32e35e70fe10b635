"""transcribe_audio: speech in a recording or a film becomes text, and what was asked about it is answered from that text."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

from knowledge.documents import KnowledgeError
from knowledge.ranking import language_of
from tools.answer_from_speech import answer_from_speech
from tools.context import Attachment, Notice, Progress, TextDelta, ToolContext, ToolOutput
from tools.engines.base import Segment, SpeechRequest
from tools.engines.errors import EngineError
from tools.hearing import Heard, hear, open_heard
from tools.speech_passages import index_speech
from tools.speech_wishes import asks_english, asks_more, asks_who_spoke
from tools.transcript import short_stamp
from tools.who_spoke import tell_apart

TIMES_FROM_S = 30.0
"""What is shorter reads better without the time before each line."""
TOLD_EVERY_S = 0.3
log = logging.getLogger(__name__)

SPEAKER = {
    "en": "Speaker {n}",
    "fr": "Intervenant {n}",
    "de": "Sprecher {n}",
    "es": "Persona {n}",
    "it": "Persona {n}",
}
TELLING_APART = {
    "en": "Telling the voices apart",
    "fr": "Reconnaissance des voix",
    "de": "Stimmen werden unterschieden",
    "es": "Distinguiendo las voces",
    "it": "Riconoscimento delle voci",
}
NO_SPEECH = {
    "en": "No speech was heard in {name}.",
    "fr": "Aucune parole n'a été entendue dans {name}.",
    "de": "In {name} war keine Sprache zu hören.",
    "es": "No se ha oído ninguna voz en {name}.",
    "it": "In {name} non si è sentita alcuna voce.",
}
ASK_FOR_FILE = {
    "en": "Which recording? Drop an audio or video file here, or speak into the microphone.",
    "fr": "Quel enregistrement ? Déposez ici un fichier audio ou vidéo, ou parlez dans le micro.",
    "de": "Welche Aufnahme? Legen Sie hier eine Audio- oder Videodatei ab oder sprechen Sie ins Mikrofon.",
    "es": "¿Qué grabación? Suelte aquí un archivo de audio o vídeo, o hable al micrófono.",
    "it": "Quale registrazione? Trascina qui un file audio o video, oppure parla al microfono.",
}


async def transcribe_audio(context: ToolContext) -> AsyncIterator[ToolOutput]:
    """Turn the speech of the attached (else the newest) recording into text, and answer what was asked about it."""
    files = recordings(context)
    if not files:
        yield TextDelta(ASK_FOR_FILE[language_of(context.request)])
        return
    more = asks_more(context.request) and not _wants_english(context)
    heard: list[Heard] = []
    for file in files:
        if len(files) > 1 and not more:
            yield TextDelta(f"**{file.name}**\n\n")
        request = _speech_request(context, file)
        heard.append(await asyncio.to_thread(open_heard, file.name, request, context.speech().card, context.artifacts))
        async with aclosing(_transcribe(context, heard[-1], show=not more)) as outputs:
            async for output in outputs:
                yield output
    if more and any(h.segments for h in heard):
        async with aclosing(answer_from_speech(context, heard)) as outputs:
            async for output in outputs:
                yield output


def recordings(context: ToolContext) -> Sequence[Attachment]:
    """The recordings of this turn, else the newest of the thread."""
    here = [a for a in context.attachments if a.kind in ("audio", "video")]
    earlier = [a for a in context.thread_attachments if a.kind in ("audio", "video") and a.path.exists()]
    return here or earlier[-1:]


async def _transcribe(context: ToolContext, heard: Heard, *, show: bool) -> AsyncGenerator[ToolOutput, None]:
    """Hear what is not heard yet and tell what happens; `show` writes the text out, otherwise only progress does. Where the
    speakers are to be told apart, the text comes once they are."""
    known = heard.complete and any(segment.speaker for segment in heard.segments)
    apart = context.options.get("speakers") is not None or (asks_who_spoke(context.request) and not known)
    if show and not apart and heard.segments:
        yield TextDelta(_lines(heard))
    if not heard.complete:
        async with aclosing(_heard_on(context, heard)) as outputs:
            async for output in outputs:
                if not isinstance(output, Segment):
                    yield output
                elif show and not apart:
                    yield TextDelta(_line(heard, len(heard.segments) - 1))
    if apart:
        async with aclosing(_told_apart(context, heard)) as progress:
            async for told in progress:
                yield told
        if show and heard.segments:
            yield TextDelta(_lines(heard))
    for text in heard.doubts():
        yield Notice(text)
    if not heard.segments:
        yield TextDelta(NO_SPEECH[language_of(context.request)].format(name=heard.name))
    yield heard.artifact()
    if heard.segments:
        await _index(context, heard)


async def _index(context: ToolContext, heard: Heard) -> None:
    """The transcript is a document of its thread, as a dropped PDF is; without an index its words are searched."""
    try:
        await index_speech(context.knowledge(), heard, collection=context.collections[0])
    except (KnowledgeError, EngineError) as error:
        log.info("the transcript is not indexed: %s", error)


async def _heard_on(context: ToolContext, heard: Heard) -> AsyncGenerator[Segment | ToolOutput, None]:
    """Stopped or failed, what was heard so far is handed over too."""
    try:
        async with aclosing(hear(heard, context.speech(), context.stop)) as outputs:
            async for output in outputs:
                yield output
    except BaseException:
        if heard.segments:
            context.keep(heard.artifact())
        raise


async def _told_apart(context: ToolContext, heard: Heard) -> AsyncGenerator[ToolOutput, None]:
    """The segments get their speakers. Where that fails it is said, and the transcript stays as it is."""
    if not heard.segments:
        return
    language = context.options.get("page_language") or language_of(context.request)
    done = [0.0]
    task = asyncio.create_task(
        asyncio.to_thread(
            tell_apart,
            heard.target,
            heard.request.path,
            context.tell_apart,
            context.stop,
            context.options.get("speakers") or None,
            SPEAKER.get(language, SPEAKER["en"]),
            done.append,
        )
    )
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    try:
        while not task.done():
            yield Progress(done[-1], text=TELLING_APART.get(language, TELLING_APART["en"]))
            await asyncio.wait({task}, timeout=TOLD_EVERY_S)
        heard.segments = task.result().named
    except EngineError as error:
        yield Notice(str(error))
    except BaseException:
        context.keep(heard.artifact())
        raise


def _lines(heard: Heard) -> str:
    return "".join(_line(heard, n) for n in range(len(heard.segments)))


def _line(heard: Heard, n: int) -> str:
    """Segment number `n`, its time before it in a long recording, its speaker where another one spoke before."""
    segment = heard.segments[n]
    changed = segment.speaker and (n == 0 or heard.segments[n - 1].speaker != segment.speaker)
    text = f"**{segment.speaker}:** {segment.text}" if changed else segment.text
    if heard.duration_s > TIMES_FROM_S:
        return f"[{short_stamp(segment.start_s)}] {text}  \n"
    return f"  \n{text}" if n and changed else text if n == 0 else f" {text}"


def _speech_request(context: ToolContext, file: Attachment) -> SpeechRequest:
    return SpeechRequest(
        file.path,
        language=context.options.get("language"),
        translate=_wants_english(context),
        vocabulary=context.options.get("vocabulary") or "",
        word_times=True,
    )


def _wants_english(context: ToolContext) -> bool:
    return bool(context.options.get("translate")) or asks_english(context.request)
