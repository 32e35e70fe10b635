"""The local recognisers on the starter weights, hearing sentences that espeak-ng speaks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.sound import cut, record, samples_of, silence
from tests.speech import Engines, heard
from tools.engines import faster_whisper, whisper
from tools.engines.base import EngineOptions, Segment, SpeechInfo, SpeechRequest
from tools.engines.device import DeviceArbiter
from tools.engines.errors import BadInput, ModelNotFound, Stopped


@pytest.mark.parametrize(("model", "clip"), [("base", "es"), ("base", "fox"), ("tiny.en", "en")])
async def test_both_engines_agree_on_the_same_weights(
    engines: Engines, clips: Mapping[str, Path], model: str, clip: str
) -> None:
    (ours, our_text), (theirs, their_text) = [
        await heard(engines(provider, model), clips[clip]) for provider in ("faster-whisper", "whisper")
    ]
    assert our_text == their_text != ""
    assert ours[0].language == theirs[0].language
    assert ours[0].duration_s == theirs[0].duration_s


async def test_speech_is_understood_and_its_language_found(engines: Engines, clips: Mapping[str, Path]) -> None:
    infos, text = await heard(engines("faster-whisper", "base"), clips["es"])
    assert infos[0].language == "es"
    assert infos[0].language_probability and infos[0].language_probability > 0.6
    assert "la casa es grande" in text.lower()


@pytest.mark.parametrize("provider", ["faster-whisper", "whisper"])
@pytest.mark.parametrize("clip", ["silence", "noise"])
async def test_no_words_are_invented_where_nobody_speaks(
    engines: Engines, clips: Mapping[str, Path], provider: str, clip: str
) -> None:
    infos, text = await heard(engines(provider, "base"), clips[clip])
    assert text == ""
    assert infos == [SpeechInfo(None, None, 12.0)]


async def test_the_pause_before_the_words_counts_in_their_times(
    engines: Engines, clips: Mapping[str, Path], tmp_path: Path
) -> None:
    spoken = samples_of(clips["fox"])
    path = record(tmp_path / "late.wav", np.concatenate([silence(20), spoken]))
    engine = engines("faster-whisper", "tiny.en")
    items = [item async for item in engine.transcribe(SpeechRequest(path), threading.Event())]
    assert 19 < items[1].start_s < 21
    assert items[-1].end_s <= 20 + len(spoken) / 16_000 + 0.1


async def test_a_cut_recording_is_transcribed_and_said_to_be_cut(
    engines: Engines, clips: Mapping[str, Path], tmp_path: Path
) -> None:
    spoken = samples_of(clips["en"])
    infos, text = await heard(engines("faster-whisper", "tiny.en"), cut(record(tmp_path / "a.mp3", spoken)))
    assert "cut off" in infos[0].warning
    assert "Monday" in text
    assert "river" not in text


async def test_spanish_speech_can_be_put_into_english(engines: Engines, clips: Mapping[str, Path]) -> None:
    _, text = await heard(engines("faster-whisper", "base"), clips["es"], translate=True)
    said = set(text.lower().replace(".", "").replace(",", "").split())
    assert {"the", "is"} <= said
    assert not {"la", "casa", "es", "el"} & said


async def test_the_language_is_taken_by_code_or_by_name(engines: Engines, clips: Mapping[str, Path]) -> None:
    infos, _ = await heard(engines("faster-whisper", "tiny.en"), clips["fox"], language="English")
    assert (infos[0].language, infos[0].language_probability) == ("en", 1)


@pytest.mark.parametrize("provider", ["faster-whisper", "whisper"])
async def test_a_language_the_model_does_not_know_is_refused(
    engines: Engines, clips: Mapping[str, Path], provider: str
) -> None:
    with pytest.raises(BadInput, match="only en"):
        await heard(engines(provider, "tiny.en"), clips["fox"], language="fr")


@pytest.mark.parametrize("provider", ["faster-whisper", "whisper"])
async def test_stop_ends_a_transcription_and_frees_the_weights(
    engines: Engines, clips: Mapping[str, Path], provider: str
) -> None:
    engine, stop, text = engines(provider, "tiny.en"), threading.Event(), ""
    with pytest.raises(Stopped):
        async for item in engine.transcribe(SpeechRequest(clips["story"]), stop):
            text += item.text if isinstance(item, Segment) else ""
            stop.set()
    assert "lighthouse" not in text
    assert (await heard(engine, clips["fox"]))[1]


async def test_leaving_early_frees_the_weights(engines: Engines, clips: Mapping[str, Path]) -> None:
    engine = engines("faster-whisper", "tiny.en")
    items = engine.transcribe(SpeechRequest(clips["en"]), threading.Event())
    await anext(items)
    await items.aclose()  # type: ignore[attr-defined]
    assert (await heard(engine, clips["fox"]))[1]


async def test_two_recordings_at_once_queue_and_both_are_heard(engines: Engines, clips: Mapping[str, Path]) -> None:
    engine = engines("faster-whisper", "tiny.en")
    (_, first), (_, second) = await asyncio.gather(heard(engine, clips["en"]), heard(engine, clips["fox"]))
    assert "Monday" in first
    assert "dog" in second


async def test_a_file_without_sound_is_refused_by_the_engine(engines: Engines, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"not sound" * 100)
    with pytest.raises(BadInput, match="not a recording"):
        await heard(engines("faster-whisper", "tiny.en"), tmp_path / "a.wav")


@pytest.mark.parametrize("module", [faster_whisper, whisper])
def test_an_unknown_model_lists_the_known_ones(module: Any, models_folder: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"Known: base, tiny\.en"):
        module.load_speech("huge", EngineOptions(models_folder, DeviceArbiter()))


@pytest.mark.parametrize("module", [faster_whisper, whisper])
async def test_a_model_that_is_not_here_is_not_fetched_while_offline(
    module: Any, clips: Mapping[str, Path], tmp_path: Path
) -> None:
    engine = module.load_speech("small", EngineOptions(tmp_path, DeviceArbiter(), offline=True))
    with pytest.raises(ModelNotFound, match="offline"):
        await heard(engine, clips["fox"])


async def test_a_local_folder_is_a_model_too(models_folder: Path, engines: Engines, clips: Mapping[str, Path]) -> None:
    await heard(engines("faster-whisper", "tiny.en"), clips["fox"])
    engine = faster_whisper.load_speech(
        str(models_folder / "whisper-tiny.en"), EngineOptions(models_folder, DeviceArbiter(), offline=True)
    )
    assert "dog" in (await heard(engine, clips["fox"]))[1]
    await engine.close()


async def test_a_folder_without_weights_is_refused(tmp_path: Path, clips: Mapping[str, Path]) -> None:
    engine = faster_whisper.load_speech(str(tmp_path), EngineOptions(tmp_path, DeviceArbiter(), offline=True))
    with pytest.raises(ModelNotFound, match=r"model\.bin"):
        await heard(engine, clips["fox"])
