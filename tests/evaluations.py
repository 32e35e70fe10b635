"""A report as an evaluation writes it, with a hostile model in it where wanted."""

from __future__ import annotations

from typing import Any

from assistant.candidates import Candidate
from assistant.evaluation.calls import Outcome
from assistant.evaluation.dataset import Dataset, Row
from assistant.evaluation.levers import Setup, Split
from assistant.evaluation.results import Report, build_report
from assistant.evaluation.run import Judged, Plan, Results
from assistant.evaluation.scores import counted
from knowledge.documents import Passage

HOSTILE = "</pre><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7*7 }}\x00\u202e<svg onload=x>&lt;"
PASSAGE = Passage(HOSTILE, HOSTILE, HOSTILE, None, None, 1, 1, "c", "1")


def report(right: int = 10, of: int = 20, name: str = "small", hostile: str = "wrong", **more: Any) -> Report:
    rows = tuple(
        Row(f"r{n}{hostile if hostile != 'wrong' else ''}", f"What is {n}? {hostile}", str(n), tags=(hostile,))
        for n in range(of)
    )
    setups = [Setup(n, Candidate("openai:m", name=n), "zero-shot") for n in ("large", name)]
    outcomes = {}
    for n, row in enumerate(rows):
        outcomes["large", row.id] = Outcome(
            str(n), total_s=2.0, first_token_s=0.5, prompt_tokens=9, completion_tokens=2, cost=0.01
        )
        outcomes[name, row.id] = Outcome(
            str(n) if n < right else hostile, total_s=1.0, cost=None, passages=(PASSAGE,), cut=True
        )
    outcomes[name, rows[-1].id] = Outcome(error="Unreachable", message=hostile)
    scored = {(s, row.id): dict(counted(row, outcomes[s, row.id].text, ())) for s in ("large", name) for row in rows}
    plan = Plan(setups, Split(rows, ()), **more)
    judged = Judged({}, [(1.0, 1.0), (0.0, 0.0)], 5, 2, 1, [hostile]) if more else None
    dataset = Dataset(f"{hostile}.jsonl", rows, "0" * 64, (hostile,))
    calls = {"asked": 1, "known": 3, "model_s": 8.0, "wall_s": 9.0, "cap": None, "spent": 0.2, "unknown": 20}
    settings = {"levers": ["zero-shot"], "seed": 0, "k": 4, "collection": ""}
    results = Results(outcomes, judged)
    return build_report(
        "d-1", "2026-11-24T20:00:00+00:00", dataset, plan, results, scored, None, calls, settings, [hostile]
    )
