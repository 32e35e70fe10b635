"""“Try its tools and sight” on a model's card: what `assistant models probe` does, from the page."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel

from assistant.app_config import models_texts
from assistant.app_errors import in_language
from assistant.app_models import Chooser
from assistant.app_routes import language_of
from assistant.app_state import page
from assistant.calls import Bill, billed_to
from assistant.measured import Probed, measurements
from assistant.probing import PROBES, try_model
from tools.engines.errors import BadInput

router = APIRouter(prefix="/models/api")
_trying = asyncio.Lock()


class Trial(BaseModel):
    id: str


@router.post("/probe")
async def probe(request: Request, trial: Trial, user: Chooser) -> dict[str, Any]:
    """Tries whether a model calls tools and sees, and keeps what is found. What a hosted one asks for it counts as spent."""
    say, model_id, settings = models_texts(language_of(request)), trial.id.strip(), page().settings
    async with _trying:
        with billed_to(Bill(user.identifier)):
            tried = await try_model(settings, model_id, tuple(PROBES), lambda _text, _fraction: None)
        try:
            await asyncio.to_thread(measurements(settings.home).put, model_id, **tried.found)
        except OSError as error:
            raise BadInput(f"It could not be kept in {settings.home}: {error.strerror or error}.") from error
    troubles = [in_language(str(trouble), language_of(request)) for trouble in tried.troubles]
    told = "; ".join(_probed(name, found, say) for name, found in tried.found.items())
    return {"said": " ".join([say["probed"].format(id=model_id, told=told), *troubles])}


def _probed(name: str, found: Probed, say: Mapping[str, str]) -> str:
    if name == "sight":
        return say["probed_sight"].format(answer=say["yes" if found.works else "no"])
    return say["probed_tools"].format(right=found.right, of=found.of)
