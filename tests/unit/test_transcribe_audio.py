"""The transcription tool with a recogniser that says what it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from knowledge.knowledge_base import KnowledgeBase, KnowledgeError
from tests.fakes import FakeText
from tools.context import Artifact, Attachment, Notice, Progress, TextDelta, ToolContext
from tools.engines.base import ModelCard, Segment, SpeechInfo, SpeechRequest
from tools.engines.errors import EngineError
from tools.speech_wishes import asks_english, asks_more, asks_when, asks_whole, topic_of
from tools.transcribe_audio import transcribe_audio
from tools.transcript import Transcript, to_json, to_srt, to_text, to_vtt


class FakeSpeech:
    card = ModelCard("fake:speech", "speech", "local", "MIT", "tests", languages=("en", "fr"))

    def __init__(self, *items: SpeechInfo | Segment) -> None:
        self.items = items
        self.requests: list[SpeechRequest] = []

    async def transcribe(self, request: SpeechRequest, stop: threading.Event) -> AsyncIterator[SpeechInfo | Segment]:
        self.requests.append(request)
        for item in self.items:
            yield item

    async def close(self) -> None: ...


SHORT = (SpeechInfo("en", 0.9, 4.0), Segment(0, 2, "Hello there."), Segment(2, 4, "Good bye."))
LONG = (SpeechInfo("en", 0.9, 100.0), Segment(12.3, 50, "First."), Segment(75, 100, "Second."))


def context(
    folder: Path,
    speech: FakeSpeech,
    request: str = "",
    text: FakeText | None = None,
    *,
    earlier: bool = False,
    **options: Any,
) -> ToolContext:
    path = folder / "talk.wav"
    path.write_bytes(b"sound")
    kept.clear()
    files = [Attachment(path, "talk.wav", "audio", "audio/wav")]
    return ToolContext(
        request,
        (),
        [] if earlier else files,
        files if earlier else [],
        ["thread-1"],
        folder / "artifacts",
        threading.Event(),
        lambda: text or FakeText(),
        lambda: speech,
        None,  # type: ignore[arg-type]
        no_knowledge,
        options,
        kept.append,
    )


def no_knowledge() -> KnowledgeBase:
    raise KnowledgeError("The knowledge base is open in another process.")


kept: list[Artifact] = []
"""What the tool handed over while it was stopped or failed."""


async def outputs_of(turn: ToolContext) -> Sequence[Any]:
    return [output async for output in transcribe_audio(turn)]


def words(outputs: Sequence[Any]) -> str:
    return "".join(o.text for o in outputs if isinstance(o, TextDelta))


async def test_a_short_clip_becomes_plain_text_with_progress_and_an_artifact(tmp_path: Path) -> None:
    outputs = await outputs_of(context(tmp_path, FakeSpeech(*SHORT), "Transcribe this"))
    assert words(outputs) == "Hello there. Good bye."
    assert [o.fraction for o in outputs if isinstance(o, Progress)] == [None, 0.5, 1.0]
    artifact = next(o for o in outputs if isinstance(o, Artifact))
    assert artifact.kind == "transcript"
    assert {"language": "en", "duration_s": 4.0, "model": "fake:speech"}.items() <= artifact.meta.items()
    assert json.loads(artifact.path.read_text())["segments"][1] == {"start_s": 2, "end_s": 4, "text": "Good bye."}


async def test_times_stand_before_the_lines_of_a_long_recording(tmp_path: Path) -> None:
    outputs = await outputs_of(context(tmp_path, FakeSpeech(*LONG)))
    assert words(outputs).split("  \n")[:2] == ["[0:12] First.", "[1:15] Second."]


async def test_a_question_is_answered_from_the_transcript_alone(tmp_path: Path) -> None:
    text = FakeText("Hello there, and good bye.")
    outputs = await outputs_of(context(tmp_path, FakeSpeech(*SHORT), "Summarise this", text))
    assert words(outputs).strip() == "Hello there, and good bye. [1]"
    assert text.seen[0][-1].content == "[0:00] Hello there. Good bye.\n\nSummarise this"


async def test_a_second_question_does_not_hear_the_recording_again(tmp_path: Path) -> None:
    speech = FakeSpeech(*SHORT)
    await outputs_of(context(tmp_path, speech))
    outputs = await outputs_of(
        context(tmp_path, speech, "What does she say about the price?", FakeText("Nothing."), earlier=True)
    )
    assert words(outputs).strip() == "Nothing."
    assert len(speech.requests) == 1


async def test_without_a_recording_it_asks_for_one_in_the_language_of_the_person(tmp_path: Path) -> None:
    turn = context(tmp_path, FakeSpeech(), "Peux-tu transcrire mon enregistrement ?")
    (tmp_path / "talk.wav").unlink()
    outputs = await outputs_of(ToolContext(**{**vars(turn), "attachments": ()}))
    assert words(outputs).startswith("Quel enregistrement")


async def test_silence_gives_no_words_but_says_so(tmp_path: Path) -> None:
    outputs = await outputs_of(context(tmp_path, FakeSpeech(SpeechInfo(None, None, 5.0))))
    assert words(outputs) == "No speech was heard in talk.wav."


@pytest.mark.parametrize(
    ("info", "said"),
    [
        (SpeechInfo("en", 0.41, 4.0), "guess"),
        (SpeechInfo("pl", 0.95, 4.0), "weak in this language"),
        (SpeechInfo("en", 0.95, 4.0, "The file is cut off: 4 s of 9 s could be read."), "cut off"),
    ],
)
async def test_a_doubtful_transcript_carries_a_notice(tmp_path: Path, info: SpeechInfo, said: str) -> None:
    outputs = await outputs_of(context(tmp_path, FakeSpeech(info, Segment(0, 4, "Hm."))))
    assert any(said in o.text for o in outputs if isinstance(o, Notice))


async def test_what_is_said_only_at_the_end_of_the_file_is_told(tmp_path: Path) -> None:
    speech = FakeSpeech(*SHORT, SpeechInfo("en", 0.9, 3.0, "The file is cut off."))
    outputs = await outputs_of(context(tmp_path, speech))
    assert "cut off" in next(o.text for o in outputs if isinstance(o, Notice))
    assert next(o for o in outputs if isinstance(o, Artifact)).meta["duration_s"] == 3.0


async def test_a_wish_for_english_and_fixed_options_reach_the_recogniser(tmp_path: Path) -> None:
    speech = FakeSpeech(*SHORT)
    await outputs_of(context(tmp_path, speech, "Translate this to English", language="fr", vocabulary="Ada"))
    request = speech.requests[0]
    assert (request.translate, request.language, request.vocabulary) == (True, "fr", "Ada")


@pytest.mark.parametrize(
    "request_",
    [
        "",
        "Transcribe this recording, please",
        "What does she say?",
        "Transcris ce fichier s'il te plaît",
        "Was sagt er?",
        "Transcribe these recordings",
        "Transcris ces deux enregistrements",
    ],
)
def test_a_request_of_transcription_words_wants_only_the_transcript(request_: str) -> None:
    assert not asks_more(request_)


@pytest.mark.parametrize(
    "request_",
    [
        "Summarise this",
        "What does she say about price?",
        "Are they all there on Monday?",
        "Résume ce mémo",
        "Translate it to Spanish",
    ],
)
def test_any_other_request_wants_more(request_: str) -> None:
    assert asks_more(request_)
    assert not asks_english(request_)


@pytest.mark.parametrize(
    "request_", ["Translate to English", "Traduis en anglais", "Transcribe and translate it into English"]
)
def test_english_is_recognised_as_a_wish_for_translation(request_: str) -> None:
    assert asks_english(request_)


@pytest.mark.parametrize(
    ("request_", "topic"),
    [
        ("At what minute do they discuss price?", "price"),
        ("When do they talk about the price?", "price"),
        ("À quelle minute parlent-ils du prix ?", "prix"),
    ],
)
def test_a_question_about_a_time_is_told_and_has_a_topic(request_: str, topic: str) -> None:
    assert asks_when(request_)
    assert topic in topic_of(request_)
    assert "minute" not in topic_of(request_)


@pytest.mark.parametrize("request_", ["When do we meet?", "At what time does the train leave for the price?"])
def test_a_time_that_is_spoken_of_is_no_place_in_the_recording(request_: str) -> None:
    assert not asks_when(request_)


@pytest.mark.parametrize(
    "request_", ["Summarise this", "Who said they would do what?", "List the action items", "Résume la réunion"]
)
def test_some_requests_need_the_whole_recording(request_: str) -> None:
    assert asks_whole(request_)
    assert not asks_whole("What does the contract cost?")


def test_a_transcript_is_written_as_subtitles_and_as_text() -> None:
    transcript = Transcript("en", 3700.0, [Segment(0, 2.5, "A < B --> C"), Segment(3661.2, 3662, "End.")])
    assert to_srt(transcript).startswith("1\n00:00:00,000 --> 00:00:02,500\nA < B → C\n\n2\n01:01:01,200 -->")
    assert to_vtt(transcript).startswith("WEBVTT\n\n00:00:00.000 --> 00:00:02.500\nA &lt; B → C\n")
    assert to_text(transcript) == "A < B --> C\nEnd.\n"
    assert json.loads(to_json(transcript))["text"] == "A < B --> C End."


def in_turn(_path: Path, segments: Sequence[Segment], _stop: threading.Event, *_: Any) -> list[Segment]:
    return [replace(segment, speaker=f"Speaker {n + 1}") for n, segment in enumerate(segments)]


def failing(*_: Any) -> list[Segment]:
    raise EngineError("The weights are broken.", "Fetch them again.")


async def test_with_speakers_the_text_comes_once_they_are_told_apart(tmp_path: Path) -> None:
    turn = context(tmp_path, FakeSpeech(*SHORT), speakers=0, page_language="fr")
    outputs = await outputs_of(replace(turn, tell_apart=in_turn))
    assert words(outputs) == "**Intervenant 1:** Hello there.  \n**Intervenant 2:** Good bye."
    assert "Reconnaissance des voix" in [o.text for o in outputs if isinstance(o, Progress)]
    later = await outputs_of(context(tmp_path, FakeSpeech(*SHORT)))
    assert words(later) == words(outputs)


async def test_a_question_is_answered_from_lines_that_name_their_speakers(tmp_path: Path) -> None:
    text = FakeText("Good bye.")
    turn = context(tmp_path, FakeSpeech(*SHORT), "Who says good bye?", text, speakers=2)
    await outputs_of(replace(turn, tell_apart=in_turn))
    assert "Speaker 1: Hello there.\nSpeaker 2: Good bye." in text.seen[0][-1].content


@pytest.mark.parametrize(
    ("request_", "first"),
    [
        ("Transcribe this with the speakers", "**Speaker 1:** Hello there."),
        ("Transcris ceci avec les intervenants", "**Intervenant 1:** Hello there."),
    ],
)
async def test_speakers_that_are_asked_for_in_words_are_told_apart_once(
    tmp_path: Path, request_: str, first: str
) -> None:
    turn = replace(context(tmp_path, FakeSpeech(*SHORT), request_), tell_apart=in_turn)
    assert words(await outputs_of(turn)).startswith(first)
    assert words(await outputs_of(replace(turn, tell_apart=failing))).startswith(first)


async def test_where_the_speakers_cannot_be_told_apart_the_text_is_there_and_says_so(tmp_path: Path) -> None:
    outputs = await outputs_of(replace(context(tmp_path, FakeSpeech(*SHORT), speakers=0), tell_apart=failing))
    assert words(outputs) == "Hello there. Good bye."
    assert [o.text for o in outputs if isinstance(o, Notice)] == ["The weights are broken. Fetch them again."]
