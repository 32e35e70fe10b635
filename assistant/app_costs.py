"""Below the message box: where what stands in it would go and about what it would cost, before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chainlit.context import context

from assistant.agent import LONGEST_MESSAGE, Turn
from assistant.app_choices import chosen
from assistant.app_config import MAX_FILES, texts
from assistant.app_errors import in_language
from assistant.app_prompt_commands import added_line, inputs_for, profile_here
from assistant.app_state import page
from assistant.estimate_words import in_words
from assistant.estimates import estimate
from assistant.history import HistoryError
from assistant.settings import SettingsError
from knowledge.knowledge_base import KnowledgeError
from tools.context import TOOL_NAMES, Attachment
from tools.engines.errors import EngineError
from tools.sniff import sniff


async def told(request: Mapping[str, Any]) -> None:
    """The browser tells what stands in the message box; it is told where that would go."""
    text, files, tool = request.get("text"), request.get("files"), request.get("tool")
    session = context.session
    models, options = chosen(page().settings, session.chat_settings)
    command = request.get("command")
    prompt = command if isinstance(command, str) and command and tool not in TOOL_NAMES else None
    turn = Turn(
        str(text)[:LONGEST_MESSAGE] if isinstance(text, str) else "",
        thread=session.thread_id,
        user=session.user.identifier,
        tool=tool if tool in TOOL_NAMES else None,
        models=models,
        options=options,
        prompt=prompt,
        inputs=inputs_for(prompt) if prompt else {},
        profile=profile_here(),
    )
    count = files if isinstance(files, int) and not isinstance(files, bool) else 0
    say = texts(session.language)
    try:
        found = await estimate(page().assistant, turn, _newest(min(max(count, 0), MAX_FILES)))
        line, leaves = in_words(found, say), not found.stays
        if prompt or turn.profile:
            line = f"{line} · {await _adds(prompt or str(turn.profile), say)}"
    except (SettingsError, EngineError, KnowledgeError, HistoryError) as error:
        line, leaves = in_language(str(error), session.language), True
    await context.emitter.send_window_message(
        {"type": "cost_line", "n": request.get("n"), "line": line, "leaves": leaves}
    )


async def _adds(name: str, say: Mapping[str, str]) -> str:
    prompt = await page().assistant.prompts.get(name, context.session.user.identifier)
    return added_line(prompt, say) if prompt else say["prompt_gone"].format(name=name)


def _newest(count: int) -> list[Attachment]:
    """The files that were dropped last, which wait to be sent."""
    waiting = list(context.session.files.values())[-count:] if count else []
    return [sniff(Path(file["path"]), file["name"], page().settings.max_upload_mb * 1_000_000) for file in waiting]
