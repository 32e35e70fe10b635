"""Before anything is sent: where a turn would go and about what it would cost. Asks no model and no server, and loads no weights."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from assistant.agent import Assistant, Turn, with_command
from assistant.engines import Engines
from assistant.events import Decision
from assistant.history import TurnRecord
from assistant.meter import Tariff
from assistant.metered import sound_s
from assistant.prices import Cost, by_currency
from assistant.prompted import Wanted, filled_prompt, tool_of
from assistant.prompts import Filled
from assistant.router import PastTurn
from assistant.tool_calling import MODELS_CHOICE
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
    """What `turn` would call. A tool that is not forced is the one the router thinks of.

    Raises: BadInput (an unknown tool), SettingsError.
    """
    turn = with_command(turn)
    prompt, _ = await filled_prompt(
        assistant.prompts, Wanted(turn.text, turn.user, turn.prompt, turn.inputs, turn.profile), files=True
    )
    turn = turn if prompt is None else replace(turn, text=prompt.message)
    past = await assistant.history.turns(turn.thread) if turn.thread else []
    kinds = [a.kind for a in attachments]
    forced = turn.tool or (tool_of(prompt, bool(attachments)) if prompt else None)
    ways = _Ways(forced, (forced,)) if forced else await _ways(assistant, turn, kinds, past)
    sized = _Sized(
        turn,
        _chat_of(assistant, turn, kinds, past, _asked_tokens(prompt, turn.text)),
        int({**assistant.engines.answer_options(), **turn.options}.get("count") or 1),
        await _length_s(attachments) if "transcribe_audio" in ways.called else None,
        bool(assistant.settings.reranker.model),
    )
    models, engines = turn.models, assistant.engines
    legs = [leg_of(engines, models, *one) for tool in ways.called for one in sized.calls(tool)]
    maybe = [leg_of(engines, models, *one) for tool in ways.possible for one in sized.calls(tool)]
    more = [replace(leg, about=Cost(0.0, local=True)) for leg in maybe if leg and leg.host]
    return Estimate(ways.tool, [*filter(None, legs), *more])


@dataclass(frozen=True)
class _Ways:
    """The tool that a turn is thought to be for, the tools whose calls it will probably make, and others that a model which chooses
    the tools itself may make: of those only what leaves this machine is told, and it counts only at most."""

    tool: str
    called: Sequence[str]
    possible: Sequence[str] = ()


async def _ways(assistant: Assistant, turn: Turn, kinds: Sequence[str], past: Sequence[TurnRecord]) -> _Ways:
    """As the turn will be routed. Where the router is unsure, it asks the chat model, whatever is done then."""
    thread = [PastTurn(t.request, t.tool) for t in past]
    pictures, chooses = assistant.settings.image.enabled, assistant.engines.calls_tools(turn.models)

    async def decide(model_chooses: bool) -> Decision:
        return await assistant.router.decide(
            turn.text, kinds=kinds, thread=thread, pictures=pictures, ask=None, model_chooses=model_chooses
        )

    decided = await decide(chooses)
    own = decided.why == MODELS_CHOICE
    likely = await decide(False) if own else decided
    if likely.tool and not own:
        return _Ways(likely.tool, (likely.tool,))
    best = likely.tool or likely.runner_up or "write_text"
    called = tuple(dict.fromkeys(("write_text", best)))
    rest = [tool for tool in ("generate_image", "search_knowledge") if tool not in called] if own else []
    return _Ways(best if own else "write_text", called, [t for t in rest if pictures or t != "generate_image"])


def _chat_of(assistant: Assistant, turn: Turn, kinds: Sequence[str], past: Sequence[TurnRecord], asked: int) -> _Chat:
    said = sum(tokens_about(t.request) + tokens_about(t.answer) for t in past)
    context = assistant.settings.chat.context_tokens or 128_000
    longest = int({**assistant.engines.answer_options(), **turn.options}["max_tokens"])
    return _Chat(min(said + asked + PICTURE * kinds.count("image"), context), longest)


@dataclass(frozen=True)
class _Sized:
    """How large the calls of a turn would be. `sound_s` is None where it is not known."""

    turn: Turn
    chat: _Chat
    pictures: int
    sound_s: float | None
    reranks: bool

    def calls(self, tool: str) -> list[tuple[str, Usage, Usage]]:
        """(capability, as a rule, at most) of each."""
        text = self.turn.text
        match tool:
            case "generate_image":
                return [("image", Usage(pictures=self.pictures), Usage(pictures=self.pictures))]
            case "transcribe_audio":
                heard = ("speech", Usage(audio_s=self.sound_s), Usage(audio_s=self.sound_s))
                more = bool(text.strip()) and asks_more(text) and not asks_english(text)
                return [heard, ("chat", *self.chat.usages(PASSAGES))] if more else [heard]
            case "search_knowledge":
                question = Usage(prompt_tokens=tokens_about(text))
                found = [("embedding", question, question), ("chat", *self.chat.usages(PASSAGES))]
                return [*found, ("reranker", question, question)] if self.reranks else found
        return [("chat", *self.chat.usages(0))]


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
