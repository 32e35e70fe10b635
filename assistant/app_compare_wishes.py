"""What comes from the browser to be compared, and which models a person may name there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, Field

from assistant.app_choices import offered
from assistant.candidates import HOTTEST, LONGEST_SYSTEM, MOST_EXAMPLES, Candidate, CandidateError, parse_candidate
from assistant.comparing_media import check_models_alone
from assistant.engines import Engines, model_of
from assistant.settings import Settings, SettingsError
from assistant.votes import Task
from tools.engines.catalogue import PROVIDERS
from tools.engines.errors import EngineError


class Example(BaseModel):
    question: str = Field(min_length=1, max_length=20_000)
    answer: str = Field(min_length=1, max_length=20_000)


class Wished(BaseModel):
    """A candidate as the page writes it. `retrieval` shows it passages of what this person may read."""

    model: str = Field(min_length=1, max_length=300)
    system: str | None = Field(None, max_length=LONGEST_SYSTEM)
    prompt: str | None = Field(None, max_length=LONGEST_SYSTEM)
    temperature: float | None = Field(None, ge=0, le=HOTTEST)
    max_tokens: int | None = Field(None, ge=1, le=1_000_000)
    retrieval: bool = False
    examples: list[Example] = Field(default_factory=list, max_length=MOST_EXAMPLES)


def candidates_of(wished: Sequence[Wished], settings: Settings, task: Task) -> list[Candidate]:
    """Raises: CandidateError, also where two are the same."""
    tables = [w.model_dump(exclude_none=True, exclude_defaults=True) for w in wished]
    found = [parse_candidate(table, settings.endpoints, task=task) for table in tables]
    if task != "text":
        check_models_alone(found)
    for number, candidate in enumerate(found):
        if candidate in found[:number]:
            raise CandidateError(f"The candidate {candidate.name} is given twice. Take one of them out.")
    return found


def may_use(settings: Settings, model: str, capability: str) -> bool:
    """The listed models, and all of a server that whoever runs this has set up. A file of this machine only where login is off:
    then everybody who is here runs it."""
    if model == model_of(settings, capability) or model in offered(settings, capability) or not settings.login:
        return True
    name = model.partition(":")[0]
    provider = PROVIDERS.get(name)
    return name in settings.endpoints or (provider is not None and provider.key in settings.keys)


def models_offered(settings: Settings, engines: Engines, capability: str) -> list[dict[str, Any]]:
    """{"id", "set", "host", "priced"}: `host` is empty where it stays on this machine. The one that is set comes first."""
    now = model_of(settings, capability)
    ids = [*([now] if now else []), *(model for model in offered(settings, capability) if model != now)]
    rows = []
    for model in ids:
        try:
            tariff = engines.tariff(capability, {capability: model})
        except (EngineError, SettingsError):
            continue
        rows.append(
            {"id": model, "set": model == now, "host": tariff.host, "priced": tariff.free or bool(tariff.price)}
        )
    return rows
