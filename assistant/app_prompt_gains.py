"""What prompts bought in the last evaluation, as the page of prompts tells it. Reports are read once and remembered until they change."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from assistant.app_evaluations import NAME
from assistant.candidates import Candidate, CandidateError
from assistant.evaluation.evaluate import FOLDER
from assistant.evaluation.own import reports_folder
from assistant.evaluation.results import load_json
from assistant.evaluation.scores import LESS_IS_BETTER
from assistant.prompt_gains import Gain, gains_in
from assistant.prompt_library import PromptLibrary
from assistant.prompted import with_prompt
from assistant.prompts import Prompt
from assistant.settings import Settings, SettingsError
from tools.engines.errors import BadInput

MOST_REPORTS = 200


@dataclass(frozen=True)
class Bought:
    """`report` is the name of the report's folder, `candidate` what was asked there; `own` where the page made it for this person."""

    gain: Gain
    report: str
    candidate: Mapping[str, Any]
    own: bool


async def bought(prompts: Sequence[Prompt], library: PromptLibrary, user: str, home: Path) -> dict[str, Bought]:
    """By name, for those that were evaluated. Those of the command line know no owners: one counts only where it asked what this
    prompt says.

    Raises: HistoryError.
    """
    names = {prompt.name for prompt in prompts}
    found: dict[str, Bought] = {}
    for name, one in await asyncio.to_thread(_newest_first, home / FOLDER, reports_folder(home, user)):
        if name in names and name not in found and await _says_it(one.candidate, library, user):
            found[name] = one
    return found


async def _says_it(asked: Mapping[str, Any], library: PromptLibrary, user: str) -> bool:
    try:
        said = await with_prompt(Candidate(asked["model"], prompt=asked["prompt"]), library, user)
    except (BadInput, CandidateError):
        return False
    parts = ("system", "message", "examples")
    return {p: said.as_json().get(p) for p in parts} == {p: asked.get(p) for p in parts}


def _newest_first(every: Path, own: Path) -> list[tuple[str, Bought]]:
    named = (file for folder in (every, own) for file in folder.glob("*/report.json"))
    files = [file for file in named if NAME.fullmatch(file.parent.name)]
    dated = sorted(((changed, file) for file in files if (changed := _changed_ns(file))), reverse=True)[:MOST_REPORTS]
    found = [one for changed, file in dated for one in _of_file(file, changed, file.parent.parent == own)]
    return sorted(found, key=lambda one: one[1].gain.created, reverse=True)


def _changed_ns(file: Path) -> int:
    """0 for what was deleted meanwhile."""
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=MOST_REPORTS)
def _of_file(file: Path, _changed: int, own: bool) -> tuple[tuple[str, Bought], ...]:
    try:
        report = load_json(file)
        found = gains_in(report)
        return tuple((name, Bought(gain, file.parent.name, asked, own)) for name, asked, gain in found)
    except (SettingsError, LookupError, TypeError):  # somebody edited it
        return ()


def gain_told(one: Bought, prompt: Prompt, settings: Settings, say: Mapping[str, str]) -> dict[str, Any]:
    """{"said", "report", "good"}: `report` is its address, None for those of the command line where login is on, since they tell of
    anybody's documents; then the data is not named, either. `good` is None where the data can show no difference."""
    gain = one.gain
    open_ = one.own or not settings.login
    words = {
        "score": say.get(f"score_{gain.score}", gain.score),
        "data": say["quoted"].format(text=gain.data) if open_ else say["data"],
    }
    version = "" if gain.version == prompt.version else " " + say["of_version"].format(n=gain.version)
    report = f"/evaluations/{one.report}" if open_ else None
    if not gain.gain.excludes_zero:
        return {"said": say["gain_none"].format(**words) + version, "report": report, "good": None}
    moved = gain.gain.mean or 0.0
    sign = "+" if (moved > 0) != (gain.score in LESS_IS_BETTER) else "−"
    points = sign + f"{abs(moved) * 100:.1f}".removesuffix(".0").replace(".", say["point"])
    return {"said": say["gain"].format(points=points, **words) + version, "report": report, "good": moved > 0}
