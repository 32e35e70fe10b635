"""The whole product on its starter models: one assistant, real weights, real documents."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from assistant.agent import Assistant, Turn
from assistant.bootstrap import build_assistant
from assistant.events import Cited, Decision, TextDelta, ToolProgress, TurnDone, TurnFailed
from assistant.settings import Settings
from tests.fakes import events_of


@pytest.fixture
async def assistant(home: Path) -> AsyncIterator[Assistant]:
    built = build_assistant(Settings(home=home))
    yield built
    await built.close()


async def test_a_plain_question_is_answered_in_words_with_a_lean_prompt(assistant: Assistant) -> None:
    events = await events_of(assistant, Turn("What is the capital of Australia?"))
    done = events[-1]
    assert isinstance(done, TurnDone) and "Canberra" in done.answer
    assert done.usage.prompt_tokens <= 200 and done.usage.cost == 0
    assert any(isinstance(e, ToolProgress) for e in events), "the first answer shows that weights are loading"


async def test_what_can_you_do_is_answered_from_the_manual_with_a_citation(assistant: Assistant) -> None:
    events = await events_of(assistant, Turn("What can you do?"))
    assert events[-1].tool == "search_knowledge" and "[1]" in events[-1].answer
    cited = [e.citation for e in events if isinstance(e, Cited)]
    assert cited[0].supported and cited[0].quote in cited[0].passage.text


async def test_a_dropped_document_answers_and_belongs_to_its_thread(assistant: Assistant, tmp_path: Path) -> None:
    lease = tmp_path / "lease.txt"
    lease.write_text("The lease of the workshop ends on 30 June 2031. The monthly rent is 1,240 euros.", "utf-8")
    events = await events_of(assistant, Turn("What is the monthly rent of the workshop?", [lease], thread="a"))
    assert "1,240" in events[-1].answer and events[-1].citations[0].source == "lease.txt"
    other = await events_of(assistant, Turn("/search What is the monthly rent of the workshop?", thread="b"))
    assert "1,240" not in other[-1].answer


async def test_a_question_the_documents_do_not_answer_is_not_invented(assistant: Assistant, tmp_path: Path) -> None:
    lease = tmp_path / "lease.txt"
    lease.write_text("The lease of the workshop ends on 30 June 2031.", "utf-8")
    events = await events_of(assistant, Turn("What is the phone number of our dentist?", [lease], thread="a"))
    assert "not found in your documents" in events[-1].answer and not events[-1].citations


async def test_a_picture_without_a_model_says_how_to_choose_one(assistant: Assistant) -> None:
    events = await events_of(assistant, Turn("/image a fox"))
    assert isinstance(events[-1], TurnFailed) and "ASSISTANT_IMAGE=" in events[-1].remedy


@pytest.mark.parametrize(
    ("text", "tool"),
    [
        ("draw me a fox in the snow", "generate_image"),
        ("dessine-moi un mouton", "generate_image"),
        ("how does diffusion draw images?", "write_text"),
        ("write code that draws a circle", "write_text"),
        ("draw a conclusion from these numbers: 3, 5, 9", "write_text"),
        ("transcribe the attached interview", "transcribe_audio"),
        ("what does our contract say about notice periods?", "search_knowledge"),
        ("que sais-tu faire ?", "search_knowledge"),
    ],
)
async def test_requests_go_where_they_belong(assistant: Assistant, text: str, tool: str) -> None:
    decision: Decision = await assistant.route(Turn(text))
    assert decision.tool == tool


@pytest.mark.parametrize(("name", "content"), [("empty.pdf", b""), ("noise.bin", bytes(range(256)) * 40)])
async def test_a_file_that_cannot_be_used_gets_one_line(
    assistant: Assistant, tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    (event,) = await events_of(assistant, Turn("read this", [tmp_path / name]))
    assert isinstance(event, TurnFailed) and name in event.message and "\n" not in event.message


async def test_the_answer_streams_in_pieces(assistant: Assistant) -> None:
    events = await events_of(assistant, Turn("Count from one to five in words."))
    assert sum(isinstance(e, TextDelta) for e in events) > 4
