"""What a prompt bought: the last evaluation in which a model answered the same rows with the prompt and without it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from assistant.evaluation.scores import LESS_IS_BETTER
from assistant.evaluation.shown import number
from assistant.evaluation.statistics import Interval, paired

OF_PROMPT = ("prompt", "system", "message", "examples", "name")
VERSION = re.compile(r"/?(?P<name>[^\s@]+)(?:@(?P<version>\d+))?")


@dataclass(frozen=True)
class Gain:
    """`gain` is how much better `score` was with the prompt, whatever way that score runs; `tokens` how many more the prompt took,
    both of one `model` by one `lever` in the report `report` of `data`."""

    report: str
    created: str
    data: str
    model: str
    lever: str
    score: str
    version: int
    before: float | None
    after: float | None
    gain: Interval
    tokens: float | None

    def as_json(self) -> dict[str, Any]:
        return {**vars(self), "gain": vars(self.gain)}

    def in_words(self, version: int) -> str:
        """A sentence; `version` is the one that is in the library now."""
        moved = self.gain.mean or 0.0
        if not self.gain.excludes_zero:
            told = "no difference that this data can show"
        else:
            told = f"{'better' if moved > 0 else 'worse'} by {number(abs(moved))} ({number(self.gain.low)} to {number(self.gain.high)})"
        old = "" if self.version == version else f" with version {self.version}"
        more = "" if self.tokens is None else f", for {self.tokens:+.0f} tokens a question"
        return (
            f"{self.score} {number(self.before)} → {number(self.after)}{old}: {told}{more} ({self.model}, {self.data})"
        )


def last_gain(name: str, reports: Iterable[Mapping[str, Any]]) -> Gain | None:
    """Of the first of `reports`, which come newest first, that can tell; None where none does."""
    return next((gain for report in reports for _, _, gain in gains_in(report, name)), None)


def gains_in(report: Mapping[str, Any], name: str | None = None) -> Iterator[tuple[str, Mapping[str, Any], Gain]]:
    """(name, candidate, gain) of the prompts that the report can tell of, or of one of them."""
    for one in report["setups"]:
        found = VERSION.match(str(one["candidate"].get("prompt") or ""))
        if found and name in (None, found["name"]) and (plain := _without(one, report["setups"])):
            yield found["name"], one["candidate"], _gain(int(found["version"] or 0), one, plain, report)


def _without(one: Mapping[str, Any], setups: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The setup that is the same in all but the prompt."""
    return next((o for o in setups if o["lever"] == one["lever"] and _rest(o) == _rest(one) and _bare(o)), None)


def _rest(setup: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in setup["candidate"].items() if key not in OF_PROMPT}


def _bare(setup: Mapping[str, Any]) -> bool:
    return not any(setup["candidate"].get(key) for key in OF_PROMPT if key != "name")


def _gain(version: int, one: Mapping[str, Any], plain: Mapping[str, Any], report: Mapping[str, Any]) -> Gain:
    score = report["main"]
    with_it, without = (
        [_value(row["answers"][setup["name"]], score) for row in report["rows"]] for setup in (one, plain)
    )
    tokens = (one["prompt_tokens"], plain["prompt_tokens"])
    return Gain(
        report["id"],
        report["created"],
        report["data"]["name"],
        one["candidate"]["model"],
        one["lever"],
        score,
        version,
        _mean(plain, score),
        _mean(one, score),
        paired(with_it, without),
        tokens[0] - tokens[1] if None not in tokens else None,
    )


def _value(answer: Mapping[str, Any], score: str) -> float | None:
    """Better when larger; an answer that never came is the worst one."""
    if answer["error"]:
        return 0.0
    value = answer["scores"].get(score)
    return None if value is None else 1.0 - value if score in LESS_IS_BETTER else float(value)


def _mean(setup: Mapping[str, Any], score: str) -> float | None:
    found: float | None = (setup["scores"].get(score) or {}).get("mean")
    return found
