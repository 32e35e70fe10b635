"""Facts of the turn first, then the classifier, then the chat model, else "not sure"."""

from pathlib import Path

import pytest

from assistant.router import Router, Scores
from tests.fakes import FakeText, scores
from tools.engines.errors import Unreachable

UNSURE = scores(generate_image=0.4, write_text=0.35, search_knowledge=0.2, transcribe_audio=0.05)


def router(tmp_path: Path, verdict: Scores) -> Router:
    return Router(lambda _text, _kinds, _thread: verdict, tmp_path / "corrections.jsonl")


async def test_a_sure_classifier_decides_alone(tmp_path: Path) -> None:
    decision = await router(tmp_path, scores(generate_image=0.9, write_text=0.1)).decide("draw a fox")
    assert (decision.tool, decision.confidence, decision.runner_up) == ("generate_image", 0.9, "write_text")
    assert decision.why == "classifier" and not decision.abstained


@pytest.mark.parametrize(
    ("kind", "tool"), [("audio", "transcribe_audio"), ("video", "transcribe_audio"), ("document", "search_knowledge")]
)
async def test_an_attachment_is_a_fact_that_wins(tmp_path: Path, kind: str, tool: str) -> None:
    decision = await router(tmp_path, scores(write_text=0.99)).decide("summarise this", kinds=[kind])
    assert (decision.tool, decision.why) == (tool, "attachment")


async def test_a_picture_may_be_asked_for_beside_a_document(tmp_path: Path) -> None:
    decision = await router(tmp_path, scores(generate_image=0.97)).decide("draw its cover", kinds=["document"])
    assert decision.tool == "generate_image"


async def test_a_file_without_words_goes_where_its_kind_belongs(tmp_path: Path) -> None:
    routes = router(tmp_path, scores(write_text=1.0))
    assert (await routes.decide("", kinds=["audio"])).tool == "transcribe_audio"
    assert (await routes.decide("", kinds=["image"])).abstained


async def test_pictures_switched_off_are_never_chosen(tmp_path: Path) -> None:
    verdict = scores(generate_image=0.9, write_text=0.08, search_knowledge=0.02)
    assert (await router(tmp_path, verdict).decide("draw a fox", pictures=False)).tool == "write_text"


async def test_the_chat_model_settles_an_unsure_case(tmp_path: Path) -> None:
    text = FakeText('{"tool": "generate_image"}')
    decision = await router(tmp_path, UNSURE).decide("blue hills", ask=text)
    assert (decision.tool, decision.why) == ("generate_image", "model")
    assert text.schemas[0]["properties"]["tool"]["enum"] == ["generate_image", "write_text"]


@pytest.mark.parametrize("reply", ['{"tool": "write_text"}', "not json", Unreachable("down.")])
async def test_where_nobody_is_sure_it_says_so(tmp_path: Path, reply: str | Unreachable) -> None:
    decision = await router(tmp_path, UNSURE).decide("blue hills", ask=FakeText(reply))
    assert decision.abstained and decision.tool is None and decision.runner_up == "generate_image"


async def test_a_correction_decides_the_same_request_from_then_on(tmp_path: Path) -> None:
    routes = router(tmp_path, scores(write_text=0.95, generate_image=0.05))
    await routes.learn("misty mountains", "generate_image")
    assert (await routes.decide("misty mountains")).tool == "generate_image"
    fresh = router(tmp_path, scores(write_text=0.95, generate_image=0.05))
    assert (await fresh.decide("misty mountains")).why == "learned from you"


async def test_a_correction_changes_no_other_requests(tmp_path: Path) -> None:
    routes = router(tmp_path, scores(write_text=0.95, search_knowledge=0.05))
    await routes.learn("Say hello in Spanish", "search_knowledge")
    for text in ("Say hello in Italian", "Tell me a joke", "What is the capital of Portugal?"):
        assert (await routes.decide(text)).tool == "write_text"
    assert (await routes.decide("say hello in spanish!")).tool == "search_knowledge"


async def test_the_last_correction_of_a_request_wins(tmp_path: Path) -> None:
    routes = router(tmp_path, scores(write_text=0.95))
    await routes.learn("misty mountains", "generate_image")
    await routes.learn("misty mountains", "write_text")
    assert (await routes.decide("misty mountains")).tool == "write_text"


async def test_a_damaged_line_in_the_corrections_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "corrections.jsonl").write_text('{"text": "a", "tool": "write_te\n[]\n', "utf-8")
    assert (await router(tmp_path, scores(generate_image=0.9)).decide("x")).tool == "generate_image"


async def test_a_model_that_calls_tools_chooses_what_the_facts_leave_open(tmp_path: Path) -> None:
    routes = router(tmp_path, scores(write_text=0.9))
    assert (await routes.decide("hi", model_chooses=True)).why == "the model's choice"
    assert (await routes.decide("hi", kinds=["audio"], model_chooses=True)).why == "attachment"
