"""Two ways of doing the same thing, measured side by side: interleaved pairs, the median of their ratios and its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PAIRS = 9
RESAMPLES = 5000


@dataclass(frozen=True)
class Ratio:
    """Ours over theirs: the median of the pairs with its 95 % bootstrap interval (Efron & Tibshirani 1993)."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.3f} [{self.low:.3f}, {self.high:.3f}]"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """Of pairs measured in turn, `ours[i]` beside `theirs[i]`."""
    ratios = np.asarray(ours) / np.asarray(theirs)
    rng = np.random.default_rng(0)
    medians = np.median(rng.choice(ratios, (RESAMPLES, len(ratios))), axis=1)
    low, high = np.percentile(medians, [2.5, 97.5])
    return Ratio(float(np.median(ratios)), float(low), float(high))


def differences(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """Like `ratio`, of the differences ours − theirs."""
    return ratio(np.asarray(ours) - np.asarray(theirs), np.ones(len(ours)))  # type: ignore[arg-type]


def verdict(name: str, value: Ratio, *, at_most: float | None = None, at_least: float | None = None) -> bool:
    """Print the figure; False only where the interval lies wholly beyond the goal."""
    beyond = (at_most is not None and value.low > at_most) or (at_least is not None and value.high < at_least)
    goal = f"at most {at_most}" if at_most is not None else f"at least {at_least}"
    print(f"{name}: {value}  goal {goal}: {'MISSED' if beyond else 'reached'}")
    return not beyond
