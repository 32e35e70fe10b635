"""The plot of quality against time and cost, as SVG without a script: numbers stand for setups, the line joins the Pareto front."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from assistant.evaluation.shown import shown

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 56, 20, 20, 48
SMALLEST, LARGEST = 6.0, 16.0
TICKS = 4


def plot(setups: Sequence[Mapping[str, Any]], main: str, say: Callable[[str], str] = str) -> str:
    """An <svg> element; "" where fewer than two setups have a score and a time. A ring's area grows with the cost of an answer; a
    dashed ring is one whose cost is unknown. Costs in several currencies make no ring larger."""
    seen = [(n, s) for n, s in enumerate(setups, 1) if s["latency_s"] and _mean(s, main) is not None]
    if len(seen) < 2:
        return ""
    seconds = [math.log10(s["latency_s"]) for _, s in seen]
    marks = [_mean(s, main) or 0.0 for _, s in seen]
    x = _scale(min(seconds), max(seconds), LEFT, WIDTH - RIGHT)
    y = _scale(min(marks), max(marks), HEIGHT - BOTTOM, TOP)
    one_currency = len({s.get("currency") for _, s in seen if s["cost"]}) < 2
    dearest = max((s["cost"] or 0.0 for _, s in seen), default=0.0) if one_currency else 0.0
    across = escape(say("seconds an answer (median, logarithmic)"))
    parts = _axes(x, y, (min(seconds), max(seconds)), (min(marks), max(marks)), (across, escape(say(main))))
    front = sorted((x(math.log10(s["latency_s"])), y(_mean(s, main) or 0.0)) for _, s in seen if s["pareto"])
    if len(front) > 1:
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in front)
        parts.append(f'<polyline class="front" points="{points}"/>')
    for n, s in seen:
        parts += _ring(n, s, x(math.log10(s["latency_s"])), y(_mean(s, main) or 0.0), dearest)
    label = f"{escape(say(main))} / {across}"
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}" xmlns="http://www.w3.org/2000/svg">'
        f"{''.join(parts)}</svg>"
    )


def _ring(n: int, setup: Mapping[str, Any], x: float, y: float, dearest: float) -> list[str]:
    cost = setup["cost"]
    radius = SMALLEST + (LARGEST - SMALLEST) * math.sqrt((cost or 0.0) / dearest) if dearest else SMALLEST + 3
    kind = "point" + (" on" if setup["pareto"] else "") + (" unknown" if cost is None else "")
    return [
        f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"><title>{escape(shown(setup["name"], 160))}</title></circle>',
        f'<text class="number" x="{x:.1f}" y="{y - radius - 3:.1f}">{n}</text>',
    ]


def _axes(x: Any, y: Any, across: tuple[float, float], up: tuple[float, float], names: tuple[str, str]) -> list[str]:
    parts = [
        f'<line class="axis" x1="{LEFT}" y1="{HEIGHT - BOTTOM}" x2="{WIDTH - RIGHT}" y2="{HEIGHT - BOTTOM}"/>',
        f'<line class="axis" x1="{LEFT}" y1="{TOP}" x2="{LEFT}" y2="{HEIGHT - BOTTOM}"/>',
        f'<text class="name" x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 8}">{names[0]}</text>',
        f'<text class="name" transform="rotate(-90 14 {HEIGHT / 2:.0f})" x="14" y="{HEIGHT / 2:.0f}">{names[1]}</text>',
    ]
    for value in _steps(*across):
        parts.append(f'<text class="tick" x="{x(value):.1f}" y="{HEIGHT - BOTTOM + 16}">{10**value:.3g}</text>')
    for value in _steps(*up):
        parts.append(f'<text class="tick" x="{LEFT - 24}" y="{y(value) + 4:.1f}">{value:.2f}</text>')
    return parts


def _steps(low: float, high: float) -> list[float]:
    return [low] if low == high else [low + (high - low) * step / TICKS for step in range(TICKS + 1)]


def _scale(low: float, high: float, start: float, end: float) -> Any:
    """Values to pixels, with a margin on both sides; all in the middle where they are equal."""
    margin = 0.06 * (end - start)
    if low == high:
        return lambda _value: (start + end) / 2
    return lambda value: start + margin + (value - low) / (high - low) * (end - start - 2 * margin)


def _mean(setup: Mapping[str, Any], main: str) -> float | None:
    found = setup["scores"].get(main)
    return None if found is None else found["mean"]
