"""Telling voices apart from the page of a transcript: how far it is, how it fails, and whose transcript it may be."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import HTTPException

from assistant.app_state import open_page
from tools.engines.base import Segment
from tools.engines.errors import ModelNotFound, Stopped
from tools.transcript import Transcript, to_json

ADA, BOB = SimpleNamespace(identifier="ada"), SimpleNamespace(identifier="bob")
FRENCH: Any = SimpleNamespace(headers={"accept-language": "fr-FR"})


class Voices:
    """Told apart once `go` is set, or failing with `failure`."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.failure: Exception | None = None

    def tell_apart(
        self,
        _recording: Path,
        segments: Sequence[Segment],
        stop: threading.Event,
        _count: int | None,
        on_progress: Callable[[float], None],
    ) -> list[Segment]:
        on_progress(0.5)
        while not self.go.wait(0.01):
            if stop.is_set():
                raise Stopped("Stopped.")
        if self.failure:
            raise self.failure
        return [replace(segment, speaker="Speaker 1") for segment in segments]


@pytest.fixture
def voices(chainlit: None, tmp_path: Path) -> Voices:
    """Ada's transcript "own", and one that is kept for everybody."""
    voices, recording = Voices(), tmp_path / "files" / "1" / "talk.wav"
    recording.parent.mkdir(parents=True)
    recording.touch()
    paths = {"own": tmp_path / "artifacts" / "1" / "talk.json", "kept": tmp_path / "kept" / "talk.json"}
    for path in paths.values():
        path.parent.mkdir(parents=True)
        path.write_text(to_json(Transcript("en", 2.0, [Segment(0, 2, "Good morning.")])), "utf-8")

    async def passage(name: str) -> tuple[str, dict[str, Any]]:
        return "1", {"transcript": str(paths[name]), "file": str(recording)}

    async def author(_thread: str) -> str:
        return "ada"

    store = SimpleNamespace(passage=passage, get_thread_author=author)
    settings, assistant = SimpleNamespace(home=tmp_path), SimpleNamespace(engines=voices)
    open_page(SimpleNamespace(settings=settings, assistant=assistant, store=store))  # type: ignore[arg-type]
    return voices


async def now(name: str = "own", user: Any = ADA) -> dict[str, Any]:
    from assistant.app_speakers import state

    value: dict[str, Any] = json.loads(bytes((await state(FRENCH, name, user)).body))
    return value


async def settled() -> dict[str, Any]:
    while (found := await now())["state"] == "running":
        await asyncio.sleep(0.01)
    return found


async def test_it_goes_on_in_the_background_and_names_are_kept(voices: Voices) -> None:
    from assistant.app_speakers import begin, rename

    assert await now() == {"state": "none"}
    await begin(FRENCH, "own", ADA)
    while await now() != {"state": "running", "fraction": 0.5}:
        await asyncio.sleep(0.01)
    voices.go.set()
    assert await settled() == {"state": "done"}
    assert await rename(FRENCH, "own", ADA, {"Speaker 1": "Ben"}) == {"Speaker 1": "Ben"}


async def test_stopped_nothing_is_told_apart_and_nothing_has_failed(voices: Voices) -> None:
    from assistant.app_speakers import begin, stop

    await begin(FRENCH, "own", ADA)
    await stop(FRENCH, "own", ADA)
    assert await settled() == {"state": "none"}


async def test_a_failure_is_told_once_in_the_persons_language(voices: Voices) -> None:
    from assistant.app_speakers import begin

    voices.failure = ModelNotFound(
        "The starter model campplus is not installed (x is missing).", "Run `make install`, which brings it."
    )
    voices.go.set()
    await begin(FRENCH, "own", ADA)
    message = "Le modèle campplus n'est pas installé (il manque x). Lancez `make install`."
    assert await settled() == {"state": "failed", "message": message}
    assert await now() == {"state": "none"}


@pytest.mark.parametrize(("name", "user"), [("kept", ADA), ("own", BOB)])
async def test_only_the_owner_names_speakers_and_only_of_an_own_transcript(
    voices: Voices, name: str, user: Any
) -> None:
    from assistant.app_speakers import begin

    for work in (now(name, user), begin(FRENCH, name, user)):
        with pytest.raises(HTTPException) as raised:
            await work
        assert raised.value.status_code == 404


async def test_the_end_of_the_process_does_not_wait_for_the_voices(voices: Voices) -> None:
    from assistant.app_speakers import begin, stop_telling_apart

    await begin(FRENCH, "own", ADA)
    while await now() != {"state": "running", "fraction": 0.5}:
        await asyncio.sleep(0.01)
    await stop_telling_apart()
    assert (await now())["state"] == "none"
