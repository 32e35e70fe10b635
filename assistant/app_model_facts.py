"""A model's card as the page shows it: one line a fact, in the reader's language. What is not known has no line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from assistant.app_errors import in_language
from assistant.app_model_words import in_words
from assistant.measured import Known, Measured
from assistant.model_cards import Card
from assistant.price_words import price_in_words
from tools.engines.base import ModelCard
from tools.engines.catalogue import PROVIDERS
from tools.engines.filters import ANY_LANGUAGE, gives, openness_of, takes

Fact = tuple[str, str, str]
"""(label, text, address): the address is one that may be opened, or nothing."""
HUB = "https://huggingface.co/"


def facts_of(card: Card, say: Mapping[str, str], language: str) -> list[Fact]:
    """In the order in which somebody who chooses asks."""
    return [(say[f"fact_{name}"], text, address) for name, text, address in _facts(card, say, language) if text]


def _facts(card: Card, say: Mapping[str, str], language: str) -> Iterator[Fact]:
    model = card.model
    yield "task", say[f"task_{model.task}"], ""
    yield "takes", _modalities(model, say), ""
    yield "runs", say[_where(card)], ""
    yield "maker", model.maker, ""
    yield "parameters", number(model.parameters, say), ""
    yield "architecture", say[f"architecture_{model.architecture}"] if model.architecture else "", ""
    yield "context", say["tokens"].format(n=_grouped(model.context_tokens, say)) if model.context_tokens else "", ""
    yield "licence", _licence(model, say), ""
    yield "commercial", in_words(model.commercial_use, language), ""
    yield "forbids", in_words(model.forbids, language), ""
    yield "size", size(model.size_bytes, say), ""
    why = _with_comma(in_language(card.fit.why, language), say)
    yield "fits", say["fits_why"].format(fits=fits(card, say), why=why), ""
    yield "measured", _measured(card.known.measured, model.id, say), ""
    yield "price", price_in_words(card.tariff, say, "," if _is_french(say) else "."), _price_list(card)
    yield "languages", ", ".join(say["multilingual"] if code == ANY_LANGUAGE else code for code in model.languages), ""
    yield "sees", _sees(model, card.known, say) if model.task == "text" else "", ""
    yield "tools", _tools(model, card.known, say) if model.task == "text" else "", ""
    yield "limits", in_words(model.limits, language), ""
    for figure in model.benchmarks:
        told = f"{figure.name}: {_with_comma(f'{figure.score:g}', say)} {figure.unit}"
        yield "benchmarks", told, figure.source
    yield "source", model.source, _address(model)
    yield "revision", card.fetched.revision if card.fetched else model.revision or "", ""
    for name, digest in _digests(card):
        told = f"{digest} {name}".strip()
        yield "sha256", told, ""


def fits(card: Card, say: Mapping[str, str]) -> str:
    return say[{True: "fits_yes", False: "fits_no", None: "fits_unknown"}[card.fit.fits]]


def number(count: int | None, say: Mapping[str, str]) -> str:
    """A number of parameters: 1.54 B, 74 M; with a comma where the language has one."""
    if count is None:
        return ""
    text = f"{count / 1e9:.3g} B" if count >= 1e9 else f"{count / 1e6:.3g} M"
    return _with_comma(text.replace(" B", " Md") if _is_french(say) else text, say)


def size(size_bytes: int | None, say: Mapping[str, str]) -> str:
    if size_bytes is None:
        return ""
    text = f"{size_bytes / 1e9:.1f} {say['gb']}" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.0f} {say['mb']}"
    return _with_comma(text, say)


def _measured(found: Measured | None, model_id: str, say: Mapping[str, str]) -> str:
    if found is None:
        return say["not_measured"].format(id=model_id)
    memory = say["memory"].format(memory=size(found.memory_bytes, say)) if found.memory_bytes is not None else ""
    return say["measured"].format(
        speed=_with_comma(f"{found.speed:g}", say),
        unit=say.get(f"unit_{found.unit}", found.unit),
        load=_with_comma(f"{found.load_s:.1f}", say),
        memory=memory,
        device=found.device,
        date=found.date[:10],
    )


def _tools(model: ModelCard, known: Known, say: Mapping[str, str]) -> str:
    if known.tool_calls:
        told = known.tool_calls
        verdict = say["tools_works" if told.works else "tools_fails"]
        return say["tools_right"].format(date=told.date[:10], right=told.right, of=told.of) + f", {verdict}"
    return say["tools_said"].format(id=model.id) if model.calls_tools else say["tools_none"]


def _sees(model: ModelCard, known: Known, say: Mapping[str, str]) -> str:
    if known.sight:
        return say["sees_tried"].format(date=known.sight.date[:10], answer=say["yes" if known.sight.works else "no"])
    return say["sees_said"].format(id=model.id) if model.sees_images else say["no"]


def _modalities(model: ModelCard, say: Mapping[str, str]) -> str:
    before, after = (", ".join(say[f"modality_{m}"] for m in kinds) for kinds in (takes(model), gives(model)))
    return f"{before} → {after}"


def _where(card: Card) -> str:
    model = card.model
    if model.runs == "local":
        return "stays"
    if not card.tariff.host:
        return "server_here"
    at_its_maker = model.id.startswith(("openai:", "azure:")) or model.base_url
    return "leaves" if at_its_maker else "server"


def _licence(model: ModelCard, say: Mapping[str, str]) -> str:
    if model.licence in ("", "unknown"):
        return say["licence_unknown"]
    openness = openness_of(model)
    told = say[f"openness_{openness}"] if openness else ""
    return model.licence if model.licence == "proprietary" or not told else f"{model.licence} ({told})"


def _address(model: ModelCard) -> str:
    if model.source.startswith("https://"):
        return model.source
    on_hub = model.runs == "local" and model.source.count("/") == 1 and " " not in model.source
    return HUB + model.source if on_hub and PROVIDERS[model.id.partition(":")[0]].runs == "local" else ""


def _price_list(card: Card) -> str:
    price = card.tariff.price
    return price.source if price and price.source.startswith("https://") else ""


def _digests(card: Card) -> list[tuple[str, str]]:
    if card.fetched:
        return list(card.fetched.sha256.items())
    return [("", card.model.sha256)] if card.model.sha256 else []


def _grouped(count: int, say: Mapping[str, str]) -> str:
    return f"{count:,}".replace(",", "\u202f" if _is_french(say) else ",")


def _with_comma(text: str, say: Mapping[str, str]) -> str:
    return text.replace(".", ",") if _is_french(say) else text


def _is_french(say: Mapping[str, str]) -> bool:
    return say["locale"].startswith("fr")
