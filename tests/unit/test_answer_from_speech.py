"""Questions about a recording: answered from what was heard, with the second at which it is said; nothing is left out silently."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from knowledge.knowledge_base import KnowledgeBase
from tests.fakes import FakeText
from tests.unit.test_search_knowledge import ask, citations, embed, said
from tests.unit.test_transcribe_audio import FakeSpeech, context
from tools.context import Notice, Progress, ToolOutput
from tools.engines.base import Segment, SpeechInfo
from tools.prompts import NOT_IN_PASSAGES
from tools.speech_passages import PIECE_TOKENS, pieces_of, spans_of
from tools.transcribe_audio import transcribe_audio

TALK = [
    Segment(3, 8, "Welcome to the meeting of the harbour board.", speaker="Speaker 1"),
    Segment(30, 36, "The crane was painted in March.", speaker="Speaker 2"),
    Segment(75, 80, "The price of the new crane is forty thousand euros.", speaker="Speaker 1"),
    Segment(95, 99, "I will call the bank on Friday.", speaker="Speaker 2"),
]
FILLER = [
    Segment(100 + 5 * n, 104 + 5 * n, f"The weather on day {n} was mild and the sea was calm.") for n in range(80)
]


@pytest.fixture
async def base(tmp_path: Path) -> AsyncIterator[KnowledgeBase]:
    base = KnowledgeBase(tmp_path / "knowledge", embed, "words")
    yield base
    await base.close()


async def asked(
    base: KnowledgeBase, folder: Path, request: str, text: FakeText, segments: Sequence[Segment] = TALK, **options: Any
) -> list[ToolOutput]:
    speech = FakeSpeech(SpeechInfo("en", 0.9, segments[-1].end_s), *segments)
    turn = replace(context(folder, speech, request, text, **options), knowledge=lambda: base)
    return [output async for output in transcribe_audio(turn)]


async def test_a_sentence_is_cited_at_the_second_where_it_is_said(base: KnowledgeBase, tmp_path: Path) -> None:
    text = FakeText("The new crane costs forty thousand euros.")
    outputs = await asked(base, tmp_path, "What is the price of the crane?", text)
    assert said(outputs) == "The new crane costs forty thousand euros. [1]"
    (citation,) = citations(outputs)
    assert (citation.start_s, citation.title, citation.supported) == (75, "talk.wav", True)
    assert citation.quote.endswith("The price of the new crane is forty thousand euros.")


async def test_the_model_reads_times_and_speakers(base: KnowledgeBase, tmp_path: Path) -> None:
    text = FakeText("Speaker 2 will call the bank on Friday.")
    outputs = await asked(base, tmp_path, "Who said they would do what?", text)
    assert "[0:03] Speaker 1: Welcome to" in text.seen[0][-1].content
    assert [c.start_s for c in citations(outputs)] == [95]


async def test_where_something_is_said_is_found_without_a_model(base: KnowledgeBase, tmp_path: Path) -> None:
    text = FakeText()
    outputs = await asked(base, tmp_path, "At what minute do they discuss the price?", text)
    assert said(outputs).startswith("- **1:15**: “")
    assert [c.start_s for c in citations(outputs)] == [75]
    assert text.seen == []


async def test_what_is_not_said_is_told(base: KnowledgeBase, tmp_path: Path) -> None:
    outputs = await asked(base, tmp_path, "Who won the football match?", FakeText(NOT_IN_PASSAGES))
    assert said(outputs) == "I did not find this in talk.wav."
    outputs = await asked(base, tmp_path, "When do they mention football?", FakeText())
    assert said(outputs) == "I did not find this in talk.wav."


async def test_a_wrong_number_gets_no_citation_and_is_said_to_be_unmatched(base: KnowledgeBase, tmp_path: Path) -> None:
    outputs = await asked(base, tmp_path, "What is the price of the crane?", FakeText("The crane costs 90 euros."))
    assert citations(outputs) == []
    assert any(isinstance(o, Notice) and "could not be matched" in o.text for o in outputs)


async def test_a_question_reads_the_pieces_of_a_long_recording_that_fit_it(base: KnowledgeBase, tmp_path: Path) -> None:
    text = FakeText("The price of the new crane is forty thousand euros.")
    outputs = await asked(base, tmp_path, "What is the price of the crane?", text, [*TALK, *FILLER])
    assert "forty thousand" in text.seen[0][-1].content
    assert await text.count_tokens(text.seen[0]) <= text.context_tokens - 512
    assert [c.start_s for c in citations(outputs)] == [75]
    assert any(isinstance(o, Notice) and "The recording is long" in o.text for o in outputs)


async def test_a_summary_of_a_long_recording_reads_every_part_with_progress(
    base: KnowledgeBase, tmp_path: Path
) -> None:
    final = "The price of the new crane is forty thousand euros."
    text = FakeText("The price is forty thousand euros.", NOT_IN_PASSAGES, final)
    outputs = await asked(base, tmp_path, "Summarise this", text, [*TALK, *FILLER])
    read = " ".join(messages[-1].content for messages in text.seen[:-1])
    assert all(segment.text in read for segment in [*TALK, *FILLER])
    notes = text.seen[-1][-1].content
    assert "[0:03] The price is forty thousand euros." in notes and NOT_IN_PASSAGES not in notes
    assert [c.start_s for c in citations(outputs)] == [75]
    bars = [o.fraction for o in outputs if isinstance(o, Progress) and "day" not in o.text and o.fraction][-2:]
    assert bars == [0.5, 1.0]


async def test_a_long_translation_goes_part_by_part(base: KnowledgeBase, tmp_path: Path) -> None:
    text = FakeText(*["Teil."] * 8)
    outputs = await asked(base, tmp_path, "Translate it to German", text, [*TALK, *FILLER])
    read = " ".join(messages[-1].content for messages in text.seen)
    assert all(segment.text in read for segment in [*TALK, *FILLER])
    assert said(outputs).split() == ["Teil."] * len(text.seen)


async def test_a_transcript_is_a_document_of_its_thread_whose_passages_keep_their_times(
    base: KnowledgeBase, tmp_path: Path
) -> None:
    await asked(base, tmp_path, "", FakeText())
    (source,) = base.sources(["thread-1"])
    assert (source.source, source.state) == ("talk.wav", "indexed")
    outputs = await ask(base, FakeText("The price is forty thousand euros."), "What is the price of the crane?")
    assert [(c.title, c.start_s) for c in citations(outputs)] == [("talk.wav", 3)]
    kept = await base.copy("talk.wav", from_collection="thread-1", to_collection="shared")
    assert [p.start_s for p in await base.passages(kept.source, collection="shared")] == [3]


def test_a_piece_ends_with_a_segment_and_none_is_lost(tmp_path: Path) -> None:
    heard = context_heard([*TALK, *FILLER])
    pieces = pieces_of(heard)
    assert [s for piece in pieces for s in piece.segments] == heard.segments
    assert all(len(piece.text) / 4 < 1.5 * PIECE_TOKENS for piece in pieces)
    assert {span.start_s for span in spans_of(pieces)} == {s.start_s for s in heard.segments}


def context_heard(segments: list[Segment]) -> Any:
    from tools.engines.base import SpeechRequest
    from tools.hearing import Heard

    heard = Heard("talk.wav", SpeechRequest(Path("talk.wav")), FakeSpeech.card, "", Path("talk.json"))
    heard.segments = segments
    return heard
