"""The receipt of a turn: everything that decides its answer, so that it can be made again, and what it cost."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from assistant.calls import Bill, call_json
from assistant.events import Decision
from assistant.fingerprints import fingerprint
from assistant.prices import Cost, by_currency, is_local
from assistant.prompted import prompt_json
from assistant.prompts import Filled
from assistant.tool_calling import MODELS_CHOICE
from tools.context import Artifact, Citation
from tools.engines.base import Usage
from tools.engines.catalogue import PROVIDERS

LEFT_OUT = "what was read of documents is left out"
log = logging.getLogger(__name__)


@dataclass
class Made:
    """What a turn has produced so far, and how."""

    receipt: str
    decision: Decision | None = None
    text: str = ""
    artifacts: list[Artifact] = field(default_factory=list)
    citations: list[Citation] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    """What the tools told of their calls."""
    bill: Bill = field(default_factory=Bill)
    past: Sequence[str] = ()
    """Ids of the turns that the answer knew of."""
    models: Mapping[str, str | None] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    """What the person chose for this turn."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """All options that were in force."""
    prompt: Filled | None = None
    """Of the library, as this turn used it."""


def receipt_of(made: Made, usage: Usage, *, whole: bool, weights: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """As JSON. Prompts, versions and weights stand in it only once the turn has ended (`whole`): until then it is written often."""
    receipt: dict[str, Any] = {
        "decision": vars(made.decision) if made.decision else None,
        "models": dict(made.models),
        "options": dict(made.options),
        "usage": vars(usage),
        "artifacts": [{"kind": a.kind, "path": str(a.path), "meta": dict(a.meta)} for a in made.artifacts],
        "citations": [{"n": c.n, "source": c.source, "page": c.page, "quote": c.quote} for c in made.citations],
    }
    if made.prompt:
        receipt["prompt"] = prompt_json(made.prompt)
    if whole:
        receipt |= {
            "seed": made.bill.seed,
            "settings": dict(made.settings),
            "history": list(made.past),
            "calls": [call_json(call) for call in made.bill.calls],
            "hosts": made.bill.hosts(),
            "passages": passages_of(made.citations),
            "weights": dict(weights or {}),
            "versions": versions(call.model for call in made.bill.calls),
        }
    return receipt


def without_material(tool: str | None, receipt: Mapping[str, Any]) -> dict[str, Any]:
    """As the page hands it out: without the prompts of answers from documents, of which some may have been taken back since."""
    if tool != "search_knowledge" and (receipt.get("decision") or {}).get("why") != MODELS_CHOICE:
        return dict(receipt)
    calls = [{**call, "messages": LEFT_OUT} if "messages" in call else call for call in receipt.get("calls") or ()]
    return {**receipt, **({"calls": calls} if "calls" in receipt else {})}


def passages_of(citations: Iterable[Citation]) -> list[dict[str, Any]]:
    """What the answer cites, with the sha256 of each passage's text."""
    return [
        {
            "source": c.source,
            "collection": c.passage.collection,
            "page": c.page,
            "sha256": hashlib.sha256(c.passage.text.encode(errors="replace")).hexdigest(),
        }
        for c in citations
        if c.passage
    ]


async def weights_of(bill: Bill, home: Path, *, verify: bool = False) -> dict[str, Any]:
    """Fingerprints of the local models that were called, and the exact name of hosted ones as their provider told it."""
    found: dict[str, Any] = {}
    for call in bill.calls:
        if is_local(call.model) and call.model not in found:
            try:
                found[call.model] = await asyncio.to_thread(fingerprint, call.model, home, verify=verify)
            except OSError as error:
                log.info("the weights of %s cannot be read: %s", call.model, error)
        elif call.usage.served:
            found[call.model] = {"revision": call.usage.served}
    return found


def versions(models: Iterable[str]) -> dict[str, str]:
    """Of this program, Python, the machine, and the packages that ran the models."""
    providers = [PROVIDERS.get(model.partition(":")[0]) for model in models]
    packages = sorted({p.package for p in providers if p})
    return {
        "assistant": _version("assistant"),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        **{name: _version(name.replace("_", "-")) for name in packages},
    }


def costs_of(receipt: Mapping[str, Any]) -> list[Cost]:
    """What its calls cost, in each currency; nothing where a price is unknown or all was free."""
    calls = receipt.get("calls") or ()
    return by_currency(None if call.get("cost") is None else Cost(call["cost"], call["currency"]) for call in calls)


def total(made: Made, first_token_s: float | None, total_s: float) -> Usage:
    """Tokens, seconds and cost of the whole turn; its cost is None as soon as the price of one call is not known."""
    calls = [call.usage for call in made.bill.calls if call.task == "text"]
    usage = made.usage if not calls else Usage()
    for one in calls:
        usage = added(usage, one)
    cost = made.bill.cost() if made.bill.calls or made.usage == Usage() else None
    return replace(
        usage,
        first_token_s=None if first_token_s is None else round(first_token_s, 3),
        total_s=round(total_s, 3),
        cost=cost.amount if cost else None,
        currency=cost.currency if cost else usage.currency,
    )


def added(a: Usage, b: Usage) -> Usage:
    def plus(x: float | None, y: float | None) -> Any:
        return y if x is None else x if y is None else x + y

    names = ("prompt_tokens", "completion_tokens", "cost", "cached_tokens", "audio_s", "characters", "pictures")
    sums = {name: plus(getattr(a, name), getattr(b, name)) for name in names}
    return replace(a, **sums, counted=a.counted or b.counted, served=b.served or a.served)


@cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
