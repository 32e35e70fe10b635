"""Before anything is sent: where a turn would go and about what it would cost. Asks no model and no server, and loads no weights."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from assistant.agent import Assistant, Turn, with_command
from assistant.engines import Engines
from assistant.meter import Tariff
from assistant.metered import sound_s
from assistant.prices import Cost, by_currency
from assistant.prompted import Wanted, filled_prompt, tool_of
from assistant.prompts import Filled
from assistant.router import PastTurn
from tools.context import Attachment
from tools.engines.base import Usage
from tools.engines.errors import BadInput, EngineError
from tools.prompts import SYSTEM
from tools.speech_wishes import asks_english, asks_more

BYTES_A_TOKEN = 4
"""Of English; other languages take a little more."""
USUAL_ANSWER = 300
PASSAGES = 1500
"""Tokens of the passages that a question about documents brings along, as a rule."""
PICTURE = 800
"""Tokens of an attached picture, as a rule."""
NAMES = {"openai": "OpenAI", "azure": "Azure OpenAI"}


@dataclass(frozen=True)
class Leg:
    """One model that a turn would call. `about` and `most` are None where the price is not known."""

    capability: str
    model: str
    host: str
    about: Cost | None
    most: Cost | None


@dataclass(frozen=True)
class Estimate:
    tool: str
    legs: Sequence[Leg]

    @property
    def stays(self) -> bool:
        return not any(leg.host for leg in self.legs)

    @property
    def places(self) -> list[str]:
        """Where it goes, as people call it."""
        return list(dict.fromkeys(_place(leg) for leg in self.legs if leg.host))

    def about(self) -> Cost | None:
        return _sum([leg.about for leg in self.legs])

    def most(self) -> Cost | None:
        return _sum([leg.most for leg in self.legs])

    def by_currency(self) -> list[tuple[Cost, Cost]]:
        """(about, at most) in each currency; nothing where a price is unknown."""
        most = {cost.currency: cost for cost in by_currency(leg.most for leg in self.legs)}
        about = by_currency(leg.about for leg in self.legs)
        return [(cost, most[cost.currency]) for cost in about if cost.currency in most]


async def estimate(assistant: Assistant, turn: Turn, attachments: Sequence[Attachment] = ()) -> Estimate:
    """What `turn` would call. A tool that is not forced is the one the classifier thinks of.

    Raises: BadInput (an unknown tool), SettingsError.
    """
    turn = with_command(turn)
    prompt, _ = await filled_prompt(
        assistant.prompts, Wanted(turn.text, turn.user, turn.prompt, turn.inputs, turn.profile), files=True
    )
    turn = turn if prompt is None else replace(turn, text=prompt.message)
    past = await assistant.history.turns(turn.thread) if turn.thread else []
    kinds = [a.kind for a in attachments]
    tool = turn.tool or (tool_of(prompt, bool(attachments)) if prompt else None)
    if tool is None:
        thread = [PastTurn(t.request, t.tool) for t in past]
        pictures = assistant.settings.image.enabled
        decided = await assistant.router.decide(turn.text, kinds=kinds, thread=thread, pictures=pictures, ask=None)
        tool = decided.tool or "write_text"
    options = {**assistant.engines.answer_options(), **turn.options}
    said = sum(tokens_about(t.request) + tokens_about(t.answer) for t in past)
    context = assistant.settings.chat.context_tokens or 128_000
    asked = _asked_tokens(prompt, turn.text)
    chat = _Chat(min(said + asked + PICTURE * kinds.count("image"), context), int(options["max_tokens"]))
    wanted: list[tuple[str, Usage, Usage]] = []
    match tool:
        case "generate_image":
            pictures_n = int(options.get("count") or 1)
            wanted.append(("image", Usage(pictures=pictures_n), Usage(pictures=pictures_n)))
        case "transcribe_audio":
            length = Usage(audio_s=await _length_s(attachments))
            wanted.append(("speech", length, length))
            if turn.text.strip() and asks_more(turn.text) and not asks_english(turn.text):
                wanted.append(("chat", *chat.usages(PASSAGES)))
        case "search_knowledge":
            question = Usage(prompt_tokens=tokens_about(turn.text))
            wanted += [("embedding", question, question), ("chat", *chat.usages(PASSAGES))]
            if assistant.settings.reranker.model:
                wanted.append(("reranker", question, question))
        case _:
            wanted.append(("chat", *chat.usages(0)))
    legs = [leg for one in wanted if (leg := leg_of(assistant.engines, turn.models, *one))]
    return Estimate(tool, legs)


def _asked_tokens(prompt: Filled | None, text: str) -> int:
    """Of the system prompt and the message, with what a prompt of the library makes of them."""
    if prompt is None:
        return tokens_about(SYSTEM) + tokens_about(text)
    shown = sum(tokens_about(message.content) for message in prompt.shown())
    return tokens_about(SYSTEM if prompt.system is None else prompt.system) + shown + tokens_about(prompt.message)


@dataclass(frozen=True)
class _Chat:
    prompt_tokens: int
    longest: int

    def usages(self, more: int) -> tuple[Usage, Usage]:
        about = Usage(self.prompt_tokens + more, min(USUAL_ANSWER, self.longest), counted=True)
        return about, replace(about, completion_tokens=self.longest)


def leg_of(engines: Engines, models: Mapping[str, str], capability: str, about: Usage, most: Usage) -> Leg | None:
    """None where no model is chosen for it."""
    try:
        tariff: Tariff = engines.tariff(capability, models)
    except EngineError:
        return None
    return Leg(capability, tariff.model, tariff.host, tariff.cost(about), tariff.cost(most))


async def _length_s(attachments: Sequence[Attachment]) -> float | None:
    lengths = []
    for one in attachments:
        if one.kind in ("audio", "video"):
            try:
                lengths.append(await asyncio.to_thread(sound_s, one.path))
            except BadInput:
                continue
    return sum(lengths) if lengths else None


def tokens_about(text: str) -> int:
    return len(text.encode(errors="replace")) // BYTES_A_TOKEN + 1


def _place(leg: Leg) -> str:
    provider = leg.model.partition(":")[0]
    name = NAMES.get(provider)
    return name if name and leg.host.endswith((".openai.com", ".azure.com")) else f"{provider} ({leg.host})"


def _sum(costs: Sequence[Cost | None]) -> Cost | None:
    known = [cost for cost in costs if cost]
    paid = [cost for cost in known if not cost.local]
    if len(known) < len(costs) or len({cost.currency for cost in paid}) > 1:
        return None
    return Cost(sum(c.amount for c in paid), paid[0].currency) if paid else Cost(0.0, local=True)


# In words


def sums_in_words(costs: Sequence[Cost], comma: str = ".") -> str:
    """`0.4 ct`, or with the currencies where there are several: `0.4 ct (USD) + 0.2 ct (EUR)`."""
    return " + ".join(money(cost, comma, len(costs) > 1) for cost in costs)


def money(cost: Cost, comma: str = ".", named: bool = False) -> str:
    """`0.4 ct`, `1.20 USD`; what is less than a tenth of a cent says so. `named` says of cents too what they are hundredths of."""
    of = f" ({cost.currency})" if named else ""
    if cost.currency not in ("USD", "EUR"):
        text = f"{cost.amount:.3g} {cost.currency}"
    elif cost.amount >= 1:
        text = f"{cost.amount:.2f} {cost.currency}"
    elif cost.amount and cost.amount < 0.0005:
        text = "< 0.1 ct" + of
    else:
        text = f"{cost.amount * 100:.1f} ct" + of
    return text.replace(".", comma)


def in_words(found: Estimate, say: Mapping[str, str] | None = None) -> str:
    """`stays here`, `to OpenAI, about 0.4 ct (at most 2.1 ct)`. `say` has the words of another language."""
    say = say or WORDS
    about, most, places = found.about(), found.most(), ", ".join(found.places)
    sums = found.by_currency()
    if found.stays and (about.local if about else not sums):
        return say["stays_here"]
    to = say["goes_to"].format(places=places) if places else say["stays_here"]
    if about is None and not sums:
        return f"{to}, {say['price_unknown']}"
    pairs = sums if len(sums) > 1 else [(about or sums[0][0], most or sums[0][1])]
    shown, longest = (sums_in_words([each[n] for each in pairs], say["comma"]) for n in (0, 1))
    line = f"{to}, {shown if shown.startswith('<') else say['about_cost'].format(cost=shown)}"
    return line if longest == shown else f"{line} ({say['at_most'].format(cost=longest)})"


def estimate_json(found: Estimate) -> dict[str, Any]:
    about, most = found.about(), found.most()
    legs = [
        {
            "capability": leg.capability,
            "model": leg.model,
            "host": leg.host or None,
            "cost": leg.about and leg.about.amount,
            "currency": leg.about.currency if leg.about else None,
        }
        for leg in found.legs
    ]
    return {
        "tool": found.tool,
        "stays_here": found.stays,
        "to": found.places,
        "cost": about and about.amount,
        "at_most": most and most.amount,
        "currency": about.currency if about else None,
        "calls": legs,
    }


WORDS = {
    "stays_here": "stays here",
    "goes_to": "to {places}",
    "about_cost": "about {cost}",
    "at_most": "at most {cost}",
    "price_unknown": "price unknown",
    "comma": ".",
}
