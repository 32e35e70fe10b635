"""Whether a model calls tools as the assistant needs it: a few fixed requests, each with the tool that is right for it."""

from __future__ import annotations

from datetime import UTC, datetime

from assistant.engines import OnLoad, open_engine
from assistant.measured import Probed
from assistant.settings import Settings
from assistant.tool_calling import PURPOSES
from assistant.using import settings_for
from tools.context import ToolName
from tools.engines.device import DeviceArbiter
from tools.prompts import SYSTEM

REQUESTS: tuple[tuple[str, ToolName | None], ...] = (
    ("Draw a red fox in the snow, please.", "generate_image"),
    ("What do my documents say about mooring fees?", "search_knowledge"),
    ("What is said in this recording?\n(attached audio: call.wav)", "transcribe_audio"),
    ("Hello! Say good morning in French.", None),
)
"""What is asked, and the tool that must be called for it; None where words alone are right."""


async def probe_tools(settings: Settings, model_id: str, on_load: OnLoad) -> Probed:
    """Nothing is carried out: only what the model asks for is looked at. It sends four short requests.

    Raises: EngineError (BadInput where the engine has no tool calls), SettingsError.
    """
    from langchain_core.tools import StructuredTool

    async def nothing(request: str) -> str:
        return request

    tools = [
        StructuredTool.from_function(coroutine=nothing, name=name, description=text) for name, text in PURPOSES.items()
    ]
    engine = open_engine(settings_for(settings, "chat", model_id), "chat", DeviceArbiter(), on_load)
    try:
        model = engine.agent_model().bind_tools(tools)
        right = 0
        for request, wanted in REQUESTS:
            try:
                message = await model.ainvoke([("system", SYSTEM), ("user", request)])
            except Exception as error:
                raise engine.explain(error) from error
            right += _called(message) == ([wanted] if wanted else [])
        return Probed(datetime.now(UTC).isoformat(timespec="seconds"), right, len(REQUESTS))
    finally:
        await engine.close()


def _called(message: object) -> list[str]:
    """The tools asked for, those with arguments that are none left out."""
    calls = getattr(message, "tool_calls", None) or []
    return [call["name"] for call in calls if isinstance(call["args"].get("request"), str) and call["args"]["request"]]
