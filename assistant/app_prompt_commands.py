"""The library of prompts in the chat: its slash commands and profiles, and the inputs that stand above the message box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import chainlit as cl
from chainlit.context import context
from chainlit.types import CommandDict

from assistant.app_config import texts
from assistant.app_state import LOCAL_USER, page
from assistant.history import TurnRecord
from assistant.prompted import about_tokens
from assistant.prompts import Prompt

ASSISTANT = "assistant"
"""The profile without a prompt; only shown where there are others."""
INPUTS = "prompt_inputs"
LONGEST_INPUT = 20_000
MOST_INPUTS = 20


async def prompts_here() -> list[Prompt]:
    """What the person of this session can use, in their language."""
    session = context.session
    return await page().assistant.prompts.of(session.user.identifier, language_code(session.language))


def language_code(language: str) -> str:
    return "fr" if language.lower().startswith("fr") else "en"


def commands_of(prompts: Sequence[Prompt]) -> list[CommandDict]:
    return [
        CommandDict(
            id=prompt.name,
            description=prompt.description or prompt.title,
            icon="square-terminal",
            button=False,
            persistent=False,
            selected=False,
        )
        for prompt in prompts
    ]


async def tell_inputs(prompts: Sequence[Prompt]) -> None:
    """The browser draws the inputs of a command that is chosen."""
    with_inputs = {prompt.name: [one.as_json() for one in prompt.inputs] for prompt in prompts if prompt.inputs}
    await context.emitter.send_window_message({"type": "prompt_inputs_of", "prompts": with_inputs})


def take_inputs(request: Mapping[str, Any]) -> None:
    """What the person chose for the command in the message box. It comes from the browser: what is no text is left out."""
    given = request.get("inputs")
    inputs = given if isinstance(given, Mapping) else {}
    kept = {str(k)[:40]: v[:LONGEST_INPUT] for k, v in list(inputs.items())[:MOST_INPUTS] if isinstance(v, str)}
    cl.user_session.set(INPUTS, (str(request.get("name"))[:40], kept))


def inputs_for(name: str) -> dict[str, str]:
    kept: tuple[str, dict[str, str]] = cl.user_session.get(INPUTS) or ("", {})
    return dict(kept[1]) if kept[0] == name else {}


def prompt_of_turn(record: TurnRecord | None) -> tuple[str | None, dict[str, str]]:
    """(name, inputs) of the prompt that an earlier turn was asked by; a profile is none."""
    told = (record.receipt.get("prompt") if record else None) or {}
    return (None, {}) if not told or told["profile"] else (str(told["name"]), dict(told["inputs"]))


def profile_here() -> str | None:
    chosen = context.session.chat_profile
    return None if chosen in (None, "", ASSISTANT) else str(chosen)


async def profiles(user: cl.User | None, language: str | None) -> list[cl.ChatProfile]:
    """None at all where no prompt is offered for conversations: then there is nothing to choose."""
    say = texts(language or "en-US")
    name = user.identifier if user else LOCAL_USER
    found = [p for p in await page().assistant.prompts.of(name, language_code(language or "")) if p.profile]
    if not found:
        return []
    plain = cl.ChatProfile(
        name=ASSISTANT,
        display_name=say["profile_none"],
        markdown_description=say["profile_none_description"],
        default=True,
    )
    return [plain, *(_profile(prompt, say) for prompt in found)]


def _profile(prompt: Prompt, say: Mapping[str, str]) -> cl.ChatProfile:
    adds = added_line(prompt, say)
    return cl.ChatProfile(
        name=prompt.name,
        display_name=prompt.title,
        markdown_description=f"{prompt.description or prompt.title}\n\n{adds}",
    )


def added_line(prompt: Prompt, say: Mapping[str, str]) -> str:
    """`adds about 84 tokens to every message`."""
    count = about_tokens(prompt)
    return say["prompt_adds" if count > 0 else "prompt_adds_none"].format(name=prompt.title, n=count)
