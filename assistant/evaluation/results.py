"""The report as values: what `report.json` holds, and what the page and the HTML file are made from."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from assistant.evaluation.calls import NOT_ASKED, Outcome
from assistant.evaluation.dataset import Dataset, Row
from assistant.evaluation.judge import PROMPT, agreement
from assistant.evaluation.levers import Setup
from assistant.evaluation.recommendation import Measured, Recommendation, currencies_of, recommend
from assistant.evaluation.run import Plan, Results
from assistant.evaluation.scores import LESS_IS_BETTER, SCORES, Score, main_score
from assistant.evaluation.statistics import Interval, interval, pareto
from assistant.settings import SettingsError

VERSION = 1
PASSAGE_CHARACTERS = 400


@dataclass(frozen=True)
class SetupReport:
    """One column. Latencies are medians in seconds, `cost` is that of an answer in `currency`, all None where unknown; `versus` is the
    interval of how much better the best one is, None for the best itself; `worse` None where too few rows can tell."""

    name: str
    candidate: Mapping[str, Any]
    lever: str
    rows: int
    failed: int
    errors: Mapping[str, int]
    scores: Mapping[str, Interval]
    latency_s: float | None
    first_token_s: float | None
    prompt_tokens: float | None
    completion_tokens: float | None
    cost: float | None
    cost_total: float | None
    currency: str
    pareto: bool
    versus: Interval | None
    worse: bool | None


@dataclass(frozen=True)
class Report:
    """`rows` are {"id", "question", "reference", "tags", "answers": {setup: {"text", "error", "scores", …}}}; `notes` what a reader must
    know; `judge` is None where nobody judged; `calls` is {"asked", "known", "model_s", "wall_s", "cap", "spent", "spent_in", "unknown", "currency"}: how
    many calls were made and how many known from before, the seconds that models took and that all took, and what was spent, by currency too: `spent` and
    `currency` are None where prices are in several."""

    id: str
    created: str
    data: Mapping[str, Any]
    main: str
    main_why: str
    scores: Sequence[str]
    setups: Sequence[SetupReport]
    recommendation: Recommendation
    rows: Sequence[Mapping[str, Any]]
    judge: Mapping[str, Any] | None
    calls: Mapping[str, Any]
    settings: Mapping[str, Any]
    notes: Sequence[str] = field(default_factory=tuple)
    version: int = VERSION


Scored = Mapping[tuple[str, str], Mapping[Score, float | None]]
"""By (setup, row) its scores."""


def build_report(
    name: str,
    created: str,
    dataset: Dataset,
    plan: Plan,
    results: Results,
    scored: Scored,
    main: Score | None,
    calls: Mapping[str, Any],
    settings: Mapping[str, Any],
    notes: Sequence[str],
) -> Report:
    rows = plan.split.scored
    present = [score for score in SCORES if any(score in found for found in scored.values())]
    chosen, why = (main, "it was chosen") if main else main_score(rows, present)
    if chosen not in present and any(not o.error for o in results.outcomes.values()):
        known = ", ".join(present) or "none"
        raise SettingsError(f"This data has no score {chosen}. It has: {known}.")
    measured = [_measured(setup, rows, results.outcomes, scored, chosen) for setup in plan.setups]
    recommendation, versus = recommend(measured)
    front = pareto([_point(m, len(currencies_of(measured)) < 2) for m in measured])
    setups = [
        _setup_report(setup, rows, results.outcomes, scored, present, m, on_front, versus.get(setup.name))
        for setup, m, on_front in zip(plan.setups, measured, front, strict=True)
    ]
    return Report(
        name,
        created,
        {
            "name": dataset.name,
            "sha256": dataset.sha256,
            "rows": len(dataset.rows),
            "scored": len(rows),
            "pool": len(plan.split.pool),
            "tags": dict(Counter(tag for row in rows for tag in row.tags)),
        },
        chosen,
        why,
        present,
        setups,
        recommendation,
        [_row_json(row, plan.setups, results.outcomes, scored) for row in rows],
        _judge_json(plan, results),
        calls,
        settings,
        [*notes, *_failures(setups)],
    )


def value_of(scores: Mapping[Score, float | None], score: str, outcome: Outcome) -> float | None:
    """A score of one answer, better when larger; an answer that never came is the worst one."""
    if outcome.error:
        return 0.0
    value = scores.get(score)  # type: ignore[call-overload]
    return None if value is None else 1.0 - value if score in LESS_IS_BETTER else float(value)


def _measured(
    setup: Setup, rows: Sequence[Row], outcomes: Mapping[tuple[str, str], Outcome], scored: Scored, main: str
) -> Measured:
    found = [outcomes[setup.name, row.id] for row in rows]
    values = [value_of(scored.get((setup.name, row.id), {}), main, o) for row, o in zip(rows, found, strict=True)]
    known = [value for value in values if value is not None]
    answered = [o for o in found if not o.error]
    mean = sum(known) / len(known) if known else None
    return Measured(
        setup.name,
        values,
        mean,
        _cost(answered),
        _median(o.total_s for o in answered),
        not answered,
        _currency(answered),
    )


def _point(m: Measured, by_cost: bool) -> tuple[float, ...] | None:
    if m.failed or m.mean is None or m.latency_s is None:
        return None
    return (m.mean, m.latency_s, 0.0 if not by_cost else float("inf") if m.cost is None else m.cost)


def _setup_report(
    setup: Setup,
    rows: Sequence[Row],
    outcomes: Mapping[tuple[str, str], Outcome],
    scored: Scored,
    present: Sequence[Score],
    measured: Measured,
    on_front: bool,
    versus: Any,
) -> SetupReport:
    found = [outcomes[setup.name, row.id] for row in rows]
    answered = [o for o in found if not o.error]
    costs = [o.cost for o in answered if o.cost is not None]
    scores: dict[str, Interval] = {}
    for score in present:
        values = [scored.get((setup.name, row.id), {}).get(score) for row in rows]
        known = [v for v in values if v is not None]
        if known:
            scores[score] = interval(known)
    return SetupReport(
        setup.name,
        setup.candidate.as_json(),
        setup.lever,
        len(rows),
        len(rows) - len(answered),
        dict(Counter(o.error for o in found if o.error)),
        scores,
        measured.latency_s,
        _median(o.first_token_s for o in answered),
        _mean(o.prompt_tokens for o in answered),
        _mean(o.completion_tokens for o in answered),
        measured.cost,
        sum(costs) if measured.cost is not None and len(costs) == len(answered) else None,
        measured.currency,
        on_front,
        versus.difference if versus else None,
        versus.worse if versus else None,
    )


def _row_json(
    row: Row, setups: Sequence[Setup], outcomes: Mapping[tuple[str, str], Outcome], scored: Scored
) -> dict[str, Any]:
    answers = {}
    for setup in setups:
        o = outcomes[setup.name, row.id]
        answers[setup.name] = {
            "text": o.text,
            "error": o.error,
            "message": o.message,
            "scores": dict(scored.get((setup.name, row.id), {})),
            "total_s": o.total_s,
            "cost": o.cost,
            "currency": o.currency,
            "cut": o.cut,
            "passages": [{"title": p.title, "text": p.text[:PASSAGE_CHARACTERS]} for p in o.passages],
        }
    audio = str(row.audio.name) if row.audio else None
    return {
        "id": row.id,
        "question": row.question,
        "reference": row.reference,
        "tags": list(row.tags),
        "audio": audio,
        "answers": answers,
    }


def _judge_json(plan: Plan, results: Results) -> dict[str, Any] | None:
    if plan.judge is None or results.judged is None:
        return None
    j = results.judged
    agreed = agreement([mark for mark, _ in j.marked], [verdict for _, verdict in j.marked])
    return {
        "model": plan.judge.model,
        "prompt": PROMPT if plan.judge.system is None else plan.judge.system,
        "asked": j.asked,
        "nonsense": j.nonsense,
        "failed": j.failed,
        "said": list(j.said),
        "agreement": asdict(agreed) if agreed else None,
    }


def _failures(setups: Sequence[SetupReport]) -> list[str]:
    told = []
    for setup in setups:
        if setup.failed:
            kinds = ", ".join(f"{n} {error}" for error, n in setup.errors.items() if error != NOT_ASKED)
            every = "every time" if setup.failed == setup.rows else f"{setup.failed} of {setup.rows} times"
            told.append(f"{setup.name} failed {every} ({kinds or 'not asked'}); an answer that never came scores 0.")
    return told


def as_json(report: Report) -> dict[str, Any]:
    return asdict(report)


def load_json(path: Path) -> dict[str, Any]:
    """A report that was written before. Raises: SettingsError."""
    try:
        values = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read: {error.strerror}. Name the report.json of an evaluation."
        ) from error
    except ValueError as error:
        raise SettingsError(f"{path.name} is not JSON: {error}. Name the report.json of an evaluation.") from error
    if not isinstance(values, dict) or not {"setups", "rows", "main", "recommendation"} <= values.keys():
        raise SettingsError(f"{path.name} is no report of an evaluation. Name a report.json that `evaluate` wrote.")
    if values.get("version") != VERSION:
        raise SettingsError(f"{path.name} was written by another version ({values.get('version')}). Evaluate again.")
    return values


def _cost(answered: Sequence[Outcome]) -> float | None:
    """The mean; None where that of any is unknown, or where answers known from before were paid in another currency."""
    costs = [o.cost for o in answered]
    if len({o.currency for o in answered if o.cost}) > 1:
        return None
    return _mean(costs) if costs and all(cost is not None for cost in costs) else None


def _currency(answered: Sequence[Outcome]) -> str:
    return next((o.currency for o in answered if o.cost), "USD")


def _median(values: Any) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _mean(values: Any) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
