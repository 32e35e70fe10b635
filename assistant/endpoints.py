"""The servers that settings name, asked for their models: only when somebody wishes, since it opens connections."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from assistant.engines import endpoint_of
from assistant.settings import CAPABILITIES, Settings, SettingsError
from tools.engines.base import Endpoint, EngineOptions, ModelCard
from tools.engines.catalogue import split_id
from tools.engines.device import DeviceArbiter
from tools.engines.endpoint_models import Served, ask_servers, served_card
from tools.engines.hosted import OPENAI_URL

AZURE = "azure lists what it offers, not the deployments of an account: name yours yourself, as azure:<deployment>."


def configured_endpoints(settings: Settings) -> dict[str, Endpoint]:
    """Servers by provider name: the named ones, those that a capability uses, and those whose key or address is set.
    Azure is not among them: its list is not that of an account's deployments."""
    found: dict[str, Endpoint] = {}
    wanted = [*((name, None) for name in settings.endpoints), *_used(settings)]
    if "OPENAI_API_KEY" in settings.keys:
        wanted.append(("openai", None))
    if "OLLAMA_HOST" in settings.keys:
        wanted.append(("ollama", None))
    for provider, base_url in wanted:
        if provider not in found and provider != "azure":
            with contextlib.suppress(SettingsError):
                if endpoint := endpoint_of(settings, provider, base_url):
                    found[provider] = endpoint
    return found


def served_cards(settings: Settings, models: Iterable[str]) -> list[ModelCard]:
    """Cards of those of `models` that a configured server is asked for, without asking it."""
    servers = configured_endpoints(settings)
    named = [split_id(model) for model in models]
    return [
        served_card(provider, name, servers[provider].base_url or OPENAI_URL)
        for provider, name in named
        if provider in servers
    ]


async def ask_endpoints(settings: Settings) -> list[Served]:
    """What each of them serves; what is wrong with one is in its `trouble`."""
    options = EngineOptions(settings.home / "models", DeviceArbiter(), offline=settings.offline)
    answers = await ask_servers(configured_endpoints(settings), options)
    if "azure" in {provider for provider, _ in _used(settings)}:
        answers.append(Served("azure", "", trouble=AZURE))
    return answers


def _used(settings: Settings) -> list[tuple[str, str | None]]:
    tables = [getattr(settings, capability) for capability in CAPABILITIES]
    return [(split_id(table.model)[0], table.base_url) for table in tables if table.model]
