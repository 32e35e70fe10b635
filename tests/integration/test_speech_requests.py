"""What a request may ask for is the same from both local engines, and the same as from their libraries called directly."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import pytest
import torch

from tests.sound import record, samples_of, silence, speak
from tests.speech import PLAIN, Engines, heard, heard_in_segments
from tools.engines import faster_whisper, whisper
from tools.engines.audio import speech_in
from tools.engines.base import EngineOptions, Word
from tools.engines.device import DeviceArbiter
from tools.engines.errors import ModelNotFound

BOTH = pytest.mark.parametrize("provider", ["faster-whisper", "whisper"])
NAMES = "My friend Kathryn Smyth will call you on Monday morning about the new house."
GERMAN = "Der Hund läuft schnell durch den dunklen Wald."


def options(models: Path, **values: Any) -> EngineOptions:
    return EngineOptions(models, DeviceArbiter(), "cpu", offline=True, values={**PLAIN, **values})


@pytest.fixture(scope="module")
def apart(clips: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fox, five seconds of nothing, and the fox again."""
    fox = samples_of(clips["fox"])
    return record(tmp_path_factory.mktemp("apart") / "apart.wav", np.concatenate([fox, silence(5), fox]))


@BOTH
async def test_words_are_timed_on_their_side_of_a_silence(
    engines: Engines, clips: Mapping[str, Path], apart: Path, provider: str
) -> None:
    fox_s = len(samples_of(clips["fox"])) / 16_000
    _, segments = await heard_in_segments(engines(provider, "tiny.en"), apart, word_times=True)
    words = [word for segment in segments for word in segment.words]
    assert [word.text for word in words] == " ".join(segment.text for segment in segments).split()
    assert all(word.end_s <= fox_s + 0.5 or word.start_s >= fox_s + 4.5 for word in words)
    assert sum(word.text.strip(".,") == "dog" for word in words) == 2
    assert [word.start_s for word in words] == sorted(word.start_s for word in words)
    assert all((s.start_s, s.end_s) == (s.words[0].start_s, s.words[-1].end_s) for s in segments)


async def test_word_times_are_those_of_faster_whisper(models_folder: Path, engines: Engines, apart: Path) -> None:
    from faster_whisper import WhisperModel

    _, ours = await heard_in_segments(engines("faster-whisper", "tiny.en"), apart, word_times=True)
    direct = WhisperModel(str(models_folder / "whisper-tiny.en"), device="cpu", compute_type="float32")
    theirs, _ = direct.transcribe(str(apart), beam_size=1, vad_filter=True, word_timestamps=True)
    expected = [Word(w.start, w.end, w.word.strip()) for segment in theirs for w in segment.words]
    assert [word for segment in ours for word in segment.words] == expected


@BOTH
async def test_without_being_asked_no_words_are_timed(
    engines: Engines, clips: Mapping[str, Path], provider: str
) -> None:
    _, segments = await heard_in_segments(engines(provider, "tiny.en"), clips["fox"])
    assert segments[0].words == ()


@BOTH
async def test_a_name_is_spelled_as_the_vocabulary_spells_it(engines: Engines, tmp_path: Path, provider: str) -> None:
    engine, path = engines(provider, "tiny.en"), speak(tmp_path / "names.wav", NAMES)
    assert "Kathryn Smyth" not in (await heard(engine, path))[1]
    assert "Kathryn Smyth" in (await heard(engine, path, vocabulary="Kathryn Smyth"))[1]


async def test_going_on_gives_the_segments_of_one_run(
    engines: Engines, clips: Mapping[str, Path], tmp_path: Path
) -> None:
    """From within the first window, and behind all of it. What goes on is common to both engines."""
    parts = [samples_of(clips["en"]), silence(5), samples_of(clips["fox"]), silence(590), samples_of(clips["fox"])]
    path, engine = record(tmp_path / "long.flac", np.concatenate(parts)), engines("faster-whisper", "tiny.en")
    _, whole = await heard_in_segments(engine, path)
    assert len(whole) > 2 and whole[-1].start_s > 600
    assert (await heard_in_segments(engine, path, start_s=whole[0].end_s))[1] == whole[1:]
    infos, last = await heard_in_segments(engine, path, start_s=whole[-2].end_s)
    assert last == whole[-1:]
    assert infos[-1].duration_s == pytest.approx(sum(map(len, parts)) / 16_000, abs=0.1)


async def test_where_the_first_decoding_is_poor_faster_whisper_tries_as_it_does_by_itself(
    models_folder: Path, tmp_path: Path
) -> None:
    from faster_whisper import WhisperModel

    ctranslate2.set_random_seed(1)
    path = speak(tmp_path / "de.wav", GERMAN, "de")
    direct = WhisperModel(str(models_folder / "whisper-tiny.en"), device="cpu", compute_type="float32")
    theirs = list(direct.transcribe(str(path), beam_size=1, vad_filter=True)[0])
    assert theirs[0].temperature > 0
    engine = faster_whisper.load_speech("tiny.en", options(models_folder))
    assert (await heard(engine, path))[1] == " ".join(segment.text.strip() for segment in theirs)
    await engine.close()


async def test_where_the_first_decoding_is_poor_whisper_tries_as_it_does_by_itself(
    models_folder: Path, engines: Engines, clips: Mapping[str, Path], tmp_path: Path
) -> None:
    from whisper import load_model

    path, engine = speak(tmp_path / "de.wav", GERMAN, "de"), engines("whisper", "tiny.en")
    spoken, _ = speech_in(samples_of(path))
    await heard(engine, clips["silence"])  # loading draws random numbers too
    torch.manual_seed(1)
    _, ours = await heard(engine, path)
    direct = load_model(str(models_folder / "openai-whisper-tiny.en.pt"), device="cpu")
    torch.manual_seed(1)
    theirs = direct.transcribe(spoken, best_of=5, fp16=False)["segments"]
    assert theirs[0]["temperature"] > 0
    assert ours == " ".join(segment["text"].strip() for segment in theirs)


@pytest.mark.parametrize(("module", "kind"), [(faster_whisper, "float16"), (whisper, "float16"), (whisper, "int8")])
async def test_a_compute_type_that_the_device_does_not_know_is_refused(
    module: Any, kind: str, models_folder: Path, clips: Mapping[str, Path]
) -> None:
    engine = module.load_speech("tiny.en", options(models_folder, compute_type=kind))
    with pytest.raises(ModelNotFound, match=f"cannot run as {kind}"):
        await heard(engine, clips["fox"])
