"""Two reports of the same data: what got better, what got worse, and whether the data can tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from assistant.evaluation.recommendation import money
from assistant.evaluation.scores import LESS_IS_BETTER
from assistant.evaluation.statistics import Interval, paired
from assistant.settings import SettingsError

Setup = Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """One setup in both reports: how much better it is in the later one, row by row; seconds and cost an answer, before and
    after, with its `currency`."""

    name: str
    difference: Interval
    latency_s: tuple[float | None, float | None]
    cost: tuple[float | None, float | None]
    currency: tuple[str, str] = ("USD", "USD")

    @property
    def verdict(self) -> str:
        if self.difference.low is None:
            return "too few rows to tell"
        if not self.difference.excludes_zero:
            return "no difference that this data can show"
        return "better" if (self.difference.mean or 0.0) > 0 else "worse"


@dataclass(frozen=True)
class Changes:
    """`gone` and `new` are setups of only one of the reports; `rows` is how many rows both have."""

    main: str
    rows: int
    changes: Sequence[Change]
    gone: Sequence[str]
    new: Sequence[str]
    recommended: tuple[str, str]

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "changes": [{**asdict(c), "verdict": c.verdict} for c in self.changes]}

    def in_words(self) -> list[str]:
        lines = [f"{self.main} on {self.rows} rows that both have:"]
        for c in self.changes:
            d = c.difference
            between = "" if d.low is None else f" ({d.low:+.3f} to {d.high:+.3f})"
            seconds = " to ".join("?" if s is None else f"{s:.2f}" for s in c.latency_s)
            cost = " to ".join(money(x, unit) for x, unit in zip(c.cost, c.currency, strict=True))
            lines.append(f"  {c.name}: {d.mean or 0.0:+.3f}{between}, {c.verdict}; seconds {seconds}; cost {cost}")
        lines += [f"  only before: {name}" for name in self.gone] + [f"  only now: {name}" for name in self.new]
        before, after = (name or "nothing" for name in self.recommended)
        same = before == after
        lines.append(f"Recommended: {after}, as before." if same else f"Recommended: {after}; before it was {before}.")
        return lines


def compare_reports(before: Mapping[str, Any], after: Mapping[str, Any]) -> Changes:
    """Rows are the same where their id, question and reference are. Raises: SettingsError where none is, or the scores differ."""
    main = before["main"]
    rows_before, rows_after = _rows(before), _rows(after)
    shared = [key for key in rows_before if key in rows_after]
    if not shared:
        raise SettingsError("The two reports share no row. Compare reports of the same data set.")
    both = _same(before["setups"], after["setups"])
    changes = []
    for earlier, later in both:
        one = [_value(rows_before[key]["answers"][earlier["name"]], main) for key in shared]
        other = [_value(rows_after[key]["answers"][later["name"]], main) for key in shared]
        difference = paired(other, one, len(both))
        if difference.mean is None:
            raise SettingsError(f"The later report has no score {main}. Evaluate again with --by {main}.")
        name = max(earlier["name"], later["name"], key=len)
        pairs = ((_told(earlier, key), _told(later, key)) for key in ("latency_s", "cost", "currency"))
        changes.append(Change(name, difference, *pairs))
    gone = [setup["name"] for setup in before["setups"] if not any(setup is one for one, _ in both)]
    new = [setup["name"] for setup in after["setups"] if not any(setup is other for _, other in both)]
    recommended = (before["recommendation"]["setup"], after["recommendation"]["setup"])
    return Changes(main, len(shared), changes, gone, new, recommended)


def _rows(report: Mapping[str, Any]) -> dict[tuple[str, str, str], Mapping[str, Any]]:
    return {(row["id"], row["question"], row["reference"]): row for row in report["rows"]}


def _value(answer: Mapping[str, Any], main: str) -> float | None:
    if answer["error"]:
        return 0.0
    value = answer["scores"].get(main)
    return None if value is None else 1.0 - value if main in LESS_IS_BETTER else float(value)


def _told(setup: Setup, key: str) -> Any:
    """Of a report of before currencies were told, costs are in US dollars."""
    return {"currency": "USD", **setup}[key]


def _same(before: Sequence[Setup], after: Sequence[Setup]) -> list[tuple[Setup, Setup]]:
    """Setups of the same name in both; else of the same candidate and lever, since the lever is in the name only where there are several."""
    found: list[tuple[Setup, Setup]] = []
    for alike in (_name, _settings):
        for one in before:
            taken = [setup for pair in found for setup in pair]
            free = [other for other in after if not any(other is setup for setup in taken)]
            match = next((other for other in free if alike(other) == alike(one)), None)
            if match is not None and not any(one is setup for setup in taken):
                found.append((one, match))
    return sorted(found, key=lambda pair: before.index(pair[0]))


def _name(setup: Setup) -> Any:
    return setup["name"]


def _settings(setup: Setup) -> Any:
    return setup["lever"], setup["candidate"]
