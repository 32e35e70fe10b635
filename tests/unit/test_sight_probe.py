"""Whether a model sees is tried with pictures drawn by lot, on servers that look at the pixels and on servers that do not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.agent import Turn
from assistant.cli import call
from assistant.engines import Engines
from assistant.measured import Measurements, Probed, measurements
from assistant.settings import Chat, NamedEndpoint, Settings, load_settings
from assistant.sight_probe import WHICH_NUMBER, Drawn, drawn_by_lot, number_picture, squares_picture
from tests.openai_server import OpenAIServer, Received, Reply
from tests.seeing import looks, read
from tests.unit.test_receipts import assistant_for, done
from tests.unit.test_seeing import picture

YES, NO = Probed("2026-11-30T20:00:00+00:00", 2, 2), Probed("2026-11-30T20:00:00+00:00", 0, 2)


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Measurements]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSISTANT_HOME", str(tmp_path))
    yield measurements(tmp_path)


def configure(server: OpenAIServer) -> None:
    Path("assistant.toml").write_text(f"[endpoints.work]\nbase_url = '{server.url}'\n", "utf-8")


def sight(home: Path, model: str = "work:m") -> Probed | None:
    return measurements(home).of(model).sight


def test_what_is_drawn_is_drawn_by_lot() -> None:
    drawn = [drawn_by_lot() for _ in range(6)]
    assert len({number.right for number, _ in drawn}) > 2 and len({colours.right for _, colours in drawn}) > 2
    assert [d.right for d in drawn_by_lot(3)] == [d.right for d in drawn_by_lot(3)]
    for one in drawn[0]:
        assert one.met_by(read(one.picture))
    assert read(squares_picture(("pink", "red", "black", "blue"))) == "pink, red, black, blue"


@pytest.mark.parametrize(
    ("answer", "right"),
    [("417", True), ("The number is 417.", True), ("First 41, no: 417", True), ("4178", False), ("174", False), ("", False)],
)  # fmt: skip
def test_only_the_number_itself_is_right(answer: str, right: bool) -> None:
    assert Drawn(number_picture(417), WHICH_NUMBER, ("417",)).met_by(answer) is right


def test_a_model_that_looks_is_found_to_see(
    tmp_path: Path, known: Measurements, capsys: pytest.CaptureFixture[str]
) -> None:
    with OpenAIServer(rule=looks) as server:
        configure(server)
        assert call(["models", "probe", "work:m", "--only", "sight"]) == 0
        assert len(server.received) == 2
    assert "2 of 2 right: it sees pictures" in capsys.readouterr().out
    found = sight(tmp_path)
    assert found and found.works


@pytest.mark.parametrize(
    "reply",
    [
        Reply(),
        Reply(("123 red green blue yellow",)),
        Reply(status=400, message="This model does not support image input."),
        Reply(status=500, message="image input is not supported - hint: you may need to provide the mmproj"),
        Reply(status=422, message="messages[0].content: expected a string"),
    ],
)
def test_a_model_that_guesses_or_whose_server_takes_no_pictures_does_not_see(
    tmp_path: Path, known: Measurements, capsys: pytest.CaptureFixture[str], reply: Reply, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr("assistant.sight_probe.drawn_by_lot", lambda _seed: drawn_by_lot(1))
    with OpenAIServer(rule=lambda _received: reply) as server:
        configure(server)
        assert call(["models", "probe", "work:m", "--only", "sight", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["id"], told["probed"], told["right"]) == ("work:m", "sight", 0)
    found = sight(tmp_path)
    assert found and not found.works


def test_a_server_that_fails_otherwise_tells_nothing_of_sight(
    tmp_path: Path, known: Measurements, capsys: pytest.CaptureFixture[str]
) -> None:
    with OpenAIServer(rule=lambda _received: Reply(status=500, message="out of memory")) as server:
        configure(server)
        assert call(["models", "probe", "work:m", "--only", "sight"]) == 1
    assert capsys.readouterr().err.count("\n") == 1 and sight(tmp_path) is None
    assert call(["models", "probe", "llama-cpp:smollm2-135m-instruct", "--only", "sight"]) == 2
    assert "reads text alone" in capsys.readouterr().err


def test_a_server_without_tool_calls_is_still_tried_for_sight(
    tmp_path: Path, known: Measurements, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_tools(received: Received) -> Reply:
        return Reply(status=400, message="m does not support tools") if "tools" in received.body else looks(received)

    with OpenAIServer(rule=no_tools) as server:
        configure(server)
        assert call(["models", "probe", "work:m"]) == 0
    told = capsys.readouterr()
    assert "does not support tools" in told.err and "it sees pictures" in told.out
    assert known.path.exists() and measurements(tmp_path).of("work:m").tool_calls is None


@pytest.mark.parametrize(
    ("model", "found", "sees"),
    [("work:m", None, False), ("work:m", YES, True), ("work:gpt-4o-mini", NO, False), ("work:m", NO, False)],
)
def test_what_was_tried_decides_whether_a_picture_is_sent(
    tmp_path: Path, known: Measurements, model: str, found: Probed | None, sees: bool
) -> None:
    settings = Settings(home=tmp_path, chat=Chat(model), endpoints={"work": NamedEndpoint("http://127.0.0.1:9/v1")})
    if found:
        known.put(model, sight=found)
    assert Engines(settings).sees() is sees
    assert (model in Engines(settings).seeing()) is sees


def test_the_setting_of_the_person_has_the_last_word(tmp_path: Path, known: Measurements) -> None:
    known.put("work:m", sight=NO)
    chat = Chat("work:m", sees_images=True)
    assert Engines(
        Settings(home=tmp_path, chat=chat, endpoints={"work": NamedEndpoint("http://127.0.0.1:9/v1")})
    ).sees()


async def test_a_picture_goes_to_a_model_found_to_see_and_not_to_one_found_blind(
    tmp_path: Path, known: Measurements
) -> None:
    with OpenAIServer() as server:
        assistant = assistant_for(tmp_path, server)
        turn = Turn("What is in it?", (picture(tmp_path),), tool="write_text")
        assert "cannot look at pictures" in (await done(assistant, turn)).answer
        measurements(assistant.settings.home).put("work:m", sight=YES)
        assert "cannot look" not in (await done(assistant, turn)).answer
        assert [part["type"] for part in server.last.body["messages"][-1]["content"]] == ["text", "image_url"]
        measurements(assistant.settings.home).put("work:m", sight=NO)
        assert "cannot look at pictures" in (await done(assistant, turn)).answer
        assert len(server.received) == 1


def test_a_model_tried_for_tools_chooses_them_or_does_not(tmp_path: Path, known: Measurements) -> None:
    settings = load_settings(tmp_path, {"ASSISTANT_CHAT": "openai:gpt-5-mini", "OPENAI_API_KEY": "k", "ASSISTANT_HOME": str(tmp_path)})  # fmt: skip
    assert Engines(settings).calls_tools()
    known.put("openai:gpt-5-mini", tool_calls=Probed("2026-11-30", 1, 4))
    assert not Engines(settings).calls_tools()


def test_a_servers_model_that_was_tried_or_is_set_has_a_card_without_asking_the_server(
    tmp_path: Path, known: Measurements, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "chat = 'work:set'\n[endpoints.work]\nbase_url = 'http://127.0.0.1:9/v1'\n"
    Path("assistant.toml").write_text(text, "utf-8")
    known.put("work:m", sight=YES)
    known.put("gone:m", sight=YES)
    assert call(["models", "show", "work:m"]) == 0
    assert "probed here on 2026-11-30, 2 of 2 right: it sees pictures" in capsys.readouterr().out
    assert call(["models", "--sees", "--provider", "work"]) == 0
    assert "work:m" in capsys.readouterr().out
    assert call(["models", "show", "work:set", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["used_for"] == ["chat"]
    assert call(["models", "show", "gone:m"]) == 2
    assert call(["models", "show", "work:else"]) == 2


def test_the_catalogue_goes_by_what_was_tried(
    tmp_path: Path, known: Measurements, capsys: pytest.CaptureFixture[str]
) -> None:
    known.put("openai:gpt-4.1-mini", sight=NO)
    known.put("ollama:mistral:7b", sight=YES)
    assert call(["models", "--sees", "--json"]) == 0
    ids = [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()]
    assert "ollama:mistral:7b" in ids and "openai:gpt-4.1-mini" not in ids and "openai:gpt-5-mini" in ids
    assert call(["models", "show", "openai:gpt-4.1-mini"]) == 0
    assert "probed here on 2026-11-30, 0 of 2 right: it does not see pictures" in capsys.readouterr().out
