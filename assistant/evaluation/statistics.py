"""What the figures can tell: intervals by the bootstrap, paired row by row, and what is measurably worse than the best.

Intervals are percentile bootstrap intervals of the mean (Efron & Tibshirani 1993, chapter 13) by scipy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 5_000
CONFIDENCE = 0.95
FEWEST_ROWS = 8
"""Fewer differences than this show nothing: even if all of them point one way, chance does so once in 128 times or oftener."""


@dataclass(frozen=True)
class Interval:
    """A mean and the interval that holds it; `low` and `high` are None where there are too few rows, `mean` where there are none."""

    mean: float | None
    low: float | None
    high: float | None
    rows: int

    @property
    def excludes_zero(self) -> bool:
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def interval(values: Sequence[float], confidence: float = CONFIDENCE, seed: int = 0) -> Interval:
    """Of the mean of `values`."""
    known = np.asarray(values, float)
    if not len(known):
        return Interval(None, None, None, 0)
    mean = float(known.mean())
    if len(known) < FEWEST_ROWS:
        return Interval(mean, None, None, len(known))
    if np.ptp(known) == 0:
        return Interval(mean, mean, mean, len(known))
    from scipy.stats import bootstrap

    found = bootstrap(
        (known,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=max(1, 2_000_000 // len(known)),
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(mean, float(found.low), float(found.high), len(known))


def paired(one: Sequence[float | None], other: Sequence[float | None], comparisons: int = 1, seed: int = 0) -> Interval:
    """Of how much better `one` is, over the rows where both have a score. The confidence grows with the number of comparisons made
    (Bonferroni), so that among many candidates chance alone makes none look worse."""
    differences = [a - b for a, b in zip(one, other, strict=True) if a is not None and b is not None]
    return interval(differences, 1 - (1 - CONFIDENCE) / max(1, comparisons), seed)


def pareto(points: Sequence[tuple[float, ...] | None]) -> list[bool]:
    """Which points no other one beats: the first number is better the larger it is, the others the smaller they are. None, where
    a figure is unknown, is on no front."""
    return [
        point is not None and not any(other is not None and _beats(other, point) for other in points)
        for point in points
    ]


def _beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    as_good = one[0] >= other[0] and all(a <= b for a, b in zip(one[1:], other[1:], strict=True))
    return as_good and one != other
