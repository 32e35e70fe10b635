"""How an answer shows a recording: a player, times that lead to it, files to download, and what to do with it next."""

from __future__ import annotations

import asyncio
import hashlib
import mimetypes
import re
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import chainlit as cl
from chainlit.context import context

from assistant.app_state import page
from assistant.app_storage import file_url, thread_folder
from tools.context import Artifact
from tools.engines.base import SURE
from tools.engines.errors import BadInput
from tools.sniff import sniff
from tools.speech_passages import speech_digest
from tools.transcript import FORMATS, Transcript, read_transcript, short_stamp, to_json
from tools.who_spoke import read_spoken

LONGEST_SHOWN = 20_000
"""Characters of a transcript that the chat shows; the whole stands on its own page."""
STAMP = re.compile(r"^\[(\d+(?::\d\d){1,2})\](?!\()", re.MULTILINE)


def seconds(stamp: str) -> int:
    """Of "1:15" or "1:02:03"."""
    total = 0
    for part in stamp.split(":"):
        total = 60 * total + int(part)
    return total


async def keep_transcript(artifact: Artifact, thread: str) -> str:
    """The address of the page on which the transcript is read and heard."""
    transcript_id, name = uuid.uuid4().hex, str(artifact.meta["name"])
    recording = Path(str(artifact.meta["recording"]))
    data = {"title": name, "where": name, "quote": "", "text": "", "source": name, "page": None, "start_s": None}
    media = await asyncio.to_thread(recording_type, recording)
    record = {**data, "file": str(recording), "mime": media, "transcript": str(artifact.path)}
    await page().store.keep_passage(transcript_id, thread, record)
    return f"/transcripts/{transcript_id}"


def kept_transcript(source_sha256: str) -> Path:
    """Where the transcript of a recording lies that was kept from a thread, by the content of its source."""
    return page().settings.home / "kept" / "transcripts" / f"{source_sha256}.json"


def keep_lines(thread: str, recording: Path, source_sha256: str) -> None:
    """Keep the lines of the transcript that the source was made of, with their speakers: its passages are longer pieces."""
    with recording.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    made = thread_folder(page().settings.home / "artifacts", thread)
    paths = [path for path in made.glob("*.json") if not path.name.endswith(".speakers.json")]
    for value in (read(path) for path in paths for read in (read_spoken, read_transcript)):
        lines = Transcript(value["language"], value["duration_s"], value["segments"])
        if speech_digest(digest, lines) == source_sha256:
            kept = kept_transcript(source_sha256)
            kept.parent.mkdir(parents=True, exist_ok=True)
            aside = kept.with_suffix(".part")
            aside.write_text(to_json(lines), encoding="utf-8")
            aside.replace(kept)
            return


async def attach_recording(message: cl.Message, artifact: Artifact, address: str) -> None:
    """The player, and the transcript in each format to download: from its page, where its speakers get their names."""
    recording, name = Path(str(artifact.meta["recording"])), str(artifact.meta["name"])
    mime = await asyncio.to_thread(recording_type, recording)
    if mime:
        player = cl.Video if mime.startswith("video/") else cl.Audio
        await attach(message, player(url="-", name=name, mime=mime), recording)
    value = await asyncio.to_thread(read_spoken, artifact.path)
    transcript = Transcript(value["language"], value["duration_s"], value["segments"])
    for ending, write in FORMATS.items():
        path = artifact.path.with_suffix(f".{ending}")
        if ending != "json":
            await asyncio.to_thread(path.write_text, write(transcript), "utf-8")
        mime = {"srt": "application/x-subrip", "vtt": "text/vtt"}.get(ending) or mimetypes.guess_type(path.name)[0]
        element = cl.File(url="-", name=f"{Path(name).stem}.{ending}", mime=mime)
        await attach(message, element, path, f"{address}/file?format={ending}")


async def attach(message: cl.Message, element: Any, path: Path, address: str = "") -> None:
    """Show a file below a message; it is kept with the thread and fetched by its own address, or by another one."""
    element.url = address or file_url(element.id)
    element.for_id = message.id
    await page().store.keep(path, element.to_dict(), context.session.thread_id)
    await element.send(for_id=message.id)


def recording_type(path: Path) -> str | None:
    """The MIME type of a recording; None for anything else."""
    try:
        found = sniff(path)
    except BadInput:
        return None
    return found.mime_type if found.kind in ("audio", "video") else None


def with_times(text: str, transcripts: Mapping[str, str]) -> str:
    """`[1:15]` before a line as a link into its recording; the page shows a line break as it is. `transcripts` are addresses by name, in the order of the text."""
    if not transcripts:
        return text
    starts = [max(0, text.find(f"**{name}**\n")) for name in transcripts]
    ends = [*starts[1:], len(text)]
    parts = zip(starts, ends, transcripts.values(), strict=True)
    return "".join(_linked(text[start:end].replace("  \n", "\n"), address) for start, end, address in parts)


def _linked(text: str, address: str) -> str:
    return STAMP.sub(lambda found: f"[\\[{found[1]}\\]]({address}#t={seconds(found[1])})", text)


def line_below(artifact: Artifact, address: str, say: Mapping[str, str]) -> str:
    """`Transcript · 12:40 · French`, a link to where it is read, and how far it was heard."""
    meta = artifact.meta
    language = language_name(meta.get("language"), say)
    parts = [str(meta["name"]), short_stamp(float(meta["duration_s"])), *([language] if language else [])]
    label = re.sub(r"([\\`*_\[\]<>#|~])", r"\\\1", " · ".join(parts))
    line = f"[{say['read_transcript']}]({address}) — {label}"
    if "stopped_s" in meta:
        at = {"at": short_stamp(float(meta["stopped_s"])), "of": short_stamp(float(meta["duration_s"]))}
        line += f"\n\n> {say['stopped_at'].format(**at)}"
    return line


def language_name(code: Any, say: Mapping[str, str]) -> str:
    return say.get(f"language_{code}", str(code)) if code else ""


def next_actions(
    transcripts: Sequence[Artifact], payload: Mapping[str, str], say: Mapping[str, str]
) -> list[cl.Action]:
    """Where the language may be a wrong guess, one click hears it in the likeliest other one; another puts it into English."""
    if len(transcripts) != 1 or not transcripts[0].meta.get("language"):
        return []
    who = _action("who-spoke", "users", say["who_spoke"], {**payload, "speakers": "yes"})
    if transcripts[0].meta.get("translated"):
        return [] if transcripts[0].meta.get("speakers") else [who]
    heard, sure = str(transcripts[0].meta["language"]), transcripts[0].meta.get("language_probability")
    here = str(getattr(context.session, "language", "en"))[:2]
    other = next(code for code in (here, "en", "fr") if code != heard)
    actions = [] if transcripts[0].meta.get("speakers") else [who]
    if heard != here or (sure is not None and float(sure) < SURE):
        label = say["hear_again"].format(language=language_name(other, say))
        actions.append(_action("hear-again", "languages", label, {**payload, "language": other}))
    if heard != "en":
        actions.append(_action("to-english", "globe", say["to_english"], {**payload, "translate": "yes"}))
    return actions


def _action(name: str, icon: str, label: str, payload: dict[str, str]) -> cl.Action:
    return cl.Action(name="hear_again", id=name, icon=icon, label=label, payload=payload)


def file_beside(passage_id: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a passage for the side panel: a PDF at its page, a recording at its second (a media fragment, W3C)."""
    url, mime = f"/passages/{passage_id}/file", data.get("mime") or "application/pdf"
    if mime == "application/pdf":
        return {"type": "pdf", "url": url, "page": data["page"]}
    return {"type": mime.partition("/")[0], "url": f"{url}#t={data.get('start_s') or 0:.1f}"}
