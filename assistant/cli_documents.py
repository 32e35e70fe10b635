"""The commands of the knowledge base: ingest, sources, forget, search."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from assistant.agent import Assistant
from assistant.bootstrap import build_assistant
from assistant.cli_jobs import finished, note_failures, shown, working
from assistant.cli_output import DONE, FAILED, CallerError, note, print_json, print_table, print_text
from assistant.language_hint import language_hint
from assistant.settings import Settings
from assistant.sources import drop_kept
from knowledge.folders import files_in
from knowledge.handbook import install_handbook
from knowledge.knowledge_base import HANDBOOK, Filter, Job, KnowledgeBase, KnowledgeError, Passage, Skipped, Source
from knowledge.watch import Change, keep_in_step
from tools.transcript import short_stamp

SHOWN_CHARACTERS = 300
NAMED = 10
DEFAULT_COLLECTIONS = ("shared", HANDBOOK, "user-local")


@contextlib.asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Assistant]:
    assistant = build_assistant(settings)
    try:
        yield assistant
    finally:
        await assistant.close()


@contextlib.asynccontextmanager
async def _knowledge(settings: Settings) -> AsyncIterator[KnowledgeBase]:
    async with opened(settings) as assistant:
        yield assistant.knowledge()


async def ingest(settings: Settings, places: Sequence[str], collection: str, json_lines: bool) -> int:
    """Read files, folders and archives in, and hear recordings; one that fails does not stop the others. Where the
    page is open, its process does the work. Returns the exit status."""
    for place in places:
        _check_place(place)
    status = DONE
    paths = [Path(place).expanduser().absolute() for place in places]
    async with _knowledge(settings) as knowledge, working(knowledge):
        jobs = knowledge.enqueue(paths, collection=collection, names=list(map(str, paths)))
        batches = [job.id for job in jobs]
        async for job in finished(knowledge, batches):
            status = max(status, _print_job(knowledge, job, json_lines))
        for path in paths:
            _note_gone(knowledge, path, collection)
        if hint := await language_hint(settings, knowledge, [collection]):
            note(hint)
        note_reembedding(knowledge)
    return status


async def watch(settings: Settings, place: str, collection: str, json_lines: bool) -> int:
    """Keep the documents in step with a folder until Ctrl-C, a line for every change."""
    folder = Path(place).expanduser().absolute()
    if not folder.is_dir():
        raise CallerError(f"There is no folder {place}; --watch follows one.")

    def tell(change: Change) -> None:
        if json_lines:
            print_json({"change": change.kind, "source": str(change.path), "was": change.was and str(change.was)})
        else:
            was = f" (was {shown(str(change.was))})" if change.was else ""
            print_text(f"{change.kind} {shown(str(change.path))}{was}\n")

    async with _knowledge(settings) as knowledge, working(knowledge):
        note(f"Watching {place}; Ctrl-C ends it.")
        failures = asyncio.create_task(note_failures(knowledge, collection))
        try:
            await keep_in_step(knowledge, folder, collection, tell)
        except asyncio.CancelledError:
            note("No longer watching.")
        finally:
            failures.cancel()
    return DONE


def _check_place(place: str) -> None:
    """Raises: CallerError where there is nothing to read."""
    path = Path(place).expanduser()
    if path.is_file():
        return
    if not path.is_dir():
        raise CallerError(f"There is no file or folder {place}.")
    if not files_in(path):
        raise CallerError(f"The folder {place} holds no files.")


def is_url(place: str) -> bool:
    return urlsplit(place).scheme in ("http", "https")


def _print_job(knowledge: KnowledgeBase, job: Job, json_lines: bool) -> int:
    """What became of a job, in a line or two. Returns the exit status."""
    if job.state == "done":
        if (source := knowledge.source(job.source, collection=job.collection)) is not None:
            print_source(source, json_lines)
        elif not Path(job.path).is_dir():
            note(f"{shown(job.source)}: {job.message or 'taken out again'}")
        return DONE
    why = f"{job.message} {job.remedy}".strip() or f"{job.state}."
    _print_failed(failed_source(job.source, job.collection, why), json_lines)
    return FAILED


def _note_gone(knowledge: KnowledgeBase, folder: Path, collection: str) -> None:
    """What was read from a folder before and is no longer there stays: a file may only have been moved."""
    if not folder.is_dir():
        return
    below = [Path(s.source) for s in knowledge.sources([collection]) if Path(s.source).is_relative_to(folder)]
    # Of what an archive holds the archive is the file.
    gone = [str(path) for path in below if not any(place.is_file() for place in (path, *path.parents))]
    if gone:
        more = f" and {len(gone) - NAMED:,} more" if len(gone) > NAMED else ""
        note(
            f"No longer in {shown(str(folder))}, but kept: {', '.join(map(shown, gone[:NAMED]))}{more}."
            " `assistant forget` takes them out; `ingest --watch` keeps in step by itself."
        )


def _print_failed(source: Source, json_lines: bool) -> None:
    note(f"{shown(source.source)}: {source.skipped[0].why}")
    print_source(source, json_lines)


def failed_source(place: str, collection: str, why: str) -> Source:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    name = Path(urlsplit(place).path if is_url(place) else place).name or place
    return Source(place, name, "failed", None, 0, "", now, collection, (Skipped(None, why),))


async def sources(settings: Settings, json_lines: bool) -> int:
    async with _knowledge(settings) as knowledge:
        every, tags = kept_for_good(knowledge), knowledge.all_tags()
        note_reembedding(knowledge)
    if json_lines:
        for source in every:
            theirs = tags.get((source.collection, source.source), [])
            print_json({**source_json(source), "collection": source.collection, "tags": theirs})
        return DONE
    print_table([_row(source, tags=tags.get((source.collection, source.source), [])) for source in every])
    for source in every:
        _note_skipped(source)
    return DONE


def kept_for_good(knowledge: KnowledgeBase) -> list[Source]:
    """What is in the knowledge base for good: files that were only dropped into a chat belong to their thread."""
    return [source for source in knowledge.sources() if not source.collection.startswith("thread-")]


async def forget(settings: Settings, source: str, collection: str | None, json_lines: bool) -> int:
    """Raises: CallerError when there is no such source, or several people have one of this name."""
    async with _knowledge(settings) as knowledge:
        names = {source, str(Path(source).expanduser().absolute())}
        every = kept_for_good(knowledge)
        found = [s for s in every if s.source in names and collection in (None, s.collection)]
        if not found:
            raise CallerError(f"There is no source {source}. {_suggestion(source, every)}")
        if len(places := sorted({s.collection for s in found})) > 1:
            raise CallerError(f"{source} is in {', '.join(places)}. Say which with --collection.")
        for gone in found:
            await knowledge.forget(gone.source, collection=gone.collection)
            print_source(gone, json_lines, word="forgotten")
        drop_kept(settings, knowledge, [gone.sha256 for gone in found])
    return DONE


async def forget_all(settings: Settings, collection: str | None, yes: bool, json_lines: bool) -> int:
    """Everything, or all of a collection, from text, words and vectors, and the files that were kept of it.

    Raises: CallerError when there is no such collection, or nobody said yes.
    """
    async with _knowledge(settings) as knowledge:
        every = knowledge.sources()
        chosen = [s for s in every if collection in (None, s.collection)]
        if collection is not None and not chosen:
            known = ", ".join(sorted({s.collection for s in every})) or "none yet"
            raise CallerError(f"There is no collection {collection}. There are: {known}.")
        if not yes and not _agreed(f"Forget {len(chosen)} documents{f' of {collection}' if collection else ''}?"):
            raise CallerError("Nothing was forgotten. Say yes, or add --yes.")
        collections = None if collection is None else [collection]
        await knowledge.cancel_all(collections)
        chosen = knowledge.sources(collections)
        await knowledge.forget_all(collections)
        for gone in chosen:
            print_source(gone, json_lines, word="forgotten")
        drop_kept(settings, knowledge, [gone.sha256 for gone in chosen])
    return DONE


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        return False
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


async def export(settings: Settings, folder: Path, json_lines: bool) -> int:
    """Raises: KnowledgeError."""
    async with _knowledge(settings) as knowledge:
        count = await knowledge.export(folder, kept=settings.home / "kept")
    if json_lines:
        print_json({"folder": str(folder), "documents": count})
    else:
        print_text(f"{count} documents are in {folder}.\n")
    return DONE


async def repair(settings: Settings, json_lines: bool) -> int:
    """FAILED where something is damaged that cannot be mended. Raises: KnowledgeError when another process writes."""
    async with _knowledge(settings) as knowledge:
        findings = await knowledge.repair()
    for finding in findings:
        if json_lines:
            print_json(asdict(finding))
        else:
            print_text(f"{finding.name}: {'ok' if finding.ok else 'mended'}. {finding.why}\n")
    return DONE if all(f.ok or f.name != "database" for f in findings) else FAILED


def note_reembedding(knowledge: KnowledgeBase) -> None:
    """How far documents are on their way to another embedding, where they are."""
    if found := knowledge.reembedding():
        for line in found.notices():
            note(str(line))


def _suggestion(source: str, every: Sequence[Source]) -> str:
    close = difflib.get_close_matches(source, [s.source for s in every], 1)
    return f"Did you mean {close[0]}?" if close else "`assistant sources` lists what there is."


async def search(
    settings: Settings, query: str, k: int, collection: str | None, json_lines: bool, where: Filter | None = None
) -> int:
    """Raises: CallerError when there is no such collection."""
    async with _knowledge(settings) as knowledge:
        if collection in (None, HANDBOOK):
            await _bring_handbook(knowledge)
        known = sorted({s.collection for s in knowledge.sources()})
        if collection and collection not in known:
            raise CallerError(f"There is no collection {collection}. There are: {', '.join(known) or 'none yet'}.")
        collections = [collection] if collection else DEFAULT_COLLECTIONS
        passages = await knowledge.search(query, k=k, collections=collections, where=where)
        if (reembedding := knowledge.reembedding()) and reembedding.missing:
            note(str(reembedding.notices()[-1]))
        if trouble := knowledge.trouble():
            note(str(trouble))
    for number, passage in enumerate(passages, 1):
        _print_passage(passage, number, json_lines)
    if not passages:
        note("Nothing was found.")
    return DONE


async def _bring_handbook(knowledge: KnowledgeBase) -> None:
    """The manual is searched too; where it cannot be brought up to date, the documents still are."""
    try:
        await install_handbook(knowledge)
    except KnowledgeError as error:
        note(f"The manual is not searched: {error}")


def source_json(source: Source) -> dict[str, Any]:
    values = asdict(source)
    del values["collection"]
    return values


def passage_json(passage: Passage) -> dict[str, Any]:
    return {name: getattr(passage, name) for name in ("text", "source", "title", "page", "start_s", "score")}


def print_source(source: Source, json_lines: bool, word: str = "") -> None:
    if json_lines:
        print_json(source_json(source))
        return
    print_table([_row(source, word)])
    _note_skipped(source)


def _row(source: Source, word: str = "", tags: Sequence[str] = ()) -> tuple[str, ...]:
    marked = " ".join([source.source, *(f"#{tag}" for tag in tags)])
    return (word or source.state, f"{source.chunks} chunks", source.collection, marked)


def _note_skipped(source: Source) -> None:
    for skipped in source.skipped if source.state != "failed" else ():
        note(f"{source.source}{f', page {skipped.page}' if skipped.page else ''}: {skipped.why}")


def _print_passage(passage: Passage, number: int, json_lines: bool) -> None:
    if json_lines:
        print_json(passage_json(passage))
        return
    page = f", page {passage.page}" if passage.page else ""
    page = page or (f", {short_stamp(passage.start_s)}" if passage.start_s is not None else "")
    text = " ".join(passage.text.split())
    cut = text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS].rstrip() + "…"
    print_text(f"{number}. {passage.title or passage.source}{page} ({passage.score:.2f})\n   {cut}\n")
