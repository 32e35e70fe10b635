"""An evaluation from its wish to its report: what is asked, checked beforehand, run, scored and written."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from assistant.answers import Price, Retrieve
from assistant.candidates import Candidate
from assistant.engines import Engines
from assistant.evaluation.budget import Budget
from assistant.evaluation.cache import Cache
from assistant.evaluation.calls import CAPPED, FIRST_PRICED, Calls, is_local
from assistant.evaluation.dataset import Dataset
from assistant.evaluation.levers import EXAMPLES, Lever, Split, check_examples, setups_of, split
from assistant.evaluation.recommendation import money
from assistant.evaluation.report import render
from assistant.evaluation.results import Report, as_json, build_report
from assistant.evaluation.run import PARALLEL, OnProgress, Plan, Run, Special
from assistant.evaluation.scores import Score
from assistant.evaluation.scoring import score_all
from assistant.history import new_id
from assistant.prices import Cost
from assistant.settings import Settings, SettingsError
from tools.engines.base import Usage
from tools.engines.errors import EngineError

FOLDER = "evaluations"
SIMILARITY_BY = "onnx:all-MiniLM-L6-v2"


@dataclass(frozen=True)
class Wish:
    """What a person wants evaluated. `pool` are rows for examples in place of a share of `dataset`; `cap` is in the currency of the prices; `by` the
    score that decides, None to let the data say; `collection` is what the lever retrieval searches."""

    dataset: Dataset
    candidates: Sequence[Candidate]
    levers: Sequence[Lever]
    pool: Dataset | None = None
    collection: str = ""
    judge: Candidate | None = None
    by: Score | None = None
    cap: float | None = None
    k: int = EXAMPLES
    seed: int = 0
    parallel: int = PARALLEL
    constrained: bool = False
    special: Mapping[str, Special] = field(default_factory=dict)


async def evaluate(
    settings: Settings,
    engines: Engines,
    wish: Wish,
    *,
    retrieve: Retrieve | None = None,
    price: Price | None = None,
    progress: OnProgress = lambda _text, _fraction: None,
    open_budget: Callable[[float | None, Price], Budget] = Budget,
) -> Report:
    """`price` stands in for the prices that are known of each model. Raises: SettingsError (also DatasetError and CandidateError) for a wish that cannot be met, EngineError (the embedding)."""
    started = time.monotonic()
    found = await asyncio.to_thread(split, wish.dataset, wish.levers, wish.pool, wish.seed)
    await asyncio.to_thread(check_examples, wish.candidates, found.scored)
    price = prices_of(engines, price)
    currency = check_prices(wish, price)
    plan = Plan(
        setups_of(wish.candidates, wish.levers, wish.collection),
        found,
        wish.judge,
        wish.k,
        wish.parallel,
        wish.constrained,
        wish.special,
    )
    embedder = partial(engines.embedding, SIMILARITY_BY)
    with closing(Cache(settings.home / FOLDER)) as cache:
        budget = open_budget(wish.cap, price)
        calls = Calls(engines, cache, budget, price)
        results = await Run(plan, calls, embedder, retrieve, progress).work()
        scored = await score_all(found.scored, results, embedder)
    now = datetime.now(UTC)
    return await asyncio.to_thread(
        build_report,
        f"{_slug(wish.dataset.name)}-{now:%Y%m%d-%H%M%S}-{new_id()[-4:].lower()}",
        now.isoformat(timespec="seconds"),
        wish.dataset,
        plan,
        results,
        scored,
        wish.by,
        {
            "asked": calls.asked,
            "known": calls.known,
            "model_s": calls.model_s,
            "wall_s": time.monotonic() - started,
            "cap": wish.cap,
            "spent": budget.spent,
            "spent_in": dict(budget.paid),
            "unknown": budget.unknown,
            "currency": currency,
        },
        {"levers": list(wish.levers), "seed": wish.seed, "k": wish.k, "collection": wish.collection},
        [*_notes(wish, found), *([_capped(budget, currency)] if budget.reached else [])],
    )


def write_report(report: Report, folder: Path) -> tuple[Path, Path]:
    """(the HTML file, the JSON file), written whole or not at all, into a folder of the report's own. Raises: OSError."""
    own = folder / report.id
    own.mkdir(parents=True, exist_ok=True)
    values = as_json(report)
    html, data = own / "report.html", own / "report.json"
    for path, text in ((data, json.dumps(values, ensure_ascii=False, indent=1)), (html, render(values))):
        aside = path.with_suffix(".part")
        aside.write_text(text, "utf-8", errors="replace")
        aside.replace(path)
    return html, data


def prices_of(engines: Engines, price: Price | None = None) -> Price:
    """The prices that are known of each model, or `price` in their place; nothing is paid for what runs in this process."""
    return partial(_priced, price or partial(_by_tariff, engines))


def _priced(price: Price, model: str, usage: Usage) -> Cost | None:
    return Cost(0.0, local=True) if is_local(model) else price(model, usage)


def _by_tariff(engines: Engines, model: str, usage: Usage) -> Cost | None:
    try:
        return engines.tariff("chat", {"chat": model}).cost(usage)
    except (EngineError, SettingsError):
        return None


def check_prices(wish: Wish, price: Price) -> str | None:
    """The currency of all prices, None where there are several. Raises: SettingsError where a cap is set and it cannot be told
    whether it holds."""
    asked = {c.model: price(c.model, FIRST_PRICED) for c in (*wish.candidates, *([wish.judge] if wish.judge else []))}
    currencies = sorted({cost.currency for cost in asked.values() if cost and not cost.local})
    if wish.cap is not None and (unknown := [model for model, cost in asked.items() if cost is None]):
        raise SettingsError(
            f"The price of {unknown[0]} is unknown, so no spend cap can hold. Put its price into "
            "prices.toml in ASSISTANT_HOME, leave it out, or evaluate without a cap."
        )
    if wish.cap is not None and len(currencies) > 1:
        raise SettingsError(
            f"The prices are in {' and '.join(currencies)}, which cannot be added, so no spend cap can hold. Put them in one "
            "currency into prices.toml in ASSISTANT_HOME, or evaluate without a cap."
        )
    return None if len(currencies) > 1 else currencies[0] if currencies else "USD"


def _notes(wish: Wish, found: Split) -> list[str]:
    notes = []
    if wish.dataset.ignored:
        notes.append(f"Columns that were not read: {', '.join(wish.dataset.ignored)}.")
    if wish.dataset.unreviewed:
        notes.append(f"Nobody has looked at {wish.dataset.unreviewed} of the rows yet.")
    if found.pool:
        notes.append(f"Examples come from {len(found.pool)} rows that are not scored.")
    return notes


def _capped(budget: Budget, currency: str | None) -> str:
    cap, spent = money(budget.cap, currency), money(budget.spent, currency)
    return (
        f"The spend cap of {cap} stopped calls before it would have been passed; {spent} was spent. "
        f"What was not asked is counted as failed ({CAPPED}). Evaluate again with a higher cap to go on from there."
    )


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.rpartition(".")[0].lower() or name.lower()).strip("-")[:40] or "data"
