"""The commands that evaluate: a data set of one's own, the routing to tools, and what changed between two reports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assistant.agent import Turn
from assistant.bootstrap import build_assistant
from assistant.candidates import Candidate, parse_candidate, read_candidates
from assistant.cli_output import DONE, FAILED, MISTAKE, CallerError, Meter, note, print_json, print_table, print_text
from assistant.comparing_text import retriever
from assistant.engines import Engines
from assistant.evaluation import routing as built_in
from assistant.evaluation.carry_out import carry_out, only_some, task_of, with_levers
from assistant.evaluation.compare_reports import compare_reports
from assistant.evaluation.dataset import DatasetError, read_dataset
from assistant.evaluation.evaluate import FOLDER, Wish
from assistant.evaluation.levers import LEVERS, Lever
from assistant.evaluation.recommendation import money
from assistant.evaluation.results import Report, as_json, load_json
from assistant.evaluation.run import Special
from assistant.evaluation.scores import Score
from assistant.evaluation.shown import number
from assistant.settings import Settings
from knowledge.knowledge_base import KnowledgeBase


@dataclass(frozen=True)
class Options:
    """What the commands that evaluate have in common, as the person wrote it."""

    candidates: Sequence[str]
    levers: Sequence[str]
    collection: str
    judge: str | None
    by: Score | None
    cap: float | None
    k: int
    seed: int
    parallel: int
    constrained: bool
    unreviewed: bool
    output: Path | None
    json: bool
    rows: int | None = None


async def data(settings: Settings, file: Path, examples: Path | None, options: Options) -> int:
    """Raises: SettingsError, CallerError, EngineError."""
    try:
        dataset = read_dataset(file, unreviewed=options.unreviewed)
        pool = read_dataset(examples, unreviewed=options.unreviewed) if examples else None
    except DatasetError as error:
        for problem in error.problems:
            note(problem)
        return MISTAKE
    dataset = only_some(dataset, options.rows, options.seed)
    candidates = _candidates(settings, options.candidates, task_of(dataset))
    judge = parse_candidate(options.judge, settings.endpoints) if options.judge else None
    wish = Wish(
        dataset,
        candidates,
        _levers(options.levers),
        pool,
        options.collection,
        judge,
        options.by,
        options.cap,
        options.k,
        options.seed,
        options.parallel,
        options.constrained,
    )
    return await _run(settings, with_levers(wish), options)


async def routing(settings: Settings, rows: int | None, options: Options) -> int:
    """Raises: SettingsError, EngineError."""
    levers: list[Lever] = _levers(options.levers) or ["zero-shot"]
    if set(levers) & {"context", "retrieval"}:
        raise CallerError("Routing is compared by zero-shot, one-shot and few-shot.")
    candidates = [built_in.as_router(c) for c in _candidates(settings, options.candidates, "text")]
    wish = built_in.wish_of(candidates, levers, rows, options.seed)
    wish = replace(wish, cap=options.cap, k=options.k, parallel=options.parallel)
    return await _run(settings, wish, options, built_in.specials)


async def _run(
    settings: Settings, wish: Wish, options: Options, specials: Callable[[Engines], dict[str, Special]] | None = None
) -> int:
    assistant = build_assistant(settings)
    meter = Meter()
    reads = wish.collection or any(candidate.retrieval for candidate in wish.candidates)
    try:
        retrieve = None
        if reads:
            base = assistant.knowledge()
            _check_collections(base, [wish.collection, *(c.retrieval or "" for c in wish.candidates)])
            retrieve = retriever(base)
        folder = options.output or settings.home / FOLDER
        written = await carry_out(
            assistant, wish, Turn("").user, folder, retrieve=retrieve, specials=specials, progress=meter.show
        )
    finally:
        meter.clear()
        await assistant.close()
    _show(written.report, written.html, written.file, options.json)
    return DONE if written.report.recommendation.setup else FAILED


def _check_collections(base: KnowledgeBase, wanted: Sequence[str]) -> None:
    """Raises: CallerError for one that holds nothing."""
    known = sorted({source.collection for source in base.sources()})
    for collection in filter(None, wanted):
        if collection not in known:
            raise CallerError(f"There is no collection {collection}. There are: {', '.join(known) or 'none yet'}.")


def _levers(names: Sequence[str]) -> list[Lever]:
    """Each once, in their usual order. Raises: CallerError."""
    wanted = [name.strip() for names_ in names for name in names_.split(",")]
    if unknown := [name for name in wanted if name not in LEVERS]:
        raise CallerError(f"There is no lever {unknown[0]!r}. There are: {', '.join(LEVERS)}.")
    return [lever for lever in LEVERS if lever in wanted]


def _candidates(settings: Settings, specs: Sequence[str], task: Any) -> list[Candidate]:
    table = settings.speech if task == "speech" else settings.chat
    return read_candidates(specs or [table.model], settings.endpoints, task)


def _show(report: Report, html: Path, file: Path, json_lines: bool) -> None:
    if json_lines:
        values = as_json(report)
        print_json({"report": str(html), "json": str(file), **{k: v for k, v in values.items() if k != "rows"}})
        return
    head = ("#", "setup", report.main, "95 %", "seconds", "cost", "failed")
    rows = []
    for n, s in enumerate(report.setups, 1):
        i = s.scores.get(report.main)
        between = f"{number(i.low)}-{number(i.high)}" if i and i.low is not None else ""
        take = " *" if s.name == report.recommendation.setup else ""
        mean = number(i.mean) if i else "—"
        cells = (
            f"{n}{take}",
            s.name,
            mean,
            between,
            number(s.latency_s),
            money(s.cost, s.currency),
            str(s.failed or ""),
        )
        rows.append(cells)
    print_table([head, *rows])
    print_text(f"\n{report.recommendation.sentence}\n{html}\n")
    for text in report.notes:
        note(text)


def diff(before: Path, after: Path, json_lines: bool) -> int:
    """Raises: SettingsError where a report cannot be read, or the two are not of the same data."""
    changes = compare_reports(load_json(before), load_json(after))
    if json_lines:
        print_json(changes.as_json())
        return DONE
    print_text("\n".join(changes.in_words()) + "\n")
    return DONE
