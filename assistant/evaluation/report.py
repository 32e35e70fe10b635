"""The report as one HTML file that needs nothing else: no script, no request, and nothing a model said is markup in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from assistant.evaluation.plot import plot
from assistant.evaluation.recommendation import money
from assistant.evaluation.report_words import in_language
from assistant.evaluation.scores import LESS_IS_BETTER
from assistant.evaluation.shown import number, shown

TEMPLATE = Path(__file__).parents[1] / "data" / "evaluation.html"
DISAGREEMENTS = 20
EXAMPLES = 12


def render(report: Mapping[str, Any], language: str = "en") -> str:
    """HTML of what `results.as_json` gives; in French where `language` is fr."""
    main = report["main"]
    return str(
        _template().render(
            r=report,
            t=partial(in_language, language),
            language=language,
            less=main in LESS_IS_BETTER,
            plot=plot(report["setups"], main, partial(in_language, language)),
            disagreements=disagreements(report),
            examples=examples(report),
            tags=by_tag(report),
        )
    )


def disagreements(report: Mapping[str, Any], most: int = DISAGREEMENTS) -> list[Mapping[str, Any]]:
    """The rows on which setups differ most by the main score, those with the widest spread first."""

    def spread(row: Mapping[str, Any]) -> float:
        values = [value for value in _mains(row, report["main"]) if value is not None]
        return max(values) - min(values) if len(values) > 1 else 0.0

    ranked = sorted(report["rows"], key=spread, reverse=True)
    return [row for row in ranked if spread(row) > 0][:most]


def examples(report: Mapping[str, Any], most: int = EXAMPLES) -> list[Mapping[str, Any]]:
    """Rows to read, spread evenly over the data."""
    rows: Sequence[Mapping[str, Any]] = report["rows"]
    step = max(1, len(rows) // most)
    return list(rows[::step][:most])


def by_tag(report: Mapping[str, Any]) -> dict[str, dict[str, float | None]]:
    """By tag and setup the mean of the main score."""
    found: dict[str, dict[str, float | None]] = {}
    for tag in report["data"]["tags"]:
        rows = [row for row in report["rows"] if tag in row["tags"]]
        found[tag] = {}
        for setup in report["setups"]:
            values = [v for row in rows if (v := _main(row["answers"][setup["name"]], report["main"])) is not None]
            found[tag][setup["name"]] = sum(values) / len(values) if values else None
    return found


def _mains(row: Mapping[str, Any], main: str) -> list[float | None]:
    return [_main(answer, main) for answer in row["answers"].values()]


def _main(answer: Mapping[str, Any], main: str) -> float | None:
    if answer["error"]:
        return 1.0 if main in LESS_IS_BETTER else 0.0
    value = answer["scores"].get(main)
    return None if value is None else float(value)


@lru_cache(maxsize=1)
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"shown": shown, "number": number, "money": money}
    return environment.from_string(TEMPLATE.read_text("utf-8"))
