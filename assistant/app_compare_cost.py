"""What the page that compares shows before anything is sent: where it would go and about what it would cost."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request

from assistant.app_compare import Asked
from assistant.app_compare_wishes import candidates_of
from assistant.app_config import texts
from assistant.app_routes import CurrentUser, language_of
from assistant.app_state import page
from assistant.comparing_estimate import estimate_comparison
from assistant.estimate_words import in_words
from assistant.prompted import with_prompts

router = APIRouter(prefix="/compare/api")


@router.post("/estimate")
async def estimate(request: Request, user: CurrentUser, asked: Asked) -> dict[str, Any]:
    """Where it would go and about what it would cost, in the words of the message box. Nothing is sent anywhere.

    Raises: SettingsError.
    """
    here, say = page(), texts(language_of(request))
    candidates = candidates_of(asked.candidates, here.settings, asked.task)
    candidates = await with_prompts(candidates, here.assistant.prompts, user.identifier)
    found = await asyncio.to_thread(
        estimate_comparison, here.assistant.engines, asked.task, asked.asked.strip(), candidates, asked.sound_s
    )
    return {"line": in_words(found, say), "leaves": not found.stays}
