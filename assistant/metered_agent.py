"""The meter of a LangChain chat model, for models that call tools: LangChain tells when a call begins and what it came to."""

from __future__ import annotations

import contextlib
import json
from contextlib import AbstractAsyncContextManager
from typing import Any
from uuid import UUID

from assistant.calls import current_bill
from assistant.meter import Meter, Running
from tools.engines.base import Message, Usage
from tools.engines.errors import Unreachable
from tools.engines.openai import estimate_tokens

LONGEST_ANSWER = 4096
"""Tokens that one answer of a capped model may have, thinking included."""


def meter_agent(model: Any, meter: Meter) -> Any:
    """`model` with the meter among its callbacks; with a cap on spending its answers have a limit, or the cap could not hold."""
    changes: dict[str, Any] = {"callbacks": [*(model.callbacks or ()), _watch(meter)]}
    if meter.caps.capped and not meter.tariff().free:
        changes["max_tokens"] = LONGEST_ANSWER
    return model.model_copy(update=changes)


def _watch(meter: Meter) -> Any:
    from langchain_core.callbacks import AsyncCallbackHandler

    class Watch(AsyncCallbackHandler):
        """`raise_error`: a cap ends the call before it is sent."""

        raise_error = True
        run_inline = True

        def __init__(self) -> None:
            self._calls: dict[UUID, tuple[AbstractAsyncContextManager[Running], Running]] = {}

        async def on_chat_model_start(
            self,
            serialized: Any,
            messages: Any,
            *,
            run_id: UUID,
            parent_run_id: UUID | None = None,
            tags: list[str] | None = None,
            metadata: dict[str, Any] | None = None,
            **kwargs: Any,
        ) -> None:
            said = [{"role": m.type, "content": m.text if isinstance(m.text, str) else m.text()} for m in messages[0]]
            tools = (kwargs.get("invocation_params") or {}).get("tools") or []
            size = estimate_tokens(json.dumps([said, tools], ensure_ascii=False, default=str)) + 16 * len(said)
            kept = current_bill().prompt([Message("user", m["content"]) for m in said])
            asked = said if isinstance(kept, list) else kept
            call = meter.call(
                Usage(size, LONGEST_ANSWER, counted=True), messages=asked, tools=[_name(t) for t in tools]
            )
            self._calls[run_id] = (call, await call.__aenter__())

        async def on_llm_new_token(self, token: Any, *, run_id: UUID, **_: Any) -> None:
            if run_id in self._calls:
                self._calls[run_id][1].answered = True

        async def on_llm_end(self, response: Any, *, run_id: UUID, **_: Any) -> None:
            call, running = self._calls.pop(run_id)
            running.answered = True
            if usage := _usage(response):
                running.came_to(usage)
            await call.__aexit__(None, None, None)

        async def on_llm_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
            if (call := self._calls.pop(run_id, None)) is None:
                return
            failed = Unreachable(str(error)) if isinstance(error, Exception) else error
            with contextlib.suppress(type(failed)):
                await call[0].__aexit__(type(failed), failed, None)

    return Watch()


def _name(tool: Any) -> str:
    return str((tool.get("function") or {}).get("name")) if isinstance(tool, dict) else str(tool)


def _usage(response: Any) -> Usage | None:
    """Of LangChain's LLMResult."""
    message = getattr(response.generations[0][0], "message", None) if response.generations else None
    told = getattr(message, "usage_metadata", None)
    if not message or not told:
        return None
    cached = (told.get("input_token_details") or {}).get("cache_read")
    served = (message.response_metadata or {}).get("model_name")
    return Usage(told["input_tokens"], told["output_tokens"], cached_tokens=cached, served=served)
