"""The commands that compare side by side: answers, transcripts, pictures, the vote, and the leaderboard."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from assistant.agent import Assistant, Turn
from assistant.bootstrap import build_assistant
from assistant.candidates import Candidate, read_candidates
from assistant.cli_compare_show import Words, standings_table
from assistant.cli_output import DONE, FAILED, CallerError, note, print_json, print_text
from assistant.comparing import FOLDER, Ask, Conclude, Event, Wish, compare, open_votes, revealed
from assistant.comparing_estimate import estimate_comparison
from assistant.comparing_media import check_models_alone, drawing, transcribing, words_compared
from assistant.comparing_text import asking, retriever
from assistant.estimate_words import estimate_json, in_words
from assistant.history import sqlite_url
from assistant.leaderboard import as_csv, as_json_lines, board_rows, rows_of
from assistant.leaderboard import leaderboard as rank
from assistant.metered import sound_s
from assistant.picture_grid import write_grid
from assistant.prompted import with_prompts
from assistant.settings import Settings
from assistant.votes import LETTERS, TASKS, Comparison, Task, VoteError, Votes
from tools.engines.base import ImageRequest
from tools.engines.picture_input import parse_size

ME = Turn("").user
EXPORTS = {".jsonl": as_json_lines, ".csv": as_csv}
GRID = "grid.png"
Finish = Callable[[Sequence[Event]], Awaitable[None]]


@dataclass(frozen=True)
class How:
    """What all comparisons have in common, as the person wrote it."""

    candidates: Sequence[str]
    blind: bool
    time_limit_s: float | None
    json: bool
    dry_run: bool = False


@dataclass(frozen=True)
class Drawn:
    """How pictures are drawn: the same for all of them. `folder` is where they go."""

    seed: int | None
    steps: int | None
    size: str | None
    folder: Path | None


async def answers(settings: Settings, question: str, how: How) -> int:
    """Raises: CandidateError, HistoryError."""
    wish = _wish(settings, "text", question, how)

    def ask(assistant: Assistant) -> Ask:
        reads = any(candidate.retrieval for candidate in wish.candidates)
        retrieve = retriever(assistant.knowledge()) if reads else None
        return asking(question, assistant.engines, retrieve)

    return await _compare(settings, wish, ask, how)


async def transcribers(
    settings: Settings, recording: Path, reference: str | None, language: str | None, how: How
) -> int:
    """`reference` is a text, or the name of a file that holds it. Raises: CallerError, CandidateError, HistoryError."""
    wish = _wish(settings, "speech", recording.name, how)
    if how.dry_run:
        return await _dry_run(settings, wish, how, await asyncio.to_thread(sound_s, recording))
    said = _text_of(reference)
    conclude = words_compared(said)
    return await _compare(settings, wish, lambda a: transcribing(recording, a.engines, language), how, conclude)


async def pictures(settings: Settings, prompt: str, drawn: Drawn, how: How) -> int:
    """One file a candidate and a grid of all. Raises: CallerError, CandidateError, HistoryError, BadInput."""
    if not settings.image.enabled:
        raise CallerError("Pictures are switched off. Set ASSISTANT_IMAGE_ENABLED=true.")
    wish = _wish(settings, "image", prompt, how)
    folder = drawn.folder or Path(f"compared-{secrets.token_hex(3)}")
    table = settings.image
    request = ImageRequest(
        prompt,
        size=parse_size(wanted) if (wanted := drawn.size or table.size) else None,
        steps=drawn.steps or table.steps,
        guidance_scale=table.guidance_scale,
        seed=secrets.randbelow(2**31) if drawn.seed is None else drawn.seed,
    )

    async def grid(events: Sequence[Event]) -> None:
        rows = events[0]["candidates"]
        files = {e["letter"]: Path(e["path"]) for e in events if e["event"] == "done"}
        if not files:
            return
        shown = [(f"{r['letter']}  {r.get('name', '')}".strip(), files.get(r["letter"])) for r in rows]
        write_grid(shown, folder / GRID)
        if how.json:
            print_json({"event": "grid", "path": str(folder / GRID), "seed": request.seed})
        else:
            print_text(f"{folder / GRID}\n")

    return await _compare(settings, wish, lambda a: drawing(request, a.engines, folder), how, finish=grid)


async def vote(settings: Settings, comparison: str, choice: str, json_lines: bool) -> int:
    """Raises: VoteError, HistoryError."""
    async with open_votes(url_of(settings)) as votes:
        await _vote(votes, comparison, choice, json_lines)
    return DONE


async def leaderboard(settings: Settings, task: Task | None, export: Path | None, json_lines: bool) -> int:
    """Raises: CallerError, HistoryError."""
    async with open_votes(url_of(settings)) as votes:
        found = await votes.of(ME, task)
    if export is not None:
        _export(found, export)
        return DONE
    boards = {name: rank([c for c in found if c.task == name]) for name in TASKS if task in (None, name)}
    for name, standings in boards.items():
        if json_lines:
            for row in board_rows(standings, name):
                print_json(row)
        elif standings:
            standings_table(name, standings)
    if not any(boards.values()):
        note("There are no votes yet. Compare with `assistant compare`, then vote.")
    return DONE


async def forget(settings: Settings, json_lines: bool) -> int:
    """All comparisons go, and pictures that were drawn for them on the page; files elsewhere stay. Raises: HistoryError."""
    async with open_votes(url_of(settings)) as votes:
        gone = await votes.forget(ME)
    drawn = {Path(o["path"]).parent for found in gone for o in found.outcomes.values() if o.get("path")}
    for folder in drawn:
        if folder.is_relative_to(settings.home / FOLDER):
            shutil.rmtree(folder, ignore_errors=True)
    if json_lines:
        print_json({"forgotten": len(gone)})
    else:
        print_text(f"{len(gone)} comparisons are deleted.\n")
    return DONE


def url_of(settings: Settings) -> str:
    return settings.database or sqlite_url(settings.home)


async def _compare(
    settings: Settings,
    wish: Wish,
    ask: Callable[[Assistant], Ask],
    how: How,
    conclude: Conclude | None = None,
    finish: Finish | None = None,
) -> int:
    """Show every event as it comes; 0 where any candidate answered."""
    if how.dry_run:
        return await _dry_run(settings, wish, how)
    assistant, seen = build_assistant(settings), list[Event]()
    wish = replace(wish, candidates=await with_prompts(wish.candidates, assistant.prompts, ME))
    show: Any = print_json if how.json else Words(how.blind)
    try:
        async with open_votes(url_of(settings)) as votes:
            events = compare(wish, ask(assistant), assistant.engines, votes, conclude)
            async with aclosing(cast(Any, events)) as running:
                async for event in running:
                    if event["event"] not in ("delta", "progress", "loading"):
                        seen.append(event)
                    show(event)
            if finish:
                await finish(seen)
            answered = [e["letter"] for e in seen if e["event"] == "done"]
            if not how.json and len(answered) > 1:
                await _ask_for_vote(votes, seen[0])
    finally:
        if isinstance(show, Words):
            show.close()
        await assistant.close()
    return DONE if answered else FAILED


async def _dry_run(settings: Settings, wish: Wish, how: How, seconds: float | None = None) -> int:
    """Where it would go and about what it would cost; nothing is sent. `seconds` is how long the recording is."""
    assistant = build_assistant(settings)
    try:
        candidates = await with_prompts(wish.candidates, assistant.prompts, ME)
        found = estimate_comparison(assistant.engines, wish.task, wish.asked, candidates, seconds)
    finally:
        await assistant.close()
    if how.json:
        print_json(estimate_json(found))
    else:
        print_text(f"{in_words(found)} — {', '.join(dict.fromkeys(leg.model for leg in found.legs))}\n")
    return DONE


async def _ask_for_vote(votes: Votes, begun: Event) -> None:
    """At once on a terminal; otherwise how it is done."""
    letters = LETTERS[: len(begun["candidates"])]
    if not sys.stdin.isatty():
        note(f"Vote with `assistant compare vote {begun['id']} {'|'.join(letters)}|tie|bad`.")
        return
    while True:
        sys.stderr.write(f"Which is the best? {', '.join(letters)}, tie, bad, or Enter to leave it: ")
        sys.stderr.flush()
        choice = sys.stdin.readline().strip()
        if not choice and not begun["blind"]:
            return
        try:
            await _vote(votes, begun["id"], choice or "none", False)
            return
        except VoteError as error:
            note(str(error))


async def _vote(votes: Votes, comparison: str, choice: str, json_lines: bool) -> None:
    found = await votes.vote(comparison, ME, choice)
    if json_lines:
        print_json(revealed(found))
        return
    show = Words(False)
    show(revealed(found))


def _wish(settings: Settings, task: Task, asked: str, how: How) -> Wish:
    """Raises: CandidateError."""
    candidates: list[Candidate] = read_candidates(how.candidates, settings.endpoints, task)
    if task != "text":
        check_models_alone(candidates)
    return Wish(task, asked, candidates, ME, how.blind, how.time_limit_s)


def _text_of(reference: str | None) -> str | None:
    """Raises: CallerError for a file that is empty or no text."""
    if reference is None:
        return None
    path = Path(reference)
    try:
        text = path.read_text("utf-8-sig") if len(reference) < 1000 and path.is_file() else reference
    except (OSError, UnicodeDecodeError) as error:
        raise CallerError(f"{reference} cannot be read: {error}. Give the text, or a text file.") from error
    if not text.strip():
        raise CallerError("The reference is empty. Give the words that are said.")
    return text


def _export(found: Sequence[Comparison], target: Path) -> None:
    """Raises: CallerError, OSError."""
    to_stdout = str(target) == "-"
    write = EXPORTS[".jsonl"] if to_stdout else EXPORTS.get(target.suffix.lower())
    if write is None:
        raise CallerError(f"{target.name} has no known ending. Use one of: {', '.join(EXPORTS)}.")
    text = write(rows_of(found))
    if to_stdout:
        print_text(text)
    else:
        target.write_text(text, "utf-8")
        note(f"{len(rows_of(found))} comparisons are in {target}.")
