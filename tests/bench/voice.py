"""Live speech, measured: `python -m tests.bench.voice`. Sentences of espeak-ng go through the listener as a microphone would send them.

From the end of the wait for silence to the final text against the model's own decoding; the first partial; words lost at the start
or the end; ends found within sentences that have pauses; an answer that is spoken over (`interrupting.py`); the first sound of one.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import threading
import time
import wave
from contextlib import aclosing
from pathlib import Path

import numpy as np

from assistant.app_speaking import Speech
from assistant.live import LiveTranscript, Words
from assistant.voice import RATE_HZ, Listener, save_sound
from tests.bench.interrupting import ANSWER, CHUNK, MIC_HZ, OPENINGS, interruptions, own_voice
from tests.bench.pairs import PAIRS, differences, ratio, verdict
from tests.conftest import MODELS
from tools.engines import faster_whisper, piper
from tools.engines.base import EngineOptions, Segment, SpeechRecognizer, SpeechRequest
from tools.engines.device import DeviceArbiter

UTTERANCES = 40
WORD_S = 0.1
"""From one word of an answer to the next: the pace of the starter model on two cores."""
SPEAKERS = ("en-us", "en-gb", "en-us+f3", "en-gb+m3")
NOUNS = ("train", "letter", "garden", "engine", "window", "teacher", "doctor", "bottle", "river", "market")
TIMED = "Could you please tell me how many people live in the city of Rome and when it was founded?"


def spoken(folder: Path, text: str, voice: str) -> np.ndarray:
    """Signed 16-bit samples at 24 kHz: `text` between half a second and two seconds of faint noise."""
    said, heard = folder / "said.wav", folder / "heard.wav"
    subprocess.run(["espeak-ng", "-v", voice, "-s", "150", "-m", "-w", said, text], check=True)
    subprocess.run(["sox", said, "-r", str(MIC_HZ), "-c", "1", "-b", "16", heard, "pad", "0.5", "2"], check=True)
    with wave.open(str(heard)) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float64)
    return (sound + np.random.default_rng(0).normal(0, 20, len(sound))).clip(-32768, 32767).astype("<i2")


class Model:
    def __init__(self, folder: Path) -> None:
        options = EngineOptions(MODELS, DeviceArbiter(), "cpu", offline=True)
        self.engine: SpeechRecognizer = faster_whisper.load_speech("base", options)
        self._path = folder / "said.16k.wav"

    async def decode(self, sound: np.ndarray) -> Words:
        request = SpeechRequest(save_sound(self._path, sound), "en")
        items = [item async for item in self.engine.transcribe(request, threading.Event())]
        return Words(" ".join(item.text for item in items if isinstance(item, Segment)), "en")


async def as_said(sound: np.ndarray, model: Model) -> tuple[float, float, np.ndarray]:
    """(seconds from the end to the final text, seconds of sound before the first partial, the utterance); in real time."""
    told: list[float] = []
    began = time.monotonic()

    async def tell(_text: str) -> None:
        told.append(time.monotonic() - began)

    listener = Listener(MIC_HZ)
    live = LiveTranscript(listener, model.decode, tell)
    for start in range(0, len(sound), CHUNK):
        await asyncio.sleep(max(0.0, began + (start + CHUNK) / MIC_HZ - time.monotonic()))
        state = listener.feed(sound[start : start + CHUNK].tobytes())
        live.advance()
        if state == "done":
            break
    ended = time.monotonic()
    await live.final()
    return time.monotonic() - ended, told[0] if told else float("inf"), listener.sound


async def waiting(folder: Path, model: Model) -> bool:
    sound = spoken(folder, TIMED, SPEAKERS[0])
    await model.decode(np.zeros(RATE_HZ, np.float32))
    waits, decodings, firsts = [], [], []
    for _ in range(PAIRS):
        waited, first, utterance = await as_said(sound, model)
        began = time.monotonic()
        await model.decode(utterance)
        decodings.append(time.monotonic() - began)
        waits.append(max(waited, 1e-3))
        firsts.append(first - 0.5)
    return verdict("end of the wait to final text / own decoding", ratio(waits, decodings), at_most=1.15) & verdict(
        "first partial later than one decoding after speech began, s", differences(firsts, decodings), at_most=1.2
    )


def endings(folder: Path) -> bool:
    """Words lost at the edges, and ends within a sentence, of the listener alone: the sound kept against the sound that was said."""
    lost = early = 0
    for n in range(UTTERANCES):
        noun, other = NOUNS[n % 10], NOUNS[(n * 3 + 1) % 10]
        pause = (200, 300, 400, 500)[n % 4]
        text = f'Every {noun} has a story. <break time="{pause}ms"/> Tell me about the {other}, and the {noun} too.'
        sound = spoken(folder, text, SPEAKERS[n // 10])
        listener, fed = Listener(MIC_HZ), 0
        for start in range(0, len(sound), CHUNK):
            fed = start + CHUNK
            if listener.feed(sound[start : start + CHUNK].tobytes()) == "done":
                break
        loud = np.flatnonzero(np.abs(sound.astype(int)) > 500)
        early += fed < loud[-1]
        first_kept_s = fed / MIC_HZ - listener.kept / RATE_HZ
        lost += first_kept_s > loud[0] / MIC_HZ + 0.03
    print(
        f"cut-off beginnings: {lost} of {UTTERANCES}, goal 0; ends within the sentence: {early} of {UTTERANCES}, goal at most 2"
    )
    return lost == 0 and early <= 2


async def first_sound() -> bool:
    """An answer that is written word by word is heard once its first sentence is written and spoken."""
    voice = piper.load_voice(piper.STARTER, EngineOptions(MODELS, DeviceArbiter(), "cpu", offline=True))
    sentence = ANSWER[: ANSWER.index(".") + 1]

    async def spoken_alone() -> float:
        began = time.monotonic()
        async with aclosing(voice.speak(sentence, "en", threading.Event())) as sounds:
            await anext(sounds)
            took_s = time.monotonic() - began
            async for _ in sounds:
                pass
        return took_s

    async def heard() -> float:
        sounding, began = asyncio.Event(), time.monotonic()

        async def tell(**what: object) -> None:
            if "pcm" in what:
                sounding.set()

        speech = Speech(1, "en", lambda _: voice, tell)
        for word in ANSWER[: 2 * len(sentence)].split():
            speech.feed(f" {word}")
            await asyncio.sleep(WORD_S)
            if sounding.is_set():
                break
        await sounding.wait()
        took_s = time.monotonic() - began
        speech.drop()
        return took_s

    await spoken_alone()
    ours, theirs = [], []
    for _ in range(PAIRS):
        ours.append(await heard())
        await spoken_alone()
        theirs.append(WORD_S * len(sentence.split()) + await spoken_alone())
    await voice.close()
    return verdict("first sound / one sentence of text and its synthesis", ratio(ours, theirs), at_most=1.1)


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        openings = [(OPENINGS[n % 10], SPEAKERS[n // 10]) for n in range(UTTERANCES)]
        said = [spoken(folder, text, voice).astype(np.float32) / 32768 for text, voice in openings]
        reached = own_voice() & interruptions(said) & asyncio.run(first_sound())
        reached &= endings(folder)
        reached &= asyncio.run(waiting(folder, Model(folder)))
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
